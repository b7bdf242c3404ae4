public import Kernels
public import Transformers

/// Tells stories: samples from a model without training it.
public struct Storyteller {
  /// Stories sampled together, where memory allows.
  private static let memoryBudget = 1 << 30

  /// How a story is told.
  public struct Settings: Sendable {
    /// Tokens after the prompt, at most.
    public var maxNewTokens: Int
    /// What is done to logits before a token is drawn.
    public var filter: SamplingFilter
    /// What random numbers are drawn with.
    public var seed: UInt64

    /// Stories from the model's own distribution, unless told otherwise.
    public init(maxNewTokens: Int, filter: SamplingFilter = SamplingFilter(), seed: UInt64 = 1) {
      self.maxNewTokens = maxNewTokens
      self.filter = filter
      self.seed = seed
    }
  }

  private let textModel: TextModel
  private let model: any LanguageModel

  /// A storyteller; `model` is the network where it is not the one that `textModel` came with.
  public init(_ textModel: TextModel, model: (any LanguageModel)? = nil) {
    self.textModel = textModel
    self.model = model ?? textModel.model
  }

  /// Samples `count` stories that begin with `prompt`; the same seed gives the same stories.
  ///
  /// - Parameter report: called with each new token of each story as it is drawn: the story's index and the token.
  /// - Throws: ``AlignmentError`` for a prompt that is empty or too long, and what `report` throws.
  public func tell(
    prompt: String, count: Int, settings: Settings, report: ((Int, Int) throws -> Void)? = nil
  ) throws -> [SampledStory] {
    let ids = try textModel.encode(prompt: prompt, newTokens: settings.maxNewTokens)
    let bytesPerNode = 40 * model.hiddenSize
    let nodesPerStory = max(1, settings.maxNewTokens - 1)
    let partSize = max(1, min(count, Self.memoryBudget / (bytesPerNode * nodesPerStory)))
    let activations = model.makeActivations(
      capacity: Rollout.nodeCapacity(
        promptLength: ids.count, stories: partSize, maxNewTokens: settings.maxNewTokens), keepsForBackward: false)
    let random = KeyedRandom(seed: settings.seed).keyed(0)
    return try stride(from: 0, to: count, by: partSize).flatMap { start in
      try Rollout(
        model, prompt: ids, indices: start..<min(start + partSize, count), maxNewTokens: settings.maxNewTokens,
        endOfText: textModel.endOfTextID, filter: settings.filter, random: random, activations: activations,
        report: report.map { report in
          { level in
            for (story, token) in level.enumerated() { if let token { try report(start + story, token) } }
          }
        }
      ).stories
    }
  }
}
