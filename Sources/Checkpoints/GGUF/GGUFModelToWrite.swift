import Foundation

/// A model's `config.json`, as far as a GGUF file says the same.
enum GGUFModelToWrite {
  case llama(LlamaValues)
  case gpt2(GPT2Values)

  /// Reads and checks a `config.json`.
  init(_ configuration: Data) throws {
    let kind = try decodeConfiguration(ConfigurationKind.self, configuration)
    switch GGUFArchitecture(rawValue: kind.modelType) {
    case .llama: self = .llama(try decodeConfiguration(LlamaConfigurationFile.self, configuration).values())
    case .gpt2: self = .gpt2(try decodeConfiguration(GPT2ConfigurationFile.self, configuration).values())
    case nil:
      throw CheckpointError.unsupported(
        file: "the model to write", reason: "GGUF files of the model type \(quoted(kind.modelType)) are not written",
        hint: kind.modelType == "gpt_neo"
          ? "the format has no GPT-Neo architecture; keep the Hugging Face folder"
          : "supported are \(GGUFArchitecture.names); keep the Hugging Face folder")
    }
  }

  var architecture: GGUFArchitecture {
    switch self {
    case .llama: .llama
    case .gpt2: .gpt2
    }
  }

  var vocabularySize: Int {
    switch self {
    case .llama(let values): values.vocabularySize
    case .gpt2(let values): values.vocabularySize
    }
  }

  var layers: Int {
    switch self {
    case .llama(let values): values.layers
    case .gpt2(let values): values.layers
    }
  }

  var heads: Int {
    switch self {
    case .llama(let values): values.heads
    case .gpt2(let values): values.heads
    }
  }

  var keyValueHeads: Int {
    switch self {
    case .llama(let values): values.keyValueHeads
    case .gpt2(let values): values.heads
    }
  }

  var tiesEmbeddings: Bool {
    switch self {
    case .llama(let values): values.tiesEmbeddings
    case .gpt2(let values): values.tiesEmbeddings
    }
  }

  /// The table of rotary divisors that llama.cpp expects for Llama 3's scaling.
  var ropeDivisors: [Float]? {
    guard case .llama(let values) = self, let scaling = values.ropeScaling, case .llama3 = scaling else { return nil }
    return scaling.divisors(base: values.ropeBase, dimension: values.headDimension).map { Float($0) }
  }

  func addMetadata(to metadata: inout GGUFMetadataBytes) throws {
    switch self {
    case .llama(let values):
      try metadata.add("llama.vocab_size", values.vocabularySize)
      try metadata.add("llama.context_length", values.positions)
      try metadata.add("llama.embedding_length", values.hiddenSize)
      try metadata.add("llama.block_count", values.layers)
      try metadata.add("llama.feed_forward_length", values.intermediateSize)
      try metadata.add("llama.attention.head_count", values.heads)
      try metadata.add("llama.attention.head_count_kv", values.keyValueHeads)
      try metadata.add("llama.attention.key_length", values.headDimension)
      try metadata.add("llama.attention.value_length", values.headDimension)
      metadata.add("llama.attention.layer_norm_rms_epsilon", float: values.normEpsilon)
      try metadata.add("llama.rope.dimension_count", values.headDimension)
      metadata.add("llama.rope.freq_base", float: values.ropeBase)
      if case .linear(let factor) = values.ropeScaling {
        metadata.add("llama.rope.scaling.type", "linear")
        metadata.add("llama.rope.scaling.factor", float: factor)
      }
    case .gpt2(let values):
      try metadata.add("gpt2.vocab_size", values.vocabularySize)
      try metadata.add("gpt2.context_length", values.positions)
      try metadata.add("gpt2.embedding_length", values.hiddenSize)
      try metadata.add("gpt2.block_count", values.layers)
      try metadata.add("gpt2.feed_forward_length", values.intermediateSize)
      try metadata.add("gpt2.attention.head_count", values.heads)
      metadata.add("gpt2.attention.layer_norm_epsilon", float: values.normEpsilon)
    }
  }

  /// The shape in transformers of a tensor under its name in GGUF, without `.weight`.
  func shape(of tensor: String) -> [Int]? {
    switch self {
    case .llama(let values):
      let (width, inner) = (values.hiddenSize, values.intermediateSize)
      let queryWidth = values.heads * values.headDimension
      let keyWidth = values.keyValueHeads * values.headDimension
      return switch tensor {
      case "token_embd", "output": [values.vocabularySize, width]
      case "attn_q": [queryWidth, width]
      case "attn_k", "attn_v": [keyWidth, width]
      case "attn_output": [width, queryWidth]
      case "ffn_gate", "ffn_up": [inner, width]
      case "ffn_down": [width, inner]
      case "attn_norm", "ffn_norm", "output_norm": [width]
      default: nil
      }
    case .gpt2(let values):
      let (width, inner) = (values.hiddenSize, values.intermediateSize)
      return switch tensor {
      case "token_embd", "output": [values.vocabularySize, width]
      case "position_embd": [values.positions, width]
      case "attn_qkv": [width, 3 * width]
      case "attn_output": [width, width]
      case "ffn_up": [width, inner]
      case "ffn_down": [inner, width]
      case "attn_norm", "ffn_norm", "output_norm": [width]
      default: nil
      }
    }
  }
}
