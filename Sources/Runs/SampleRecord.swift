package import JSON

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
  /// The log-probability of each sampled token, nats; empty in runs of older versions, as are the next two.
  public var logProbabilities: [Float]
  /// The log-probability of each sampled token under the reference, nats.
  public var referenceLogProbabilities: [Float]
  /// The entropy of the distribution that each token was drawn from, nats.
  public var entropies: [Float]
  /// How many bytes of ``text``, as UTF-8, each sampled token adds; empty in runs of older versions.
  public var tokenBytes: [Int]

  /// One sampled story.
  public init(
    step: Int, index: Int, prompt: String, tokenIDs: [Int], text: String, reward: Float, advantage: Float,
    logProbability: Float, finishReason: FinishReason, logProbabilities: [Float] = [],
    referenceLogProbabilities: [Float] = [], entropies: [Float] = [], tokenBytes: [Int] = []
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
    self.logProbabilities = logProbabilities
    self.referenceLogProbabilities = referenceLogProbabilities
    self.entropies = entropies
    self.tokenBytes = tokenBytes
  }

  /// What each token adds to ``text``; nil where that was not recorded.
  public var tokenTexts: [String]? {
    let bytes = Array(text.utf8)
    guard !tokenBytes.isEmpty, tokenBytes.count == tokenIDs.count else { return nil }
    var start = 0
    var texts: [String] = []
    for count in tokenBytes {
      guard count >= 0, count <= bytes.count - start else { return nil }
      texts.append(String(decoding: bytes[start..<start + count], as: UTF8.self))
      start += count
    }
    return start == bytes.count ? texts : nil
  }

  /// How far the trained model has moved on this story: mean of log pi - log pi_ref over its tokens, nats per token;
  /// nil where the reference was not recorded. Over a model's own stories its mean is KL(policy || reference).
  public var logRatio: Double? {
    guard !referenceLogProbabilities.isEmpty, referenceLogProbabilities.count == logProbabilities.count else {
      return nil
    }
    let sum = zip(logProbabilities, referenceLogProbabilities).reduce(0.0) { $0 + Double($1.0) - Double($1.1) }
    return sum / Double(logProbabilities.count)
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
    case logProbabilities = "log_probabilities"
    case referenceLogProbabilities = "reference_log_probabilities"
    case entropies
    case tokenBytes = "token_bytes"
  }

  /// Decodes one sample; the last four keys may be missing.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      step: try values.decode(Int.self, forKey: .step), index: try values.decode(Int.self, forKey: .index),
      prompt: try values.decode(String.self, forKey: .prompt),
      tokenIDs: try values.decode([Int].self, forKey: .tokenIDs), text: try values.decode(String.self, forKey: .text),
      reward: try values.decode(Float.self, forKey: .reward),
      advantage: try values.decode(Float.self, forKey: .advantage),
      logProbability: try values.decode(Float.self, forKey: .logProbability),
      finishReason: try values.decode(FinishReason.self, forKey: .finishReason),
      logProbabilities: try values.decodeIfPresent([Float].self, forKey: .logProbabilities) ?? [],
      referenceLogProbabilities: try values.decodeIfPresent([Float].self, forKey: .referenceLogProbabilities) ?? [],
      entropies: try values.decodeIfPresent([Float].self, forKey: .entropies) ?? [],
      tokenBytes: try values.decodeIfPresent([Int].self, forKey: .tokenBytes) ?? [])
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
    writer.list(tokenIDs) { $1.integer($0) }
    writer.key("text")
    writer.string(text)
    writer.key("reward")
    writer.number(reward, field: "reward of sample \(index)")
    writer.key("advantage")
    writer.number(advantage, field: "advantage of sample \(index)")
    writer.key("log_probability")
    writer.number(logProbability, field: "log_probability of sample \(index)")
    switch finishReason {
    case .stop: writer.raw(",\"finish_reason\":\"stop\"")
    case .length: writer.raw(",\"finish_reason\":\"length\"")
    }
    writer.key("log_probabilities")
    writer.list(logProbabilities) { $1.number($0, field: "log_probabilities of sample \(index)") }
    writer.key("reference_log_probabilities")
    writer.list(referenceLogProbabilities) { $1.number($0, field: "reference_log_probabilities of sample \(index)") }
    writer.key("entropies")
    writer.list(entropies) { $1.number($0, field: "entropies of sample \(index)") }
    writer.key("token_bytes")
    writer.list(tokenBytes) { $1.integer($0) }
    writer.raw("}")
  }

  /// Reads one object; keys that the format does not name are passed over, every named one but the last four must be there.
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
      } else if key.spells("log_probabilities") {
        logProbabilities = try scanner.floats()
      } else if key.spells("reference_log_probabilities") {
        referenceLogProbabilities = try scanner.floats()
      } else if key.spells("entropies") {
        entropies = try scanner.floats()
      } else if key.spells("token_bytes") {
        tokenBytes = []
        try scanner.array { tokenBytes.append(try $0.integer()) }
      } else {
        try scanner.skipValue()
      }
    }
    if seen != 511 { throw scanner.problem("a key of the sample is missing") }
  }
}

extension JSONScanner {
  fileprivate mutating func floats() throws -> [Float] {
    var values: [Float] = []
    try array { values.append(try $0.float()) }
    return values
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
