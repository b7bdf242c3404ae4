import Foundation
import JSON
import Reports
import Runs
import TestSupport
import Testing

private let keys = [
  "reward", "kl", "frontier", "entropy", "distinct", "length", "ending", "gradient", "time", "speed",
]

private func panel(_ key: String, _ runs: [RunCurve]) throws -> MetricPanel {
  try #require(metricPanels(runs).first { $0.key == key })
}

private func run(_ label: String, seed: UInt64 = 1, steps: Int = 80) -> RunCurve {
  RunCurve(label: label, metrics: SyntheticRun(seed: seed, steps: steps).metrics)
}

/// Readings are rounded to about a thousandth of the axis, and to three digits at least.
private func expectClose(
  _ found: [Double?], _ expected: [Double], _ location: SourceLocation = #_sourceLocation
) {
  let span = (expected.max() ?? 0) - min(0, expected.min() ?? 0)
  #expect(found.count == expected.count, sourceLocation: location)
  for (index, (one, other)) in zip(found, expected).enumerated() {
    guard let one else {
      Issue.record("no value at \(index)", sourceLocation: location)
      continue
    }
    #expect(abs(one - other) <= max(span / 1000, abs(other) / 100), "\(index)", sourceLocation: location)
  }
}

@Suite("Panels") struct MetricPanelTests {
  @Test func `one run and several have the same panels, each with a sentence of help`() {
    for runs in [[], [run("a")], [run("a"), run("b")]] {
      let panels = metricPanels(runs)
      #expect(panels.map(\.key) == keys)
      for panel in panels {
        #expect(panel.help.hasSuffix("."), "\(panel.key)")
        #expect(panel.help.count > 20, "\(panel.key)")
        #expect(panel.chart.title == panel.title)
      }
    }
  }

  @Test func `the readings of a short run are its metrics`() throws {
    let one = run("a")
    let metrics = one.metrics
    let steps = metrics.map { Double($0.step) }
    func expectCurves(
      _ key: String, _ expected: [(StepMetrics) -> Double], _ location: SourceLocation = #_sourceLocation
    ) throws {
      let readings = try Readings(panel(key, [one]).chart)
      #expect(readings.steps == steps, sourceLocation: location)
      #expect(readings.curves.count == expected.count, sourceLocation: location)
      for (curve, value) in zip(readings.curves, expected) { expectClose(curve.values, metrics.map(value), location) }
    }
    try expectCurves("reward", [\.rewardMean, \.rewardMax])
    try expectCurves("kl", [\.klForward, \.klReverse])
    try expectCurves("entropy", [\.entropy])
    try expectCurves("distinct", [{ 100 * Double($0.distinctStories) / 128 }])
    try expectCurves("length", [\.meanLength])
    try expectCurves("ending", [{ $0.endOfTextRate * 100 }])
    try expectCurves("gradient", [\.gradientNorm])
    try expectCurves(
      "time",
      [
        \.secondsSplit.rollout, \.secondsSplit.reward, \.secondsSplit.reference, \.secondsSplit.backward,
        \.secondsSplit.optimizer,
      ])
    try expectCurves("speed", [{ Double($0.tokens) / $0.seconds }, { 128 / $0.seconds }])
    let spread = try Readings(panel("reward", [one]).chart).curves[0].spread
    expectClose(try #require(spread), metrics.map(\.rewardStd))
  }

  @Test func `the frontier is reward against the square root of KL, in the order of the steps`() throws {
    let chart = try panel("frontier", [run("a"), run("b", seed: 2, steps: 30)]).chart
    #expect(chart.xLabel == "square root of KL (nats per token)")
    let curves = try Readings(chart).curves
    for (curve, metrics) in zip(curves, [run("a").metrics, run("b", seed: 2, steps: 30).metrics]) {
      #expect(curve.steps == metrics.map { Double($0.step) })
      expectClose(try #require(curve.x), metrics.map { $0.klForward.squareRoot() })
      expectClose(curve.values, metrics.map(\.rewardMean))
    }
    #expect(Markup(chart.embedded()).count(ofClass: "end-mark") == 2)
  }

  @Test func `a long trail has means of stretches, the last of them at the last step`() throws {
    let metrics = SyntheticRun(steps: 800).metrics
    let chart = try panel("frontier", [RunCurve(label: "a", metrics: metrics)]).chart
    let curve = try #require(try Readings(chart).curves.first)
    #expect(curve.values.count == 80)
    #expect(curve.steps?.last == 800)
    let tail = metrics.suffix(10).map(\.rewardMean).reduce(0, +) / 10
    expectClose([curve.values.last ?? nil], [tail])
  }

  @Test func `divergence below zero, as rounding may leave it, starts at zero`() throws {
    var one = run("a", steps: 3)
    one.metrics[0].klForward = -1e-9
    let curve = try #require(try Readings(panel("frontier", [one]).chart).curves.first)
    #expect(curve.x?.first == 0)
  }

  @Test func `six runs of two thousand steps stay small and keep their ends`() throws {
    let runs = (1...6).map { run("run \($0)", seed: UInt64($0), steps: 2000) }
    for list in [runs, Array(runs.prefix(1))] {
      for panel in metricPanels(list) {
        let svg = panel.chart.embedded()
        #expect(svg.utf8.count < 40_000, "\(panel.key)")
        #expect(panel.svg.utf8.count < 23_000, "\(panel.key)")
        guard panel.key != "frontier" else { continue }
        let readings = try Readings(panel.chart)
        #expect(readings.steps.count <= 400)
        #expect(readings.steps.count >= 60)
        #expect(readings.steps.first == 1)
        #expect(readings.steps.last == 2000)
        #expect(readings.curves.allSatisfy { $0.values.count == readings.steps.count })
      }
    }
  }

  @Test func `a run that ended earlier has no values after its end`() throws {
    let readings = try Readings(panel("reward", [run("long"), run("short", steps: 30)]).chart)
    #expect(readings.steps.count == 80)
    #expect(readings.curves[0].values.allSatisfy { $0 != nil })
    #expect(readings.curves[1].values.prefix(30).allSatisfy { $0 != nil })
    #expect(readings.curves[1].values.dropFirst(30).allSatisfy { $0 == nil })
  }

  @Test func `runs have the colour of their position, and dashes once the colours are used up`() throws {
    let curves = try Readings(panel("entropy", (1...14).map { run("r\($0)", steps: 3) }).chart).curves
    #expect(curves.map(\.name) == (1...14).map { "r\($0)" })
    #expect(curves.map(\.color) == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1])
    #expect(curves.map { $0.look.contains("dashed") } == (0..<14).map { (6..<12).contains($0) })
  }

  @Test func `the limit of the gradient is drawn where there is one`() throws {
    var one = run("a")
    #expect(Markup(try panel("gradient", [one]).chart.embedded()).count(ofClass: "rule") == 0)
    one.clip = 0.5
    let chart = try panel("gradient", [one]).chart
    // Its line and its key.
    #expect(Markup(chart.embedded()).count(ofClass: "rule") == 2)
    #expect(chart.embedded().contains("clipped above 0.500"))
    #expect(try Readings(chart).curves.count == 1)
    for odd in [0, -1, .nan, .infinity] {
      one.clip = odd
      #expect(Markup(try panel("gradient", [one]).chart.embedded()).count(ofClass: "rule") == 0)
    }
  }

  @Test func `steps out of order or told twice are put in order, the last line about a step counts`() throws {
    var metrics = SyntheticRun(steps: 5).metrics
    var again = metrics[1]
    again.entropy = 7
    metrics.append(again)
    metrics.swapAt(0, 3)
    let readings = try Readings(panel("entropy", [RunCurve(label: "a", metrics: metrics)]).chart)
    #expect(readings.steps == [1, 2, 3, 4, 5])
    #expect(readings.curves.first?.values[1] == 7)
  }

  @Test func `numbers of any size and names of any kind are drawn`() throws {
    let evil = "\"'><script>alert(1)</script>\u{0}\u{2028}\u{202E}" + String(repeating: "long", count: 100)
    let odd: [Double] = [
      0, -1, .leastNonzeroMagnitude, 1e300, -1e300, .greatestFiniteMagnitude, .nan, .infinity, -.infinity, 1e17,
      0.1 + 0.2,
    ]
    for first in odd {
      var metrics = SyntheticRun(steps: 12).metrics
      for (index, value) in (odd + [first]).prefix(12).enumerated() {
        let value = index == 0 ? first : value
        metrics[index].rewardMean = value
        metrics[index].rewardStd = value
        metrics[index].klForward = value
        metrics[index].entropy = value
        metrics[index].gradientNorm = value
        metrics[index].seconds = value
        metrics[index].meanLength = value
        metrics[index].secondsSplit.reward = value
      }
      metrics[3].step = Int.max
      metrics[4].tokens = Int.max
      metrics[5].distinctStories = Int.max
      metrics[6].step = Int.min
      let one = RunCurve(label: evil, metrics: metrics, clip: first)
      for runs in [[one], [one, run(evil)]] {
        for panel in metricPanels(runs) {
          let svg = panel.chart.embedded()
          #expect(!svg.contains("<script"))
          #expect(Markup(svg).pathNumbers.allSatisfy { $0.isFinite }, "\(panel.key)")
          _ = Markup(panel.svg)
        }
      }
    }
  }

  @Test func `files of their own have their title and need no style sheet`() {
    for panel in metricPanels([run("a"), run("b", seed: 2)]) {
      #expect(!panel.svg.contains("var("), "\(panel.key)")
      #expect(Markup(panel.svg).elements.contains { $0.attributes["class"] == "title" }, "\(panel.key)")
      #expect(!panel.svg.contains("data-chart"), "\(panel.key)")
    }
  }

  @Test func `tied groups have a panel, a column and a scalar where a run counts them`() throws {
    var metrics = SyntheticRun(steps: 3).metrics
    let old = metricPanels([RunCurve(label: "old", metrics: metrics)])
    #expect(!old.contains { $0.key == "ties" })
    #expect(
      metricsCSV(metrics).split(separator: "\r\n").allSatisfy { $0.hasSuffix(",") || $0.hasSuffix(",tied_groups") })
    for (index, count) in [0, 2, 5].enumerated() { metrics[index].tiedGroups = count }
    let panel = try #require(metricPanels([RunCurve(label: "a", metrics: metrics)]).first { $0.key == "ties" })
    #expect(try Readings(panel.chart).curves.first?.values == [0, 2, 5])
    let both = metricPanels([RunCurve(label: "a", metrics: metrics), RunCurve(label: "b", metrics: metrics)])
    #expect(try Readings(#require(both.first { $0.key == "ties" }).chart).curves.count == 2)
    #expect(metricsCSV(metrics).hasSuffix(",5\r\n"))
    #expect(glossaryHTML().contains("tied_groups"))
  }

  @Test func `charts tell how many completions and seconds each step stands for`() throws {
    let metrics = SyntheticRun(steps: 3).metrics
    let panels = metricPanels([RunCurve(label: "a", metrics: metrics)])
    for key in ["kl", "frontier"] {
      let chart = try #require(panels.first { $0.key == key }).chart
      let text = try #require(Markup(chart.embedded()).elements.first?.attributes["data-chart"])
      let json = try JSONValue(parsing: Array(text.utf8))
      guard case .array(let curves)? = json["s"], case .array(let clocks)? = json["clocks"] else {
        Issue.record("\(text)")
        return
      }
      let clock = try #require(key == "kl" ? clocks.first : curves.first?["clock"])
      #expect(clock["completions"] == [128, 256, 384])
      guard case .array(let seconds)? = clock["seconds"] else {
        Issue.record("no seconds")
        return
      }
      let sum = metrics.reduce(0) { $0 + $1.seconds }
      #expect(abs((seconds.last?.doubleValue ?? 0) - sum) < 0.01 * sum)
    }
  }

  @Test func `a run that is under way tells the time left`() {
    let metrics = SyntheticRun(steps: 4).metrics.map { step in
      var step = step
      step.seconds = 2
      return step
    }
    let notes = { (planned: Int?) in runTiles(metrics, planned: planned).first { $0.name == "Time" }?.note }
    #expect(notes(nil) == "2.0\u{A0}s a step")
    #expect(notes(4) == "2.0\u{A0}s a step")
    #expect(notes(154) == "2.0\u{A0}s a step; about 5\u{A0}min 0\u{A0}s left")
  }
}
