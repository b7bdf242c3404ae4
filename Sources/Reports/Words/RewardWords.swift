public import Runs

/// What became of a run's mean reward, in a few words for the end of a run: "Mean reward 0.181 → 0.614".
///
/// Where steps have different prompts, the rewards are compared within prompts, and it says so.
///
/// - Returns: The words; nil before the first step.
/// - Throws: `RunError` where the run cannot be read.
public func rewardChangeWords(_ run: RunReader) throws -> String? {
  let metrics = try run.metrics()
  guard let last = metrics.last else { return nil }
  let now = Numbers.fixed(last.rewardMean, 3)
  guard metrics.count > 1 else { return "Mean reward \(now)" }
  guard let change = RewardChange(metrics, try run.promptRewards()) else {
    return "Mean reward \(now) at the last step (no prompt came twice, so steps do not compare)"
  }
  let words = "Mean reward \(Numbers.fixed(change.before, 3)) → \(Numbers.fixed(change.after, 3))"
  guard let count = change.promptCount else { return words }
  return "\(words) over \(Numbers.counted(count, "prompt", "prompts")), the first and the last time each came"
}
