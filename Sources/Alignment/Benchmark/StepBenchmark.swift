import Checkpoints
import Foundation
import Kernels
import Rewards
import Transformers

/// Training steps at a model's shape, timed and held against what the machine can do.
public struct StepBenchmark: Sendable {
  /// The settings of the steps: the published run's unless changed.
  public struct Settings: Sendable {
    /// Stories of a step.
    public var samples = 1_024
    /// Tokens of a story after the prompt.
    public var maxNewTokens = 4
    /// Steps, of which the median counts.
    public var steps = 3
    /// Memory that the run may take.
    public var memory: MemorySize?
    /// Tokens that one stream generates.
    public var streamTokens = 64

    /// The published step.
    public init() {}
  }

  /// Name of the model, and whether its weights are random.
  public let model: String
  /// See ``model``.
  public let isRandom: Bool
  /// Parameters of the model.
  public let parameterCount: Int
  /// Tokens of its vocabulary.
  public let vocabularySize: Int
  /// Tokens of the prompt.
  public let promptLength: Int
  /// The settings.
  public let settings: Settings
  /// Each step, in order.
  public let steps: [Step]
  /// Tokens a second of a single stream.
  public let streamRate: Double
  /// Bytes of weights that each of its tokens needs.
  public let streamBytes: Int
  /// Most memory that the process took, in bytes, before memory's bandwidth was measured.
  public let peakMemory: Int
  /// What the machine can do.
  public let machine: MachineRates

  /// One step.
  public struct Step: Sendable {
    /// Seconds of the whole step.
    public var seconds: Double
    /// Seconds of its parts.
    public var split: PhaseTimes
    /// Distinct prefixes that were computed, the prompt's among them.
    public var nodes: Int
    /// FLOPs that the step needs, the rewards among them.
    public var flops: Int
  }

  /// Runs the benchmark; takes some steps' time and a few seconds.
  ///
  /// - Throws: what loading the reward model and training throw.
  public init(_ model: BenchmarkModel, settings: Settings, report: (Int) -> Void) throws {
    self.model = model.name
    isRandom = model.isRandom
    self.settings = settings
    let textModel = model.textModel
    parameterCount = textModel.model.parameterCount
    vocabularySize = textModel.model.vocabularySize
    var recipe = try RecipeLayers("tinycatstories").resolved()
    recipe.samples = settings.samples
    recipe.maxNewTokens = settings.maxNewTokens
    recipe.klCoefficient = 6_000
    recipe.memory = settings.memory
    promptLength = try textModel.encode(prompt: recipe.prompt, newTokens: settings.maxNewTokens).count
    (streamRate, streamBytes) = try Self.stream(textModel, prompt: recipe.prompt, tokens: settings.streamTokens)
    let embedder = try SentenceEmbedder(source: RewardModelLocation.source())
    let products = MachineRates.products(of: textModel.model)
    let trainer = try PolicyTrainer(
      recipe: recipe, model: textModel, reference: textModel.model.copy(),
      reward: SimilarityReward(toward: recipe.toward, embedder: embedder))
    let clock = ContinuousClock()
    var steps: [Step] = []
    var known: Set<String> = []
    for number in 1...settings.steps {
      report(number)
      let start = clock.now
      let step = try trainer.step(number)
      let seconds = (clock.now - start) / .seconds(1)
      let texts = Set(step.texts.map { recipe.prompt + $0 })
      steps.append(
        Step(
          seconds: seconds, split: step.times, nodes: step.nodes,
          flops: step.flops + embedder.flops(of: Array(texts.subtracting(known)))))
      known.formUnion(texts)
    }
    self.steps = steps
    peakMemory = Alignment.peakMemory()
    machine = MachineRates(of: textModel.model, products: products, MachineRates.products(of: textModel.model))
  }

  /// The step of median time; of an even number the slower one in the middle.
  public var median: Step { steps.sorted { $0.seconds < $1.seconds }[steps.count / 2] }

  /// The time that the median step would take if all of its FLOPs ran at the rate of matrix products, in seconds.
  public var floor: Double { Double(median.flops) / machine.productRate }

  /// Positions that a program without a tree computes for one model: every prefix token of every story.
  public var samplePositions: Int { settings.samples * (promptLength + settings.maxNewTokens) }

  /// Tokens a second between the first and the last token of one story, and the bytes of weights that a token needs.
  private static func stream(_ textModel: TextModel, prompt: String, tokens: Int) throws -> (rate: Double, bytes: Int) {
    let model = textModel.model
    let ids = try textModel.encode(prompt: prompt, newTokens: tokens)
    let activations = model.makeActivations(capacity: ids.count + tokens, keepsForBackward: false)
    let clock = ContinuousClock()
    var times: [ContinuousClock.Instant] = []
    // Without an end of text, so that the length is what was asked for.
    _ = Rollout(
      model, prompt: ids, indices: 0..<1, maxNewTokens: tokens, stopTokens: [], random: KeyedRandom(seed: 1),
      activations: activations
    ) { _ in times.append(clock.now) }
    guard let first = times.first, let last = times.last, times.count > 1 else { return (0, 0) }
    let parameters = model.linearShapes.reduce(model.vocabularySize * model.hiddenSize) {
      $0 + $1.outputSize * $1.inputSize
    }
    return (Double(times.count - 1) / ((last - first) / .seconds(1)), parameters * MemoryLayout<Float>.stride)
  }
}
