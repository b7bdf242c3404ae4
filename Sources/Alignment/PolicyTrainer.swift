public import Foundation
import Kernels
import PolicyGradients
public import Rewards
import Runs
import Tokenizers
public import Transformers

/// One update after another of a policy: roll-out, reward, reference, backward, optimiser.
///
/// The policy does not change between roll-out and update, so the roll-out's activations serve the backward pass.
/// Where stories are computed in parts (``Recipe/microBatch``), the trees of the parts are computed again for the
/// update; the gradient is the same.
public final class PolicyTrainer {
  /// What one update did.
  public struct Step: Sendable {
    /// The stories, those of a prompt in a row.
    public var stories: [SampledStory]
    /// What each story begins with.
    public var prompts: [ModelPrompt]
    /// Text of each story after the prompt.
    public var texts: [String]
    /// Reward of each story.
    public var rewards: [Float]
    /// Advantage of each story.
    public var advantages: [Float]
    /// What both models thought of the tokens of each story.
    public var tokenStatistics: [TokenStatistics] = []
    /// Groups whose stories all earned the same, so that leave-one-out learns nothing from them.
    public var tiedGroups: Int
    /// Texts that the reward judged by their beginning only.
    public var truncatedTexts: Int
    /// The loss, in its own unit.
    public var loss = 0.0
    /// KL(reference || policy), nats for each generated token.
    public var klForward = 0.0
    /// KL(policy || reference), nats for each generated token.
    public var klReverse = 0.0
    /// Entropy of the policy, nats for each generated token.
    public var entropy = 0.0
    /// Distinct prefixes computed, the prompt's among them.
    public var nodes = 0
    /// FLOPs that the step needs beside the reward: each distinct prefix once, nothing that is known from earlier steps, nothing twice.
    public var flops = 0
    /// Norm of the gradient before it was clipped.
    public var gradientNorm = 0.0
    /// Learning rate of the update; 0 where there was none.
    public var learningRate = 0.0
    /// Whether the parameters were updated: a step whose advantages are all 0 has nothing to learn from, and changes nothing.
    public var isUpdate = false
    /// Seconds of each part.
    public var times = PhaseTimes()

    /// Tokens generated.
    public var tokens: Int { stories.reduce(0) { $0 + $1.tokens.count } }
  }

  /// The settings.
  public let recipe: Recipe
  /// The network that is trained.
  public let policy: any LanguageModel
  private let reference: FrozenReference
  private let textModel: TextModel
  private let reward: any Reward
  /// The prompts as the model reads them, in the order in which they were given.
  public let prompts: [ModelPrompt]
  /// The number of prompts that were left out as too long.
  public let leftOutPrompts: Int
  /// Stories of a step that share a prompt.
  public let groupSize: Int
  private var order: PromptOrder
  private let random: KeyedRandom
  /// What the sum over a story's tokens is divided by.
  let lengthNormalizer: Double
  /// Decoupled weight decay.
  let weightDecay: Double
  private let penalty: KLPenalty
  private let history: TrainingHistory
  private let optimizer: Optimizer
  private let gradients: FloatBuffer
  private let parts: [Range<Int>]
  private let activations: Activations
  private let hiddenGradient: FloatBuffer
  private let keptLogits: FloatBuffer
  /// Called many times in a step with how far it is.
  var progress: ((RunProgress) -> Void)?

  /// Prepares training of `model`.
  ///
  /// - Parameters:
  ///   - reference: the frozen model; its vocabulary must be the policy's.
  ///   - date: the time that chat templates are told.
  /// - Throws: ``AlignmentError`` where recipe, models and prompt do not fit each other.
  public convenience init(
    recipe: Recipe, model: TextModel, reference: any LanguageModel, reward: any Reward, date: Date = Date()
  ) throws {
    try self.init(
      recipe: recipe, model: model, reference: reference, reward: reward, history: TrainingHistory(), date: date)
  }

  /// Prepares training that goes on by the rules of a run.
  init(
    recipe: Recipe, model: TextModel, reference: any LanguageModel, reward: any Reward, history: TrainingHistory,
    date: Date = Date()
  ) throws {
    try recipe.validate()
    self.recipe = recipe
    self.history = history
    textModel = model
    policy = model.model
    self.reward = reward
    let checksReward = history.rules > .first
    (prompts, leftOutPrompts) = try model.read(
      recipe.promptSet(), newTokens: recipe.maxNewTokens,
      chat: PromptSet.Chat(wrapsTexts: recipe.chat, system: recipe.system, date: date), long: recipe.longPrompts
    ) { prompt in
      guard checksReward, let obstacle = reward.obstacle(after: prompt.lead) else { return }
      throw AlignmentError.longPrompt(reason: obstacle)
    }
    groupSize = try recipe.groupSize(promptCount: prompts.count)
    order = PromptOrder(promptCount: prompts.count, perStep: recipe.samples / groupSize, seed: recipe.seed)
    let longest = prompts.reduce(0) { max($0, $1.ids.count) }
    guard reference.vocabularySize == policy.vocabularySize else {
      throw AlignmentError.setting(
        name: "--reference",
        reason: "has a vocabulary of \(reference.vocabularySize) tokens, the model one of \(policy.vocabularySize); "
          + "KL needs the same")
    }
    guard reference.contextLength >= longest + recipe.maxNewTokens else {
      throw AlignmentError.setting(
        name: "--reference", reason: "has a context of \(reference.contextLength) tokens, too short for these stories")
    }
    random = KeyedRandom(seed: recipe.seed)
    // One constant for the whole run: with a step's own prompts, steps would weigh differently.
    let meanLength = Double(prompts.reduce(0) { $0 + $1.ids.count }) / Double(prompts.count)
    lengthNormalizer = recipe.lengthNormalizer ?? meanLength + Double(recipe.maxNewTokens)
    weightDecay = recipe.weightDecay ?? (recipe.optimizer == .sgd ? 0 : 0.01)
    penalty = KLPenalty(
      coefficient: Float(recipe.klCoefficient), direction: recipe.klDirection, reduction: recipe.klReduction)
    optimizer = Optimizer(
      recipe.optimizer == .sgd ? .sgd : .adamW(),
      weightDecay: Float(weightDecay),
      parameterCount: policy.trainedParameters.count)
    gradients = FloatBuffer(count: policy.trainedParameters.count, isZeroed: false)
    let plan = try Self.memoryPlan(
      recipe, policy: policy, reference: reference, promptLength: longest, groupSize: groupSize)
    parts = stride(from: 0, to: recipe.samples, by: plan.partSize)
      .map { $0..<min($0 + plan.partSize, recipe.samples) }
    let partPrompts = PromptGroups.groupCount(
      ofStories: plan.partSize, groupSize: groupSize, of: recipe.samples)
    let capacity = Rollout.nodeCapacity(
      promptLength: partPrompts * longest, stories: plan.partSize, maxNewTokens: recipe.maxNewTokens)
    activations = policy.makeActivations(capacity: capacity, keepsForBackward: true)
    hiddenGradient = FloatBuffer(count: capacity * policy.hiddenSize, isZeroed: false)
    keptLogits = FloatBuffer(count: plan.keptLogitRows * policy.vocabularySize, isZeroed: false)
    self.reference = FrozenReference(
      reference, depth: longest + recipe.maxNewTokens, promptLength: prompts.count == 1 ? longest : nil,
      cacheRows: plan.referenceCacheRows)
  }

  private static func memoryPlan(
    _ recipe: Recipe, policy: any LanguageModel, reference: any LanguageModel, promptLength: Int, groupSize: Int
  ) throws -> MemoryPlan {
    let floatSize = MemoryLayout<Float>.stride
    // Beside the activations: the hidden gradient, the backward pass's working rows, the reference's hidden states.
    let node =
      floatSize
      * (policy.makeActivations(capacity: 1, keepsForBackward: true).floatCount + 6 * policy.hiddenSize
        + reference.hiddenSize)
    let referencePart =
      max(FrozenReference.partSize, 2 * (promptLength + recipe.maxNewTokens)) * floatSize
      * reference.makeActivations(capacity: 1, keepsForBackward: false).floatCount
    let row = policy.vocabularySize * floatSize
    return try MemoryPlan(
      MemoryPlan.Needs(
        taken: peakMemory(),
        fixed: policy.trainedParameters.count * floatSize * (recipe.optimizer == .sgd ? 1 : 3)
          + 2 * policy.head.chunkSize(rows: .max) * row + referencePart,
        prompt: promptLength * node, groupSize: groupSize, story: max(1, recipe.maxNewTokens - 1) * node,
        rowsPerStory: recipe.maxNewTokens, row: row),
      stories: recipe.samples, partSize: recipe.microBatch, budget: recipe.memory)
  }

  /// The frozen model that KL is measured to.
  var referenceModel: any LanguageModel { reference.model }

  /// What training goes on from.
  var state: TrainingState { TrainingState(parameters: policy.trainedParameters, optimizer: optimizer) }

  /// Stories that are computed at once.
  var partSize: Int { parts[0].count }

  /// Updates so far.
  public var updateCount: Int { optimizer.stepCount }

  /// One update.
  ///
  /// - Parameter number: the step, counted from 1; it keys the random numbers.
  /// - Throws: what the reward throws; ``AlignmentError/diverged(step:reason:)`` where a reward or the gradient is not
  ///   finite, before anything is updated.
  public func step(_ number: Int) throws -> Step { try step(number, isMeasurement: false) }

  /// The numbers of the model as it is: those that step `number` would have, without its update.
  ///
  /// - Throws: as ``step(_:)`` does.
  func measure(_ number: Int) throws -> Step { try step(number, isMeasurement: true) }

  private func step(_ number: Int, isMeasurement: Bool) throws -> Step {
    var times = PhaseTimes()
    let stepPrompts = order.prompts(ofStep: number).map { prompts[$0] }
    let groups = PromptGroups(stepPrompts.map(\.ids), groupSize: groupSize)
    var trees: [(tree: TokenTree, firstRow: Int)] = []
    var stories: [SampledStory] = []
    times.measure(\.rollout) {
      for (index, part) in parts.enumerated() {
        var tokens = index * recipe.maxNewTokens
        let report: ([Int?]) -> Void = { [progress, total = parts.count * recipe.maxNewTokens] _ in
          tokens += 1
          progress?(RunProgress(step: number, phase: .generating, done: tokens, total: total))
        }
        let rollout = Rollout(
          policy, groups: groups, indices: part, maxNewTokens: recipe.maxNewTokens,
          stopTokens: textModel.stopTokens, random: random.keyed(number), activations: activations,
          keptLogits: parts.count == 1 ? keptLogits.elements : nil, report: report)
        trees.append((rollout.tree, rollout.firstRow))
        stories += rollout.stories
      }
    }
    let storyPrompts = stepPrompts.flatMap { repeatElement($0, count: groupSize) }
    progress?(RunProgress(step: number, phase: .scoring))
    let (texts, rewards, truncatedTexts) = try times.measure(\.reward) {
      let texts = zip(stories, storyPrompts).map { textModel.text(of: $0.tokens, after: $1) }
      let judged = zip(storyPrompts, texts).map { $0.lead + $1 }
      return (texts, try reward.rewards(for: judged), reward.truncatedCount(of: judged))
    }
    if let index = rewards.firstIndex(where: { !$0.isFinite }) {
      throw AlignmentError.diverged(
        step: number, reason: "the reward of story \(index) is not finite: \(Self.oneLine(texts[index]))")
    }
    let advantages = recipe.algorithm.advantages(rewards: rewards, groupSize: groupSize)
    var step = Step(
      stories: stories, prompts: storyPrompts, texts: texts, rewards: rewards, advantages: advantages,
      tiedGroups: tiedGroupCount(rewards: rewards, groupSize: groupSize),
      truncatedTexts: truncatedTexts)
    if !isMeasurement { times.measure(\.backward) { gradients.zero() } }
    for (index, part) in parts.enumerated() {
      progress?(RunProgress(step: number, phase: .updating, done: index + 1, total: parts.count))
      var tree = trees[index].tree
      var paths = stories[part].map { SampledPath(tokens: $0.tokens, nodes: $0.nodes) }
      if parts.count > 1 {
        // Later parts have overwritten the activations.
        times.measure(\.rollout) {
          let forest = PromptForest(groups, indices: part)
          (tree, paths) = forest.appending(stories[part])
          policy.forward(tree, activations: activations)
        }
      }
      step.nodes += tree.count
      accumulate(
        tree, paths, firstRow: trees[index].firstRow, advantages: Array(advantages[part]), step: number,
        writesGradients: !isMeasurement, into: &step, times: &times)
    }
    let tokens = Double(max(1, step.tokens))
    step.klForward /= tokens
    step.klReverse /= tokens
    step.entropy /= tokens
    try times.measure(\.optimizer) {
      step.gradientNorm = isMeasurement ? 0 : gradientNorm(gradients)
      try checkFinite(step, number)
      // Without advantages the gradient is that of the KL term alone, and near the reference nothing but rounding, which AdamW would
      // make as large as any other update; its momentum and the weight decay would move the model, too.
      guard !isMeasurement, history.updatesWithoutAdvantages || advantages.contains(where: { $0 != 0 }) else { return }
      step.isUpdate = true
      step.learningRate = history.learningRate(step: number, of: recipe)
      optimizer.step(
        policy.trainedParameters, gradients: gradients, learningRate: Float(step.learningRate),
        gradientScale: clippingScale(norm: step.gradientNorm, maximum: recipe.maxGradientNorm))
    }
    step.times = times
    return step
  }

  /// Refuses a step with a number that is not finite, before anything is updated.
  private func checkFinite(_ step: Step, _ number: Int) throws {
    let story = zip(step.stories, step.tokenStatistics).enumerated().first { _, pair in
      !pair.0.logProbability.isFinite || !pair.1.isFinite
    }?.offset
    let metrics = [step.loss, step.klForward, step.klReverse, step.entropy]
    let name =
      !step.gradientNorm.isFinite
      ? "the gradient" : story != nil ? "a log-probability" : metrics.allSatisfy(\.isFinite) ? nil : "the loss"
    guard let name else { return }
    throw AlignmentError.diverged(
      step: number,
      reason: "\(name) is not finite; lower --learning-rate or raise --kl-coefficient"
        + (story.map { " (seen first in story \($0): \(Self.oneLine(step.prompts[$0].text + step.texts[$0])))" } ?? ""))
  }

  /// The end of a text, on one line.
  private static func oneLine(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    return line.count > 200 ? "…" + line.suffix(199) : line
  }

  /// Adds the numbers of some of the step's stories, whose tree is in `activations`, and where asked for their gradient.
  private func accumulate(
    _ tree: TokenTree, _ paths: [SampledPath], firstRow: Int, advantages: [Float], step number: Int,
    writesGradients: Bool, into step: inout Step, times: inout PhaseTimes
  ) {
    let rows = PolicyLossRows(
      paths: paths, advantages: advantages, sampleCount: recipe.samples, lengthNormalizer: Float(lengthNormalizer),
      klWeightPerNat: penalty.weightPerNat(vocabularySize: policy.vocabularySize))
    // Every node but those before the last of a prompt has a row, so rows and nodes run side by side.
    precondition(rows.nodes.elementsEqual(firstRow..<tree.count), "rows of nodes \(firstRow)..<\(tree.count)")
    let isForward = penalty.direction == .forward
    var loss = HeadLoss(
      targetStarts: rows.targetStarts, targetTokens: rows.targetTokens, targetWeights: rows.targetWeights,
      forwardKLWeights: isForward ? rows.klWeights : nil, reverseKLWeights: isForward ? nil : rows.klWeights)
    let referenceLogits = times.measure(\.reference) { reference.logits(tree, from: firstRow, step: number) }
    // Forward once and backward twice, once where the matrices are frozen; the reference forward once.
    step.flops +=
      (policy.adapter == nil ? 3 : 2) * (policy.forwardFlops(tree) + (tree.count - firstRow) * policy.head.flops)
      + reference.lastFlops
    times.measure(\.backward) {
      let offset = firstRow * policy.hiddenSize
      hiddenGradient.pointer.update(repeating: 0, count: offset)
      policy.head.evaluate(
        &loss, hidden: activations.hidden.pointer + offset, kept: parts.count == 1 ? keptLogits.elements : nil,
        reference: referenceLogits,
        gradients: writesGradients
          ? HeadGradients(
            hidden: hiddenGradient.pointer + offset,
            weight: policy.adapter == nil ? gradients.pointer + policy.headOffset : nil) : nil)
      guard writesGradients else { return }
      policy.backward(tree, activations: activations, hiddenGradient: hiddenGradient, gradients: gradients)
    }
    step.tokenStatistics += paths.map { TokenStatistics($0, rows: rows, firstRow: firstRow, loss: loss) }
    step.loss += loss.value
    for (row, count) in rows.sampleCounts.enumerated() {
      step.klForward += Double(loss.forwardKLs[row]) * Double(count)
      step.klReverse += Double(loss.reverseKLs[row]) * Double(count)
      step.entropy += Double(loss.entropies[row]) * Double(count)
    }
  }
}

/// Seconds that the parts of a step took.
public struct PhaseTimes: Sendable, Equatable {
  /// Sampling stories.
  public var rollout = 0.0
  /// Decoding and scoring them.
  public var reward = 0.0
  /// The frozen model's hidden states.
  public var reference = 0.0
  /// Logits of both models, the loss, and all gradients.
  public var backward = 0.0
  /// Norm, clipping and update.
  public var optimizer = 0.0

  /// All parts together.
  public var total: Double { rollout + reward + reference + backward + optimizer }

  mutating func measure<Result>(_ phase: WritableKeyPath<PhaseTimes, Double>, _ body: () throws -> Result) rethrows
    -> Result
  {
    let clock = ContinuousClock()
    let start = clock.now
    defer { self[keyPath: phase] += (clock.now - start) / .seconds(1) }
    return try body()
  }
}
