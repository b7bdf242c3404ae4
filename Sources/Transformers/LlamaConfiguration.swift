import Checkpoints

/// Sizes and constants of a model of the Llama family, read from and written to Hugging Face's `config.json`.
public struct LlamaConfiguration: Sendable, Equatable {
  /// How rotary frequencies are stretched for contexts longer than a model was first trained with.
  public enum RotaryScaling: Sendable, Equatable {
    /// All frequencies are divided by a factor.
    case linear(factor: Float)
    /// Low frequencies are divided by a factor, high ones are not, as in Llama 3.1.
    case llama3(Llama3Scaling)
  }

  /// The parameters of Llama 3.1's scaling.
  public struct Llama3Scaling: Sendable, Equatable {
    /// What low frequencies are divided by.
    public var factor: Float
    /// Context divided by the shortest wavelength that is scaled in full.
    public var lowFrequencyFactor: Float
    /// Context divided by the longest wavelength that is not scaled.
    public var highFrequencyFactor: Float
    /// Context that the model was first trained with.
    public var originalContextLength: Int
  }

  /// Number of tokens.
  public var vocabularySize: Int
  /// Size of a hidden state.
  public var hiddenSize: Int
  /// Size of the feed-forward layers' inside.
  public var intermediateSize: Int
  /// Number of layers.
  public var layerCount: Int
  /// Query heads of each layer.
  public var headCount: Int
  /// Heads of keys and values of each layer.
  public var keyValueHeadCount: Int
  /// Size of one attention head.
  public var headDimension: Int
  /// Longest sequence.
  public var contextLength: Int
  /// Added to the mean square in normalisation.
  public var rmsNormEpsilon: Float
  /// Base of the rotary frequencies, "theta".
  public var rotaryBase: Float
  /// How they are scaled.
  public var rotaryScaling: RotaryScaling?
  /// Whether the head is the token embedding.
  public var tiesEmbeddings: Bool
  /// Whether attention's products have biases.
  public var hasAttentionBias: Bool
  /// Whether the feed-forward's products have biases.
  public var hasFeedForwardBias: Bool
  /// First token of a text.
  public var beginningOfTextID: Int?
  /// Tokens that end a text.
  public var endOfTextIDs: [Int]
  /// Standard deviation of freshly initialised weights.
  public var initializerRange: Float

  /// A configuration without biases or scaling, with a tied head.
  public init(
    vocabularySize: Int, hiddenSize: Int, intermediateSize: Int, layerCount: Int, headCount: Int,
    keyValueHeadCount: Int, contextLength: Int, rotaryBase: Float = 10_000, endOfTextID: Int?
  ) {
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize
    self.layerCount = layerCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount
    headDimension = hiddenSize / max(1, headCount)
    self.contextLength = contextLength
    rmsNormEpsilon = 1e-5
    self.rotaryBase = rotaryBase
    rotaryScaling = nil
    tiesEmbeddings = true
    hasAttentionBias = false
    hasFeedForwardBias = false
    beginningOfTextID = nil
    endOfTextIDs = endOfTextID.map { [$0] } ?? []
    initializerRange = 0.02
  }

  /// Refuses sizes that make no model, so that nothing behind this check can trap on a file's content.
  ///
  /// - Throws: ``CheckpointError`` that names the key of `config.json`.
  public func validate(file: String = "config.json") throws {
    let check = ConfigurationCheck(file: file)
    try check.size(vocabularySize, "vocab_size", 1 << 22)
    try check.size(hiddenSize, "hidden_size", 1 << 16)
    try check.size(intermediateSize, "intermediate_size", 1 << 18)
    try check.size(layerCount, "num_hidden_layers", 1 << 10)
    try check.size(headCount, "num_attention_heads", 1 << 12)
    try check.size(keyValueHeadCount, "num_key_value_heads", 1 << 12)
    try check.size(headDimension, "head_dim", 1 << 12)
    try check.size(contextLength, "max_position_embeddings", 1 << 24)
    try check.holds(
      headCount % keyValueHeadCount == 0,
      "num_attention_heads \(headCount) is not a multiple of num_key_value_heads \(keyValueHeadCount)")
    try check.holds(headDimension % 2 == 0, "head_dim \(headDimension) is odd, and rotary positions turn pairs")
    try check.epsilon(rmsNormEpsilon, "rms_norm_eps")
    try check.initializerRange(initializerRange)
    try check.holds((1...1e12).contains(rotaryBase), "rope_theta is \(rotaryBase), not between 1 and 1e12")
    func checkFactor(_ factor: Float) throws {
      try check.holds(
        (1e-6...1e6).contains(factor), "the factor of rope_scaling is \(factor), not between 1e-6 and 1e6")
    }
    switch rotaryScaling {
    case nil: break
    case .linear(let factor):
      try checkFactor(factor)
    case .llama3(let scaling):
      try check.size(scaling.originalContextLength, "original_max_position_embeddings", 1 << 24)
      let (low, high) = (scaling.lowFrequencyFactor, scaling.highFrequencyFactor)
      try checkFactor(scaling.factor)
      try check.holds(
        low > 0 && high > low && high.isFinite, "low_freq_factor \(low) is not below high_freq_factor \(high)")
    }
  }
}
