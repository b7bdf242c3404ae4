package import JSON

/// One token of a story, as the trained model and its reference saw it.
public struct TokenDetail: Codable, Sendable, Equatable {
  /// A token that might have stood there.
  public struct Alternative: Codable, Sendable, Equatable {
    /// The token.
    public var tokenID: Int
    /// What it would have added to the text.
    public var text: String
    /// Its probability under the trained model, 0 to 1.
    public var probability: Float
    /// Its probability under the reference, 0 to 1.
    public var referenceProbability: Float

    /// A token with its probabilities.
    public init(tokenID: Int, text: String, probability: Float, referenceProbability: Float) {
      self.tokenID = tokenID
      self.text = text
      self.probability = probability
      self.referenceProbability = referenceProbability
    }

    private enum CodingKeys: String, CodingKey {
      case tokenID = "token_id"
      case text
      case probability
      case referenceProbability = "reference_probability"
    }
  }

  /// The token.
  public var tokenID: Int
  /// What it adds to the text; empty for end-of-text and for a token that ends within a character.
  public var text: String
  /// Its log-probability under the trained model, nats.
  public var logProbability: Float
  /// Its log-probability under the reference, nats.
  public var referenceLogProbability: Float
  /// The entropy of the trained model's distribution there, nats.
  public var entropy: Float
  /// The entropy of the reference's, nats.
  public var referenceEntropy: Float
  /// What either model finds most likely there, the trained model's favourite first.
  public var alternatives: [Alternative]

  /// A token of a story.
  public init(
    tokenID: Int, text: String, logProbability: Float, referenceLogProbability: Float, entropy: Float,
    referenceEntropy: Float, alternatives: [Alternative]
  ) {
    self.tokenID = tokenID
    self.text = text
    self.logProbability = logProbability
    self.referenceLogProbability = referenceLogProbability
    self.entropy = entropy
    self.referenceEntropy = referenceEntropy
    self.alternatives = alternatives
  }

  private enum CodingKeys: String, CodingKey {
    case tokenID = "token_id"
    case text
    case logProbability = "log_probability"
    case referenceLogProbability = "reference_log_probability"
    case entropy
    case referenceEntropy = "reference_entropy"
    case alternatives
  }
}

/// A story told with the same random numbers at several steps, to see it change: a line of `followed_stories.jsonl`.
public struct FollowedStory: Codable, Sendable, Equatable {
  /// How many updates the model had had; 0 is before training.
  public var step: Int
  /// The story's number, from 0: the same one has the same prompt and the same random numbers at every step.
  public var index: Int
  /// The text that it continues.
  public var prompt: String
  /// The continuation.
  public var text: String
  /// What it earned.
  public var reward: Float
  /// How it ended.
  public var finishReason: FinishReason
  /// Its tokens, end-of-text among them when it was sampled; none in runs of older versions.
  public var tokens: [TokenDetail]

  /// A story at one step.
  public init(
    step: Int, index: Int, prompt: String, text: String, reward: Float, finishReason: FinishReason,
    tokens: [TokenDetail]
  ) {
    self.step = step
    self.index = index
    self.prompt = prompt
    self.text = text
    self.reward = reward
    self.finishReason = finishReason
    self.tokens = tokens
  }

  private enum CodingKeys: String, CodingKey {
    case step
    case index
    case prompt
    case text
    case reward
    case finishReason = "finish_reason"
    case tokens
  }
}

extension FollowedStory {
  /// Appends the story as one object.
  package func write(to writer: inout JSONWriter) {
    writer.raw("{")
    writer.key("step", first: true)
    writer.integer(step)
    writer.key("index")
    writer.integer(index)
    writer.key("prompt")
    writer.string(prompt)
    writer.key("text")
    writer.string(text)
    writer.key("reward")
    writer.number(reward, field: "reward of followed story \(index)")
    writer.key("finish_reason")
    writer.string(finishReason.rawValue)
    writer.key("tokens")
    writer.list(tokens) { token, writer in token.write(to: &writer) }
    writer.raw("}")
  }

  /// Reads one object; every key must be there.
  package init(_ scanner: inout JSONScanner) throws {
    let value = try JSONValue(&scanner)
    guard let step = value["step"]?.integerValue, let index = value["index"]?.integerValue,
      let prompt = value["prompt"]?.stringValue, let text = value["text"]?.stringValue,
      let reward = value["reward"]?.doubleValue,
      let reason = value["finish_reason"]?.stringValue.flatMap({ FinishReason(rawValue: $0) }),
      case .array(let tokens)? = value["tokens"]
    else { throw scanner.problem("a key of the followed story is missing") }
    self.init(
      step: step, index: index, prompt: prompt, text: text, reward: Float(reward), finishReason: reason,
      tokens: try tokens.map { token in
        guard let detail = TokenDetail(token) else { throw scanner.problem("a key of a token is missing") }
        return detail
      })
  }
}

extension TokenDetail {
  fileprivate func write(to writer: inout JSONWriter) {
    writer.raw("{")
    writer.key("token_id", first: true)
    writer.integer(tokenID)
    writer.key("text")
    writer.string(text)
    writer.key("log_probability")
    writer.number(logProbability, field: "log_probability")
    writer.key("reference_log_probability")
    writer.number(referenceLogProbability, field: "reference_log_probability")
    writer.key("entropy")
    writer.number(entropy, field: "entropy")
    writer.key("reference_entropy")
    writer.number(referenceEntropy, field: "reference_entropy")
    writer.key("alternatives")
    writer.list(alternatives) { alternative, writer in
      writer.raw("{")
      writer.key("token_id", first: true)
      writer.integer(alternative.tokenID)
      writer.key("text")
      writer.string(alternative.text)
      writer.key("probability")
      writer.number(alternative.probability, field: "probability")
      writer.key("reference_probability")
      writer.number(alternative.referenceProbability, field: "reference_probability")
      writer.raw("}")
    }
    writer.raw("}")
  }

  fileprivate init?(_ value: JSONValue) {
    func number(_ key: String) -> Float? { value[key]?.doubleValue.map { Float($0) } }
    guard let tokenID = value["token_id"]?.integerValue, let text = value["text"]?.stringValue,
      let logProbability = number("log_probability"),
      let referenceLogProbability = number("reference_log_probability"), let entropy = number("entropy"),
      let referenceEntropy = number("reference_entropy"), case .array(let list)? = value["alternatives"]
    else { return nil }
    var alternatives: [Alternative] = []
    for entry in list {
      guard let tokenID = entry["token_id"]?.integerValue, let text = entry["text"]?.stringValue,
        let probability = entry["probability"]?.doubleValue,
        let referenceProbability = entry["reference_probability"]?.doubleValue
      else { return nil }
      alternatives.append(
        Alternative(
          tokenID: tokenID, text: text, probability: Float(probability),
          referenceProbability: Float(referenceProbability)))
    }
    self.init(
      tokenID: tokenID, text: text, logProbability: logProbability, referenceLogProbability: referenceLogProbability,
      entropy: entropy, referenceEntropy: referenceEntropy, alternatives: alternatives)
  }
}
