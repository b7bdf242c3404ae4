public import Kernels
import Transformers

/// Tells stories: samples from a model without training it.
public struct Storyteller {
  /// Nodes of the stories sampled together, at most, unless a single story has more: it bounds the memory.
  private static let nodeLimit = 1 << 14

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

  /// A storyteller of the model as it is whenever a story is told.
  public init(_ textModel: TextModel) { self.textModel = textModel }

  /// Samples `count` stories that begin with `prompt`; the same seed gives the same stories.
  ///
  /// - Parameter report: called with each new token of each story as it is drawn: the story's index and the token.
  /// - Throws: ``AlignmentError`` for a prompt that is empty or too long, and what `report` throws.
  public func tell(
    prompt: String, count: Int, settings: Settings, report: ((Int, Int) throws -> Void)? = nil
  ) throws -> [SampledStory] {
    let ids = try textModel.encode(prompt: prompt, newTokens: settings.maxNewTokens)
    let model = textModel.model
    let partSize = max(1, min(count, Self.nodeLimit / max(1, settings.maxNewTokens - 1)))
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
