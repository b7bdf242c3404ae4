/// One prompt told by the model before and after training: a line of `before_after.jsonl`.
public struct StoryPair: Codable, Sendable, Equatable {
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

  private enum CodingKeys: String, CodingKey {
    case index
    case prompt
    case before
    case after
    case rewardBefore = "reward_before"
    case rewardAfter = "reward_after"
  }

  /// Appends the pair as one object.
  package func write(to writer: inout JSONWriter) {
    writer.raw("{")
    writer.key("index", first: true)
    writer.integer(index)
    writer.key("prompt")
    writer.string(prompt)
    writer.key("before")
    writer.string(before)
    writer.key("after")
    writer.string(after)
    writer.key("reward_before")
    writer.number(rewardBefore, field: "reward_before of pair \(index)")
    writer.key("reward_after")
    writer.number(rewardAfter, field: "reward_after of pair \(index)")
    writer.raw("}")
  }

  /// Reads one object; every key must be there.
  package init(_ scanner: inout JSONScanner) throws {
    let value = try JSONValue(&scanner, depth: 0)
    guard let index = value["index"]?.integerValue, let prompt = value["prompt"]?.stringValue,
      let before = value["before"]?.stringValue, let after = value["after"]?.stringValue,
      let rewardBefore = value["reward_before"]?.doubleValue, let rewardAfter = value["reward_after"]?.doubleValue
    else { throw scanner.problem("a key of the pair is missing") }
    self.init(
      index: index, prompt: prompt, before: before, after: after, rewardBefore: Float(rewardBefore),
      rewardAfter: Float(rewardAfter))
  }
}
