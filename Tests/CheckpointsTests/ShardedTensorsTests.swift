import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite struct ShardedTensorsTests {
  /// Writes one-element tensors to a safetensors file.
  private func write(_ tensors: [(String, Float)], to url: URL) throws {
    let values = tensors.map(\.1)
    try values.withUnsafeBufferPointer { buffer in
      try writeSafetensors(
        tensors.indices.map {
          TensorToWrite(name: tensors[$0].0, shape: [1], values: UnsafeBufferPointer(rebasing: buffer[$0...$0]))
        }, elementType: .float32, to: url)
    }
  }

  /// A folder with two shards and the index given.
  private func withShards(
    _ index: String, named name: String = "model.safetensors.index.json", _ body: (URL) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      try write([("a", 1), ("b", 2)], to: folder.appending(path: "one.safetensors"))
      try write([("c", 3), ("extra", 4)], to: folder.appending(path: "two.safetensors"))
      try Data(index.utf8).write(to: folder.appending(path: name))
      try body(folder)
    }
  }

  private func index(_ map: String) -> String { "{\"metadata\": {\"total_size\": 12}, \"weight_map\": {\(map)}}" }

  @Test func `reads tensors from the files that the index names`() throws {
    let map = #""c": "two.safetensors", "a": "one.safetensors", "b": "one.safetensors""#
    try withShards(index(map)) { folder in
      let source = ModelSource.folder(folder)
      let weights = try source.weights()
      #expect(weights is ShardedTensors)
      #expect(weights.name == folder.appending(path: "model.safetensors.index.json").path)
      #expect(weights.tensorNames == ["a", "b", "c", "extra"])
      #expect(try ["a", "b", "c"].map { try floats($0, in: weights) } == [[1], [2], [3]])
      #expect(weights.shape(of: "d") == nil && weights.shape(of: "a") == [1])
      var one: [Float] = [0]
      #expect(
        checkpointError { try one.withUnsafeMutableBufferPointer { try weights.copyFloats(of: "d", into: $0) } }
          == .missingTensor(name: "d", file: weights.name))
      let files = try source.weightFiles().map(\.data)
      #expect(files == (try ["one", "two"].map { try Data(contentsOf: folder.appending(path: "\($0).safetensors")) }))
    }
  }

  // As transformers: the index names files, and what these hold counts.
  @Test(arguments: [
    #""a": "one.safetensors", "c": "two.safetensors", "gone": "one.safetensors""#,
    #""a": "two.safetensors", "b": "two.safetensors", "c": "one.safetensors""#,
    #""a": "one.safetensors", "extra": "two.safetensors""#,
  ])
  func `an index out of date hides no tensor`(map: String) throws {
    try withShards(index(map)) { folder in
      let weights = try ModelSource.folder(folder).weights()
      #expect(weights.tensorNames == ["a", "b", "c", "extra"] && weights.shape(of: "gone") == nil)
      #expect(try ["a", "b", "c", "extra"].map { try floats($0, in: weights) } == [[1], [2], [3], [4]])
    }
  }

  @Test func `a tensor in two files must be the same in both`() throws {
    try withShards(index(#""a": "one.safetensors", "c": "two.safetensors""#)) { folder in
      let two = folder.appending(path: "two.safetensors")
      try write([("a", 1), ("c", 3)], to: two)
      #expect(try floats("a", in: try ModelSource.folder(folder).weights()) == [1])
      try write([("a", 5), ("c", 3)], to: two)
      let weights = try ModelSource.folder(folder).weights()
      let found = try #require(message { try floats("a", in: weights) })
      #expect(
        found.contains("tensor \"a\" is in ") && found.contains("two.safetensors, with other numbers"), "\(found)")
    }
  }

  @Test func `reads PyTorch files by their index`() throws {
    try withTemporaryFolder { folder in
      for name in ["zip-2.pt", "module.pt"] {
        try golden("pytorch/\(name)", in: .module).write(to: folder.appending(path: name + ".bin"))
      }
      let map = #""weight": "module.pt.bin", "transposed": "zip-2.pt.bin""#
      try Data(index(map).utf8).write(to: folder.appending(path: "pytorch_model.bin.index.json"))
      let weights = try ModelSource.folder(folder).weights()
      #expect(Set(weights.tensorNames).isSuperset(of: ["weight", "transposed"]))
      #expect(try floats("weight", in: weights) == [0, 1, 2, 3, 4, 5])
      #expect(try floats("transposed", in: weights) == (try floats("transposed", in: try pytorchGolden("zip-2.pt"))))
    }
  }

  @Test(arguments: [
    (#""a": "three.safetensors""#, "three.safetensors is missing: model.safetensors.index.json names it"),
    (#""a": "../one.safetensors""#, "cannot read ../one.safetensors: the name leads out of the model's folder"),
    (#""a": "/etc/hosts""#, "cannot read /etc/hosts: the name leads out of the model's folder"),
    (#""a": """#, "the name leads out of the model's folder"),
    (#""a": "x/../../one""#, "the name leads out of the model's folder"),
    (#""a": "model.safetensors.index.json""#, "is it a safetensors file?"),
    (#""a": "one.safetensors", "a": "one.safetensors""#, "at byte 72: the tensor \"a\" appears twice"),
    (#""a": 1"#, "a string was expected"),
    (#""a": null"#, "a string was expected"),
    (#""a": "one.safetensors""# + "}, \"weight_map\": {", "\"weight_map\" appears twice"),
  ])
  func `says what is wrong with an index`(map: String, text: String) throws {
    try withShards(index(map)) { folder in
      let found = try #require(message { try ModelSource.folder(folder).weights() })
      #expect(found.contains(text), "\(found)")
    }
  }

  @Test(arguments: [
    ("{}", "there is no \"weight_map\""), ("[]", "'{' expected"), ("", "'{' expected"),
    ("{\"weight_map\": []}", "'{' expected"), ("{\"weight_map\": {}} x", "more after the end"),
    ("{\"weight_map\": " + String(repeating: "[", count: 100_000), "'{' expected"),
    ("{\"x\": " + String(repeating: "[", count: 100_000), "nested deeper than"),
  ])
  func `says what is wrong with an index that is no map`(json: String, text: String) throws {
    try withShards(json) { folder in
      let found = try #require(message { try ModelSource.folder(folder).weights() })
      #expect(found.contains(text) && found.contains("model.safetensors.index.json"), "\(found)")
    }
  }

  @Test func `survives random mutations and every truncation of an index`() throws {
    let map = #""c": "two.safetensors", "a": "one.safetensors", "b": "one.safetensors""#
    try withShards(index(map)) { folder in
      let shards = try ["one", "two"].map { name in
        ("\(name).safetensors", try MappedBytes(file: folder.appending(path: "\(name).safetensors")))
      }
      /// Whether the index is accepted; the only error that may come out is ours.
      func isAccepted(_ bytes: [UInt8]) throws -> Bool {
        let index = ("model.safetensors.index.json", MappedBytes(Data(bytes)))
        let files = Dictionary(uniqueKeysWithValues: shards + [index])
        do {
          let weights = try ModelSource.embedded(name: "m", files: files).weights()
          for name in weights.tensorNames { _ = try floats(name, in: weights) }
          return true
        } catch let error as CheckpointError {
          #expect(!error.description.contains { $0.isNewline })
          return false
        }
      }
      let sound = Array(index(map).utf8)
      #expect(try isAccepted(sound))
      for count in sound.indices { #expect(try !isAccepted(Array(sound[..<count])), "\(count) bytes") }
      var accepted = 0
      try forEachMutation(of: sound, rounds: fuzzRounds(default: 2000), seed: 44) {
        if try isAccepted($0) { accepted += 1 }
      }
      #expect(accepted > 0)
    }
  }
}
