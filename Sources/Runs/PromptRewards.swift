import JSON

/// The mean reward of each prompt's completions at each step that had the prompt.
///
/// Steps of a run with several prompts may have different ones, and some prompts earn more than others: such steps compare
/// only within prompts.
public struct PromptRewards: Sendable {
  /// A prompt's completions of one step.
  private struct Visit: Sendable {
    var step: Int32
    var count: Int32
    var sum: Double

    var mean: Double { sum / Double(count) }
  }

  /// The visits of each prompt, by its number, in the order of the steps.
  private var visits: [[Visit]] = []
  /// The numbers of prompts that were counted by their text.
  private var numbers: [String: Int] = [:]
  private var stepCount = 0
  private var lastStep: Int32?

  /// No completion yet.
  public init() {}

  /// Counts a completion; steps never fall from one call to the next.
  ///
  /// - Parameter prompt: The prompt's number, from 0.
  public mutating func add(step: Int, prompt: Int, reward: Float) {
    guard prompt >= 0, reward.isFinite else { return }
    let step = Int32(clamping: step)
    if step != lastStep {
      lastStep = step
      stepCount += 1
    }
    while visits.count <= prompt { visits.append([]) }
    if let last = visits[prompt].last, last.step == step {
      visits[prompt][visits[prompt].count - 1].count += 1
      visits[prompt][visits[prompt].count - 1].sum += Double(reward)
    } else {
      visits[prompt].append(Visit(step: step, count: 1, sum: Double(reward)))
    }
  }

  /// Counts a completion of a prompt that is known by its text; steps never fall from one call to the next.
  public mutating func add(step: Int, prompt: String, reward: Float) {
    let number = numbers[prompt] ?? numbers.count
    numbers[prompt] = number
    add(step: step, prompt: number, reward: reward)
  }

  /// The steps that have a prompt, ascending.
  public func steps(of prompt: String) -> [Int] { numbers[prompt].map { steps(of: $0) } ?? [] }

  /// The steps that have a prompt, ascending.
  public func steps(of prompt: Int) -> [Int] {
    visits.indices.contains(prompt) ? visits[prompt].map { Int($0.step) } : []
  }

  /// Whether all steps have the same prompts, so that their means compare as they are.
  public var isUniform: Bool { visits.allSatisfy { $0.isEmpty || $0.count == stepCount } }

  /// The mean over the prompts of two steps or more: of what each earned when it came first, and when it came last.
  ///
  /// - Parameter share: The share of each prompt's steps that counts as its beginning and as its end; one step at least.
  /// - Returns: The change; nil where no prompt came twice.
  public func change(share: Double = 0) -> RewardChange? {
    let compared = visits.filter { $0.count > 1 }
    guard !compared.isEmpty else { return nil }
    func mean(_ part: (ArraySlice<Visit>, Int) -> ArraySlice<Visit>) -> Double {
      let means = compared.map { visits in
        let chosen = part(visits[...], max(1, min(visits.count / 2, Int(Double(visits.count) * share))))
        return chosen.reduce(0) { $0 + $1.mean } / Double(chosen.count)
      }
      return means.reduce(0, +) / Double(means.count)
    }
    return RewardChange(before: mean { $0.prefix($1) }, after: mean { $0.suffix($1) }, promptCount: compared.count)
  }
}

/// The mean reward at the beginning and at the end of a run, over the same prompts.
public struct RewardChange: Sendable, Equatable {
  /// The mean reward at the beginning.
  public var before: Double
  /// The mean reward at the end.
  public var after: Double
  /// How many prompts were compared, each when it came first and when it came last; nil where all steps have the same prompts,
  /// so that the first step is compared with the last.
  public var promptCount: Int?

  /// A change from `before` to `after`.
  public init(before: Double, after: Double, promptCount: Int? = nil) {
    self.before = before
    self.after = after
    self.promptCount = promptCount
  }

  /// The change over a whole run.
  ///
  /// - Parameter rewards: What ``RunReader/promptRewards()`` returned.
  /// - Returns: The change; nil before the first step, and where each prompt came but once.
  public init?(_ metrics: [StepMetrics], _ rewards: PromptRewards?) {
    guard let first = metrics.first, let last = metrics.last else { return nil }
    guard let rewards, !rewards.isUniform else {
      self.init(before: first.rewardMean, after: last.rewardMean)
      return
    }
    guard let change = rewards.change() else { return nil }
    self = change
  }
}

extension RunReader {
  /// The rewards of each prompt; nil where the recipe says that there is but one.
  ///
  /// - Throws: ``RunError/damaged(path:line:reason:)`` or ``RunError/cannotRead(path:reason:)``.
  public func promptRewards() throws -> PromptRewards? {
    guard !manifest.hasOnePrompt else { return nil }
    var rewards = PromptRewards()
    try file(RunFolder.samples).objects { scanner in
      var step = 0
      var prompt = ""
      var reward: Float = .nan
      try scanner.object { key, scanner in
        if key.spells("step") {
          step = try scanner.integer()
        } else if key.spells("prompt") {
          prompt = try scanner.string()
        } else if key.spells("reward") {
          reward = try scanner.float()
        } else {
          try scanner.skipValue()
        }
      }
      rewards.add(step: step, prompt: prompt, reward: reward)
      return .go
    }
    return rewards
  }
}

extension RunManifest {
  /// Whether the recipe names exactly one prompt.
  public var hasOnePrompt: Bool {
    guard promptFile == nil, recipe["prompts"] == nil || recipe["prompts"] == .null else { return false }
    return switch recipe["prompt"] {
    case .string: true
    case .array(let texts): texts.count == 1
    default: false
    }
  }
}
