import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite struct GGUFWriterTests {
  private static let models = ["gguf-llama", "gguf-llama-q8", "gguf-gpt2"]

  /// The weights, the configuration and the vocabulary of a golden model.
  private func model(_ name: String) throws -> (Safetensors, Data, GGUFVocabulary) {
    let weights = try Safetensors(heldForever(Array(try golden("\(name).safetensors", in: .module))), name: name)
    return (weights, try golden("\(name).json", in: .module), try goldenGGUF(name).vocabulary())
  }

  private func written(
    _ source: any TensorSource, _ configuration: Data, _ vocabulary: GGUFVocabulary,
    _ type: GGUFMatrixType = .float32
  ) throws -> GGUFFile {
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "a.gguf")
      try writeGGUF(
        from: source, configuration: configuration, vocabulary: vocabulary, matrices: type, name: "x", to: url)
      return try GGUFFile(MappedBytes(file: url), name: "a.gguf")
    }
  }

  @Test(arguments: models, GGUFMatrixType.allCases)
  func `what is written is read back`(name: String, type: GGUFMatrixType) throws {
    let (weights, configuration, vocabulary) = try model(name)
    let file = try written(weights, configuration, vocabulary, type)
    #expect(try file.vocabulary() == vocabulary)
    #expect(try file.string("general.name") == "x" && file.version == 3)
    let back = try file.huggingFaceWeights()
    #expect(Set(back.tensorNames) == Set(weights.tensorNames))
    for tensor in weights.tensorNames {
      let (found, expected) = (try floats(tensor, in: back), try floats(tensor, in: weights))
      #expect(back.shape(of: tensor) == weights.shape(of: tensor))
      let isVector = weights.shape(of: tensor)?.count == 1 || tensor.hasSuffix("wpe.weight")
      let bound =
        switch type {
        case _ where isVector: 0.0
        case .float32: 0.0
        case .float16: 1e-3
        case .bfloat16: 8e-3
        case .q8x0: 2e-2
        }
      #expect(Comparison(found, expected).matches(absolute: bound), "\(tensor): \(Comparison(found, expected))")
    }
    for tensor in file.tensors {
      let isFloat = tensor.shape.count == 1 || tensor.name == "position_embd.weight"
      // Rows of 16 or 24 cannot be blocks of 32.
      let falls = type == .q8x0 && tensor.shape.last.map { $0 % 32 != 0 } == true
      #expect(tensor.typeName == (isFloat ? "F32" : falls ? "F16" : type.rawValue), "\(tensor.name)")
    }
    // Where the golden file has the same type, so have its tensors the same bits.
    let reference = try goldenGGUF(name)
    for tensor in reference.tensors where file[tensor.name]?.typeName == tensor.typeName {
      if tensor.name == "rope_freqs.weight" { continue }
      #expect(try floats(tensor.name, in: file) == floats(tensor.name, in: reference), "\(tensor.name)")
    }
    let text = String(decoding: try file.huggingFaceConfiguration(), as: UTF8.self)
    let wanted = String(decoding: try reference.huggingFaceConfiguration(), as: UTF8.self)
    #expect(text == wanted)
    if let folder = ProcessInfo.processInfo.environment["TINYALIGN_KEEP_WRITTEN"] {
      try writeGGUF(
        from: weights, configuration: configuration, vocabulary: vocabulary, matrices: type,
        to: URL(filePath: folder).appending(path: "\(name)-\(type.rawValue).gguf"))
    }
  }

  @Test func `quantises to the bits of gguf-py`() throws {
    let data = Array(try golden("gguf-q8.bin", in: .module))
    let values = integers(UInt32.self, Data(data[..<1536])).map { Float(bitPattern: $0) }
    let (_, configuration, vocabulary) = try model("gguf-llama-q8")
    // Six rows of 64 as an embedding: the rest of the model is zeros.
    var object = try #require(try JSONSerialization.jsonObject(with: configuration) as? [String: Any])
    let zeros = [Float](repeating: 0, count: 64 * 64)
    object.merge([
      "vocab_size": 24, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 16,
      "intermediate_size": 64, "num_hidden_layers": 1, "tie_word_embeddings": true,
    ]) { $1 }
    let embedding = values + values + values + values
    let file = try withTemporaryFolder { folder in
      try embedding.withUnsafeBufferPointer { embedding in
        try zeros.withUnsafeBufferPointer { zeros in
          var tensors = [
            TensorToWrite(name: "model.embed_tokens.weight", shape: [24, 64], values: embedding),
            TensorToWrite(name: "model.norm.weight", shape: [64], values: .init(rebasing: zeros[..<64])),
          ]
          for name in ["self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.gate", "mlp.up", "mlp.down"] {
            tensors.append(TensorToWrite(name: "model.layers.0.\(name)_proj.weight", shape: [64, 64], values: zeros))
          }
          for name in ["input_layernorm", "post_attention_layernorm"] {
            tensors.append(
              TensorToWrite(name: "model.layers.0.\(name).weight", shape: [64], values: .init(rebasing: zeros[..<64])))
          }
          let url = folder.appending(path: "a.gguf")
          try writeGGUF(
            tensors, configuration: try JSONSerialization.data(withJSONObject: object), vocabulary: vocabulary,
            matrices: .q8x0, to: url)
          return try GGUFFile(MappedBytes(file: url), name: "a.gguf")
        }
      }
    }
    let tensor = try #require(file["token_embd.weight"])
    let blocks = file.bytes.withUnsafeBytes { Array($0[tensor.byteRange]) }
    let expected = Array(data[1536...])
    #expect(blocks == expected + expected + expected + expected)
  }

  @Test func `fills the vocabulary up to the embedding`() throws {
    let (weights, configuration, original) = try model("gguf-llama-q8")
    var vocabulary = original
    vocabulary.tokens.removeLast(3)
    vocabulary.types?.removeLast(3)
    vocabulary.scores?.removeLast(3)
    vocabulary.end = 2
    let found = try written(weights, configuration, vocabulary).vocabulary()
    #expect(found.tokens.suffix(4) == ["t20", "[PAD21]", "[PAD22]", "[PAD23]"])
    #expect(found.types?.suffix(4) == [1, 5, 5, 5] && found.scores?.suffix(3) == [-1000, -1000, -1000])
    vocabulary.types = nil
    #expect(
      try written(weights, configuration, vocabulary).vocabulary().types?.prefix(21)
        == [Int](repeating: 1, count: 21)[...])
  }

  @Test func `reads names without the prefix, leaves out a tied head, and writes one of its own`() throws {
    let (weights, configuration, vocabulary) = try model("gguf-gpt2")
    let bare = Renamed(base: weights) { $0.replacingOccurrences(of: "transformer.", with: "") }
    let back = try written(bare, configuration, vocabulary).huggingFaceWeights()
    for name in weights.tensorNames { #expect(try floats(name, in: back) == floats(name, in: weights)) }
    let count = weights.tensorNames.count
    #expect(try written(Headed(base: weights, offset: 0), configuration, vocabulary).tensors.count == count)
    let own = Headed(base: weights, offset: 1)
    let headed = try written(own, configuration, vocabulary)
    #expect(headed.tensors.count == count + 1)
    #expect(try floats("lm_head.weight", in: headed.huggingFaceWeights()) == floats("lm_head.weight", in: own))
    let buffer = Renamed(base: weights, extra: ["transformer.h.0.attn.bias"])
    #expect(message { try written(buffer, configuration, vocabulary) }?.contains("transformer.h.0.attn.bias") == true)
  }

  // Heads of 8 dimensions have 4 frequencies: too few to tell all parameters, enough to compute the same.
  @Test(arguments: [1, 4, 8, 16, 40, 64, 200, 1024, 8192, 100_000], [100.0, 10_000, 500_000])
  func `Llama 3's rotary scaling is read back from few dimensions`(positions: Int, base: Double) throws {
    let (weights, configuration, vocabulary) = try model("gguf-llama")
    for (factor, low, high) in [(8.0, 1.0, 4.0), (32, 1, 4), (2.5, 1, 1.5), (8, 0.5, 20)] {
      var object = try #require(try JSONSerialization.jsonObject(with: configuration) as? [String: Any])
      object["rope_scaling"] = nil
      object["rope_theta"] = nil
      object["rope_parameters"] =
        [
          "rope_type": "llama3", "rope_theta": base, "factor": factor, "low_freq_factor": low, "high_freq_factor": high,
          "original_max_position_embeddings": positions,
        ] as [String: Any]
      let first = try written(weights, try JSONSerialization.data(withJSONObject: object), vocabulary)
      let wanted = try floats("rope_freqs.weight", in: first)
      let read = try #require(
        try JSONSerialization.jsonObject(with: first.huggingFaceConfiguration()) as? [String: Any])
      let rope = try #require(read["rope_parameters"] as? [String: Any])
      var found = [Float](repeating: 1, count: wanted.count)
      switch rope["rope_type"] as? String {
      case "llama3":
        found = try floats("rope_freqs.weight", in: written(weights, try first.huggingFaceConfiguration(), vocabulary))
      case "linear": found = [Float](repeating: Float(try #require(rope["factor"] as? Double)), count: wanted.count)
      default: break
      }
      for (found, wanted) in zip(found, wanted) {
        #expect(abs(found - wanted) <= 2e-5 * wanted, "\(rope): \(found), not \(wanted)")
      }
    }
  }

  @Test func `refuses what GGUF cannot hold`() throws {
    let (weights, configuration, vocabulary) = try model("gguf-llama")
    func refused(
      _ wanted: String, _ source: (any TensorSource)? = nil, _ changes: [String: Any] = [:],
      _ type: GGUFMatrixType = .float32, _ change: (inout GGUFVocabulary) -> Void = { _ in }
    ) throws {
      var object = try #require(try JSONSerialization.jsonObject(with: configuration) as? [String: Any])
      object.merge(changes) { $1 }
      let data = try JSONSerialization.data(withJSONObject: object)
      var vocabulary = vocabulary
      change(&vocabulary)
      let found = message { try written(source ?? weights, data, vocabulary, type) }
      #expect(found?.contains(wanted) == true, "\(wanted): \(found ?? "written")")
    }
    try refused(
      "GGUF files of the model type \"gpt_neo\" are not written; the format has no GPT-Neo", nil,
      ["model_type": "gpt_neo"])
    try refused("model type \"mistral\" are not written; supported are llama and gpt2", nil, ["model_type": "mistral"])
    try refused("\"hidden_size\" should be of type Int", nil, ["hidden_size": "16"])
    try refused("config.json is damaged: \"hidden_size\" is 0", nil, ["hidden_size": 0])
    try refused("\"head_dim\" is 4611686018427387904", nil, ["head_dim": 1 << 62])
    try refused("4 heads of 8 dimensions with 3 for keys", nil, ["num_key_value_heads": 3])
    try refused("the activation \"gelu\" is not part of GGUF", nil, ["hidden_act": "gelu"])
    try refused("rotary scaling of type \"yarn\"", nil, ["rope_parameters": ["rope_type": "yarn"]])
    try refused("of type llama3 is incomplete", nil, ["rope_parameters": ["rope_type": "llama3", "factor": 2]])
    try refused("has no tensor \"model.layers.2.input_layernorm.weight\"", nil, ["num_hidden_layers": 3])
    try refused("holds 16 tensors the model has no place for", nil, ["num_hidden_layers": 1])
    try refused("has no tensor \"lm_head.weight\"", nil, ["tie_word_embeddings": false])
    try refused("has shape [24, 16] where [25, 16] is needed", nil, ["vocab_size": 25])
    try refused("the tokenizer has 25 tokens and the embedding 24 rows", nil, [:]) { $0.tokens.append("x") }
    try refused("there are 23 scores or kinds for 24 tokens", nil, [:]) { $0.types?.removeLast() }
    try refused("there is no token 24 among 24", nil, [:]) { $0.end = 24 }
    try refused("a tokenizer of kind \"bert\" is not supported", nil, [:]) { $0.model = "bert" }
    for (value, type, wanted) in [
      (Float.nan, GGUFMatrixType.float32, "is not a finite number at index 0"), (70_000, .float16, "too large for F16"),
      (3.4e38, .bfloat16, "too large for BF16"), (9e6, .q8x0, "too large for F16"),
    ] {
      try refused(wanted, Renamed(base: weights, first: value), [:], type)
    }
    #expect(message { try written(weights, Data("{".utf8), vocabulary) }?.contains("config.json is damaged") == true)
  }

  @Test func `leaves nothing behind when it fails`() throws {
    let (weights, configuration, vocabulary) = try model("gguf-llama")
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "a.gguf")
      try Data("old".utf8).write(to: url)
      let damaged = Renamed(base: weights, first: .nan)
      #expect(throws: CheckpointError.self) {
        try writeGGUF(from: damaged, configuration: configuration, vocabulary: vocabulary, to: url)
      }
      #expect(try Data(contentsOf: url) == Data("old".utf8))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.gguf"])
    }
  }
}

/// Another source with its names changed, tensors of one element added, or the first element of matrices replaced.
private struct Renamed: TensorSource {
  let base: Safetensors
  var extra: [String] = []
  var first: Float?
  private var originals: [String: String] = [:]

  init(base: Safetensors, extra: [String] = [], first: Float? = nil, rename: (String) -> String = { $0 }) {
    self.base = base
    self.extra = extra
    self.first = first
    for name in base.tensorNames { originals[rename(name)] = name }
  }

  var name: String { "renamed" }
  var tensorNames: [String] { originals.keys.sorted() + extra }

  func shape(of tensor: String) -> [Int]? {
    extra.contains(tensor) ? [1] : originals[tensor].flatMap { base.shape(of: $0) }
  }

  func copyFloats(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    if extra.contains(tensor) { return destination.update(repeating: 1) }
    guard let original = originals[tensor] else { throw CheckpointError.missingTensor(name: tensor, file: name) }
    try base.copyFloats(of: original, into: destination)
    if let first, base.shape(of: original)?.count == 2 { destination[0] = first }
  }
}

/// A GPT-2's tensors and a head: the embedding with a number added to all of its own.
private struct Headed: TensorSource {
  let base: Safetensors
  let offset: Float

  private static let embedding = "transformer.wte.weight"
  var name: String { "headed" }
  var tensorNames: [String] { base.tensorNames + ["lm_head.weight"] }

  private func stored(_ tensor: String) -> String { tensor == "lm_head.weight" ? Self.embedding : tensor }

  func shape(of tensor: String) -> [Int]? { base.shape(of: stored(tensor)) }

  func copyFloats(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    try base.copyFloats(of: stored(tensor), into: destination)
    guard tensor == "lm_head.weight" else { return }
    for index in destination.indices { destination[index] += offset }
  }
}
