import Foundation
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

  /// How a low-rank adapter is kept.
  public enum AdapterSaving: String, Codable, Sendable, CaseIterable {
    /// Added to the model, which is saved whole.
    case merged
    /// By itself, in PEFT's format.
    case adapter
  }

  /// What is done with a step whose rewards, loss or gradient are not all finite; it is never applied.
  public enum NonFiniteHandling: String, Codable, Sendable, CaseIterable {
    /// The run stops, with the state before the step kept.
    case stop
    /// The step is noted as skipped, and the next one begins.
    case skip
  }

  /// The model that training starts from: a folder, or `tinystories`.
  public var model = EmbeddedModel.name
  /// The frozen model that KL is measured to; nil takes ``model``.
  public var reference: String?
  /// Folder of the sentence-embedding model that rewards come from; nil takes the one that set-up fetched.
  public var rewardModel: String?
  /// How stories begin, where ``promptFile`` does not say it: one beginning or several.
  public var promptTexts = TextList(["Once upon a time there was"])
  /// A file of prompts, which takes the place of ``promptTexts``; see ``PromptSet/init(file:column:)``.
  public var promptFile: String? {
    didSet { if promptFile != nil { promptTexts = TextList([]) } }
  }
  /// The bytes of ``promptFile`` where it is a pipe, which can be read once only.
  var promptData: Data?
  /// The key or column of ``promptFile`` that holds the prompt; nil takes `prompt`, or `messages`.
  public var promptColumn: String?
  /// Whether plain prompts are put to the model as a user's message, by its chat template.
  public var chat = false
  /// A system message before each user's message; nil leaves it to the chat template.
  public var system: String?
  /// What is done with prompts that are too long.
  public var longPrompts = LongPromptHandling.refuse
  /// What stories are steered toward: their reward is the cosine similarity of their embedding to this text's.
  public var toward = "cat"
  /// Updates.
  public var steps = 30
  /// Stories sampled for each update.
  public var samples = 128
  /// Stories of a prompt that are compared with each other; ``samples`` is a multiple of it. See ``groupSize(promptCount:)`` for nil.
  public var samplesPerPrompt: Int?
  /// Tokens of a story after the prompt, at most.
  public var maxNewTokens = 4
  /// How rewards become weights of log-probabilities.
  public var algorithm = Algorithm.rloo
  /// The optimiser.
  public var optimizer = OptimizerName.adamw
  /// Learning rate at its highest.
  public var learningRate = 1e-4
  /// Whether ``learningRate`` is the preset's for the model in this program, and nobody has chosen it for this one: larger models then
  /// take smaller updates.
  @NotCompared var isLearningRateDefault = false
  /// How the learning rate changes.
  public var learningRateSchedule = LearningRateSchedule.Shape.constant
  /// Steps until the learning rate is at its highest.
  public var warmupSteps = 0
  /// Decoupled weight decay; nil takes PyTorch's default, 0.01 for AdamW and 0 for SGD.
  public var weightDecay: Double?
  /// Gradients longer than this are shortened to it; nil never.
  public var maxGradientNorm: Double?
  /// What each story's sum over tokens is divided by; nil takes the tokens of prompt and story together, as published, and
  /// for several prompts their mean length.
  public var lengthNormalizer: Double?
  /// Weight of the KL term; 0 is none.
  public var klCoefficient = 0.1194
  /// Which divergence.
  public var klDirection = KLDirection.forward
  /// Its unit.
  public var klReduction = KLReduction.sum
  /// Rank of the low-rank adapter that is trained instead of the model's own parameters; nil trains these. See ``LowRankSettings``.
  public var loraRank: Int?
  /// What the adapter is scaled by, times its rank; nil takes twice the rank.
  public var loraAlpha: Double?
  /// Names of the matrices that get an adapter, such as `q_proj`; nil takes all.
  public var loraTargets: TextList?
  /// How the adapter is kept in checkpoints.
  public var loraSaving = AdapterSaving.merged
  /// Steps between checkpoints; nil keeps only the last.
  public var checkpointEvery: Int?
  /// Checkpoints that are kept, the newest; nil keeps all.
  public var keep: Int?
  /// Beside those, the checkpoint with the highest mean reward at a forward KL (nats per token) below this is kept; nil keeps none.
  public var keepBestBelowKL: Double?
  /// What is done where a number is not finite.
  public var nonFinite = NonFiniteHandling.stop
  /// Stories computed at once, which bounds memory; nil takes all. The gradient is the same.
  public var microBatch: Int?
  /// Memory that the whole run may take; nil takes what it needs, up to three quarters of the computer's.
  public var memory: MemorySize?
  /// What all random numbers are drawn with.
  public var seed: UInt64 = 1

  /// The settings above, which are those of a resolved recipe that says nothing else; ``RecipeLayers`` starts from the default
  /// recipe's file.
  public init() {}

  /// The first of ``promptTexts``; setting it makes it the only one.
  public var prompt: String {
    get { promptTexts.texts.first ?? "" }
    set { promptTexts = TextList([newValue]) }
  }

  /// The names of the settings in YAML and `run.json`.
  public enum CodingKeys: String, CodingKey, CaseIterable {
    /// See ``Recipe/model``.
    case model
    /// See ``Recipe/reference``.
    case reference
    /// See ``Recipe/rewardModel``.
    case rewardModel = "reward_model"
    /// See ``Recipe/promptTexts``.
    case promptTexts = "prompt"
    /// See ``Recipe/promptFile``.
    case promptFile = "prompts"
    /// See ``Recipe/promptColumn``.
    case promptColumn = "prompt_column"
    /// See ``Recipe/chat``.
    case chat
    /// See ``Recipe/system``.
    case system
    /// See ``Recipe/longPrompts``.
    case longPrompts = "long_prompts"
    /// See ``Recipe/toward``.
    case toward
    /// See ``Recipe/steps``.
    case steps
    /// See ``Recipe/samples``.
    case samples
    /// See ``Recipe/samplesPerPrompt``.
    case samplesPerPrompt = "samples_per_prompt"
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
    /// See ``Recipe/loraRank``.
    case loraRank = "lora_rank"
    /// See ``Recipe/loraAlpha``.
    case loraAlpha = "lora_alpha"
    /// See ``Recipe/loraTargets``.
    case loraTargets = "lora_targets"
    /// See ``Recipe/loraSaving``.
    case loraSaving = "lora_saving"
    /// See ``Recipe/checkpointEvery``.
    case checkpointEvery = "checkpoint_every"
    /// See ``Recipe/keep``.
    case keep
    /// See ``Recipe/keepBestBelowKL``.
    case keepBestBelowKL = "keep_best_below_kl"
    /// See ``Recipe/nonFinite``.
    case nonFinite = "non_finite"
    /// See ``Recipe/microBatch``.
    case microBatch = "micro_batch"
    /// See ``Recipe/memory``.
    case memory
    /// See ``Recipe/seed``.
    case seed

    /// See ``Recipe/promptTexts``.
    public static let prompt = promptTexts
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
    try readOptional(.promptFile, &promptFile)
    if promptFile != nil { promptTexts = TextList([]) }
    try read(.promptTexts, &promptTexts)
    try readOptional(.promptColumn, &promptColumn)
    try read(.chat, &chat)
    try readOptional(.system, &system)
    try decodeChoice(values, .longPrompts, &longPrompts)
    try read(.toward, &toward)
    try read(.steps, &steps)
    try read(.samples, &samples)
    try readOptional(.samplesPerPrompt, &samplesPerPrompt)
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
    try readOptional(.loraRank, &loraRank)
    try readOptional(.loraAlpha, &loraAlpha)
    try readOptional(.loraTargets, &loraTargets)
    try decodeChoice(values, .loraSaving, &loraSaving)
    try readOptional(.checkpointEvery, &checkpointEvery)
    try readOptional(.keep, &keep)
    try readOptional(.keepBestBelowKL, &keepBestBelowKL)
    try decodeChoice(values, .nonFinite, &nonFinite)
    try readOptional(.microBatch, &microBatch)
    try readOptional(.memory, &memory)
    try read(.seed, &seed)
  }

  /// What is wrong where prompts are given in two ways.
  static let promptConflict = "and --prompt are both given; put all prompts into the file, or give none"

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
    try check(promptFile != "", .promptFile, "is empty; give a file")
    try check(
      promptFile == nil || promptTexts.texts.isEmpty, .promptFile, Self.promptConflict)
    try check(
      promptFile != nil || (!promptTexts.texts.isEmpty && !promptTexts.texts.contains("")), .prompt,
      "is empty; give a text to continue")
    try check(promptColumn != "", .promptColumn, "is empty; give the name of a key or column")
    try check(promptColumn == nil || promptFile != nil, .promptColumn, "needs --prompts with a file")
    try check(toward.contains { !$0.isWhitespace }, .toward, "is empty; give a word or text to steer toward")
    try checkCount(steps, .steps, 10_000_000)
    try checkCount(samples, .samples, 1 << 20)
    try check(samples >= 2 || algorithm == .reinforce, .samples, "is 1; leave-one-out compares stories and needs 2")
    if let samplesPerPrompt {
      try checkCount(samplesPerPrompt, .samplesPerPrompt, samples)
      try check(
        samples.isMultiple(of: samplesPerPrompt), .samplesPerPrompt,
        "is \(samplesPerPrompt); it must divide --samples, which is \(samples)")
      try check(
        samplesPerPrompt >= 2 || algorithm == .reinforce, .samplesPerPrompt,
        "is 1; leave-one-out compares stories of a prompt and needs 2")
    }
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
    try check(loraRank.map { $0 >= 1 } ?? true, .loraRank, "must be at least 1")
    try check(
      loraAlpha.map { $0 > 0 && $0 < 1e6 } ?? true, .loraAlpha, "must be a finite number above 0")
    for (isGiven, key) in [
      (loraAlpha != nil, CodingKeys.loraAlpha), (loraTargets != nil, .loraTargets),
      (loraSaving != .merged, .loraSaving),
    ] {
      try check(loraRank != nil || !isGiven, key, "needs --lora-rank: without it the whole model is trained")
    }
    try check(checkpointEvery.map { $0 >= 1 } ?? true, .checkpointEvery, "must be at least 1")
    try check(keep.map { $0 >= 1 } ?? true, .keep, "must be at least 1")
    try check(
      keep == nil || checkpointEvery != nil, .keep, "needs --checkpoint-every: without it only the last one is written")
    try check(
      keepBestBelowKL.map { $0 > 0 && $0.isFinite } ?? true, .keepBestBelowKL, "must be a finite number above 0")
    try check(keepBestBelowKL == nil || keep != nil, .keepBestBelowKL, "needs --keep: without it all are kept")
    try check(microBatch.map { $0 >= 1 } ?? true, .microBatch, "must be at least 1")
  }

  /// The adapter that is trained, if any.
  var lowRankSettings: LowRankSettings? {
    loraRank.map { LowRankSettings(rank: $0, alpha: loraAlpha.map { Float($0) }, targets: loraTargets?.texts) }
  }

  /// Stories of a step that share a prompt.
  ///
  /// Unless ``samplesPerPrompt`` says it: all of them for a single prompt; where the number of prompts divides the number of stories,
  /// each step takes all prompts; else groups are as large as can be up to 8. Leave-one-out needs groups of 2.
  ///
  /// - Throws: ``AlignmentError/setting(name:reason:)`` where no group of up to 8 stories divides ``samples``.
  func groupSize(promptCount: Int) throws -> Int {
    if let samplesPerPrompt { return samplesPerPrompt }
    if promptCount == 1 { return samples }
    let least = algorithm == .reinforce ? 1 : 2
    if samples.isMultiple(of: promptCount), samples / promptCount >= least { return samples / promptCount }
    guard let size = (least...8).last(where: { samples.isMultiple(of: $0) }) else {
      throw AlignmentError.setting(
        name: "--samples",
        reason: "is \(samples), which groups of 2 to 8 stories a prompt do not divide; give --samples-per-prompt")
    }
    return size
  }

  /// The prompts, from the file where there is one.
  ///
  /// - Throws: ``AlignmentError`` for a file that cannot be read, with the line.
  func promptSet() throws -> PromptSet {
    guard let promptFile else { return PromptSet(texts: promptTexts.texts) }
    let file = URL(filePath: promptFile)
    guard let promptData else { return try PromptSet(file: file, column: promptColumn) }
    return try PromptSet(contents: promptData, path: displayName(file), column: promptColumn, isStream: true)
  }
}

/// A value that says where others come from: what differs in it alone is equal.
@propertyWrapper struct NotCompared<Value: Sendable>: Equatable, Sendable {
  var wrappedValue: Value

  static func == (first: Self, second: Self) -> Bool { true }
}
