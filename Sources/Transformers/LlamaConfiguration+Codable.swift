import Checkpoints

extension LlamaConfiguration: Codable {
  private enum CodingKeys: String, CodingKey {
    case modelType = "model_type"
    case architectures
    case vocabularySize = "vocab_size"
    case hiddenSize = "hidden_size"
    case intermediateSize = "intermediate_size"
    case layerCount = "num_hidden_layers"
    case headCount = "num_attention_heads"
    case keyValueHeadCount = "num_key_value_heads"
    case headDimension = "head_dim"
    case contextLength = "max_position_embeddings"
    case rmsNormEpsilon = "rms_norm_eps"
    case rotaryBase = "rope_theta"
    case rotaryScaling = "rope_scaling"
    case rotaryParameters = "rope_parameters"
    case activation = "hidden_act"
    case tiesEmbeddings = "tie_word_embeddings"
    case hasAttentionBias = "attention_bias"
    case hasFeedForwardBias = "mlp_bias"
    case beginningOfTextID = "bos_token_id"
    case endOfTextIDs = "eos_token_id"
    case initializerRange = "initializer_range"
    case attentionDropout = "attention_dropout"
  }

  /// `rope_parameters` of transformers 5, `rope_scaling` of version 4: the latter without the base.
  private struct RotaryParameters: Codable {
    var kind: String?
    var oldKind: String?
    var base: Float?
    var factor: Float?
    var lowFrequencyFactor: Float?
    var highFrequencyFactor: Float?
    var originalContextLength: Int?
    var partialFactor: Float?

    enum CodingKeys: String, CodingKey {
      case kind = "rope_type"
      case oldKind = "type"
      case base = "rope_theta"
      case factor
      case lowFrequencyFactor = "low_freq_factor"
      case highFrequencyFactor = "high_freq_factor"
      case originalContextLength = "original_max_position_embeddings"
      case partialFactor = "partial_rotary_factor"
    }
  }

  /// Reads `config.json`; keys that transformers may omit take its defaults.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    func refuse(_ key: CodingKeys, _ reason: String) -> DecodingError {
      DecodingError.dataCorruptedError(forKey: key, in: values, debugDescription: reason)
    }
    vocabularySize = try values.decodeIfPresent(Int.self, forKey: .vocabularySize) ?? 32_000
    hiddenSize = try values.decodeIfPresent(Int.self, forKey: .hiddenSize) ?? 4_096
    intermediateSize = try values.decodeIfPresent(Int.self, forKey: .intermediateSize) ?? 11_008
    layerCount = try values.decodeIfPresent(Int.self, forKey: .layerCount) ?? 32
    headCount = try values.decodeIfPresent(Int.self, forKey: .headCount) ?? 32
    keyValueHeadCount = try values.decodeIfPresent(Int.self, forKey: .keyValueHeadCount) ?? headCount
    if let dimension = try values.decodeIfPresent(Int.self, forKey: .headDimension) {
      headDimension = dimension
    } else {
      guard headCount >= 1, hiddenSize % headCount == 0 else {
        throw refuse(.headCount, "hidden_size \(hiddenSize) is not a multiple of num_attention_heads \(headCount)")
      }
      headDimension = hiddenSize / headCount
    }
    contextLength = try values.decodeIfPresent(Int.self, forKey: .contextLength) ?? 2_048
    rmsNormEpsilon = try values.decodeIfPresent(Float.self, forKey: .rmsNormEpsilon) ?? 1e-6
    tiesEmbeddings = try values.decodeIfPresent(Bool.self, forKey: .tiesEmbeddings) ?? false
    hasAttentionBias = try values.decodeIfPresent(Bool.self, forKey: .hasAttentionBias) ?? false
    hasFeedForwardBias = try values.decodeIfPresent(Bool.self, forKey: .hasFeedForwardBias) ?? false
    beginningOfTextID = try values.decodeIfPresent(TokenIDs.self, forKey: .beginningOfTextID)?.ids.first
    endOfTextIDs = try values.decodeIfPresent(TokenIDs.self, forKey: .endOfTextIDs)?.ids ?? []
    initializerRange = try values.decodeIfPresent(Float.self, forKey: .initializerRange) ?? 0.02
    let activation = try values.decodeIfPresent(String.self, forKey: .activation) ?? "silu"
    try ActivationNames.require(activation, in: ActivationNames.silu, key: CodingKeys.activation)
    // Where both are there, transformers 5 takes the older one.
    let parameters = try values.decodeIfPresent(RotaryParameters.self, forKey: .rotaryParameters)
    let scaling = try values.decodeIfPresent(RotaryParameters.self, forKey: .rotaryScaling)
    let rotary = scaling ?? parameters
    let key = scaling == nil ? CodingKeys.rotaryParameters : .rotaryScaling
    rotaryBase =
      try scaling?.base ?? parameters?.base ?? values.decodeIfPresent(Float.self, forKey: .rotaryBase) ?? 10_000
    guard rotary?.partialFactor ?? 1 == 1 else {
      throw UnsupportedValue(
        "\(key.stringValue): a partial_rotary_factor is not supported", hint: "use a model that turns whole heads")
    }
    func required<Value>(_ value: Value?, _ name: String) throws -> Value {
      guard let value else { throw refuse(key, "\(name) is missing") }
      return value
    }
    switch rotary?.kind ?? rotary?.oldKind ?? "default" {
    case "default": rotaryScaling = nil
    case "linear": rotaryScaling = .linear(factor: try required(rotary?.factor, "factor"))
    case "llama3":
      rotaryScaling = .llama3(
        Llama3Scaling(
          factor: try required(rotary?.factor, "factor"),
          lowFrequencyFactor: try required(rotary?.lowFrequencyFactor, "low_freq_factor"),
          highFrequencyFactor: try required(rotary?.highFrequencyFactor, "high_freq_factor"),
          originalContextLength: try required(rotary?.originalContextLength, "original_max_position_embeddings")))
    case let other:
      throw UnsupportedValue(
        "\(key.stringValue): rotary scaling '\(other)' is not supported", hint: "supported: default, linear, llama3")
    }
  }

  /// Writes `config.json` as transformers 5 reads it, with what version 4 needs beside.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode("llama", forKey: .modelType)
    try values.encode(["LlamaForCausalLM"], forKey: .architectures)
    try values.encode(vocabularySize, forKey: .vocabularySize)
    try values.encode(hiddenSize, forKey: .hiddenSize)
    try values.encode(intermediateSize, forKey: .intermediateSize)
    try values.encode(layerCount, forKey: .layerCount)
    try values.encode(headCount, forKey: .headCount)
    try values.encode(keyValueHeadCount, forKey: .keyValueHeadCount)
    try values.encode(headDimension, forKey: .headDimension)
    try values.encode(contextLength, forKey: .contextLength)
    try values.encode(rmsNormEpsilon, forKey: .rmsNormEpsilon)
    try values.encode("silu", forKey: .activation)
    try values.encode(tiesEmbeddings, forKey: .tiesEmbeddings)
    try values.encode(hasAttentionBias, forKey: .hasAttentionBias)
    try values.encode(hasFeedForwardBias, forKey: .hasFeedForwardBias)
    try values.encodeIfPresent(beginningOfTextID, forKey: .beginningOfTextID)
    if !endOfTextIDs.isEmpty { try values.encode(TokenIDs(endOfTextIDs), forKey: .endOfTextIDs) }
    try values.encode(initializerRange, forKey: .initializerRange)
    try values.encode(0, forKey: .attentionDropout)
    var rotary = RotaryParameters(kind: "default")
    switch rotaryScaling {
    case nil: break
    case .linear(let factor):
      rotary.kind = "linear"
      rotary.factor = factor
    case .llama3(let scaling):
      rotary.kind = "llama3"
      rotary.factor = scaling.factor
      rotary.lowFrequencyFactor = scaling.lowFrequencyFactor
      rotary.highFrequencyFactor = scaling.highFrequencyFactor
      rotary.originalContextLength = scaling.originalContextLength
    }
    try values.encode(rotaryBase, forKey: .rotaryBase)
    if rotaryScaling != nil { try values.encode(rotary, forKey: .rotaryScaling) }
    rotary.base = rotaryBase
    try values.encode(rotary, forKey: .rotaryParameters)
  }
}
