import Foundation

/// What tells architectures apart.
struct ConfigurationKind: Decodable {
  let modelType: String

  enum CodingKeys: String, CodingKey {
    case modelType = "model_type"
  }
}

/// Decodes a `config.json` that is to be written as GGUF, with the messages that loading one has.
func decodeConfiguration<T: Decodable>(_ type: T.Type, _ data: Data) throws -> T {
  try data.withUnsafeBytes { bytes in
    let files = ["config.json": MappedBytes(staticBytes: bytes)]
    return try ModelSource.embedded(name: "the model to write", files: files).decodeJSON(type, from: "config.json")
  }
}

private func unsupported(_ reason: String, _ hint: String) -> CheckpointError {
  .unsupported(file: "the model to write", reason: reason, hint: hint)
}

/// Checks sizes, so that products of two of them cannot overflow.
private func check(_ sizes: [(String, Int)]) throws {
  for (key, size) in sizes where !(1...Int(Int32.max)).contains(size) {
    throw CheckpointError.malformed(
      file: "the model to write/config.json", offset: nil, reason: "\"\(key)\" is \(size)")
  }
}

/// The keys of transformers' `LlamaConfig` that matter here, with its defaults.
struct LlamaConfigurationFile: Decodable {
  struct Rope: Decodable {
    var theta: Double?
    var type: String?
    var oldType: String?
    var factor: Double?
    var low: Double?
    var high: Double?
    var originalPositions: Int?

    enum CodingKeys: String, CodingKey {
      case theta = "rope_theta"
      case type = "rope_type"
      case oldType = "type"
      case factor
      case low = "low_freq_factor"
      case high = "high_freq_factor"
      case originalPositions = "original_max_position_embeddings"
    }
  }

  let vocabularySize: Int
  let hiddenSize: Int
  let intermediateSize: Int
  let layers: Int
  let heads: Int
  var keyValueHeads: Int?
  var headDimension: Int?
  var positions: Int?
  var normEpsilon: Double?
  var ropeBase: Double?
  var ropeScaling: Rope?
  var ropeParameters: Rope?
  var tiesEmbeddings: Bool?
  var activation: String?

  enum CodingKeys: String, CodingKey {
    case vocabularySize = "vocab_size"
    case hiddenSize = "hidden_size"
    case intermediateSize = "intermediate_size"
    case layers = "num_hidden_layers"
    case heads = "num_attention_heads"
    case keyValueHeads = "num_key_value_heads"
    case headDimension = "head_dim"
    case positions = "max_position_embeddings"
    case normEpsilon = "rms_norm_eps"
    case ropeBase = "rope_theta"
    case ropeScaling = "rope_scaling"
    case ropeParameters = "rope_parameters"
    case tiesEmbeddings = "tie_word_embeddings"
    case activation = "hidden_act"
  }

  func values() throws -> LlamaValues {
    let keyValueHeads = keyValueHeads ?? heads
    let positions = positions ?? 2048
    try check([
      ("vocab_size", vocabularySize), ("hidden_size", hiddenSize), ("intermediate_size", intermediateSize),
      ("num_hidden_layers", layers), ("num_attention_heads", heads), ("num_key_value_heads", keyValueHeads),
      ("max_position_embeddings", positions),
    ])
    let headDimension = headDimension ?? hiddenSize / heads
    try check([("head_dim", headDimension)])
    guard heads % keyValueHeads == 0, headDimension % 2 == 0 else {
      throw unsupported(
        "\(heads) heads of \(headDimension) dimensions with \(keyValueHeads) for keys and values are no Llama model",
        "check config.json")
    }
    if let activation, activation != "silu", activation != "swish" {
      throw unsupported("Llama with the activation \(quoted(activation)) is not part of GGUF", "only silu is")
    }
    return LlamaValues(
      vocabularySize: vocabularySize, hiddenSize: hiddenSize, intermediateSize: intermediateSize, layers: layers,
      heads: heads, keyValueHeads: keyValueHeads, headDimension: headDimension, positions: positions,
      normEpsilon: normEpsilon ?? 1e-6, ropeBase: ropeParameters?.theta ?? ropeScaling?.theta ?? ropeBase ?? 10_000,
      ropeScaling: try scaling(ropeScaling ?? ropeParameters), tiesEmbeddings: tiesEmbeddings ?? false)
  }

  private func scaling(_ rope: Rope?) throws -> RotaryScaling? {
    guard let rope else { return nil }
    let factor = rope.factor ?? 1
    switch rope.type ?? rope.oldType ?? "default" {
    case "default": return nil
    case "linear" where factor > 0: return factor == 1 ? nil : .linear(factor: factor)
    case "llama3":
      guard factor > 1, let low = rope.low, let high = rope.high, low > 0, high > low,
        let originalPositions = rope.originalPositions, originalPositions > 0
      else { throw unsupported("the rotary scaling of type llama3 is incomplete", "check config.json") }
      return .llama3(factor: factor, low: low, high: high, originalPositions: originalPositions)
    case let type:
      throw unsupported("rotary scaling of type \(quoted(type)) is not supported", "supported are linear and llama3")
    }
  }
}

/// The keys of transformers' `GPT2Config` that matter here, with its defaults.
struct GPT2ConfigurationFile: Decodable {
  let vocabularySize: Int
  let hiddenSize: Int
  let layers: Int
  let heads: Int
  var positions: Int?
  var intermediateSize: Int?
  var normEpsilon: Double?
  var tiesEmbeddings: Bool?
  var activation: String?
  var scalesScores: Bool?
  var scalesByLayer: Bool?

  enum CodingKeys: String, CodingKey {
    case vocabularySize = "vocab_size"
    case hiddenSize = "n_embd"
    case layers = "n_layer"
    case heads = "n_head"
    case positions = "n_positions"
    case intermediateSize = "n_inner"
    case normEpsilon = "layer_norm_epsilon"
    case tiesEmbeddings = "tie_word_embeddings"
    case activation = "activation_function"
    case scalesScores = "scale_attn_weights"
    case scalesByLayer = "scale_attn_by_inverse_layer_idx"
  }

  func values() throws -> GPT2Values {
    let positions = positions ?? 1024
    try check([
      ("vocab_size", vocabularySize), ("n_embd", hiddenSize), ("n_layer", layers), ("n_head", heads),
      ("n_positions", positions),
    ])
    let intermediateSize = intermediateSize ?? 4 * hiddenSize
    try check([("n_inner", intermediateSize)])
    guard hiddenSize % heads == 0 else {
      throw unsupported("\(heads) heads cannot share a width of \(hiddenSize)", "check config.json")
    }
    // All of them are the approximation by tanh, which is what llama.cpp computes.
    let activation = activation ?? "gelu_new"
    guard
      ["gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_accurate", "gelu_python_tanh"].contains(activation)
    else {
      throw unsupported("GPT-2 with the activation \(quoted(activation)) is not part of GGUF", "only gelu_new is")
    }
    guard scalesScores ?? true, !(scalesByLayer ?? false) else {
      throw unsupported("attention scores that are scaled in another way are not part of GGUF", "use plain GPT-2")
    }
    return GPT2Values(
      vocabularySize: vocabularySize, hiddenSize: hiddenSize, intermediateSize: intermediateSize, layers: layers,
      heads: heads, positions: positions, normEpsilon: normEpsilon ?? 1e-5, tiesEmbeddings: tiesEmbeddings ?? true)
  }
}
