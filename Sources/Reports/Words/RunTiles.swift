package import Runs

/// The figures at the top of a report or page, as plain text; none before the first step.
///
/// - Parameters:
///   - rewards: The rewards of each prompt, where a run has several.
///   - planned: The steps of a run that is under way, to say how long it will take; nil for any other.
package func runTiles(
  _ metrics: [StepMetrics], rewards: PromptRewards? = nil, planned: Int? = nil
) -> [(name: String, value: String, note: String)] {
  guard let first = metrics.first, let last = metrics.last else { return [] }
  let stories = metrics.reduce(0.0) { $0 + Double(ReportData.stories($1)) }
  let seconds = metrics.reduce(0.0) { $0 + $1.seconds }
  let tokens = metrics.reduce(0.0) { $0 + Double($1.tokens) }
  func change(_ from: String, _ to: String) -> String { metrics.count == 1 ? to : "\(from) → \(to)" }
  return [
    rewardTile(metrics, last, rewards),
    ("KL to the reference", Numbers.significant(last.klForward, 2), "nats per token, at the last step"),
    ("Entropy", change(Numbers.significant(first.entropy), Numbers.significant(last.entropy)), "nats per token"),
    (
      "Stories told", Numbers.grouped(stories),
      "\(Numbers.grouped(ReportData.stories(last))) a step, \(Numbers.grouped(last.distinctStories)) distinct at the end"
    ),
    (
      "Time", Numbers.duration(seconds),
      "\(Numbers.duration(seconds / Double(metrics.count))) a step\(timeLeft(metrics, planned))"
    ),
    (
      "Speed", seconds > 0 ? Numbers.grouped(tokens / seconds) : "–",
      "generated tokens a second; \(seconds > 0 ? Numbers.significant(stories / seconds) : "–") stories"
    ),
  ]
}

/// How long the steps that are to come will take, if they take as long as the last ten.
private func timeLeft(_ metrics: [StepMetrics], _ planned: Int?) -> String {
  guard let planned, let last = metrics.last, planned > last.step else { return "" }
  let recent = metrics.suffix(10)
  let each = recent.reduce(0) { $0 + $1.seconds } / Double(recent.count)
  return "; about \(Numbers.duration(each * Double(planned - last.step))) left"
}

/// The mean reward at the beginning and at the end, over the same prompts.
private func rewardTile(
  _ metrics: [StepMetrics], _ last: StepMetrics, _ rewards: PromptRewards?
) -> (name: String, value: String, note: String) {
  let best = "best story of the last step \(Numbers.fixed(last.rewardMax, 3))"
  let now = Numbers.fixed(last.rewardMean, 3)
  guard metrics.count > 1 else { return ("Mean reward", now, best) }
  guard let change = RewardChange(metrics, rewards) else {
    return ("Mean reward", now, "at the last step; no prompt came twice, so steps do not compare")
  }
  let value = "\(Numbers.fixed(change.before, 3)) → \(Numbers.fixed(change.after, 3))"
  let note = change.promptCount.map { "first and last time of \(Numbers.counted($0, "prompt", "prompts"))" }
  return ("Mean reward", value, note ?? best)
}
