public import Checkpoints
public import Foundation
public import Transformers

/// How a model is trained from plain text: the YAML file of `tinyalign pretrain`.
public struct PretrainingConfiguration: Decodable, Sendable, Equatable {
  /// Folder of an existing tokenizer, or a model's name; nil trains one.
  public var tokenizer: String?
  /// Size of the vocabulary of a trained tokenizer.
  public var vocabularySize = 2_048
  /// Size of a hidden state.
  public var hiddenSize = 192
  /// Layers, global and local attention by turns.
  public var layers = 4
  /// Attention heads of a layer.
  public var heads = 6
  /// Longest sequence, in tokens.
  public var contextLength = 512
  /// Tokens that local layers see.
  public var windowSize = 256
  /// How often all text is read.
  public var passes = 10.0
  /// How often, in one pass, each document of the main text is read; text that is added to it is read once.
  public var repeats = 1
  /// Tokens of one update.
  public var batchTokens = 2_048
  /// Learning rate at its highest.
  public var learningRate = 2e-3
  /// How the learning rate goes down.
  public var learningRateSchedule = LearningRateSchedule.Shape.cosine
  /// Updates until the learning rate is at its highest.
  public var warmupSteps = 100
  /// What is left of the learning rate at the end.
  public var finalLearningRateFraction = 0.02
  /// Decoupled weight decay.
  public var weightDecay = 0.1
  /// Decay of AdamW's second moment.
  public var beta2 = 0.99
  /// Gradients longer than this are shortened to it.
  public var maxGradientNorm = 1.0
  /// Part of the documents held out for validation.
  public var validationFraction = 0.02
  /// Updates between validations, each of which saves the model if it is the best so far.
  public var validateEvery = 250
  /// Validations without progress after which training ends; nil never ends it early.
  public var patience: Int?
  /// How the weights are written: `F32`, `F16` or `BF16`.
  public var elementType = ElementType.float32
  /// What documents, their order and the first weights are drawn with.
  public var seed: UInt64 = 1

  /// The configuration that the embedded model was made with.
  public init() {}

  enum CodingKeys: String, CodingKey, CaseIterable {
    case tokenizer
    case vocabularySize = "vocabulary_size"
    case hiddenSize = "hidden_size"
    case layers
    case heads
    case contextLength = "context_length"
    case windowSize = "window_size"
    case passes
    case repeats
    case batchTokens = "batch_tokens"
    case learningRate = "learning_rate"
    case learningRateSchedule = "learning_rate_schedule"
    case warmupSteps = "warmup_steps"
    case finalLearningRateFraction = "final_learning_rate_fraction"
    case weightDecay = "weight_decay"
    case beta2
    case maxGradientNorm = "max_gradient_norm"
    case validationFraction = "validation_fraction"
    case validateEvery = "validate_every"
    case patience
    case elementType = "element_type"
    case seed
  }

  /// Reads a configuration; a key that is not there keeps its default.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    func read<Value: Decodable>(_ key: CodingKeys, _ value: inout Value) throws {
      value = try values.decodeIfPresent(Value.self, forKey: key) ?? value
    }
    tokenizer = try values.decodeIfPresent(String.self, forKey: .tokenizer)
    try read(.vocabularySize, &vocabularySize)
    try read(.hiddenSize, &hiddenSize)
    try read(.layers, &layers)
    try read(.heads, &heads)
    try read(.contextLength, &contextLength)
    try read(.windowSize, &windowSize)
    try read(.passes, &passes)
    try read(.repeats, &repeats)
    try read(.batchTokens, &batchTokens)
    try read(.learningRate, &learningRate)
    try decodeChoice(values, .learningRateSchedule, &learningRateSchedule)
    try read(.warmupSteps, &warmupSteps)
    try read(.finalLearningRateFraction, &finalLearningRateFraction)
    try read(.weightDecay, &weightDecay)
    try read(.beta2, &beta2)
    try read(.maxGradientNorm, &maxGradientNorm)
    try read(.validationFraction, &validationFraction)
    try read(.validateEvery, &validateEvery)
    patience = try values.decodeIfPresent(Int.self, forKey: .patience)
    try decodeChoice(values, .elementType, &elementType)
    try read(.seed, &seed)
  }

  /// Refuses settings that cannot be trained with.
  ///
  /// - Throws: ``AlignmentError/setting(name:reason:)`` that names the key.
  public func validate() throws {
    func check(_ isValid: Bool, _ key: CodingKeys, _ reason: String) throws {
      guard isValid else { throw AlignmentError.setting(name: key.rawValue, reason: reason) }
    }
    try check((258...(1 << 20)).contains(vocabularySize), .vocabularySize, "must lie between 258 and 1048576")
    try check((1...8_192).contains(hiddenSize), .hiddenSize, "must lie between 1 and 8192")
    try check((1...256).contains(layers), .layers, "must lie between 1 and 256")
    try check(heads >= 1 && hiddenSize % max(1, heads) == 0, .heads, "must divide hidden_size \(hiddenSize)")
    try check((2...(1 << 16)).contains(contextLength), .contextLength, "must lie between 2 and 65536")
    try check((1...(1 << 16)).contains(windowSize), .windowSize, "must lie between 1 and 65536")
    try check(passes > 0 && passes <= 10_000, .passes, "must be positive and at most 10000")
    try check((1...1_000).contains(repeats), .repeats, "must lie between 1 and 1000")
    try check((1...(1 << 20)).contains(batchTokens), .batchTokens, "must lie between 1 and 1048576")
    try check(learningRate > 0 && learningRate < 1, .learningRate, "must lie between 0 and 1")
    try check(warmupSteps >= 0, .warmupSteps, "cannot be negative")
    try check((0...1).contains(finalLearningRateFraction), .finalLearningRateFraction, "must lie between 0 and 1")
    try check(weightDecay >= 0 && weightDecay < 100, .weightDecay, "must lie between 0 and 100")
    try check(beta2 > 0 && beta2 < 1, .beta2, "must lie between 0 and 1")
    try check(maxGradientNorm > 0 && maxGradientNorm.isFinite, .maxGradientNorm, "must be a finite number above 0")
    try check(validationFraction > 0 && validationFraction < 1, .validationFraction, "must lie between 0 and 1")
    try check(validateEvery >= 1, .validateEvery, "must be at least 1")
    try check(patience.map { $0 >= 1 } ?? true, .patience, "must be at least 1")
  }

  /// Reads a YAML file; an unknown key is an error.
  ///
  /// - Throws: ``AlignmentError``.
  public init(file: URL) throws {
    let keys = YAMLKeys(
      all: CodingKeys.allCases.map(\.rawValue), texts: [CodingKeys.tokenizer.rawValue],
      nullable: [CodingKeys.tokenizer.rawValue, CodingKeys.patience.rawValue])
    self = try decodeYAML(Self.self, text: readYAML(file), name: displayName(file), keys: keys)
    try validate()
  }
}
