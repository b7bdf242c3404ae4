package import Runs

/// The figures at the top of a report or page, as plain text; none before the first step.
package func runTiles(_ metrics: [StepMetrics]) -> [(name: String, value: String, note: String)] {
  guard let first = metrics.first, let last = metrics.last else { return [] }
  let stories = metrics.reduce(0.0) { $0 + Double(ReportData.stories($1)) }
  let seconds = metrics.reduce(0.0) { $0 + $1.seconds }
  let tokens = metrics.reduce(0.0) { $0 + Double($1.tokens) }
  func change(_ from: String, _ to: String) -> String { metrics.count == 1 ? to : "\(from) → \(to)" }
  return [
    (
      "Mean reward", change(Numbers.fixed(first.rewardMean, 3), Numbers.fixed(last.rewardMean, 3)),
      "best story of the last step \(Numbers.fixed(last.rewardMax, 3))"
    ),
    ("KL to the reference", Numbers.significant(last.klForward, 2), "nats per token, at the last step"),
    ("Entropy", change(Numbers.significant(first.entropy), Numbers.significant(last.entropy)), "nats per token"),
    (
      "Stories told", Numbers.grouped(stories),
      "\(Numbers.grouped(ReportData.stories(last))) a step, \(Numbers.grouped(last.distinctStories)) distinct at the end"
    ),
    ("Time", Numbers.duration(seconds), "\(Numbers.duration(seconds / Double(metrics.count))) a step"),
    (
      "Speed", seconds > 0 ? Numbers.grouped(tokens / seconds) : "–",
      "generated tokens a second; \(seconds > 0 ? Numbers.significant(stories / seconds) : "–") stories"
    ),
  ]
}
