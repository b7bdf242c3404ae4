import Foundation
import Runs

/// A chart of a run's progress with what a reader needs to know about it.
package struct MetricPanel: Sendable {
  /// Its short name, such as `kl`: part of file names and addresses.
  package let key: String
  /// What it shows, with the unit.
  package let title: String
  /// What it is and which direction is good, in one plain sentence.
  package let help: String
  /// The picture.
  package let chart: LineChart

  private init(key: String, title: String, help: String, chart: LineChart) {
    self.key = key
    self.title = title
    self.help = help
    self.chart = chart
  }

  /// A panel whose chart has the panel's title.
  init(
    _ key: String, _ title: String, _ help: String, _ series: [Series], xLabel: String = "step",
    includesZero: Bool = true, countsSteps: Bool = true
  ) {
    self.init(
      key: key, title: title, help: help,
      chart: LineChart(
        title: title, xLabel: xLabel, series: series, includesZero: includesZero, countsSteps: countsSteps))
  }

  /// The same with what may stand along the horizontal axis of its chart.
  fileprivate func with(_ clocks: [RunClock]) -> MetricPanel {
    var chart = chart
    chart.clocks = clocks
    return MetricPanel(key: key, title: title, help: help, chart: chart)
  }

  /// The chart as an SVG file of its own.
  package var svg: String { LineChart.document([chart], title: title) }
}

/// The curves of runs as panels; one run shows more of itself, several are overlaid, a colour for each in their order.
package func metricPanels(_ runs: [RunCurve]) -> [MetricPanel] {
  let curves = runs.map(\.inOrder)
  let clocks = curves.map { RunClock($0.metrics) }
  let panels = if curves.count == 1, let one = curves.first { singlePanels(one) } else { overlaidPanels(curves) }
  return panels.map { $0.with(clocks) }
}

/// What both kinds of panels say.
enum PanelText {
  static let reward =
    "What the stories of a step earn on average; it should rise, most steeply at first, and level off."
  static let kl =
    "How far the model has moved from the original one: it should stay low; beyond about 1, language usually suffers."
  static let frontier =
    "What was earned for how much change: up and to the left is better, and the dot is where a run stands."
  static let entropy =
    "How much the model leaves to chance at each token; some fall is learning, a fall toward 0 is collapse."
  static let distinct = "How many of a step's stories are different; a steep fall means that the model repeats itself."
  static let length = "Tokens that the model adds to a prompt; it should not drift unless you want it to."
  static let ending = "The share of stories that the model ends itself; the others are cut at the length limit."
  static let ties =
    "Prompts whose completions all earned the same in a step: nothing is learned from them; it should stay near 0."
  static let gradient =
    "The length of the gradient before clipping; it should keep its size; a sudden rise often means trouble."
  static let time = "Wall-clock seconds of a step; lower is better, and a steady rise is worth a look."
  static let timeSplit = "Where the wall-clock seconds of a step go, one part on top of the other; lower is better."
  static let speed = "What the computer gets done; higher is better."
}

private func singlePanels(_ run: RunCurve) -> [MetricPanel] {
  let metrics = run.metrics
  let steps = metrics.map { Double($0.step) }
  func curve(
    _ label: String?, _ value: (StepMetrics) -> Double, color: Int = 0, style: Series.Style = .line,
    reading: String? = nil
  ) -> Series {
    var series = Series(label: label, x: steps, y: metrics.map(value), color: color, style: style)
    series.readingLabel = reading
    return series
  }
  var gradient = [curve(nil, \.gradientNorm, reading: "gradient norm")]
  if let clip = run.clip, clip.isFinite, clip > 0, let first = steps.first, let last = steps.last {
    gradient.append(
      Series(
        label: "clipped above \(Numbers.significant(clip))", x: [first, max(last, first + 1)], y: [clip, clip],
        color: 1, style: .rule))
    gradient[0].label = "gradient norm"
  }
  let ties = tiesPanel([run]) { [curve(nil, $0, reading: "tied groups")] }
  return [
    MetricPanel("reward", "Reward", PanelText.reward, rewardSeries(metrics), includesZero: false),
    MetricPanel(
      "kl", "KL to the reference (nats per token)", PanelText.kl,
      [
        curve("forward", \.klForward, reading: "forward, KL(reference ‖ policy)"),
        curve("reverse", \.klReverse, color: 1, style: .dashed, reading: "reverse, KL(policy ‖ reference)"),
      ]),
    frontierPanel([run]),
    MetricPanel("entropy", "Entropy (nats per token)", PanelText.entropy, [curve(nil, \.entropy, reading: "entropy")]),
    MetricPanel(
      "distinct", "Distinct stories (% of a step)", PanelText.distinct,
      [curve(nil, \.distinctPercentage, reading: "distinct stories, %")]),
    MetricPanel(
      "length", "Mean length (tokens per story)", PanelText.length,
      [curve(nil, \.meanLength, reading: "tokens per story")]),
    MetricPanel(
      "ending", "Stories ended by the model (%)", PanelText.ending,
      [curve(nil, { $0.endOfTextRate * 100 }, reading: "ended by the model, %")]),
    MetricPanel("gradient", "Gradient norm", PanelText.gradient, gradient),
    MetricPanel("time", "Seconds a step", PanelText.timeSplit, timeSeries(metrics)),
    MetricPanel(
      "speed", "Speed (a second)", PanelText.speed,
      [
        curve("tokens a second", \.tokensPerSecond),
        curve("stories a second", \.storiesPerSecond, color: 1, style: .dashed),
      ]),
  ] + ties
}

private func overlaidPanels(_ runs: [RunCurve]) -> [MetricPanel] {
  func curves(_ value: (StepMetrics) -> Double) -> [Series] {
    runs.enumerated().map { index, run in
      var series = Series(
        label: run.label, x: run.metrics.map { Double($0.step) }, y: run.metrics.map(value),
        color: index % ChartStyle.colorCount)
      series.style = Series.Style.ofRun(index)
      series.run = index
      return series
    }
  }
  var reverse = curves(\.klReverse)
  for index in reverse.indices {
    reverse[index].readingLabel = "\(runs[index].label), reverse"
    reverse[index].companion = runs[index].label
    reverse[index].label = nil
    reverse[index].style = .faint
  }
  return [
    MetricPanel("reward", "Mean reward", PanelText.reward, curves(\.rewardMean), includesZero: false),
    MetricPanel(
      "kl", "KL to the reference (nats per token)", PanelText.kl + " Bold: forward; pale: reverse.",
      curves(\.klForward) + reverse),
    frontierPanel(runs),
    MetricPanel("entropy", "Entropy (nats per token)", PanelText.entropy, curves(\.entropy)),
    MetricPanel("distinct", "Distinct stories (% of a step)", PanelText.distinct, curves(\.distinctPercentage)),
    MetricPanel("length", "Mean length (tokens per story)", PanelText.length, curves(\.meanLength)),
    MetricPanel("ending", "Stories ended by the model (%)", PanelText.ending, curves { $0.endOfTextRate * 100 }),
    MetricPanel("gradient", "Gradient norm", PanelText.gradient, curves(\.gradientNorm)),
    MetricPanel("time", "Seconds a step", PanelText.time, curves(\.seconds)),
    MetricPanel("speed", "Speed (generated tokens a second)", PanelText.speed, curves(\.tokensPerSecond)),
  ] + tiesPanel(runs) { curves($0) }
}

/// A panel of tied groups, where any of the runs counts them; `curves` makes curves of a number of each step.
private func tiesPanel(
  _ runs: [RunCurve], _ curves: ((StepMetrics) -> Double) -> [Series]
) -> [MetricPanel] {
  guard runs.contains(where: { $0.metrics.contains { $0.tiedGroups != nil } }) else { return [] }
  return [
    MetricPanel("ties", "Tied groups", PanelText.ties, curves { $0.tiedGroups.map(Double.init) ?? .nan })
  ]
}

extension Series.Style {
  /// The style of the run with this position in a list: after all colours are used, they start over with dashes.
  static func ofRun(_ index: Int) -> Series.Style { index / ChartStyle.colorCount % 2 == 0 ? .line : .dashed }
}

extension StepMetrics {
  /// The stories of the step, as far as the metrics tell.
  fileprivate var stories: Double { Double(ReportData.stories(self)) }

  fileprivate var distinctPercentage: Double { stories > 0 ? 100 * Double(distinctStories) / stories : .nan }
  fileprivate var tokensPerSecond: Double { seconds > 0 ? Double(tokens) / seconds : .nan }
  fileprivate var storiesPerSecond: Double { seconds > 0 ? stories / seconds : .nan }
}

extension RunCurve {
  /// The same with steps in ascending order; of lines about one step the last counts.
  fileprivate var inOrder: RunCurve {
    let steps = metrics.map(\.step)
    if zip(steps, steps.dropFirst()).allSatisfy({ $0 < $1 }) { return self }
    var latest: [Int: StepMetrics] = [:]
    for line in metrics { latest[line.step] = line }
    var copy = self
    copy.metrics = latest.values.sorted { $0.step < $1.step }
    return copy
  }
}
