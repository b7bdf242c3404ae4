public import Runs

/// One run as a figure shows it.
public struct RunCurve: Sendable {
  /// What the legend calls it.
  public var label: String
  /// Runs of one group, such as the seeds of one setting, share a colour and a line of the legend.
  public var group: String?
  /// Its metrics, in order.
  public var metrics: [StepMetrics]
  /// The norm that its gradients were clipped to, where they were.
  public var clip: Double?

  /// A run with its metrics.
  public init(label: String, group: String? = nil, metrics: [StepMetrics], clip: Double? = nil) {
    self.label = label
    self.group = group
    self.metrics = metrics
    self.clip = clip
  }
}

/// The figure `training_metrics.svg`: KL to the reference on the left and mean reward on the right, against steps.
///
/// One run shows both directions of KL and the spread of its rewards. Several runs are overlaid, one colour each; runs of
/// one group share a colour: each is a thin line, their mean a thick one.
public func trainingMetricsSVG(_ runs: [RunCurve]) -> String {
  if runs.count == 1, let run = runs.first {
    return LineChart.document(
      [klChart(run.metrics), rewardChart(run.metrics)], title: "Training metrics of \(run.label)")
  }
  return LineChart.document(
    [
      LineChart(
        title: "KL to the reference (nats per token)", series: overlaid(runs, \.klForward), includesZero: true),
      LineChart(title: "Mean reward", series: overlaid(runs, \.rewardMean)),
    ], title: "Training metrics of \(runs.count) runs")
}

/// KL in both directions against steps.
func klChart(_ metrics: [StepMetrics]) -> LineChart {
  let steps = metrics.map { Double($0.step) }
  return LineChart(
    title: "KL to the reference (nats per token)",
    series: [
      Series(label: "forward (reference ‖ policy)", x: steps, y: metrics.map(\.klForward)),
      Series(
        label: "reverse (policy ‖ reference)", x: steps, y: metrics.map(\.klReverse), color: 1, style: .dashed),
    ], includesZero: true)
}

/// The mean reward with its spread against steps.
func rewardChart(_ metrics: [StepMetrics]) -> LineChart {
  LineChart(title: "Mean reward", series: Array(rewardSeries(metrics).prefix(1)))
}

/// The mean reward with its spread, and the best story of each step.
func rewardSeries(_ metrics: [StepMetrics]) -> [Series] {
  let steps = metrics.map { Double($0.step) }
  var mean = Series(
    label: "mean, ± one standard deviation", x: steps, y: metrics.map(\.rewardMean),
    lower: metrics.map { $0.rewardMean - $0.rewardStd }, upper: metrics.map { $0.rewardMean + $0.rewardStd })
  mean.readingLabel = "mean"
  return [
    mean, Series(label: "best story", x: steps, y: metrics.map(\.rewardMax), color: 1, style: .dashed),
  ]
}

/// Where the seconds of each step went, one on top of the other.
func timeSeries(_ metrics: [StepMetrics]) -> [Series] {
  let parts: [(String, (StepMetrics) -> Double)] = [
    ("rollout", { $0.secondsSplit.rollout }), ("reward", { $0.secondsSplit.reward }),
    ("reference", { $0.secondsSplit.reference }), ("backward", { $0.secondsSplit.backward }),
    ("optimizer", { $0.secondsSplit.optimizer }),
  ]
  let steps = metrics.map { Double($0.step) }
  var floor = metrics.map { _ in 0.0 }
  return parts.enumerated().map { color, part in
    let ceiling = zip(floor, metrics).map { $0 + part.1($1) }
    defer { floor = ceiling }
    return Series(label: part.0, x: steps, y: ceiling, lower: floor, upper: ceiling, color: color, style: .area)
  }
}

/// A line for each run without a group; for each group a thin line for each of its runs and a thick one for their mean.
private func overlaid(_ runs: [RunCurve], _ value: (StepMetrics) -> Double) -> [Series] {
  var names: [String] = []
  var members: [String: [RunCurve]] = [:]
  for (index, run) in runs.enumerated() {
    let name = run.group.map { "group \($0)" } ?? "run \(index)"
    if members[name] == nil { names.append(name) }
    members[name, default: []].append(run)
  }
  var thin: [Series] = []
  var thick: [Series] = []
  for (color, name) in names.enumerated() {
    guard let runs = members[name], let first = runs.first else { continue }
    let curves = runs.map { run in
      Series(
        label: nil, x: run.metrics.map { Double($0.step) }, y: run.metrics.map(value), color: color,
        style: .faint)
    }
    if runs.count > 1 { thin += curves }
    var mean = runs.count > 1 ? meanCurve(curves) : curves[0]
    mean.label = first.group.map { runs.count > 1 ? "\($0), mean of \(runs.count)" : $0 } ?? first.label
    mean.style = .line
    thick.append(mean)
  }
  return thin + thick
}

/// The mean of curves at the steps that all of them have.
private func meanCurve(_ curves: [Series]) -> Series {
  var sums: [Double: (sum: Double, count: Int)] = [:]
  for curve in curves {
    for (x, y) in zip(curve.x, curve.y) {
      let old = sums[x] ?? (0, 0)
      sums[x] = (old.sum + y, old.count + 1)
    }
  }
  let shared = sums.filter { $0.value.count == curves.count }.sorted { $0.key < $1.key }
  return Series(
    label: nil, x: shared.map(\.key), y: shared.map { $0.value.sum / Double(curves.count) },
    color: curves.first?.color ?? 0)
}
