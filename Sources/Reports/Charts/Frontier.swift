import Foundation
import Runs

/// Reward against the square root of KL, a trail for each run: how much was earned for how much change.
///
/// The square root, since the reward that a small change of a model can earn grows with it (Gao, Schulman and Hilton,
/// "Scaling Laws for Reward Model Overoptimization", 2022).
func frontierPanel(_ runs: [RunCurve]) -> MetricPanel {
  let trails = runs.enumerated().map { index, run in
    var series = trail(
      run.metrics, label: runs.count == 1 ? "from the first step to the last" : run.label,
      color: index % ChartStyle.colorCount, style: .ofRun(index))
    series.run = index
    return series
  }
  return MetricPanel(
    "frontier", "Reward against KL", PanelText.frontier, trails, xLabel: "square root of KL (nats per token)",
    includesZero: false, countsSteps: false)
}

/// One trail. A long run has more steps than a trail can show: each point is then the mean of a stretch of steps, named
/// by the last of them, since single steps' noise would hide the way.
private func trail(_ metrics: [StepMetrics], label: String, color: Int, style: Series.Style) -> Series {
  let limit = 80
  let count = min(metrics.count, limit)
  var x: [Double] = []
  var y: [Double] = []
  var steps: [Double] = []
  for point in 0..<count {
    let stretch = metrics[point * metrics.count / count..<(point + 1) * metrics.count / count]
    guard let last = stretch.last else { continue }
    let share = 1 / Double(stretch.count)
    x.append(stretch.reduce(0) { $0 + max(0, $1.klForward) * share }.squareRoot())
    y.append(stretch.reduce(0) { $0 + $1.rewardMean * share })
    steps.append(Double(last.step))
  }
  return Series(label: label, x: x, y: y, color: color, style: style, steps: steps)
}
