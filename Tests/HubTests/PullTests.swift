import Foundation
import Hub
import TestSupport
import Testing

/// A small model as it stands on the Hub, among files that nobody needs.
let modelFiles: [String: Data] = [
  "config.json": Data(#"{"model_type": "gpt_neo"}"#.utf8), "tokenizer.json": noise(3_000, seed: 2),
  "model.safetensors": noise(300_000), "pytorch_model.bin": noise(1_000, seed: 3), "README.md": Data("#".utf8),
  "onnx/model.onnx": noise(100, seed: 4), "1_Pooling/config.json": Data("{}".utf8), "empty.txt": Data(),
  "config_sentence_transformers.json": Data("{ }".utf8),
]
let largeFiles: Set = ["model.safetensors", "pytorch_model.bin"]

@Suite struct PullTests {
  @Test func `the cache is laid out as huggingface_hub does it, with only the files needed`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles)
      let pull = Pulling(cache: folder)
      let model = try pull(from: server.hub.url)
      #expect(model.commit == FakeHub.commit)
      let repository = folder.appending(path: "models--org--model")
      let snapshot = repository.appending(path: "snapshots/\(FakeHub.commit)")
      #expect(model.location.standardizedFileURL.path == snapshot.standardizedFileURL.path)
      let needed = [
        "config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json",
        "config_sentence_transformers.json",
      ]
      var expected: Set = ["models--org--model/refs/main"]
      for name in needed {
        let data = try #require(modelFiles[name])
        let blob = largeFiles.contains(name) ? sha256(data) : gitSHA1(data)
        expected.formUnion([
          "models--org--model/snapshots/\(FakeHub.commit)/\(name)", "models--org--model/blobs/\(blob)",
        ])
        let link = try FileManager.default.destinationOfSymbolicLink(atPath: snapshot.path + "/" + name)
        #expect(link == (name.contains("/") ? "../" : "") + "../../blobs/\(blob)")
        #expect(try Data(contentsOf: snapshot.appending(path: name)) == data)
      }
      #expect(try pull.paths() == expected)
      #expect(try String(contentsOf: repository.appending(path: "refs/main"), encoding: .utf8) == FakeHub.commit)
      #expect(Set(server.fetched) == Set(needed))
      #expect(pull.events.contains(.found(name: "org/model", commit: FakeHub.commit, files: 5, bytes: 303_030)))
      #expect(pull.events.contains(.finished(file: "model.safetensors", bytes: 300_000)))
      let found = try HubCache(folder: folder).location(of: HubName("org/model"))
      #expect(found?.standardizedFileURL.path == snapshot.standardizedFileURL.path)
    }
  }

  @Test func `the token goes to the Hub and to no other server, and nothing is packed on the way`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles)
      _ = try Pulling(cache: folder)(from: server.hub.url)
      #expect(server.hub.requests.allSatisfy { $0["Authorization"] == "Bearer hf_secret" })
      #expect(server.cdn.requests.count == 1)
      #expect(server.cdn.requests.allSatisfy { $0["Authorization"] == nil })
      #expect((server.hub.requests + server.cdn.requests).allSatisfy { $0["Accept-Encoding"] == "identity" })
      #expect(server.cdn.requests.first?.target.hasSuffix("?Signature=x") == true)
    }
  }

  @Test func `what is there already is not fetched again`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles)
      let pull = Pulling(cache: folder)
      let first = try pull(from: server.hub.url)
      let before = server.hub.requests.count
      #expect(try pull(from: server.hub.url) == first)
      #expect(server.hub.requests.count == before + 1)
      #expect(pull.events.contains(.cached(file: "model.safetensors", bytes: 300_000)))
      // A file that went missing, and a link that leads nowhere.
      let weights = first.location.appending(path: "model.safetensors")
      try FileManager.default.removeItem(at: weights.resolvingSymlinksInPath())
      try FileManager.default.removeItem(at: first.location.appending(path: "config.json"))
      _ = try pull(from: server.hub.url)
      #expect(try Data(contentsOf: weights) == modelFiles["model.safetensors"])
      #expect(server.cdn.requests.count == 2)
    }
  }

  @Test func `a branch with a slash, a tag and a commit are asked for and remembered`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles)
      let pull = Pulling(cache: folder)
      _ = try pull("org/model@refs/pr/1", from: server.hub.url)
      #expect(server.hub.requests.first?.target == "/api/models/org/model/revision/refs%2Fpr%2F1?blobs=true")
      let references = "models--org--model/refs/"
      #expect(try pull.paths().filter { $0.hasPrefix(references) } == [references + "refs/pr/1"])
      _ = try pull("org/model@\(FakeHub.commit)", from: server.hub.url)
      #expect(try pull.paths().filter { $0.hasPrefix(references) } == [references + "refs/pr/1"])
      _ = try pull("org/model@v1.0", from: server.hub.url)
      #expect(try HubCache(folder: folder).location(of: HubName("org/model@v1.0")) != nil)
      #expect(try HubCache(folder: folder).location(of: HubName("org/model@0123456")) != nil)
      #expect(try HubCache(folder: folder).location(of: HubName("org/model@v2.0")) == nil)
    }
  }

  @Test func `weights in parts are fetched by their index, and an index cannot lead elsewhere`() throws {
    func index(_ second: String) -> Data {
      Data(#"{"metadata": {}, "weight_map": {"a": "model-1.safetensors", "b": "\#(second)"}}"#.utf8)
    }
    var files = [
      "config.json": Data("{}".utf8), "model-1.safetensors": noise(900), "model-2.safetensors": noise(800, seed: 5),
      "model-3.safetensors": noise(700, seed: 6), "model.safetensors.index.json": index("model-2.safetensors"),
    ]
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: files, large: ["model-1.safetensors", "model-2.safetensors"])
      let model = try Pulling(cache: folder)(from: server.hub.url)
      #expect(Set(server.fetched) == Set(files.keys).subtracting(["model-3.safetensors"]))
      #expect(try Data(contentsOf: model.location.appending(path: "model-2.safetensors")) == noise(800, seed: 5))
    }
    for hostile in ["../../../evil", "missing.safetensors", "/etc/passwd"] {
      files["model.safetensors.index.json"] = index(hostile)
      try withTemporaryFolder { folder in
        let server = try FakeHub(files: files)
        let error = #expect(throws: HubError.self) { try Pulling(cache: folder)(from: server.hub.url) }
        #expect(error?.description.contains(hostile) == true)
      }
    }
    files["model.safetensors.index.json"] = Data("[]".utf8)
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: files)
      let error = #expect(throws: HubError.self) { try Pulling(cache: folder)(from: server.hub.url) }
      #expect(error?.description.contains("no index of weights") == true)
    }
  }

  @Test func `older weights are taken where there are no newer, and none is an error`() throws {
    try withTemporaryFolder { folder in
      var files = modelFiles
      files["model.safetensors"] = nil
      let server = try FakeHub(files: files, large: largeFiles)
      let model = try Pulling(cache: folder)(from: server.hub.url)
      #expect(try Data(contentsOf: model.location.appending(path: "pytorch_model.bin")) == files["pytorch_model.bin"])
      files["pytorch_model.bin"] = nil
      let bare = try FakeHub(files: files)
      let error = #expect(throws: HubError.self) { try Pulling(cache: folder)(from: bare.hub.url) }
      #expect(error?.description.contains("README.md") == true)
      #expect(bare.fetched.isEmpty)
    }
  }

  @Test func `an adapter comes with its settings and tokenizer, without a copy of its model's configuration`() throws {
    for weights in ["adapter_model.safetensors", "adapter_model.bin"] {
      let files = [
        "config.json": Data("{}".utf8), "adapter_config.json": Data(#"{"peft_type": "LORA"}"#.utf8),
        "tokenizer.json": noise(300, seed: 2), weights: noise(900), "optimizer.pt": noise(100),
        "README.md": Data("#".utf8),
      ]
      try withTemporaryFolder { folder in
        let server = try FakeHub(files: files, large: [weights])
        let model = try Pulling(cache: folder)(from: server.hub.url)
        #expect(Set(server.fetched) == ["adapter_config.json", "tokenizer.json", weights])
        #expect(try Data(contentsOf: model.location.appending(path: weights)) == files[weights])
      }
    }
  }

  @Test func `of GGUF files one is taken: the only one, or the one chosen`() throws {
    let files = [
      "a.Q4_0.gguf": noise(100), "a.Q8_0.gguf": noise(200, seed: 2), "README.md": Data(),
      "config.json": Data("{}".utf8),
      "sub/b-00001-of-00002.gguf": noise(10, seed: 3),
    ]
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: files, large: ["a.Q4_0.gguf", "a.Q8_0.gguf"])
      let pull = Pulling(cache: folder)
      let error = #expect(throws: HubError.self) { try pull(from: server.hub.url) }
      #expect(
        error
          == .choiceNeeded(name: "org/model", files: ["a.Q4_0.gguf", "a.Q8_0.gguf", "sub/b-00001-of-00002.gguf"]))
      #expect(error?.description.contains("--file: a.Q4_0.gguf, a.Q8_0.gguf") == true)
      for wanted in ["a.Q8_0.gguf", "a.Q8_0", "q8_0"] {
        let model = try pull("org/model:\(wanted)", from: server.hub.url)
        #expect(model.location.lastPathComponent == "a.Q8_0.gguf")
        #expect(try Data(contentsOf: model.location) == noise(200, seed: 2))
        #expect(try HubCache(folder: folder).location(of: HubName("org/model"))?.lastPathComponent == "a.Q8_0.gguf")
      }
      #expect(Set(server.fetched) == ["a.Q8_0.gguf"])
      _ = try pull("org/model:a.Q4_0.gguf", from: server.hub.url)
      #expect(throws: HubError.choiceNeeded(name: "org/model", files: ["a.Q4_0.gguf", "a.Q8_0.gguf"])) {
        try HubCache(folder: folder).location(of: HubName("org/model"))
      }
      #expect(try HubCache(folder: folder).location(of: HubName("org/model:Q2_K")) == nil)
      let missing = #expect(throws: HubError.self) { try pull("org/model:Q2_K", from: server.hub.url) }
      #expect(missing?.description.contains("it holds a.Q4_0.gguf, a.Q8_0.gguf") == true)
      let split = #expect(throws: HubError.self) { try pull("org/model:00001", from: server.hub.url) }
      #expect(split?.description.contains("one of several parts") == true)
    }
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: ["only.gguf": noise(50), "README.md": Data()], large: ["only.gguf"])
      #expect(try Pulling(cache: folder)(from: server.hub.url).location.lastPathComponent == "only.gguf")
    }
  }

  @Test func `a model of llama2_c comes with the tokenizer beside it`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(
        files: [
          "s/stories260K.bin": noise(50), "s/tok512.bin": noise(40, seed: 2), "stories15M.bin": noise(30, seed: 3),
        ])
      let pull = Pulling(cache: folder)
      #expect(throws: HubError.choiceNeeded(name: "org/model", files: ["s/stories260K.bin", "stories15M.bin"])) {
        try pull(from: server.hub.url)
      }
      let model = try pull("org/model:s/stories260K.bin", from: server.hub.url)
      #expect(model.location.lastPathComponent == "stories260K.bin")
      #expect(Set(server.fetched) == ["s/stories260K.bin", "s/tok512.bin"])
    }
  }

  @Test func `a listing without hashes is made up for by the header of each file`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles, listsHashes: false)
      let pull = Pulling(cache: folder)
      _ = try pull(from: server.hub.url)
      let data = try #require(modelFiles["model.safetensors"])
      #expect(try pull.paths().contains("models--org--model/blobs/\(sha256(data))"))
      #expect(server.hub.requests.contains { $0.method == "HEAD" })
      #expect(server.cdn.requests.map(\.method) == ["GET"])
    }
  }

  @Test func `two downloads of the same model at once fetch each large file once`() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tinyalign-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let server = try FakeHub(files: modelFiles, large: largeFiles) { place, _, _ in
      if place == .cdn { Thread.sleep(forTimeInterval: 0.3) }
      return nil
    }
    try await withThrowingTaskGroup(of: PulledModel.self) { group in
      for _ in 0..<2 { group.addTask { try Pulling(cache: folder)(from: server.hub.url) } }
      for try await model in group {
        #expect(
          try Data(contentsOf: model.location.appending(path: "model.safetensors")) == modelFiles["model.safetensors"])
      }
    }
    #expect(server.cdn.requests.count == 1)
  }

  @Test func `offline, the cache serves and no server is asked`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles)
      let offline = ["HF_HUB_OFFLINE": "1"]
      let pull = Pulling(cache: folder)
      let error = #expect(throws: HubError.self) { try pull(from: server.hub.url, environment: offline) }
      #expect(error?.description.contains("HF_HUB_OFFLINE is set") == true)
      #expect(server.hub.requests.isEmpty)
      let model = try pull(from: server.hub.url)
      let before = server.hub.requests.count
      let again = try pull(from: server.hub.url, environment: offline)
      #expect(again.location.standardizedFileURL == model.location.standardizedFileURL)
      #expect(again.commit == FakeHub.commit)
      #expect(server.hub.requests.count == before)
      #expect(pull.events.last == .unchecked(name: "org/model", reason: "HF_HUB_OFFLINE is set"))
    }
  }
}
