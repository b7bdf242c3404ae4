/// How a story ended.
public enum FinishReason: String, Codable, Sendable {
  /// The model sampled end-of-text.
  case stop
  /// The limit of new tokens was reached.
  case length
}

/// One sampled story: a line of `samples.jsonl`.
public struct SampleRecord: Codable, Sendable, Equatable {
  /// The step, counted from 1.
  public var step: Int
  /// The sample's number within its step, from 0.
  public var index: Int
  /// The text the model continued.
  public var prompt: String
  /// The sampled tokens, end-of-text among them when it was sampled.
  public var tokenIDs: [Int]
  /// The continuation, without the prompt.
  public var text: String
  /// What the story earned.
  public var reward: Float
  /// What the policy gradient made of the reward.
  public var advantage: Float
  /// The log-probability of the sampled tokens, summed, in nats.
  public var logProbability: Float
  /// How the story ended.
  public var finishReason: FinishReason

  /// One sampled story.
  public init(
    step: Int, index: Int, prompt: String, tokenIDs: [Int], text: String, reward: Float, advantage: Float,
    logProbability: Float, finishReason: FinishReason
  ) {
    self.step = step
    self.index = index
    self.prompt = prompt
    self.tokenIDs = tokenIDs
    self.text = text
    self.reward = reward
    self.advantage = advantage
    self.logProbability = logProbability
    self.finishReason = finishReason
  }

  private enum CodingKeys: String, CodingKey {
    case step
    case index
    case prompt
    case tokenIDs = "token_ids"
    case text
    case reward
    case advantage
    case logProbability = "log_probability"
    case finishReason = "finish_reason"
  }

  /// Appends the sample as one object, keys in the order of the contract.
  package func write(to writer: inout JSONWriter) {
    writer.raw("{")
    writer.key("step", first: true)
    writer.integer(step)
    writer.key("index")
    writer.integer(index)
    writer.key("prompt")
    writer.string(prompt)
    writer.key("token_ids")
    writer.raw("[")
    for (position, id) in tokenIDs.enumerated() {
      if position > 0 { writer.raw(UInt8(ascii: ",")) }
      writer.integer(id)
    }
    writer.raw("]")
    writer.key("text")
    writer.string(text)
    writer.key("reward")
    writer.number(reward, field: "reward of sample \(index)")
    writer.key("advantage")
    writer.number(advantage, field: "advantage of sample \(index)")
    writer.key("log_probability")
    writer.number(logProbability, field: "log_probability of sample \(index)")
    switch finishReason {
    case .stop: writer.raw(",\"finish_reason\":\"stop\"}")
    case .length: writer.raw(",\"finish_reason\":\"length\"}")
    }
  }

  /// Reads one object; keys that the format does not name are passed over, every named one must be there.
  package init(_ scanner: inout JSONScanner) throws {
    self.init(
      step: 0, index: 0, prompt: "", tokenIDs: [], text: "", reward: 0, advantage: 0, logProbability: 0,
      finishReason: .length)
    var seen = 0
    try scanner.object { key, scanner in
      if key.spells("step") {
        step = try scanner.integer()
        seen |= 1
      } else if key.spells("index") {
        index = try scanner.integer()
        seen |= 2
      } else if key.spells("prompt") {
        prompt = try scanner.string()
        seen |= 4
      } else if key.spells("token_ids") {
        tokenIDs = []
        try scanner.array { tokenIDs.append(try $0.integer()) }
        seen |= 8
      } else if key.spells("text") {
        text = try scanner.string()
        seen |= 16
      } else if key.spells("reward") {
        reward = try scanner.float()
        seen |= 32
      } else if key.spells("advantage") {
        advantage = try scanner.float()
        seen |= 64
      } else if key.spells("log_probability") {
        logProbability = try scanner.float()
        seen |= 128
      } else if key.spells("finish_reason") {
        guard let reason = FinishReason(rawValue: try scanner.string()) else {
          throw scanner.problem("\"finish_reason\" is neither \"stop\" nor \"length\"")
        }
        finishReason = reason
        seen |= 256
      } else {
        try scanner.skipValue()
      }
    }
    if seen != 511 { throw scanner.problem("a key of the sample is missing") }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether these bytes spell `word`.
  func spells(_ word: StaticString) -> Bool {
    guard count == word.utf8CodeUnitCount else { return false }
    for index in 0..<count where self[index] != word.utf8Start[index] { return false }
    return true
  }
}
