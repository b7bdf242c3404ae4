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
    return try tell(prompts: [ModelPrompt(text: prompt, ids: ids)], count: count, settings: settings, report: report)
  }

  /// Samples `count` stories for each of some prompts, those of a prompt in a row; the same seed gives the same stories.
  ///
  /// - Parameters:
  ///   - prompts: as ``TextModel/read(_:newTokens:chat:)`` gives them for as many new tokens.
  ///   - report: called with each new token of each story as it is drawn: the story's index and the token.
  /// - Throws: what `report` throws.
  public func tell(
    prompts: [ModelPrompt], count: Int, settings: Settings, report: ((Int, Int) throws -> Void)? = nil
  ) rethrows -> [SampledStory] {
    guard count > 0 else { return [] }
    let model = textModel.model
    let longest = prompts.reduce(0) { max($0, $1.ids.count) }
    let total = prompts.count * count
    let nodes = max(1, settings.maxNewTokens - 1) + (prompts.count > 1 ? longest : 0)
    let partSize = max(1, min(total, Self.nodeLimit / nodes))
    let groups = PromptGroups(prompts.map(\.ids), groupSize: count)
    let partPrompts = PromptGroups.groupCount(ofStories: partSize, groupSize: count, of: total)
    let activations = model.makeActivations(
      capacity: Rollout.nodeCapacity(
        promptLength: partPrompts * longest, stories: partSize, maxNewTokens: settings.maxNewTokens),
      keepsForBackward: false)
    let random = KeyedRandom(seed: settings.seed).keyed(0)
    return try stride(from: 0, to: total, by: partSize).flatMap { start in
      try Rollout(
        model, groups: groups, indices: start..<min(start + partSize, total), maxNewTokens: settings.maxNewTokens,
        stopTokens: textModel.stopTokens, filter: settings.filter, random: random, activations: activations,
        report: report.map { report in
          { level in
            for (story, token) in level.enumerated() { if let token { try report(start + story, token) } }
          }
        }
      ).stories
    }
  }
}
