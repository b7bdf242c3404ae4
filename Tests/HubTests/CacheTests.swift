import Foundation
import Hub
import TestSupport
import Testing

@Suite struct CacheTests {
  /// Writes a snapshot as huggingface_hub does.
  private func addSnapshot(
    _ commit: String, files: [String: Data], reference: String? = nil, repository: String = "models--org--model",
    in cache: URL
  ) throws {
    let folder = cache.appending(path: repository)
    for (name, data) in files {
      let blob = folder.appending(path: "blobs/\(sha256(data))")
      let link = folder.appending(path: "snapshots/\(commit)/\(name)")
      for url in [blob, link] {
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      }
      try data.write(to: blob)
      try FileManager.default.createSymbolicLink(
        atPath: link.path, withDestinationPath: "../../" + (name.contains("/") ? "../" : "") + "blobs/\(sha256(data))")
    }
    if let reference {
      let file = folder.appending(path: "refs/\(reference)")
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(commit.utf8).write(to: file)
    }
  }

  private let model = ["config.json": Data("{}".utf8), "model.safetensors": Data("weights".utf8)]

  @Test func `the main branch comes first, then the newest snapshot`() throws {
    try withTemporaryFolder { folder in
      let environment = ["HF_HUB_CACHE": folder.path]
      func found(_ name: String, _ revision: String? = nil) throws -> String? {
        try HubCache.snapshot(of: name, revision: revision, environment: environment)?.lastPathComponent
      }
      #expect(try found("org/model") == nil)
      try addSnapshot("aaaaaaaaaa", files: model, in: folder)
      #expect(try found("org/model") == "aaaaaaaaaa")
      try addSnapshot("bbbbbbbbbb", files: model, in: folder)
      let old = folder.appending(path: "models--org--model/snapshots/aaaaaaaaaa")
      try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 0)], ofItemAtPath: old.path)
      #expect(try found("org/model") == "bbbbbbbbbb")
      try addSnapshot("aaaaaaaaaa", files: [:], reference: "main", in: folder)
      #expect(try found("org/model") == "aaaaaaaaaa")
      try addSnapshot("bbbbbbbbbb", files: [:], reference: "refs/pr/1", in: folder)
      #expect(try found("org/model@refs/pr/1") == "bbbbbbbbbb")
      #expect(try found("org/model", "refs/pr/1") == "bbbbbbbbbb")
      #expect(try found("org/model", "bbbbbbb") == "bbbbbbbbbb")
      #expect(try found("org/model", "bbb") == nil)
      #expect(try found("org/model", "v1") == nil)
      #expect(try found("org/model:config.json") == "config.json")
    }
  }

  @Test func `references and links that lead elsewhere lead nowhere`() throws {
    try withTemporaryFolder { folder in
      let environment = ["HF_HUB_CACHE": folder.path]
      try addSnapshot("aaaaaaaaaa", files: model, in: folder)
      let references = folder.appending(path: "models--org--model/refs")
      try FileManager.default.createDirectory(at: references, withIntermediateDirectories: true)
      for commit in ["../../..", "", "/", "..", ".", "\0", String(repeating: "x", count: 100_000)] {
        try Data(commit.utf8).write(to: references.appending(path: "main"))
        #expect(try HubCache.snapshot(of: "org/model@main", environment: environment) == nil, "\(commit.prefix(9))")
        let other = try HubCache.snapshot(of: "org/model", environment: environment)
        #expect(other?.lastPathComponent == "aaaaaaaaaa")
      }
      // Broken links are files that are not there; a snapshot of nothing else is none.
      try FileManager.default.removeItem(at: folder.appending(path: "models--org--model/blobs"))
      #expect(try HubCache.snapshot(of: "org/model", environment: environment) == nil)
      #expect(HubCache.entries(environment: environment).map(\.files.count) == [0])
    }
  }

  @Test func `names that break the Hub's rules are refused`() throws {
    let bad = [
      "", "/", "a/", "/a", "a/b/c", "..", "../x", "a/..", "a..b", "a--b", "-a", "a-", ".a", "a.", "org/.a", "a b",
      "a\nb", "a\0", "ä", "a.git", "a\\b", "~", "https://huggingface.co/a/b", String(repeating: "a", count: 97),
      "a@", "a@/b", "a@b..c/../d", "a@.x", "a@-x", "a@b c", "a@x//y", "a:", "a:../b", "a:/b", "a:b/../c", "a:b\0",
      "a@\(String(repeating: "x", count: 201))",
    ]
    for name in bad {
      #expect(throws: HubError.self, "\(name)") { try HubName(name) }
      #expect(throws: HubError.self, "\(name)") { try HubCache.snapshot(of: name, environment: ["HOME": "/nowhere"]) }
    }
    #expect(throws: HubError.self) {
      try HubCache.snapshot(of: "a/b", revision: "../../x", environment: ["HOME": "/nowhere"])
    }
    let name = try HubName("Org-1/model_2.5@refs/pr/3:sub folder/a:b@c.gguf")
    #expect(name.repository == "Org-1/model_2.5" && name.revision == "refs/pr/3")
    #expect(name.file == "sub folder/a:b@c.gguf")
    #expect(name.description == "Org-1/model_2.5@refs/pr/3:sub folder/a:b@c.gguf")
    #expect(try HubName("gpt2").description == "gpt2")
  }

  @Test func `the listing has names, revisions, sizes and formats, and skips what is no model`() throws {
    try withTemporaryFolder { folder in
      let environment = ["HF_HUB_CACHE": folder.path]
      #expect(HubCache.entries(environment: environment).isEmpty)
      var twice = model
      twice["copy.bin"] = model["model.safetensors"]
      try addSnapshot("aaaaaaaaaa", files: twice, reference: "main", in: folder)
      try addSnapshot("aaaaaaaaaa", files: [:], reference: "refs/pr/1", in: folder)
      try addSnapshot("bbbbbbbbbb", files: ["x.gguf": Data("gguf".utf8)], in: folder)
      try addSnapshot("c", files: ["pytorch_model.bin": Data("p".utf8)], repository: "models--gpt2", in: folder)
      try addSnapshot("d", files: model, repository: "datasets--org--data", in: folder)
      try addSnapshot("e", files: model, repository: "models--a--b--c", in: folder)
      try Data().write(to: folder.appending(path: "models--org--file"))
      try Data().write(to: folder.appending(path: "version.txt"))
      let entries = HubCache.entries(environment: environment)
      #expect(entries.map(\.name) == ["gpt2", "org/model", "org/model"])
      #expect(entries.map(\.commit) == ["c", "aaaaaaaaaa", "bbbbbbbbbb"])
      #expect(entries.map(\.revisions) == [[], ["main", "refs/pr/1"], []])
      #expect(entries.map(\.format) == [.pytorch, .safetensors, .gguf])
      #expect(entries.map(\.bytes) == [1, 9, 4])
      #expect(entries[1].files.map(\.name) == ["config.json", "copy.bin", "model.safetensors"])
    }
  }

  @Test func `the settings are found as huggingface_hub finds them`() throws {
    func cache(_ environment: [String: String]) throws -> String {
      try HubSettings(environment: environment).cache.path
    }
    var environment = ["HOME": "/home/me"]
    #expect(try cache(environment) == "/home/me/.cache/huggingface/hub")
    environment["XDG_CACHE_HOME"] = "/xdg"
    #expect(try cache(environment) == "/xdg/huggingface/hub")
    environment["HF_HOME"] = "~/hf"
    #expect(try cache(environment) == "/home/me/hf/hub")
    environment["HF_HUB_CACHE"] = "/cache"
    #expect(try cache(environment) == "/cache")
    environment["HF_HUB_CACHE"] = ""
    #expect(try cache(environment) == "/home/me/hf/hub")
    #expect(try HubSettings(environment: [:]).endpoint.absoluteString == "https://huggingface.co")
    #expect(try HubSettings(environment: ["HF_ENDPOINT": "http://x:1/y/"]).endpoint.absoluteString == "http://x:1/y")
    for bad in ["huggingface.co", "file:///x", "https://", "not an address"] {
      #expect(throws: HubError.self, "\(bad)") { try HubSettings(environment: ["HF_ENDPOINT": bad]) }
    }
    #expect(try HubSettings(environment: ["HF_HUB_OFFLINE": "yes"]).isOffline)
    #expect(try !HubSettings(environment: ["HF_HUB_OFFLINE": "0"]).isOffline)
  }

  @Test func `the token comes from the environment, else from the file of a log-in`() throws {
    try withTemporaryFolder { folder in
      func token(_ more: [String: String] = [:]) throws -> String? {
        try HubSettings(environment: ["HF_HOME": folder.path].merging(more) { $1 }).token
      }
      #expect(try token() == nil)
      try Data("hf_file\n".utf8).write(to: folder.appending(path: "token"))
      #expect(try token() == "hf_file")
      #expect(try token(["HF_TOKEN": " hf_variable\n"]) == "hf_variable")
      #expect(try token(["HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"]) == nil)
      #expect(try token(["HF_TOKEN": "a\r\nX-Evil: 1"]) == nil)
      let other = folder.appending(path: "other")
      try Data("hf_other".utf8).write(to: other)
      #expect(try token(["HF_TOKEN_PATH": other.path]) == "hf_other")
    }
  }
}
