import Checkpoints

/// Sizes and constants of a GPT-Neo model, read from and written to Hugging Face's `config.json`.
public struct GPTNeoConfiguration: Sendable, Equatable {
  /// How far back a layer's tokens see.
  public enum AttentionKind: String, Codable, Sendable {
    /// To the beginning.
    case global
    /// ``GPTNeoConfiguration/windowSize`` tokens, the token itself included.
    case local
  }

  /// Number of tokens.
  public var vocabularySize: Int
  /// Size of a hidden state.
  public var hiddenSize: Int
  /// Attention heads of each layer.
  public var headCount: Int
  /// One entry a layer.
  public var attentionLayers: [AttentionKind]
  /// Size of the feed-forward layers' inside.
  public var intermediateSize: Int
  /// Tokens that a local layer sees.
  public var windowSize: Int
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

  /// A configuration with alternating global and local layers and a feed-forward four times as wide.
  public init(
    vocabularySize: Int, hiddenSize: Int, layerCount: Int, headCount: Int, contextLength: Int, windowSize: Int = 256,
    endOfTextID: Int?
  ) {
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.headCount = headCount
    attentionLayers = (0..<layerCount).map { $0 % 2 == 0 ? .global : .local }
    intermediateSize = 4 * hiddenSize
    self.windowSize = windowSize
    self.contextLength = contextLength
    layerNormEpsilon = 1e-5
    tiesEmbeddings = true
    beginningOfTextID = endOfTextID
    endOfTextIDs = endOfTextID.map { [$0] } ?? []
    initializerRange = 0.02
  }

  private static let maximumLayerCount = 1 << 10

  /// Size of one attention head.
  public var headDimension: Int { hiddenSize / headCount }

  /// Refuses sizes that make no model, so that nothing behind this check can trap on a file's content.
  ///
  /// - Throws: ``CheckpointError`` that names the key of `config.json`.
  public func validate(file: String = "config.json") throws {
    let check = ConfigurationCheck(file: file)
    try check.size(vocabularySize, "vocab_size", 1 << 22)
    try check.size(hiddenSize, "hidden_size", 1 << 16)
    try check.size(headCount, "num_heads", 1 << 12)
    try check.size(attentionLayers.count, "num_layers", Self.maximumLayerCount)
    try check.size(intermediateSize, "intermediate_size", 1 << 18)
    try check.size(contextLength, "max_position_embeddings", 1 << 20)
    try check.size(windowSize, "window_size", 1 << 20)
    try check.holds(
      hiddenSize % headCount == 0, "hidden_size \(hiddenSize) is not a multiple of num_heads \(headCount)")
    try check.epsilon(layerNormEpsilon, "layer_norm_epsilon")
    try check.initializerRange(initializerRange)
  }
}

extension GPTNeoConfiguration: Codable {
  private enum CodingKeys: String, CodingKey {
    case modelType = "model_type"
    case architectures
    case vocabularySize = "vocab_size"
    case hiddenSize = "hidden_size"
    case layerCount = "num_layers"
    case headCount = "num_heads"
    case attentionTypes = "attention_types"
    case attentionLayers = "attention_layers"
    case intermediateSize = "intermediate_size"
    case windowSize = "window_size"
    case contextLength = "max_position_embeddings"
    case layerNormEpsilon = "layer_norm_epsilon"
    case activation = "activation_function"
    case tiesEmbeddings = "tie_word_embeddings"
    case beginningOfTextID = "bos_token_id"
    case endOfTextIDs = "eos_token_id"
    case initializerRange = "initializer_range"
    case embeddingDropout = "embed_dropout"
    case attentionDropout = "attention_dropout"
    case residualDropout = "resid_dropout"
  }

  /// `[["global", "local"], 2]`: kinds of layers and how often they repeat.
  private struct AttentionPattern: Codable {
    var kinds: [AttentionKind]
    var repeats: Int

    init(kinds: [AttentionKind], repeats: Int) {
      self.kinds = kinds
      self.repeats = repeats
    }

    init(from decoder: any Decoder) throws {
      var list = try decoder.unkeyedContainer()
      kinds = try list.decode([AttentionKind].self)
      repeats = try list.decode(Int.self)
    }

    func encode(to encoder: any Encoder) throws {
      var list = encoder.unkeyedContainer()
      try list.encode(kinds)
      try list.encode(repeats)
    }
  }

  /// Reads `config.json`; keys that transformers may omit take its defaults. Dropout rates are not read: there is none here,
  /// neither in training (it would blur what is measured) nor, as everywhere, in inference.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    func refuse(_ key: CodingKeys, _ reason: String) -> DecodingError {
      DecodingError.dataCorruptedError(forKey: key, in: values, debugDescription: reason)
    }
    vocabularySize = try values.decodeIfPresent(Int.self, forKey: .vocabularySize) ?? 50_257
    hiddenSize = try values.decodeIfPresent(Int.self, forKey: .hiddenSize) ?? 2_048
    headCount = try values.decodeIfPresent(Int.self, forKey: .headCount) ?? 16
    contextLength = try values.decodeIfPresent(Int.self, forKey: .contextLength) ?? 2_048
    windowSize = try values.decodeIfPresent(Int.self, forKey: .windowSize) ?? 256
    layerNormEpsilon = try values.decodeIfPresent(Float.self, forKey: .layerNormEpsilon) ?? 1e-5
    tiesEmbeddings = try values.decodeIfPresent(Bool.self, forKey: .tiesEmbeddings) ?? true
    beginningOfTextID = try values.decodeIfPresent(TokenIDs.self, forKey: .beginningOfTextID)?.ids.first
    endOfTextIDs = try values.decodeIfPresent(TokenIDs.self, forKey: .endOfTextIDs)?.ids ?? []
    initializerRange = try values.decodeIfPresent(Float.self, forKey: .initializerRange) ?? 0.02
    let (product, overflow) = hiddenSize.multipliedReportingOverflow(by: 4)
    intermediateSize = try values.decodeIfPresent(Int.self, forKey: .intermediateSize) ?? (overflow ? 0 : product)
    let layerCount = try values.decodeIfPresent(Int.self, forKey: .layerCount) ?? 24
    if let layers = try values.decodeIfPresent([AttentionKind].self, forKey: .attentionLayers) {
      attentionLayers = layers
    } else {
      let patterns =
        try values.decodeIfPresent([AttentionPattern].self, forKey: .attentionTypes)
        ?? [AttentionPattern(kinds: [.global, .local], repeats: 12)]
      attentionLayers = []
      for pattern in patterns {
        guard pattern.repeats >= 0, pattern.repeats <= Self.maximumLayerCount else {
          throw refuse(.attentionTypes, "a pattern cannot be repeated \(pattern.repeats) times")
        }
        // Both are at most this file's size and 1,024: the product cannot overflow, but it could fill the memory.
        guard attentionLayers.count + pattern.repeats * pattern.kinds.count <= Self.maximumLayerCount else {
          throw refuse(.attentionTypes, "the patterns make more than \(Self.maximumLayerCount) layers")
        }
        for _ in 0..<pattern.repeats { attentionLayers += pattern.kinds }
      }
    }
    guard attentionLayers.count == layerCount else {
      throw refuse(.layerCount, "\(layerCount) layers, but attention kinds for \(attentionLayers.count)")
    }
    let activation = try values.decodeIfPresent(String.self, forKey: .activation) ?? "gelu_new"
    try ActivationNames.require(activation, in: ActivationNames.gelu, key: CodingKeys.activation)
  }

  /// Writes `config.json` as transformers reads it.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode("gpt_neo", forKey: .modelType)
    try values.encode(["GPTNeoForCausalLM"], forKey: .architectures)
    try values.encode(vocabularySize, forKey: .vocabularySize)
    try values.encode(hiddenSize, forKey: .hiddenSize)
    try values.encode(attentionLayers.count, forKey: .layerCount)
    try values.encode(headCount, forKey: .headCount)
    try values.encode(attentionPatterns, forKey: .attentionTypes)
    try values.encode(attentionLayers, forKey: .attentionLayers)
    try values.encode(intermediateSize, forKey: .intermediateSize)
    try values.encode(windowSize, forKey: .windowSize)
    try values.encode(contextLength, forKey: .contextLength)
    try values.encode(layerNormEpsilon, forKey: .layerNormEpsilon)
    try values.encode("gelu_new", forKey: .activation)
    try values.encode(tiesEmbeddings, forKey: .tiesEmbeddings)
    try values.encodeIfPresent(beginningOfTextID, forKey: .beginningOfTextID)
    if !endOfTextIDs.isEmpty { try values.encode(TokenIDs(endOfTextIDs), forKey: .endOfTextIDs) }
    try values.encode(initializerRange, forKey: .initializerRange)
    for key in [CodingKeys.embeddingDropout, .attentionDropout, .residualDropout] { try values.encode(0, forKey: key) }
  }

  private var attentionPatterns: [AttentionPattern] {
    let isAlternating = attentionLayers.enumerated().allSatisfy { ($0 % 2 == 0) == ($1 == .global) }
    if isAlternating, attentionLayers.count % 2 == 0 {
      return [AttentionPattern(kinds: [.global, .local], repeats: attentionLayers.count / 2)]
    }
    return attentionLayers.map { AttentionPattern(kinds: [$0], repeats: 1) }
  }
}
