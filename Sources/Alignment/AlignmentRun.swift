import Checkpoints
public import Foundation
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

  /// The settings.
  public let recipe: Recipe
  /// The model that is trained.
  public let model: TextModel
  private let reward: any Reward
  let trainer: PolicyTrainer
  let follower: StoryFollower
  let manifest: RunManifest

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
      model, reference: trainer.referenceModel, reward: reward, prompts: trainer.prompts, recipe: recipe)
    var resolved = recipe
    if trainer.prompts.count > 1 { resolved.samplesPerPrompt = trainer.groupSize }
    // What fitted the memory then need not be what fits when the run is resumed, and it changes the last bits.
    if trainer.partSize < recipe.samples { resolved.microBatch = trainer.partSize }
    // What is in force by default is told as well.
    resolved.weightDecay = trainer.weightDecay
    resolved.lengthNormalizer = trainer.lengthNormalizer
    if let rank = recipe.loraRank { resolved.loraAlpha = recipe.loraAlpha ?? 2 * Double(rank) }
    manifest = RunManifest(
      programVersion: programVersion, recipe: try resolved.json, seed: recipe.seed,
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
  }

  /// Loads and checks everything that the run in `folder` uses, to go on with it; nothing is written yet.
  ///
  /// - Throws: `RunError` where the folder is no run, one clear error where the run is finished, or uses what is not there any more
  ///   or has changed.
  public convenience init(resuming folder: URL) throws {
    let manifest = try RunReader(folder: folder).manifest
    guard manifest.status != .finished else {
      // It may have been killed before it could do so itself.
      try? FileManager.default.removeItem(at: folder.appending(path: RunFolder.trainingState))
      let last = RunFolder.checkpoint(step: manifest.completedSteps, in: folder)
      throw AlignmentError.text(
        reason: "the run in \(folder.path) is finished; to train on, start a new run from its last model: "
          + "tinyalign align --model \(last.path)")
    }
    try self.init(repeating: folder)
  }

  /// Loads and checks everything that the run in `folder` used.
  convenience init(repeating folder: URL) throws {
    let manifest = try RunReader(folder: folder).manifest
    try self.init(
      recipe: try Recipe(json: manifest.recipe, name: folder.appending(path: RunFolder.manifest).path).located(
        run: folder))
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
      let given = try JSONValue(parsing: [UInt8](encoder.encode(self)), name: "recipe")
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
