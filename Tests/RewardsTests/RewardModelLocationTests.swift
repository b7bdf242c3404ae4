import Checkpoints
import Foundation
import Rewards
import TestSupport
import Testing

@Suite struct RewardModelLocationTests {
  @Test func `the most specific setting wins, and an empty one counts as none`() {
    var environment = ["HOME": "/home/me"]
    #if os(macOS)
      #expect(folder(environment) == "/home/me/Library/Caches/tinyalign/models/all-MiniLM-L6-v2")
    #else
      #expect(folder(environment) == "/home/me/.cache/tinyalign/models/all-MiniLM-L6-v2")
    #endif
    environment["XDG_CACHE_HOME"] = "relative/is/ignored"
    #expect(folder(environment).hasPrefix("/home/me/"))
    environment["XDG_CACHE_HOME"] = "/xdg"
    #expect(folder(environment) == "/xdg/tinyalign/models/all-MiniLM-L6-v2")
    environment["TINYALIGN_CACHE"] = "/cache of mine/"
    #expect(folder(environment) == "/cache of mine/models/all-MiniLM-L6-v2")
    environment["TINYALIGN_REWARD_MODEL"] = ""
    #expect(folder(environment) == "/cache of mine/models/all-MiniLM-L6-v2")
    environment["TINYALIGN_REWARD_MODEL"] = "/models/other"
    #expect(folder(environment) == "/models/other")
  }

  @Test func `a missing model says where it was looked for and what to do`() throws {
    try withTemporaryFolder { folder in
      let cache = ["TINYALIGN_CACHE": folder.path, "HOME": folder.path]
      let inCache = folder.appending(path: "models/all-MiniLM-L6-v2").path
      let error = #expect(throws: RewardError.self) { try RewardModelLocation.source(environment: cache) }
      let message = error?.description ?? ""
      #expect(message.contains(inCache) && message.contains("TINYALIGN_CACHE"), "\(message)")
      #expect(message.contains("make reward-model"))

      let home = #expect(throws: RewardError.self) {
        try RewardModelLocation.source(environment: ["HOME": folder.path])
      }
      #expect(home?.description.contains("set TINYALIGN_REWARD_MODEL") == true)

      let named = ["TINYALIGN_REWARD_MODEL": folder.path]
      #expect(throws: RewardError.missingModel(folder: folder.path, setting: "TINYALIGN_REWARD_MODEL")) {
        try RewardModelLocation.source(environment: named)
      }
      try Data().write(to: folder.appending(path: "model.safetensors"))
      #expect(try RewardModelLocation.source(environment: named).description == folder.path)
    }
  }

  @Test func `a model in the Hub cache serves where there is no other and no variable names one`() throws {
    try withTemporaryFolder { folder in
      var environment = ["HF_HUB_CACHE": folder.path, "HOME": folder.path]
      let snapshot = folder.appending(path: "models--sentence-transformers--all-MiniLM-L6-v2/snapshots/abc")
      try FileManager.default.createDirectory(at: snapshot, withIntermediateDirectories: true)
      try Data().write(to: snapshot.appending(path: "config.json"))
      #expect(throws: RewardError.self) { try RewardModelLocation.source(environment: environment) }
      try Data().write(to: snapshot.appending(path: "model.safetensors"))
      #expect(try RewardModelLocation.source(environment: environment).description.hasSuffix("/snapshots/abc"))
      environment["TINYALIGN_REWARD_MODEL"] = folder.path
      #expect(throws: RewardError.self) { try RewardModelLocation.source(environment: environment) }
      environment["TINYALIGN_REWARD_MODEL"] = nil
      let own = RewardModelLocation.folder(environment: environment)
      try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
      try Data().write(to: own.appending(path: "model.safetensors"))
      #expect(try RewardModelLocation.source(environment: environment).description == own.path)
    }
  }

  private func folder(_ environment: [String: String]) -> String {
    RewardModelLocation.folder(environment: environment).path
  }
}
