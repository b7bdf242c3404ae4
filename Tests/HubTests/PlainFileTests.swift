import Foundation
import Hub
import TestSupport
import Testing

/// A cache without symbolic links, laid out as huggingface_hub does where there are none.
@Suite struct PlainFileTests {
  private static let disabled = ["HF_HUB_DISABLE_SYMLINKS": "1"]

  private func isLink(_ path: String) -> Bool {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil
  }

  @Test func `files lie in the snapshot themselves, and are not fetched again`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles)
      let pull = Pulling(cache: folder)
      let model = try pull(from: server.hub.url, environment: Self.disabled)
      let needed = [
        "config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json",
        "config_sentence_transformers.json",
      ]
      #expect(
        try pull.paths()
          == Set(
            ["models--org--model/refs/main"] + needed.map { "models--org--model/snapshots/\(FakeHub.commit)/\($0)" }))
      for name in needed {
        #expect(try Data(contentsOf: model.location.appending(path: name)) == modelFiles[name])
        #expect(!isLink(model.location.path + "/" + name))
      }
      let before = server.hub.requests.count
      #expect(try pull(from: server.hub.url, environment: Self.disabled) == model)
      #expect(server.hub.requests.count == before + 1)
      #expect(pull.events.contains(.cached(file: "model.safetensors", bytes: 300_000)))
      #expect(HubCache(folder: folder).entries().map(\.bytes) == [303_030])
      #expect(try HubCache(folder: folder).location(of: HubName("org/model")) != nil)
      // One that was cut off, as by another program, is fetched once more.
      try Data(modelFiles["config.json"]?.dropLast() ?? Data()).write(to: model.location.appending(path: "config.json"))
      _ = try pull(from: server.hub.url, environment: Self.disabled)
      #expect(try Data(contentsOf: model.location.appending(path: "config.json")) == modelFiles["config.json"])
    }
  }

  @Test func `a blob that is there already is copied, since others may lead to it`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles)
      let pull = Pulling(cache: folder)
      let model = try pull(from: server.hub.url)
      let weights = model.location.appending(path: "model.safetensors")
      #expect(isLink(weights.path))
      try FileManager.default.removeItem(at: weights)
      let before = server.cdn.requests.count
      _ = try pull(from: server.hub.url, environment: Self.disabled)
      #expect(!isLink(weights.path) && server.cdn.requests.count == before)
      #expect(try Data(contentsOf: weights) == modelFiles["model.safetensors"])
      let blob = folder.appending(path: "models--org--model/blobs/\(sha256(try Data(contentsOf: weights)))")
      #expect(try Data(contentsOf: blob) == modelFiles["model.safetensors"])
    }
  }
}
