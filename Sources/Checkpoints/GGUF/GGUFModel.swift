public import Foundation

extension GGUFFile {
  /// The `config.json` of this model as transformers would have it.
  ///
  /// - Throws: ``CheckpointError`` for an architecture other than `llama` and `gpt2`, and where the metadata is
  ///   incomplete or says something that the Hugging Face classes cannot express.
  public func huggingFaceConfiguration() throws -> Data {
    switch try architecture() {
    case .llama: try llamaValues().json
    case .gpt2: try gpt2Values().json
    }
  }

  /// The architecture, if it is one that is read.
  func architecture() throws -> GGUFArchitecture {
    guard let text = try string("general.architecture") else {
      throw malformed("there is no \"general.architecture\": it is not a model", nil)
    }
    if let parts = try integer("split.count"), parts > 1 {
      throw CheckpointError.unsupported(
        file: name, reason: "this is one of the \(parts) files of a split model",
        hint: "join them with llama.cpp: llama-gguf-split --merge FIRST-FILE NEW-FILE")
    }
    guard let architecture = GGUFArchitecture(rawValue: text) else {
      throw CheckpointError.unsupported(
        file: name, reason: "the GGUF architecture \(quoted(text)) is not supported",
        hint: "supported are \(GGUFArchitecture.names)")
    }
    return architecture
  }

  func llamaValues() throws -> LlamaValues {
    if let experts = try integer("llama.expert_count"), experts > 0 {
      throw CheckpointError.unsupported(
        file: name, reason: "this is a mixture of \(experts) experts", hint: "use a model without experts")
    }
    let hiddenSize = try size("llama.embedding_length")
    let heads = try size("llama.attention.head_count")
    let keyValueHeads = try optionalSize("llama.attention.head_count_kv") ?? heads
    guard heads % keyValueHeads == 0 else {
      throw malformed(
        "\(heads) attention heads cannot share \(keyValueHeads) key and value heads",
        fields["llama.attention.head_count_kv"])
    }
    let headDimension = try optionalSize("llama.attention.key_length") ?? hiddenSize / heads
    for key in ["llama.attention.value_length", "llama.rope.dimension_count"] {
      guard let found = try optionalSize(key), found != headDimension else { continue }
      throw CheckpointError.unsupported(
        file: name, reason: "\(key) is \(found), and the heads have \(headDimension) dimensions",
        hint: "only models are supported in which the two agree")
    }
    guard headDimension > 0, headDimension % 2 == 0 else {
      throw malformed("the heads have \(headDimension) dimensions, and need an even number", nil)
    }
    let ropeBase = try number("llama.rope.freq_base") ?? 10_000
    guard ropeBase > 0 else { throw malformed("the rotary base is \(ropeBase)", fields["llama.rope.freq_base"]) }
    return LlamaValues(
      vocabularySize: try vocabularySize("llama.vocab_size"),
      hiddenSize: hiddenSize,
      intermediateSize: try size("llama.feed_forward_length"),
      layers: try layers("llama.block_count"),
      heads: heads,
      keyValueHeads: keyValueHeads,
      headDimension: headDimension,
      positions: try size("llama.context_length"),
      normEpsilon: try epsilon("llama.attention.layer_norm_rms_epsilon"),
      ropeBase: ropeBase,
      ropeScaling: try ropeScaling(base: ropeBase, headDimension: headDimension),
      tiesEmbeddings: self["output.weight"] == nil,
      hasAttentionBias: self["blk.0.attn_q.bias"] != nil,
      hasFeedForwardBias: self["blk.0.ffn_gate.bias"] != nil,
      beginning: try identifier("tokenizer.ggml.bos_token_id"),
      ends: try stopTokens(),
      padding: try identifier("tokenizer.ggml.padding_token_id"))
  }

  func gpt2Values() throws -> GPT2Values {
    let hiddenSize = try size("gpt2.embedding_length")
    let heads = try size("gpt2.attention.head_count")
    let positions = try size("gpt2.context_length")
    if let table = self["position_embd.weight"], table.shape.first != positions {
      throw malformed(
        "\"gpt2.context_length\" is \(positions) and \"position_embd.weight\" has shape \(table.shape)",
        fields["gpt2.context_length"])
    }
    return GPT2Values(
      vocabularySize: try vocabularySize("gpt2.vocab_size"),
      hiddenSize: hiddenSize,
      intermediateSize: try optionalSize("gpt2.feed_forward_length") ?? 4 * hiddenSize,
      layers: try layers("gpt2.block_count"),
      heads: heads,
      positions: positions,
      normEpsilon: try epsilon("gpt2.attention.layer_norm_epsilon"),
      tiesEmbeddings: self["output.weight"] == nil,
      beginning: try identifier("tokenizer.ggml.bos_token_id"),
      ends: try stopTokens(),
      padding: try identifier("tokenizer.ggml.padding_token_id"))
  }

  /// Where the metadata stretches the rotary frequencies: by `rope.scaling`, or by a table as llama.cpp's converter
  /// writes for Llama 3.1 and later.
  private func ropeScaling(base: Double, headDimension: Int) throws -> RotaryScaling? {
    // As llama.cpp has it: linear where nothing is said, and 0 is no factor. The second key is that of 2023.
    let type = try string("llama.rope.scaling.type") ?? "linear"
    let stored = try number("llama.rope.scaling.factor") ?? number("llama.rope.scale_linear") ?? 1
    guard stored >= 0 else { throw malformed("the rotary scaling factor is \(stored)", nil) }
    let factor = stored == 0 || type == "none" ? 1 : stored
    let table = try ropeDivisors(count: headDimension / 2)
    switch type {
    case "none", "linear":
      if let table, !table.allSatisfy({ $0 == 1 }) {
        guard factor == 1, let scaling = RotaryScaling.fitting(divisors: table, base: base) else {
          throw CheckpointError.unsupported(
            file: name, reason: "\"rope_freqs.weight\" stretches rotary positions in another way than Llama 3",
            hint: "use the original model in Hugging Face format")
        }
        return scaling
      }
      return factor != 1 ? .linear(factor: factor) : nil
    default:
      throw CheckpointError.unsupported(
        file: name, reason: "rotary scaling of type \(quoted(type)) is not supported",
        hint: "supported are linear and that of Llama 3")
    }
  }

  private func ropeDivisors(count: Int) throws -> [Float]? {
    guard let tensor = self["rope_freqs.weight"] else { return nil }
    guard tensor.count == count else {
      throw CheckpointError.shapeMismatch(tensor: tensor.name, expected: [count], found: tensor.shape, file: name)
    }
    var divisors = [Float](repeating: 0, count: count)
    try divisors.withUnsafeMutableBufferPointer { try copyFloats(of: tensor.name, into: $0) }
    return divisors
  }

  // MARK: Checked values

  private static let sizes = 1...Int(Int32.max)

  private func size(_ key: String) throws -> Int {
    guard let size = try optionalSize(key) else { throw malformed("there is no \(quoted(key))", nil) }
    return size
  }

  /// A positive number of at most 31 bits, or an array of such numbers that are all the same: some are given by layer.
  private func optionalSize(_ key: String) throws -> Int? {
    guard let field = fields[key] else { return nil }
    let values = field.type == .array ? try integers(key) ?? [] : [try integer(key) ?? 0]
    guard let first = values.first, values.allSatisfy({ $0 == first }) else {
      throw CheckpointError.unsupported(
        file: name, reason: "\(key) differs between the layers", hint: "only models with equal layers are supported")
    }
    guard Self.sizes.contains(first) else { throw malformed("\(quoted(key)) is \(first)", field) }
    return first
  }

  private func layers(_ key: String) throws -> Int {
    let layers = try size(key)
    guard layers <= tensors.count else {
      throw malformed("it announces \(layers) layers and has \(tensors.count) tensors", fields[key])
    }
    return layers
  }

  /// The rows of the embedding, which the metadata must not contradict.
  private func vocabularySize(_ key: String) throws -> Int {
    let table = "token_embd.weight"
    guard let tensor = self[table] else { throw CheckpointError.missingTensor(name: table, file: name) }
    guard tensor.shape.count == 2, Self.sizes.contains(tensor.shape[0]) else {
      throw malformed("tensor \(quoted(table)) has shape \(tensor.shape), and must be a matrix", nil)
    }
    if let announced = try optionalSize(key), announced != tensor.shape[0] {
      throw malformed("\(quoted(key)) is \(announced) and \(quoted(table)) has \(tensor.shape[0]) rows", fields[key])
    }
    return tensor.shape[0]
  }

  private func epsilon(_ key: String) throws -> Double {
    guard let value = try number(key) else { throw malformed("there is no \(quoted(key))", nil) }
    guard value >= 0, value < 1 else { throw malformed("\(quoted(key)) is \(value)", fields[key]) }
    return value
  }

  /// A token's number; some files write -1, as an integer of either sign, for none.
  func identifier(_ key: String) throws -> Int? {
    guard let value = try integer(key), value >= 0, value != Int(UInt32.max) else { return nil }
    return value
  }
}
