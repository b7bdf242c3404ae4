import JSON

extension RunManifest {
  /// The newest rules of training that this program knows.
  ///
  /// Version 0.1.0 followed rules 1 and did not record them. See ``trainingRules``.
  public static let currentTrainingRules = 2

  /// What a run was to be until its number of steps was changed.
  public struct EarlierPlan: Sendable, Equatable {
    /// The last step that followed this plan.
    public var afterStep: Int
    /// The number of steps that the run was to have.
    public var steps: Int

    /// The plan that held up to a step.
    public init(afterStep: Int, steps: Int) {
      self.afterStep = afterStep
      self.steps = steps
    }
  }

  /// Numbers of the model that a finished run leaves, from a roll-out of its own.
  ///
  /// A line of `metrics.jsonl` is of the model before the step's update, so that none is of the last model.
  public struct FinalModel: Sendable, Equatable {
    /// The number of updates that the model has seen.
    public var step: Int
    /// The mean reward of its completions.
    public var rewardMean: Double
    /// KL(reference || policy), nats per generated token.
    public var klForward: Double
    /// KL(policy || reference), nats per generated token.
    public var klReverse: Double
    /// The entropy of its next token, nats per generated token.
    public var entropy: Double

    /// The numbers of a model.
    public init(step: Int, rewardMean: Double, klForward: Double, klReverse: Double, entropy: Double) {
      self.step = step
      self.rewardMean = rewardMean
      self.klForward = klForward
      self.klReverse = klReverse
      self.entropy = entropy
    }
  }
}

extension RunManifest.EarlierPlan {
  var json: JSONValue { ["after_step": .integer(afterStep), "steps": .integer(steps)] }

  /// Nil where the value is no plan.
  init?(json: JSONValue) {
    guard let afterStep = json["after_step"]?.integerValue, let steps = json["steps"]?.integerValue,
      afterStep >= 1, steps >= 1
    else { return nil }
    self.init(afterStep: afterStep, steps: steps)
  }
}

extension RunManifest.FinalModel {
  var json: JSONValue {
    [
      "step": .integer(step), "reward_mean": .number(rewardMean), "kl_forward": .number(klForward),
      "kl_reverse": .number(klReverse), "entropy": .number(entropy),
    ]
  }

  /// Nil where the value has not all numbers.
  init?(json: JSONValue) {
    func number(_ key: String) -> Double? { json[key]?.doubleValue }
    guard let step = json["step"]?.integerValue, let rewardMean = number("reward_mean"),
      let klForward = number("kl_forward"), let klReverse = number("kl_reverse"), let entropy = number("entropy")
    else { return nil }
    self.init(step: step, rewardMean: rewardMean, klForward: klForward, klReverse: klReverse, entropy: entropy)
  }
}
