import Foundation
import Reports
import Runs
import TestSupport
import Testing

@Suite("Figures") struct FigureTests {
  @Test func `the figure of one run has KL on the left and reward on the right`() {
    let svg = trainingMetricsSVG([RunCurve(label: "a & <b>", metrics: SyntheticRun().metrics)])
    let markup = Markup(svg)
    let titles = markup.elements.filter { $0.attributes["class"] == "title" }
    #expect(titles.count == 2)
    let left = svg.range(of: "KL to the reference (nats per token)")
    let right = svg.range(of: "Mean reward")
    #expect(left.flatMap { l in right.map { l.lowerBound < $0.lowerBound } } == true)
    #expect(markup.text.contains("Training metrics of a & <b>"))
    #expect(markup.count(ofClass: "line") == 3 + 3)
    #expect(markup.count(ofClass: "band") == 1)
    #expect(!svg.contains("var("))
  }

  @Test func `seeds of a group share a colour and a name`() {
    let runs = (1...3).flatMap { seed in
      [
        (label: "a\(seed)", group: Optional("free"), metrics: SyntheticRun(seed: UInt64(seed)).metrics),
        (label: "b\(seed)", group: Optional("held"), metrics: SyntheticRun(seed: UInt64(seed), finalKL: 0.3).metrics),
      ]
    }
    let markup = Markup(comparisonSVG(runs: runs))
    #expect(markup.count(ofClass: "faint") == 2 * 6)
    for color in ["s0", "s1"] { #expect(markup.count(ofClass: color) == 2 * (3 + 1 + 1)) }
    #expect(markup.text.contains("free, mean of 3"))
    #expect(markup.text.contains("held, mean of 3"))
  }

  @Test func `runs without a group have a colour each, also more than the palette holds`() {
    let runs = (1...8).map {
      (label: "run \($0)", group: String?.none, metrics: SyntheticRun(seed: UInt64($0)).metrics)
    }
    let markup = Markup(comparisonSVG(runs: runs))
    #expect(markup.count(ofClass: "faint") == 0)
    #expect(markup.count(ofClass: "s5") == 2 * 2)
    for run in runs { #expect(markup.text.contains(run.label)) }
  }

  @Test func `runs of different lengths, empty runs and no runs are drawn`() {
    let short = SyntheticRun(steps: 5).metrics
    let long = SyntheticRun(seed: 2, steps: 50).metrics
    _ = Markup(comparisonSVG(runs: [("a", "g", short), ("b", "g", long), ("c", nil, [])]))
    #expect(Markup(comparisonSVG(runs: [])).text.contains("no steps yet"))
    #expect(Markup(trainingMetricsSVG([RunCurve(label: "x", metrics: [])])).text.contains("no steps yet"))
    #expect(
      Markup(trainingMetricsSVG([RunCurve(label: "x", metrics: SyntheticRun(steps: 1).metrics)])).count(ofClass: "f0")
        == 3)
  }

  @Test func `a small figure is drawn as it was agreed`() throws {
    let metrics = SyntheticRun(steps: 4).metrics.enumerated().map { index, metrics in
      var metrics = metrics
      metrics.rewardMean = 0.1 + 0.125 * Double(index)
      metrics.rewardStd = 0.0625
      metrics.klForward = 1e-6 * Double(index * index)
      metrics.klReverse = 1e-6 * Double(index)
      return metrics
    }
    let svg = trainingMetricsSVG([RunCurve(label: "golden", metrics: metrics)])
    let expected = String(decoding: try golden("training_metrics.svg", in: .module), as: UTF8.self)
    #expect(svg == expected)
  }
}

private func comparisonSVG(runs: [(label: String, group: String?, metrics: [StepMetrics])]) -> String {
  trainingMetricsSVG(runs.map { RunCurve(label: $0.label, group: $0.group, metrics: $0.metrics) })
}
