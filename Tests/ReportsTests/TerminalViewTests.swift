import Foundation
import Reports
import Runs
import TestSupport
import Testing

@Suite struct TerminalViewTests {
  private func history(_ values: [Double], limit: Int = 2_048) -> CurveHistory {
    var history = CurveHistory(limit: limit)
    for value in values { history.append(value) }
    return history
  }

  private func ends(_ entries: [CurveHistory.Entry]) -> [[Double]] { entries.map { [$0.low, $0.high] } }

  /// The dots of a curve's lines as rows of booleans, and the labels.
  private func dots(_ lines: [String]) -> (labels: [String], rows: [[Bool]]) {
    var labels: [String] = []
    var rows: [[Bool]] = []
    for line in lines {
      let parts = line.split(separator: /[┤│]/, maxSplits: 1, omittingEmptySubsequences: false)
      labels.append(parts[0].trimmingCharacters(in: .whitespaces))
      let cells = parts[1].unicodeScalars.map { $0 == " " ? 0 : UInt8(truncatingIfNeeded: $0.value - 0x2800) }
      for bits: [UInt8] in [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]] {
        rows.append(cells.flatMap { cell in bits.map { cell & $0 != 0 } })
      }
    }
    return (labels, rows)
  }

  @Test func `a curve goes from corner to corner and names its ends`() {
    let lines = TerminalCurve("reward", history((0..<12).map { Double($0) / 11 })).lines(columns: 14, rows: 3)
    let (labels, rows) = dots(lines)
    #expect(labels == ["1.000", "reward", "0.000"])
    #expect(rows.count == 12)
    // Six characters of two dots; each of the 12 values stands one dot higher than the one before.
    for (row, dots) in rows.enumerated() {
      for (column, isSet) in dots.enumerated() { #expect(isSet == (row + column == 11), "\(row), \(column)") }
    }
    #expect(lines.map(\.count).max() == 14)
  }

  @Test func `two rows have the name beside the highest value`() {
    let lines = TerminalCurve("KL", history([0, 0.5])).lines(columns: 20, rows: 2)
    #expect(dots(lines).labels == ["KL 0.500", "0.000"])
  }

  @Test func `the ends of the scale are told apart`() {
    #expect(TerminalCurve.labels(0.1, 0.2) == ("0.100", "0.200"))
    #expect(TerminalCurve.labels(0.10001, 0.10002) == ("0.10001", "0.10002"))
    #expect(TerminalCurve.labels(1e-9, 2e-9) == ("1e-09", "2e-09"))
    #expect(TerminalCurve.labels(-1e-9, 0.5) == ("0.000", "0.500"))
    #expect(TerminalCurve.labels(0.25, 0.25) == ("0.250", "0.250"))
    #expect(TerminalCurve.labels(-1e300, 1e300) == ("-1e+300", "1e+300"))
    let close = TerminalCurve.labels(1e15, 1e15 + 1)
    #expect(close.low != close.high)
  }

  @Test func `what cannot be drawn is left out, and nothing traps`() {
    #expect(TerminalCurve("x", history([])).lines(columns: 80, rows: 3).isEmpty)
    #expect(TerminalCurve("x", history([.nan, .infinity])).lines(columns: 80, rows: 3).isEmpty)
    #expect(TerminalCurve("x", history([1, 2])).lines(columns: 9, rows: 3).isEmpty, "too narrow")
    #expect(TerminalCurve("x", history([1, 2])).lines(columns: 80, rows: 1).isEmpty)
    #expect(TerminalCurve("x", history([1, 2])).lines(columns: -5, rows: 3).isEmpty)
    let greatest = Double.greatestFiniteMagnitude
    for values in [[greatest, -greatest, 0], [3], [2, 2, 2], [.nan, 1, .nan, 2]] {
      #expect(TerminalCurve("x", history(values)).lines(columns: 60, rows: 4).count == 4)
    }
  }

  @Test func `a long history keeps its peaks and its place`() {
    var values = (0..<100_000).map { Double($0) / 100_000 }
    values[40_000] = 5
    values[70_000] = -3
    let long = history(values, limit: 64)
    #expect(long.entries.count <= 64 && long.entries.count > 32)
    #expect(long.entries.map(\.high).max() == 5 && long.entries.map(\.low).min() == -3)
    let peak = long.entries.firstIndex { $0.high == 5 } ?? -1
    #expect(abs(Double(peak) / Double(long.entries.count) - 0.4) < 0.05)
    // Neighbours are told as ranges: the lowest and the highest of as many steps.
    let short = history([1, 4, 2, 8, 5], limit: 4)
    #expect(ends(short.entries) == [[1, 4], [2, 8], [5, 5]])
    #expect(ends(history([1, 4, 2, 8, 5, 9], limit: 4).entries).last == [5, 9])
    #expect(ends(history([1, 4, 2], limit: 2).entries) == [[1, 4], [2, 2]])
    #expect(ends(history([1, 4, 2, 3, 0], limit: 2).entries) == [[1, 4], [0, 0]])
  }

  private func view(_ steps: Int, of all: Int = 40, story: String = " a cat named Tom") -> TrainingView {
    let run = SyntheticRun(steps: all, stories: 8)
    var view = TrainingView(steps: all, samples: 8)
    for metrics in run.metrics.prefix(steps) {
      var samples = run.samples(step: metrics.step)
      samples[3].reward = 0.875
      samples[3].text = story
      view.add(metrics, samples)
    }
    return view
  }

  @Test func `a wide window has status, both curves beside each other, and the best story`() throws {
    let lines = view(20).lines(columns: 119, rows: 40)
    #expect(lines.count == 6)
    #expect(lines[0].hasPrefix("████████████░░░░░░░░░░░░ step 20/40  reward 0."))
    #expect(lines[0].contains(" nats/token  ") && lines[0].contains(" stories/s  ") && lines[0].hasSuffix(" left"))
    #expect(lines[2].contains("reward │") && lines[2].contains("KL │"))
    #expect(lines[5] == "best 0.875  Once upon a time there was a cat named Tom")
  }

  @Test func `a narrow window has the same, one below the other`() {
    let lines = view(20).lines(columns: 39, rows: 40)
    #expect(lines[0].hasPrefix("██████░░░░░░ step 20/40  ") && lines[0].hasSuffix(" left"))
    #expect(lines[1].hasPrefix("reward 0.") && lines[1].contains("KL ") && lines[1].hasSuffix("stories/s"))
    #expect(lines.filter { $0.contains("reward │") }.count == 1 && lines.filter { $0.contains("KL │") }.count == 1)
    #expect(lines.last == "best 0.875  … a cat named Tom")
  }

  @Test(arguments: [
    " a cat", String(repeating: "猫", count: 500), "\u{1B}[31m\n\n\r\u{0}",
    String(repeating: "👩\u{200D}👩\u{200D}👧", count: 90),
    String(repeating: "\u{301}", count: 5_000), String(repeating: "\u{200B}", count: 5_000) + "x", "",
  ])
  func `nothing is wider or higher than the window`(story: String) {
    let view = view(40, story: story)
    for columns in Array(0...130) + [199, 1_000] {
      for rows in [0, 1, 2, 3, 4, 5, 6, 8, 10, 24, 60] {
        let lines = view.lines(columns: columns, rows: rows)
        #expect(lines.count <= rows)
        for line in lines {
          #expect(TerminalText.columns(of: line) <= columns, "\(columns) x \(rows): \(line)")
          #expect(!line.unicodeScalars.contains { $0.properties.generalCategory == .control })
        }
      }
    }
  }

  @Test func `a resumed run has its whole curve, and the time of the steps since`() {
    let run = SyntheticRun(steps: 40, stories: 8)
    let metrics = run.metrics
    var resumed = TrainingView(steps: 40, samples: 8, before: Array(metrics.prefix(30)))
    resumed.add(metrics[30], run.samples(step: 31))
    var whole = TrainingView(steps: 40, samples: 8)
    for metrics in metrics.prefix(31) { whole.add(metrics, run.samples(step: metrics.step)) }
    #expect(resumed.curves(columns: 120, rows: 4) == whole.curves(columns: 120, rows: 4))
    let speed = Int(8 / metrics[30].seconds)
    #expect(resumed.statusLine.contains("step 31/40") && resumed.statusLine.contains(" \(speed) stories/s"))
  }

  @Test func `before the first step there is nothing, after it no curve yet`() {
    #expect(TrainingView(steps: 10, samples: 8).lines(columns: 80, rows: 24).isEmpty)
    #expect(view(1).curves(columns: 120, rows: 4).isEmpty)
    #expect(view(1).lines(columns: 120, rows: 24).count == 2)
  }

  @Test func `numbers that no metric should have do not trap`() {
    var metrics = SyntheticRun(steps: 1).metrics[0]
    (metrics.seconds, metrics.rewardMean, metrics.klForward, metrics.step) = (0, .nan, .infinity, .max)
    var view = TrainingView(steps: 0, samples: .max)
    view.add(metrics, [])
    metrics.seconds = .nan
    view.add(metrics, [])
    // The status alone, in two lines since the step is that long; there is no curve and no story.
    #expect(view.lines(columns: 80, rows: 24).count == 2)
  }
}
