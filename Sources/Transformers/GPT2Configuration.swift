import Checkpoints

/// Sizes and constants of a GPT-2 model, read from and written to Hugging Face's `config.json`.
public struct GPT2Configuration: Sendable, Equatable {
  /// Number of tokens.
  public var vocabularySize: Int
  /// Size of a hidden state.
  public var hiddenSize: Int
  /// Number of layers.
  public var layerCount: Int
  /// Attention heads of each layer.
  public var headCount: Int
  /// Size of the feed-forward layers' inside.
  public var intermediateSize: Int
  /// Longest sequence.
  public var contextLength: Int
  /// Added to the variance in layer normalisation.
  public var layerNormEpsilon: Float
  /// Whether the head is the token embedding.
  public var tiesEmbeddings: Bool
  /// First token of a text.
  public var beginningOfTextID: Int?
  /// Tokens that end a text.
  public var endOfTextIDs: [Int]
  /// Standard deviation of freshly initialised weights.
  public var initializerRange: Float

  /// A configuration with a feed-forward four times as wide.
  public init(
    vocabularySize: Int, hiddenSize: Int, layerCount: Int, headCount: Int, contextLength: Int, endOfTextID: Int?
  ) {
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.layerCount = layerCount
    self.headCount = headCount
    intermediateSize = 4 * hiddenSize
    self.contextLength = contextLength
    layerNormEpsilon = 1e-5
    tiesEmbeddings = true
    beginningOfTextID = endOfTextID
    endOfTextIDs = endOfTextID.map { [$0] } ?? []
    initializerRange = 0.02
  }

  /// Size of one attention head.
  public var headDimension: Int { hiddenSize / headCount }

  /// Refuses sizes that make no model, so that nothing behind this check can trap on a file's content.
  ///
  /// - Throws: ``CheckpointError`` that names the key of `config.json`.
  public func validate(file: String = "config.json") throws {
    let check = ConfigurationCheck(file: file)
    try check.size(vocabularySize, "vocab_size", 1 << 22)
    try check.size(hiddenSize, "n_embd", 1 << 16)
    try check.size(headCount, "n_head", 1 << 12)
    try check.size(layerCount, "n_layer", 1 << 10)
    try check.size(intermediateSize, "n_inner", 1 << 18)
    try check.size(contextLength, "n_positions", 1 << 20)
    try check.holds(hiddenSize % headCount == 0, "n_embd \(hiddenSize) is not a multiple of n_head \(headCount)")
    try check.epsilon(layerNormEpsilon, "layer_norm_epsilon")
    try check.initializerRange(initializerRange)
  }
}

extension GPT2Configuration: Codable {
  private enum CodingKeys: String, CodingKey {
    case modelType = "model_type"
    case architectures
    case vocabularySize = "vocab_size"
    case hiddenSize = "n_embd"
    case layerCount = "n_layer"
    case headCount = "n_head"
    case intermediateSize = "n_inner"
    case contextLength = "n_positions"
    case layerNormEpsilon = "layer_norm_epsilon"
    case activation = "activation_function"
    case tiesEmbeddings = "tie_word_embeddings"
    case beginningOfTextID = "bos_token_id"
    case endOfTextIDs = "eos_token_id"
    case initializerRange = "initializer_range"
    case scalesAttention = "scale_attn_weights"
    case scalesByLayer = "scale_attn_by_inverse_layer_idx"
    case crossAttention = "add_cross_attention"
    case embeddingDropout = "embd_pdrop"
    case attentionDropout = "attn_pdrop"
    case residualDropout = "resid_pdrop"
  }

  /// Reads `config.json`; keys that transformers may omit take its defaults. Dropout rates are not read: there is none here.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    func refuse(_ key: CodingKeys, unless expected: Bool) throws {
      let value = try values.decodeIfPresent(Bool.self, forKey: key) ?? expected
      guard value == expected else {
        throw UnsupportedValue(
          "\(key.stringValue) \(value) is not supported", hint: "use a GPT-2 with \(key.stringValue) \(expected)")
      }
    }
    vocabularySize = try values.decodeIfPresent(Int.self, forKey: .vocabularySize) ?? 50_257
    hiddenSize = try values.decodeIfPresent(Int.self, forKey: .hiddenSize) ?? 768
    layerCount = try values.decodeIfPresent(Int.self, forKey: .layerCount) ?? 12
    headCount = try values.decodeIfPresent(Int.self, forKey: .headCount) ?? 12
    contextLength = try values.decodeIfPresent(Int.self, forKey: .contextLength) ?? 1_024
    layerNormEpsilon = try values.decodeIfPresent(Float.self, forKey: .layerNormEpsilon) ?? 1e-5
    tiesEmbeddings = try values.decodeIfPresent(Bool.self, forKey: .tiesEmbeddings) ?? true
    beginningOfTextID = try values.decodeIfPresent(TokenIDs.self, forKey: .beginningOfTextID)?.ids.first
    endOfTextIDs = try values.decodeIfPresent(TokenIDs.self, forKey: .endOfTextIDs)?.ids ?? []
    initializerRange = try values.decodeIfPresent(Float.self, forKey: .initializerRange) ?? 0.02
    let (product, overflow) = hiddenSize.multipliedReportingOverflow(by: 4)
    intermediateSize = try values.decodeIfPresent(Int.self, forKey: .intermediateSize) ?? (overflow ? 0 : product)
    let activation = try values.decodeIfPresent(String.self, forKey: .activation) ?? "gelu_new"
    try ActivationNames.require(activation, in: ActivationNames.gelu, key: CodingKeys.activation)
    try refuse(.scalesAttention, unless: true)
    try refuse(.scalesByLayer, unless: false)
    try refuse(.crossAttention, unless: false)
  }

  /// Writes `config.json` as transformers reads it.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode("gpt2", forKey: .modelType)
    try values.encode(["GPT2LMHeadModel"], forKey: .architectures)
    try values.encode(vocabularySize, forKey: .vocabularySize)
    try values.encode(hiddenSize, forKey: .hiddenSize)
    try values.encode(layerCount, forKey: .layerCount)
    try values.encode(headCount, forKey: .headCount)
    try values.encode(intermediateSize, forKey: .intermediateSize)
    try values.encode(contextLength, forKey: .contextLength)
    try values.encode(layerNormEpsilon, forKey: .layerNormEpsilon)
    try values.encode("gelu_new", forKey: .activation)
    try values.encode(tiesEmbeddings, forKey: .tiesEmbeddings)
    try values.encodeIfPresent(beginningOfTextID, forKey: .beginningOfTextID)
    if !endOfTextIDs.isEmpty { try values.encode(TokenIDs(endOfTextIDs), forKey: .endOfTextIDs) }
    try values.encode(initializerRange, forKey: .initializerRange)
    for key in [CodingKeys.embeddingDropout, .attentionDropout, .residualDropout] { try values.encode(0, forKey: key) }
  }
}
