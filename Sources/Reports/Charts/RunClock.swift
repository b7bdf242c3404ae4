import Runs

/// How many completions a run had sampled, and how long it had trained, after each of its steps.
package struct RunClock: Sendable {
  /// The steps, ascending.
  let steps: [Double]
  /// Completions sampled up to each step.
  let completions: [Double]
  /// Seconds of all steps up to each; pauses of a run that was resumed are not among them.
  let seconds: [Double]

  /// The clock of a run whose steps ascend.
  init(_ metrics: [StepMetrics]) {
    func sums(_ value: (StepMetrics) -> Double) -> [Double] {
      var sum = 0.0
      return metrics.map { step in
        sum += value(step)
        return sum
      }
    }
    steps = metrics.map { Double($0.step) }
    completions = sums { Double(ReportData.stories($0)) }
    seconds = sums { $0.seconds.isFinite ? max(0, $0.seconds) : 0 }
  }
}
