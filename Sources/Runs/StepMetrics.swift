package import JSON

/// What one step did: a line of `metrics.jsonl`. Rewards lie in [-1, 1] for cosines; KL and entropy are in nats.
public struct StepMetrics: Codable, Sendable, Equatable {
  /// Where the seconds of a step went.
  public struct SecondsSplit: Codable, Sendable, Equatable {
    /// Sampling the stories.
    public var rollout: Double
    /// Scoring them with the reward model.
    public var reward: Double
    /// Running the reference model.
    public var reference: Double
    /// Computing the gradient.
    public var backward: Double
    /// Updating the parameters.
    public var optimizer: Double

    /// A split; all parts in seconds.
    public init(
      rollout: Double = 0, reward: Double = 0, reference: Double = 0, backward: Double = 0, optimizer: Double = 0
    ) {
      self.rollout = rollout
      self.reward = reward
      self.reference = reference
      self.backward = backward
      self.optimizer = optimizer
    }
  }

  /// The step, counted from 1.
  public var step: Int
  /// The mean reward of the step's stories.
  public var rewardMean: Double
  /// The standard deviation of their rewards.
  public var rewardStd: Double
  /// The highest reward.
  public var rewardMax: Double
  /// KL(reference || policy), nats per generated token.
  public var klForward: Double
  /// KL(policy || reference), nats per generated token.
  public var klReverse: Double
  /// The loss that was minimised.
  public var loss: Double
  /// The entropy of the policy's next token, nats per generated token.
  public var entropy: Double
  /// Tokens generated, over all stories.
  public var tokens: Int
  /// Nodes of the token tree: positions that were computed.
  public var nodes: Int
  /// How many different stories there were.
  public var distinctStories: Int
  /// The Euclidean norm of the gradient before clipping.
  public var gradientNorm: Double
  /// Seconds of wall-clock time.
  public var seconds: Double
  /// Where they went.
  public var secondsSplit: SecondsSplit
  /// The learning rate of the update.
  public var learningRate: Double
  /// The mean number of generated tokens a story.
  public var meanLength: Double
  /// The share of stories that ended with end-of-text, 0 to 1.
  public var endOfTextRate: Double
  /// Groups of a prompt's completions that all earned the same, so that leave-one-out learns nothing from them; nil in runs of
  /// version 0.1.0.
  public var tiedGroups: Int?
  /// Texts that the reward model read in part only, since they are longer than it reads; nil in runs of version 0.1.0.
  public var truncatedTexts: Int?

  /// Metrics of one step.
  public init(
    step: Int, rewardMean: Double, rewardStd: Double, rewardMax: Double, klForward: Double, klReverse: Double,
    loss: Double, entropy: Double, tokens: Int, nodes: Int, distinctStories: Int, gradientNorm: Double,
    seconds: Double, secondsSplit: SecondsSplit, learningRate: Double, meanLength: Double, endOfTextRate: Double,
    tiedGroups: Int? = nil, truncatedTexts: Int? = nil
  ) {
    self.step = step
    self.rewardMean = rewardMean
    self.rewardStd = rewardStd
    self.rewardMax = rewardMax
    self.klForward = klForward
    self.klReverse = klReverse
    self.loss = loss
    self.entropy = entropy
    self.tokens = tokens
    self.nodes = nodes
    self.distinctStories = distinctStories
    self.gradientNorm = gradientNorm
    self.seconds = seconds
    self.secondsSplit = secondsSplit
    self.learningRate = learningRate
    self.meanLength = meanLength
    self.endOfTextRate = endOfTextRate
    self.tiedGroups = tiedGroups
    self.truncatedTexts = truncatedTexts
  }

  private enum CodingKeys: String, CodingKey {
    case step
    case rewardMean = "reward_mean"
    case rewardStd = "reward_std"
    case rewardMax = "reward_max"
    case klForward = "kl_forward"
    case klReverse = "kl_reverse"
    case loss
    case entropy
    case tokens
    case nodes
    case distinctStories = "distinct_stories"
    case gradientNorm = "gradient_norm"
    case seconds
    case secondsSplit = "seconds_split"
    case learningRate = "learning_rate"
    case meanLength = "mean_length"
    case endOfTextRate = "end_of_text_rate"
    case tiedGroups = "tied_groups"
    case truncatedTexts = "truncated_texts"
  }

  /// The line of `metrics.jsonl`, without its end, as UTF-8: what `--json` prints.
  ///
  /// - Throws: ``RunError/notFinite(field:step:)`` naming the first number that JSON cannot hold.
  public func jsonLine() throws -> [UInt8] {
    var writer = JSONWriter(capacity: 640)
    write(to: &writer)
    if let field = writer.notFinite { throw RunError.notFinite(field: field, step: step) }
    return writer.bytes
  }

  /// Appends the metrics as one object, keys in the order of the contract.
  package func write(to writer: inout JSONWriter) {
    func number(_ name: StaticString, _ value: Double, first: Bool = false) {
      writer.key(name, first: first)
      writer.number(value, field: "\(name)")
    }
    func integer(_ name: StaticString, _ value: Int, first: Bool = false) {
      writer.key(name, first: first)
      writer.integer(value)
    }
    writer.raw("{")
    integer("step", step, first: true)
    number("reward_mean", rewardMean)
    number("reward_std", rewardStd)
    number("reward_max", rewardMax)
    number("kl_forward", klForward)
    number("kl_reverse", klReverse)
    number("loss", loss)
    number("entropy", entropy)
    integer("tokens", tokens)
    integer("nodes", nodes)
    integer("distinct_stories", distinctStories)
    number("gradient_norm", gradientNorm)
    number("seconds", seconds)
    writer.key("seconds_split")
    writer.raw("{")
    number("rollout", secondsSplit.rollout, first: true)
    number("reward", secondsSplit.reward)
    number("reference", secondsSplit.reference)
    number("backward", secondsSplit.backward)
    number("optimizer", secondsSplit.optimizer)
    writer.raw("}")
    number("learning_rate", learningRate)
    number("mean_length", meanLength)
    number("end_of_text_rate", endOfTextRate)
    if let tiedGroups { integer("tied_groups", tiedGroups) }
    if let truncatedTexts { integer("truncated_texts", truncatedTexts) }
    writer.raw("}")
  }

  /// Reads one object; keys that the format does not name are passed over. Every named one must be there, but those that version
  /// 0.1.0 did not write.
  package init(_ scanner: inout JSONScanner) throws {
    let value = try JSONValue(&scanner)
    func number(_ key: String, in object: JSONValue) throws -> Double {
      guard let number = object[key]?.doubleValue else { throw scanner.problem("no number \"\(key)\"") }
      return number
    }
    func integer(_ key: String) throws -> Int {
      guard let number = value[key]?.integerValue else { throw scanner.problem("no whole number \"\(key)\"") }
      return number
    }
    func laterInteger(_ key: String) throws -> Int? { value[key] == nil ? nil : try integer(key) }
    guard let split = value["seconds_split"] else { throw scanner.problem("no object \"seconds_split\"") }
    self.init(
      step: try integer("step"), rewardMean: try number("reward_mean", in: value),
      rewardStd: try number("reward_std", in: value), rewardMax: try number("reward_max", in: value),
      klForward: try number("kl_forward", in: value), klReverse: try number("kl_reverse", in: value),
      loss: try number("loss", in: value), entropy: try number("entropy", in: value), tokens: try integer("tokens"),
      nodes: try integer("nodes"), distinctStories: try integer("distinct_stories"),
      gradientNorm: try number("gradient_norm", in: value), seconds: try number("seconds", in: value),
      secondsSplit: SecondsSplit(
        rollout: try number("rollout", in: split), reward: try number("reward", in: split),
        reference: try number("reference", in: split), backward: try number("backward", in: split),
        optimizer: try number("optimizer", in: split)),
      learningRate: try number("learning_rate", in: value), meanLength: try number("mean_length", in: value),
      endOfTextRate: try number("end_of_text_rate", in: value), tiedGroups: try laterInteger("tied_groups"),
      truncatedTexts: try laterInteger("truncated_texts"))
  }
}
