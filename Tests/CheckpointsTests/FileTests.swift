import Checkpoints
import Foundation
import TestSupport
import Testing

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

@Suite(.timeLimit(.minutes(1))) struct FileTests {
  @Test func `maps a file, and an empty one`() throws {
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "a")
      let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      try Data(bytes).write(to: url)
      let mapped = try MappedBytes(file: url)
      #expect(mapped.count == bytes.count && mapped.data == Data(bytes))
      // A replaced or deleted file stays readable through its old mapping.
      try writeAtomically(Data("new".utf8), to: url)
      #expect(mapped.data == Data(bytes))
      try FileManager.default.removeItem(at: url)
      #expect(mapped.withUnsafeBytes { Array($0) } == bytes)
      try Data().write(to: url)
      let empty = try MappedBytes(file: url)
      #expect(empty.isEmptyInEveryWay)
    }
  }

  @Test func `says why a file cannot be mapped, without waiting for it`() throws {
    try withTemporaryFolder { folder in
      let missing = folder.appending(path: "missing")
      #expect(
        checkpointError { try MappedBytes(file: missing) } == .missingFile(path: missing.path, hint: "check the path"))
      #expect(message { try MappedBytes(file: folder) } == "cannot read \(folder.path): it is a folder")
      let pipe = folder.appending(path: "pipe")
      #expect(mkfifo(pipe.path, 0o600) == 0)
      #expect(message { try MappedBytes(file: pipe) }?.contains("it is not a regular file") == true)
      #expect(message { try MappedBytes(file: URL(filePath: "/dev/zero")) }?.contains("not a regular file") == true)
      let inFile = folder.appending(path: "file")
      try Data("a".utf8).write(to: inFile)
      #expect(message { try MappedBytes(file: inFile.appending(path: "b")) }?.contains("is missing") == true)
      let remote = try #require(URL(string: "https://example.org/model"))
      #expect(message { try MappedBytes(file: remote) }?.contains("not a path on this machine") == true)
      #expect(message { try MappedBytes(file: URL(filePath: "a\0b")) } != nil)
      #expect(message { try MappedBytes(file: folder.appending(path: String(repeating: "x", count: 300))) } != nil)
    }
  }

  @Test func `finds a model's files in a folder and in memory`() throws {
    try withTemporaryFolder { folder in
      try FileManager.default.createDirectory(
        at: folder.appending(path: "1_Pooling"), withIntermediateDirectories: false)
      try Data("{}".utf8).write(to: folder.appending(path: "1_Pooling/config.json"))
      let source = ModelSource.folder(folder)
      #expect(source.description == folder.path)
      #expect(try source.file("1_Pooling/config.json")?.data == Data("{}".utf8))
      #expect(try source.file("config.json") == nil)
      for name in ["../a", "/etc/hosts", "a//b", "a/../../b", ""] {
        #expect(message { try source.file(name) }?.contains("leads out of the model's folder") == true, "\(name)")
      }
    }
    let held = heldForever(Array("{}".utf8))
    let source = ModelSource.embedded(name: "tiny", files: ["config.json": held])
    #expect(source.description == "tiny")
    #expect(try source.requiredFile("config.json").data == Data("{}".utf8))
    #expect(try source.file("vocab.json") == nil)
    #expect(message { try source.requiredFile("vocab.json") }?.hasPrefix("tiny/vocab.json is missing") == true)
  }

  @Test func `says what is wrong with a model's folder`() throws {
    try withTemporaryFolder { folder in
      func weightsMessage(_ url: URL) -> String? { message { try ModelSource.folder(url).weights() } }
      let missing = folder.appending(path: "nowhere")
      #expect(weightsMessage(missing)?.contains("there is no folder \(missing.path)") == true)
      let nothing = try #require(weightsMessage(folder))
      #expect(nothing.hasPrefix("\(folder.path)/model.safetensors is missing: give a Hugging Face model folder"))
      for name in ["model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json", ".bin or .pt"] {
        #expect(nothing.contains(name), "\(name)")
      }
      #expect(message { try ModelSource.folder(folder).weightFiles() } == nothing)
      let bin = folder.appending(path: "pytorch_model.bin")
      try Data("PK".utf8).write(to: bin)
      #expect(weightsMessage(folder)?.contains("begins neither as a zip file nor as a pickle") == true)
      #expect(weightsMessage(bin)?.contains("is a file; give the folder that holds the model") == true)
    }
  }

  @Test func `takes the first of the forms in which weights are kept`() throws {
    try withTemporaryFolder { folder in
      let source = ModelSource.folder(folder)
      func add(_ golden: String, _ name: String) throws {
        try TestSupport.golden("pytorch/\(golden)", in: .module).write(to: folder.appending(path: name))
      }
      func index(_ file: String, _ name: String) throws {
        try Data("{\"weight_map\": {\"a\": \"\(file)\"}}".utf8).write(to: folder.appending(path: name))
      }
      func opened() throws -> String {
        let weights = try source.weights()
        let files = try source.weightFiles()
        #expect(files.count == 1 && files[0].count > 0)
        return String(weights.name.dropFirst(folder.path.count + 1))
      }
      // What trainers leave beside the weights is no candidate.
      for name in ["training_args.bin", "optimizer.pt", "scheduler.pt", ".hidden.pt"] { try add("module.pt", name) }
      #expect(message { try source.weights() }?.contains("model.safetensors is missing") == true)
      try add("module.pt", "story.pt")
      #expect(try opened() == "story.pt")
      try add("nested-model.pt", "other.bin")
      let several = try #require(message { try source.weights() })
      #expect(several.contains("may be in any of \"other.bin\", \"story.pt\"; rename"), "\(several)")
      try index("other.bin", "pytorch_model.bin.index.json")
      #expect(try opened() == "pytorch_model.bin.index.json")
      try add("module.pt", "pytorch_model.bin")
      #expect(try opened() == "pytorch_model.bin")
      try write([1], as: .float32, to: folder.appending(path: "shard.safetensors"))
      try index("shard.safetensors", "model.safetensors.index.json")
      #expect(try opened() == "model.safetensors.index.json")
      try write([1], as: .float32, to: folder.appending(path: "model.safetensors"))
      #expect(try opened() == "model.safetensors")
    }
  }

  @Test func `finds weights among files in memory`() throws {
    let data = try golden("pytorch/module.pt", in: .module)
    let source = ModelSource.embedded(name: "tiny", files: ["pytorch_model.bin": MappedBytes(data)])
    #expect(try floats("bias", in: try source.weights()) == [0.5, -0.5])
    #expect(try source.weightFiles().map(\.data) == [data])
    let nothing = ModelSource.embedded(name: "tiny", files: [:])
    #expect(message { try nothing.weights() }?.hasPrefix("tiny/model.safetensors is missing") == true)
  }

  @Test func `presents a model of another format as a folder`() throws {
    let weights = try pytorchGolden("module.pt")
    let held = heldForever([1, 2, 3])
    let source = ModelSource.converted(
      ConvertedModel(
        name: "stories.gguf", files: ["config.json": Data("{\"layers\":[]}".utf8)], weights: weights, weightFile: held))
    #expect(source.description == "stories.gguf" && source.path(of: "config.json") == "stories.gguf/config.json")
    #expect(try source.decodeJSON(Configuration.self, from: "config.json") == Configuration(layers: []))
    #expect(try source.file("vocab.json") == nil)
    #expect(
      message { try source.requiredFile("tokenizer.json") }
        == "stories.gguf/tokenizer.json is missing: the file says nothing that it could be made of")
    #expect(try source.weights().tensorNames == ["weight", "bias"])
    #expect(try source.weightFiles().map(\.data) == [Data([1, 2, 3])])
  }

  @Test func `keeps data, and gives bytes in parts`() throws {
    for count in [0, 1, 4 << 20, 9_000_001] {
      let data = Data((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) })
      try withTemporaryFolder { folder in
        let url = folder.appending(path: "a")
        try data.write(to: url)
        for bytes in [MappedBytes(data), try MappedBytes(file: url)] {
          #expect(bytes.count == count && bytes.data == data)
          #expect(bytes.withUnsafeBytes { $0.count } == count)
          var parts = Data()
          bytes.forEachPart { part in
            #expect(part.count <= 4 << 20)
            parts.append(contentsOf: part)
          }
          #expect(parts == data)
        }
      }
    }
  }

  private struct Configuration: Decodable, Equatable {
    struct Layer: Decodable, Equatable {
      let width: Int
    }
    let layers: [Layer]
  }

  @Test(arguments: [
    ("{\"layers\":[{\"width\":1},{}]}", ": the key \"layers[1].width\" is missing"),
    ("{\"layers\":[{\"width\":\"1\"}]}", ": the key \"layers[0].width\" should be of type Int"),
    ("{\"layers\":[{\"width\":null}]}", ": the key \"layers[0].width\" is null"),
    ("{\"layers\":{}}", ": the key \"layers\" should be of type Array"),
    ("[]", ": the top level should be of type Dictionary"),
    ("{}", ": the key \"layers\" is missing"),
    ("{\"layers\":", " at byte 10: the content ends too early"),
    ("{\"layers\":[] \"a\"}", " at byte 13: a comma or '}' was expected"),
    ("{\"layers\":[]} x", " at byte 14: there is more after the end of the value"),
    ("", " at byte 0: the content ends too early"),
    ("\u{1}", " at byte 0: a value was expected"),
  ])
  func `a configuration's error names the file and the key`(json: String, expected: String) throws {
    let held = heldForever(Array(json.utf8))
    let source = ModelSource.embedded(name: "m", files: ["config.json": held])
    let text = try #require(message { try source.decodeJSON(Configuration.self, from: "config.json") })
    #expect(text.hasPrefix("m/config.json is damaged\(expected)") && !text.contains { $0.isNewline }, "\(text)")
  }

  @Test(arguments: ["1.5", "1e99", "9223372036854775808"])
  func `a configuration's number that does not fit is an error`(number: String) throws {
    let held = heldForever(Array("{\"layers\":[{\"width\":\(number)}]}".utf8))
    let source = ModelSource.embedded(name: "m", files: ["config.json": held])
    let text = try #require(message { try source.decodeJSON(Configuration.self, from: "config.json") })
    // Which key it is, Foundation says on some platforms only.
    #expect(text.hasPrefix("m/config.json is damaged: "), "\(text)")
  }

  @Test func `decodes a sound configuration, and survives deep nesting`() throws {
    let held = heldForever(Array("{\"layers\":[{\"width\":3}],\"other\":true}".utf8))
    let deep = heldForever(Array(String(repeating: "[", count: 1_000_000).utf8))
    let source = ModelSource.embedded(name: "m", files: ["config.json": held, "deep.json": deep])
    let found = try source.decodeJSON(Configuration.self, from: "config.json")
    #expect(found == Configuration(layers: [.init(width: 3)]))
    #expect(message { try source.decodeJSON(Configuration.self, from: "deep.json") } != nil)
    #expect(message { try source.decodeJSON(Configuration.self, from: "no.json") }?.contains("missing") == true)
  }
}

extension MappedBytes {
  fileprivate var isEmptyInEveryWay: Bool { count == 0 && data.isEmpty && withUnsafeBytes { $0.isEmpty } }
}
