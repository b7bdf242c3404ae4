import Checkpoints
public import Foundation
import JSON
import Kernels
import Rewards
import Runs
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

  /// The reward of a completion without a word, where nothing stands before it: the least that a cosine can be.
  public static let blankReward: Float = -1

  /// The settings.
  public let recipe: Recipe
  /// The model that is trained.
  public let model: TextModel
  /// What there is to say before the run begins, a line each.
  public let notes: [String]
  private let reward: any Reward
  private let history: TrainingHistory
  let trainer: PolicyTrainer
  let follower: StoryFollower
  let manifest: RunManifest

  /// Loads and checks everything that the recipe names; nothing is written yet.
  ///
  /// - Throws: one clear error for what is missing, damaged or does not fit.
  public convenience init(recipe: Recipe) throws {
    try self.init(recipe: recipe, history: TrainingHistory(), created: Date())
  }

  /// Loads and checks everything that the recipe of a run names, which follows the rules that the run began with; `created` is
  /// when it began, which its chat template may tell.
  package init(recipe given: Recipe, history: TrainingHistory, created: Date = Date()) throws {
    try given.validate()
    self.history = history
    let original = try TextModel(named: given.model)
    model =
      try given.lowRankSettings.map { try original.replacing(original.model.adapted($0, seed: given.seed)) }
      ?? original
    let recipe = given.fitted(toParameters: model.model.trainedParameters.count)
    self.recipe = recipe
    let reference = try recipe.reference.map { try TextModel(named: $0) }
    let rewardSource =
      try recipe.rewardModel.map { .folder(URL(filePath: $0, directoryHint: .isDirectory)) }
      ?? RewardModelLocation.source()
    let embedder = try SentenceEmbedder(source: rewardSource)
    reward = try SimilarityReward(toward: recipe.toward, embedder: embedder, blankReward: history.blankReward)
    trainer = try PolicyTrainer(
      recipe: recipe, model: model,
      // Where an adapter is trained the model itself stays as it is, and both share it.
      reference: reference?.model ?? (model.model.adapter == nil ? model.model.copy() : model.model.withoutAdapter()),
      reward: reward, history: history, date: created)
    if let reference { try model.requireTokens(of: reference) }
    follower = StoryFollower(
      model, reference: trainer.referenceModel, reward: reward, prompts: trainer.prompts, recipe: recipe)
    notes = RunNotes(given: given, recipe: recipe, trainer: trainer, embedder: embedder).lines
    var resolved = recipe
    if trainer.prompts.count > 1 { resolved.samplesPerPrompt = trainer.groupSize }
    // What fitted the memory then need not be what fits when the run is resumed, and it changes the last bits.
    if trainer.partSize < recipe.samples { resolved.microBatch = trainer.partSize }
    // What is in force by default is told as well.
    resolved.weightDecay = trainer.weightDecay
    resolved.lengthNormalizer = trainer.lengthNormalizer
    if let rank = recipe.loraRank { resolved.loraAlpha = recipe.loraAlpha ?? 2 * Double(rank) }
    var manifest = RunManifest(
      programVersion: programVersion, created: created, recipe: try resolved.json, seed: recipe.seed,
      model: .init(name: recipe.model, sha256: try model.weightsChecksum()),
      reference: try reference.map { .init(name: $0.name, sha256: try $0.weightsChecksum()) },
      rewardModel: .init(
        name: recipe.rewardModel ?? RewardModelLocation.modelName,
        sha256: try weightsChecksum(SentenceEmbedder.encoder(of: rewardSource))),
      promptFile: try recipe.promptFile.map { file in
        .init(
          name: file,
          sha256: checksum([try recipe.promptData.map(MappedBytes.init) ?? MappedBytes(file: URL(filePath: file))]))
      },
      platform: platformDescription, threadCount: Threads.count)
    manifest.trainingRules = history.rules.rawValue
    manifest.earlierPlans = history.earlierPlans
    self.manifest = manifest
  }

  /// Loads and checks everything that the run in `folder` uses, to go on with it; nothing is written yet.
  ///
  /// - Parameter steps: The number of steps that the run is to have from now on, more than it has done; nil leaves it as it is. A
  ///   schedule of the learning rate is then stretched over all of them, for the steps that are still to come.
  /// - Throws: `RunError` where the folder is no run, one clear error where the run is finished, or uses what is not there any more
  ///   or has changed.
  public convenience init(resuming folder: URL, steps: Int? = nil) throws {
    let reader = try RunReader(folder: folder)
    guard let steps else {
      guard reader.manifest.status != .finished else {
        // It may have been killed before it could do so itself. Its state stays: a longer run goes on from it.
        RunFolder.removeUnfinishedFiles(in: folder)
        try? FileManager.default.removeItem(at: folder.appending(path: RunFolder.progress))
        let done = reader.manifest.completedSteps
        throw AlignmentError.text(
          reason:
            "the run in \(folder.path) is finished; to make it longer, held to the same reference, give --steps with "
            + "more than its \(done) steps, such as --steps \(2 * done)")
      }
      try self.init(repeating: folder)
      return
    }
    // A line may have been written after the manifest.
    let done = max(
      reader.manifest.completedSteps, try reader.metrics().last?.step ?? 0, try reader.skippedSteps().last?.step ?? 0)
    guard steps > done else {
      throw AlignmentError.setting(
        name: "--steps", reason: "is \(steps), and the run in \(folder.path) has done \(done); give more")
    }
    try self.init(repeating: folder) { recipe, history in
      guard steps != recipe.steps else { return }
      if done > 0 { history.earlierPlans.append(.init(afterStep: done, steps: recipe.steps)) }
      recipe.steps = steps
    }
  }

  /// Loads and checks everything that the run in `folder` used.
  ///
  /// - Parameter change: Changes the number of steps.
  convenience init(repeating folder: URL, _ change: (inout Recipe, inout TrainingHistory) -> Void = { _, _ in }) throws
  {
    let manifest = try RunReader(folder: folder).manifest
    let file = folder.appending(path: RunFolder.manifest).path
    var recipe = try Recipe(json: manifest.recipe, name: file).located(run: folder)
    var history = try TrainingHistory(manifest, name: file)
    change(&recipe, &history)
    try self.init(recipe: recipe, history: history, created: manifest.created)
    for (now, then) in [
      (self.manifest.model, manifest.model), (self.manifest.reference, manifest.reference),
      (self.manifest.rewardModel, manifest.rewardModel),
    ] where now?.sha256 != then?.sha256 {
      throw AlignmentError.model(
        name: then?.name ?? now?.name ?? "",
        reason: "has other weights than when the run in \(folder.path) began; put back those with the SHA-256 "
          + "\(then?.sha256 ?? "none")")
    }
    // Runs of older versions do not tell.
    if let prompts = manifest.promptFile, prompts.sha256 != self.manifest.promptFile?.sha256 {
      throw AlignmentError.setting(
        name: "--prompts",
        reason: "\(prompts.name) has changed since the run in \(folder.path) began; put back the file with the SHA-256 "
          + prompts.sha256)
    }
  }
}

extension AlignmentRun {
  /// The first step that follows the number of steps that the run now has; nil where that was never changed.
  public var firstStepOfPlan: Int? { history.earlierPlans.last.map { $0.afterStep + 1 } }

  /// The learning rate of a step, counted from 1, by the schedule that the step follows.
  public func learningRate(step: Int) -> Double { history.learningRate(step: step, of: recipe) }
}

extension Recipe {
  /// The recipe of a run, as ``json`` wrote it.
  init(json: JSONValue, name: String) throws {
    do {
      self = try JSONDecoder().decode(Recipe.self, from: Data(try json.encoded()))
    } catch is DecodingError {
      throw AlignmentError.recipe(file: name, reason: "holds a recipe that this version does not know")
    }
  }

  /// The settings as `run.json` keeps them: every one, null where it is not set.
  var json: JSONValue {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      let given = try JSONValue(parsing: [UInt8](encoder.encode(self)))
      return .object(
        CodingKeys.allCases.map(\.rawValue).sorted().map { .init($0, given[$0] ?? .null) })
    }
  }
}

extension StepMetrics {
  init(_ step: PolicyTrainer.Step, number: Int, seconds: Double) {
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
      endOfTextRate: step.stories.reduce(0.0) { $0 + ($1.isFinished ? 1 : 0) } / count,
      tiedGroups: step.tiedGroups, truncatedTexts: step.truncatedTexts)
  }
}
