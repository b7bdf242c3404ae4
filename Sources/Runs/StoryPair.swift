package import JSON

/// One prompt told by the model before and after training.
public struct StoryPair: Sendable, Equatable {
  /// The pair's number, from 0.
  public var index: Int
  /// The text that both continue.
  public var prompt: String
  /// The continuation before training, without the prompt.
  public var before: String
  /// The continuation after training, without the prompt.
  public var after: String
  /// What the story before earned.
  public var rewardBefore: Float
  /// What the story after earned.
  public var rewardAfter: Float

  /// A pair of stories.
  public init(index: Int, prompt: String, before: String, after: String, rewardBefore: Float, rewardAfter: Float) {
    self.index = index
    self.prompt = prompt
    self.before = before
    self.after = after
    self.rewardBefore = rewardBefore
    self.rewardAfter = rewardAfter
  }

  /// Reads a line of `before_after.jsonl`, which older versions wrote; every key must be there.
  package init(_ scanner: inout JSONScanner) throws {
    let value = try JSONValue(&scanner)
    guard let index = value["index"]?.integerValue, let prompt = value["prompt"]?.stringValue,
      let before = value["before"]?.stringValue, let after = value["after"]?.stringValue,
      let rewardBefore = value["reward_before"]?.doubleValue, let rewardAfter = value["reward_after"]?.doubleValue
    else { throw scanner.problem("a key of the pair is missing") }
    self.init(
      index: index, prompt: prompt, before: before, after: after, rewardBefore: Float(rewardBefore),
      rewardAfter: Float(rewardAfter))
  }
}
