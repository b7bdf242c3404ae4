import Checkpoints
public import Foundation
import Kernels
import Rewards
public import Runs
import Tokenizers
import Transformers

/// The version of this program.
public let programVersion = "0.1.0"

/// A whole alignment run: the stories before, all updates, the stories after, and everything of it kept in a run folder.
public final class AlignmentRun {
  /// How a run ended.
  public enum Outcome: Sendable, Equatable {
    /// All steps were done.
    case finished
    /// It was asked to stop after this many steps; what it had is kept.
    case interrupted(afterStep: Int)
  }

  /// The settings.
  public let recipe: Recipe
  /// The model that is trained.
  public let model: TextModel
  private let reward: any Reward
  private let trainer: PolicyTrainer
  private let follower: StoryFollower
  private let manifest: RunManifest

  /// Loads and checks everything that the recipe names; nothing is written yet.
  ///
  /// - Throws: one clear error for what is missing, damaged or does not fit.
  public init(recipe: Recipe) throws {
    try recipe.validate()
    self.recipe = recipe
    let original = try TextModel(named: recipe.model)
    model =
      try recipe.lowRankSettings.map { try original.replacing(original.model.adapted($0, seed: recipe.seed)) }
      ?? original
    let reference = try recipe.reference.map { try TextModel(named: $0) }
    let rewardSource =
      try recipe.rewardModel.map { .folder(URL(filePath: $0, directoryHint: .isDirectory)) }
      ?? RewardModelLocation.source()
    reward = try SimilarityReward(toward: recipe.toward, embedder: SentenceEmbedder(source: rewardSource))
    trainer = try PolicyTrainer(
      recipe: recipe, model: model,
      // Where an adapter is trained the model itself stays as it is, and both share it.
      reference: reference?.model ?? (model.model.adapter == nil ? model.model.copy() : model.model.withoutAdapter()),
      reward: reward)
    follower = StoryFollower(
      model, reference: trainer.referenceModel, reward: reward, prompts: trainer.prompts,
      maxNewTokens: recipe.maxNewTokens, seed: recipe.seed)
    var resolved = recipe
    if trainer.prompts.count > 1 { resolved.samplesPerPrompt = trainer.groupSize }
    manifest = RunManifest(
      programVersion: programVersion, recipe: try resolved.json, seed: recipe.seed,
      model: .init(name: recipe.model, sha256: try model.weightsChecksum()),
      reference: try reference.map { .init(name: $0.name, sha256: try $0.weightsChecksum()) },
      rewardModel: .init(
        name: recipe.rewardModel ?? RewardModelLocation.modelName, sha256: try weightsChecksum(rewardSource)),
      platform: platformDescription, threadCount: Threads.count)
  }

  /// Trains, writing the run folder as it goes.
  ///
  /// - Parameters:
  ///   - folder: where the run goes; it must not hold anything yet.
  ///   - willStart: called once the folder is there.
  ///   - report: called after each step with its metrics and samples, once all of the step is in the folder.
  ///   - shouldStop: asked between steps.
  /// - Throws: what made the run fail; the folder then says so, and keeps the last state as a checkpoint.
  public func run(
    in folder: URL, willStart: () -> Void = {}, report: (StepMetrics, [SampleRecord]) -> Void, shouldStop: () -> Bool
  ) throws -> Outcome {
    let writer = try RunWriter(folder: folder, manifest: manifest)
    defer { writer.close() }
    willStart()
    var completed = 0
    do {
      try follow(0, writer)
      while completed < recipe.steps, !shouldStop() {
        let (metrics, samples) = try step(completed + 1, writer)
        completed += 1
        if let every = recipe.checkpointEvery, completed % every == 0, completed < recipe.steps {
          try saveCheckpoint(completed, writer)
        }
        if StoryFollower.follows(completed) { try follow(completed, writer) }
        report(metrics, samples)
      }
      if completed > 0 { try saveCheckpoint(completed, writer) }
      if !StoryFollower.follows(completed) { try follow(completed, writer) }
    } catch {
      // A step that failed changed nothing: the state before it is worth keeping, if the disk still takes it.
      // Where writing about a step failed, the model is a step ahead of what the folder tells.
      if completed > 0, trainer.updateCount == completed { try? saveCheckpoint(completed, writer) }
      try? writer.update(status: .failed, message: "\(error)")
      throw error
    }
    if completed < recipe.steps {
      try writer.update(status: .interrupted)
      return .interrupted(afterStep: completed)
    }
    try writer.update(status: .finished)
    return .finished
  }

  private func saveCheckpoint(_ step: Int, _ writer: RunWriter) throws {
    let folder = writer.checkpointFolder(step: step)
    if recipe.loraSaving == .adapter, let adapter = trainer.policy.adapter {
      try model.save(adapter, to: folder)
    } else {
      try model.save(trainer.policy, to: folder)
    }
  }

  /// One update, written to the run folder.
  private func step(_ number: Int, _ writer: RunWriter) throws -> (StepMetrics, [SampleRecord]) {
    let clock = ContinuousClock()
    let start = clock.now
    let step = try trainer.step(number)
    let seconds = (clock.now - start) / .seconds(1)
    let samples = step.stories.indices.map { index in
      SampleRecord(
        step: number, index: index, prompt: step.prompts[index].text, tokenIDs: step.stories[index].tokens,
        text: step.texts[index], reward: step.rewards[index], advantage: step.advantages[index],
        logProbability: Float(step.stories[index].logProbability),
        finishReason: step.stories[index].isFinished ? .stop : .length,
        logProbabilities: step.tokenStatistics[index].logProbabilities,
        referenceLogProbabilities: step.tokenStatistics[index].referenceLogProbabilities,
        entropies: step.tokenStatistics[index].entropies,
        tokenBytes: model.pieces(of: step.stories[index].tokens, after: step.prompts[index]).map(\.utf8.count))
    }
    try writer.append(samples: samples)
    let metrics = StepMetrics(step, number: number, seconds: seconds)
    try writer.append(metrics: metrics)
    return (metrics, samples)
  }

  /// Keeps what the stories and the trees look like after `step` updates.
  private func follow(_ step: Int, _ writer: RunWriter) throws {
    try writer.append(followedStories: try follower.stories(step: step))
    try writer.append(storyTrees: follower.trees(step: step))
  }
}

extension Recipe {
  /// The settings as `run.json` keeps them.
  var json: JSONValue {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return try JSONValue(parsing: [UInt8](encoder.encode(self)), name: "recipe")
    }
  }
}

extension StepMetrics {
  fileprivate init(_ step: PolicyTrainer.Step, number: Int, seconds: Double) {
    let count = Double(step.rewards.count)
    let mean = step.rewards.reduce(0.0) { $0 + Double($1) } / count
    let variance = step.rewards.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / count
    self.init(
      step: number, rewardMean: mean, rewardStd: variance.squareRoot(),
      rewardMax: Double(step.rewards.max() ?? 0), klForward: step.klForward, klReverse: step.klReverse,
      loss: step.loss, entropy: step.entropy, tokens: step.tokens, nodes: step.nodes,
      distinctStories: Set(zip(step.prompts, step.stories).map { [$0.ids, $1.tokens] }).count,
      gradientNorm: step.gradientNorm, seconds: seconds,
      secondsSplit: SecondsSplit(
        rollout: step.times.rollout, reward: step.times.reward, reference: step.times.reference,
        backward: step.times.backward, optimizer: step.times.optimizer),
      learningRate: step.learningRate, meanLength: Double(step.tokens) / count,
      endOfTextRate: step.stories.reduce(0.0) { $0 + ($1.isFinished ? 1 : 0) } / count)
  }
}
