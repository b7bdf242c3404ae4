public import PolicyGradients
public import Transformers

/// Every setting of an alignment run. Presets and files are YAML with the names of ``Recipe/CodingKeys``; see ``RecipeLayers``.
public struct Recipe: Codable, Sendable, Equatable {
  /// The choice of optimisers.
  public enum OptimizerName: String, Codable, Sendable, CaseIterable {
    /// AdamW with PyTorch's defaults.
    case adamw
    /// Plain stochastic gradient descent.
    case sgd
  }

  /// The model that training starts from: a folder, or `tinystories`.
  public var model = EmbeddedModel.name
  /// The frozen model that KL is measured to; nil takes ``model``.
  public var reference: String?
  /// Folder of the sentence-embedding model that rewards come from; nil takes the one that set-up fetched.
  public var rewardModel: String?
  /// How each story begins.
  public var prompt = "Once upon a time there was"
  /// What stories are steered toward: their reward is the cosine similarity of their embedding to this text's.
  public var toward = "cat"
  /// Updates.
  public var steps = 30
  /// Stories sampled for each update.
  public var samples = 128
  /// Tokens of a story after the prompt, at most.
  public var maxNewTokens = 4
  /// How rewards become weights of log-probabilities.
  public var algorithm = Algorithm.rloo
  /// The optimiser.
  public var optimizer = OptimizerName.adamw
  /// Learning rate at its highest.
  public var learningRate = 1e-4
  /// How the learning rate changes.
  public var learningRateSchedule = LearningRateSchedule.Shape.constant
  /// Steps until the learning rate is at its highest.
  public var warmupSteps = 0
  /// Decoupled weight decay; nil takes PyTorch's default, 0.01 for AdamW and 0 for SGD.
  public var weightDecay: Double?
  /// Gradients longer than this are shortened to it; nil never.
  public var maxGradientNorm: Double?
  /// What each story's sum over tokens is divided by; nil takes the tokens of prompt and story together, as published.
  public var lengthNormalizer: Double?
  /// Weight of the KL term; 0 is none.
  public var klCoefficient = 0.1194
  /// Which divergence.
  public var klDirection = KLDirection.forward
  /// Its unit.
  public var klReduction = KLReduction.sum
  /// Steps between checkpoints; nil keeps only the last.
  public var checkpointEvery: Int?
  /// Stories computed at once, which bounds memory; nil takes all. The gradient is the same.
  public var microBatch: Int?
  /// Memory that the whole run may take; nil takes what it needs, up to three quarters of the computer's.
  public var memory: MemorySize?
  /// What all random numbers are drawn with.
  public var seed: UInt64 = 1

  /// The default recipe's settings.
  public init() {}

  /// The names of the settings in YAML and `run.json`.
  public enum CodingKeys: String, CodingKey, CaseIterable {
    /// See ``Recipe/model``.
    case model
    /// See ``Recipe/reference``.
    case reference
    /// See ``Recipe/rewardModel``.
    case rewardModel = "reward_model"
    /// See ``Recipe/prompt``.
    case prompt
    /// See ``Recipe/toward``.
    case toward
    /// See ``Recipe/steps``.
    case steps
    /// See ``Recipe/samples``.
    case samples
    /// See ``Recipe/maxNewTokens``.
    case maxNewTokens = "max_new_tokens"
    /// See ``Recipe/algorithm``.
    case algorithm
    /// See ``Recipe/optimizer``.
    case optimizer
    /// See ``Recipe/learningRate``.
    case learningRate = "learning_rate"
    /// See ``Recipe/learningRateSchedule``.
    case learningRateSchedule = "learning_rate_schedule"
    /// See ``Recipe/warmupSteps``.
    case warmupSteps = "warmup_steps"
    /// See ``Recipe/weightDecay``.
    case weightDecay = "weight_decay"
    /// See ``Recipe/maxGradientNorm``.
    case maxGradientNorm = "max_gradient_norm"
    /// See ``Recipe/lengthNormalizer``.
    case lengthNormalizer = "length_normalizer"
    /// See ``Recipe/klCoefficient``.
    case klCoefficient = "kl_coefficient"
    /// See ``Recipe/klDirection``.
    case klDirection = "kl_direction"
    /// See ``Recipe/klReduction``.
    case klReduction = "kl_reduction"
    /// See ``Recipe/checkpointEvery``.
    case checkpointEvery = "checkpoint_every"
    /// See ``Recipe/microBatch``.
    case microBatch = "micro_batch"
    /// See ``Recipe/memory``.
    case memory
    /// See ``Recipe/seed``.
    case seed
  }

  /// Reads settings; a key that is not there keeps its default.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    func read<Value: Decodable>(_ key: CodingKeys, _ value: inout Value) throws {
      value = try values.decodeIfPresent(Value.self, forKey: key) ?? value
    }
    func readOptional<Value: Decodable>(_ key: CodingKeys, _ value: inout Value?) throws {
      value = try values.decodeIfPresent(Value.self, forKey: key) ?? value
    }
    try read(.model, &model)
    try readOptional(.reference, &reference)
    try readOptional(.rewardModel, &rewardModel)
    try read(.prompt, &prompt)
    try read(.toward, &toward)
    try read(.steps, &steps)
    try read(.samples, &samples)
    try read(.maxNewTokens, &maxNewTokens)
    try decodeChoice(values, .algorithm, &algorithm)
    try decodeChoice(values, .optimizer, &optimizer)
    try read(.learningRate, &learningRate)
    try decodeChoice(values, .learningRateSchedule, &learningRateSchedule)
    try read(.warmupSteps, &warmupSteps)
    try readOptional(.weightDecay, &weightDecay)
    try readOptional(.maxGradientNorm, &maxGradientNorm)
    try readOptional(.lengthNormalizer, &lengthNormalizer)
    try read(.klCoefficient, &klCoefficient)
    try decodeChoice(values, .klDirection, &klDirection)
    try decodeChoice(values, .klReduction, &klReduction)
    try readOptional(.checkpointEvery, &checkpointEvery)
    try readOptional(.microBatch, &microBatch)
    try readOptional(.memory, &memory)
    try read(.seed, &seed)
  }

  /// Refuses settings that no run can have.
  ///
  /// - Throws: ``AlignmentError/setting(name:reason:)`` that names the flag.
  public func validate() throws {
    func check(_ isValid: Bool, _ key: CodingKeys, _ reason: @autoclosure () -> String) throws {
      let flag = "--" + key.rawValue.replacing("_", with: "-")
      guard isValid else { throw AlignmentError.setting(name: flag, reason: reason()) }
    }
    func checkCount(_ value: Int, _ key: CodingKeys, _ limit: Int) throws {
      try check((1...limit).contains(value), key, "is \(value); it must lie between 1 and \(limit)")
    }
    try check(!prompt.isEmpty, .prompt, "is empty; give a text to continue")
    try check(toward.contains { !$0.isWhitespace }, .toward, "is empty; give a word or text to steer toward")
    try checkCount(steps, .steps, 10_000_000)
    try checkCount(samples, .samples, 1 << 20)
    try check(samples >= 2 || algorithm == .reinforce, .samples, "is 1; leave-one-out compares stories and needs 2")
    try checkCount(maxNewTokens, .maxNewTokens, 1 << 16)
    try check(
      learningRate > 0 && learningRate <= 1e6, .learningRate,
      "is \(learningRate); it must lie above 0 and at most at 1e6")
    try check(
      (0...steps).contains(warmupSteps), .warmupSteps, "is \(warmupSteps); it must lie between 0 and --steps (\(steps))"
    )
    try check(weightDecay.map { $0 >= 0 && $0 < 1e6 } ?? true, .weightDecay, "must be a finite number, 0 or more")
    try check(
      maxGradientNorm.map { $0 > 0 && $0.isFinite } ?? true, .maxGradientNorm, "must be a finite number above 0")
    try check(
      lengthNormalizer.map { (1e-9...1e9).contains($0) } ?? true, .lengthNormalizer, "must lie between 1e-9 and 1e9")
    try check(
      (0...1e9).contains(klCoefficient), .klCoefficient, "is \(klCoefficient); it must lie between 0 and 1e9")
    try check(checkpointEvery.map { $0 >= 1 } ?? true, .checkpointEvery, "must be at least 1")
    try check(microBatch.map { $0 >= 1 } ?? true, .microBatch, "must be at least 1")
  }
}
