import Foundation
import Reports
import Runs
import TestSupport
import Testing

@Suite("Charts") struct ChartTests {
  @Test func `ticks are round numbers inside the limits`() {
    #expect(Ticks(from: 0, to: 1).labels == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"].map { $0 == "0.0" ? "0" : $0 })
    #expect(Ticks(from: 0, to: 80, count: 6, wholeOnly: true).labels == ["0", "20", "40", "60", "80"])
    #expect(Ticks(from: 0, to: 3.98).labels == ["0", "1", "2", "3"])
    #expect(Ticks(from: -0.3, to: 0.7).labels == ["−0.2", "0", "0.2", "0.4", "0.6"])
    #expect(Ticks(from: 0.145, to: 0.61).labels == ["0.2", "0.3", "0.4", "0.5", "0.6"])
    #expect(Ticks(from: 1, to: 3, count: 6, wholeOnly: true).labels == ["1", "2", "3"])
  }

  @Test func `tiny and huge numbers are written with powers and units`() {
    #expect(Ticks(from: 0, to: 3.1e-5).labels == ["0", "1×10⁻⁵", "2×10⁻⁵", "3×10⁻⁵"])
    #expect(Ticks(from: 0, to: 2.4e-6).labels == ["0", "0.5×10⁻⁶", "1.0×10⁻⁶", "1.5×10⁻⁶", "2.0×10⁻⁶"])
    #expect(Ticks(from: 0, to: 50_000).labels == ["0", "10k", "20k", "30k", "40k", "50k"])
    #expect(Ticks(from: 0, to: 2_000_000).labels == ["0", "0.5M", "1.0M", "1.5M", "2.0M"])
    #expect(Ticks(from: 0, to: 4e12).labels == ["0", "1×10¹²", "2×10¹²", "3×10¹²", "4×10¹²"])
  }

  @Test(arguments: [(1.0, 1.0), (2, 1), (.nan, 1), (0, .infinity), (1, 1 + 1e-16), (1e300, 1e300 * (1 + 1e-15))])
  func `limits without an inside give few or no ticks`(_ low: Double, _ high: Double) {
    let ticks = Ticks(from: low, to: high)
    #expect(ticks.values.count == ticks.labels.count)
    #expect(ticks.values.count < 100)
  }

  @Test func `ticks always fit for spans of every size`() {
    var random = Numbers64(state: 5)
    for _ in 0..<2000 {
      let low = Double.random(in: -1...1, using: &random) * pow(10, Double.random(in: -12...12, using: &random))
      let high = low + pow(10, Double.random(in: -8...8, using: &random)) * max(abs(low), 1e-9)
      let ticks = Ticks(from: low, to: high)
      #expect((1...11).contains(ticks.values.count), "\(low) to \(high)")
      #expect(Set(ticks.labels).count == ticks.labels.count, "\(low) to \(high): \(ticks.labels)")
      #expect(ticks.values.allSatisfy { $0 >= low - (high - low) * 1e-6 && $0 <= high + (high - low) * 1e-6 })
    }
  }

  @Test func `coordinates have at most two decimals`() {
    let values = [0, 1, -1, 0.5, 0.05, 0.005, -0.001, 123.456, -0.1, 99.999, .nan, .infinity]
    let expected = ["0", "1", "-1", "0.5", "0.05", "0.01", "0", "123.46", "-0.1", "100", "0", "0"]
    #expect(values.map(coordinate) == expected)
  }

  @Test func `numbers are written for readers`() {
    #expect(
      [0.145, 12.34, 4096, 1_234_567, 3.1e-5, -0.04, 0, 0.00123].map { Numbers.significant($0) } == [
        "0.145", "12.3", "4,096", "1,234,567", "3.10×10⁻⁵", "−0.0400", "0", "0.00123",
      ])
    #expect(Numbers.fixed(-0.0004, 3) == "0.000")
    #expect(Numbers.grouped(-1_000_002) == "−1,000,002")
    let durations = [0.0123, 0.3, 15.2, 200, 7500].map(Numbers.duration)
    #expect(
      durations.map { $0.replacing("\u{A0}", with: " ") } == ["12 ms", "0.30 s", "15.2 s", "3 min 20 s", "2 h 5 min"])
    #expect(Numbers.counted(1, "step", "steps") == "1 step")
  }

  @Test func `text is escaped and forbidden characters are replaced`() {
    #expect(escaped("<b a='1' c=\"2\">&amp;</b>") == "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;&lt;/b&gt;")
    #expect(escaped("a\u{0}\u{1B}\u{85}\u{FFFF}\u{202E}b\n\t🐈") == "a\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}b\n\t🐈")
  }

  @Test func `points lie where their numbers say`() {
    let series = Series(label: nil, x: [0, 10, 20], y: [0, 5, 10])
    let chart = LineChart(title: "t", series: [series], includesZero: true)
    let numbers = Markup(chart.group()).pathNumbers
    #expect(numbers.count == 6)
    // Equal steps both ways, to the right and upward.
    #expect(abs((numbers[2] - numbers[0]) - (numbers[4] - numbers[2])) < 0.02)
    #expect(abs((numbers[3] - numbers[1]) - (numbers[5] - numbers[3])) < 0.02)
    #expect(numbers[4] > numbers[0])
    #expect(numbers[5] < numbers[1])
    #expect(numbers[1] == LineChart.height - 40)
  }

  @Test func `no steps, one step and a flat line are drawn`() {
    let empty = Markup(LineChart(title: "t", series: [Series(label: "a", x: [], y: [])]).embedded())
    #expect(empty.text.contains("no steps yet"))
    let one = Markup(LineChart(title: "t", series: [Series(label: "a", x: [1], y: [0.5])]).embedded())
    #expect(one.elements.filter { $0.name == "circle" }.count == 1)
    for value in [0, 1, -3e-7, 1e300] {
      for includesZero in [false, true] {
        let x = (1...20).map(Double.init)
        let series = Series(label: nil, x: x, y: x.map { _ in value })
        let flat = Markup(LineChart(title: "t", series: [series], includesZero: includesZero).embedded())
        #expect(flat.pathNumbers.count == 40)
        let heights = flat.pathNumbers.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
        #expect(heights.allSatisfy { (0...LineChart.height).contains($0) }, "\(value)")
      }
    }
  }

  @Test func `numbers that are not finite leave gaps`() {
    let y = [1, 2, .nan, 3, .infinity, 4, 5]
    let series = Series(label: nil, x: [1, 2, 3, 4, 5, 6, 7], y: y, lower: y, upper: y)
    let markup = Markup(LineChart(title: "t", series: [series]).embedded())
    #expect(markup.count(ofClass: "line") == 2)
    #expect(markup.elements.filter { $0.name == "circle" }.count == 1)
    #expect(markup.pathNumbers.allSatisfy { $0.isFinite })
  }

  @Test func `a stretch that has a number keeps it, one that has none stays a gap`() {
    var y = (0..<1000).map(Double.init)
    for index in 0..<1000 where index % 10 != 5 { y[index] = .nan }
    let thin = Series(label: nil, x: y.indices.map(Double.init), y: y).thinned(to: 100)
    #expect(thin.y.filter(\.isFinite).count >= 50)
    for index in 400..<600 { y[index] = .nan }
    let gap = Series(label: nil, x: y.indices.map(Double.init), y: y).thinned(to: 100)
    #expect(gap.finiteRuns([gap.y]).count >= 2)
  }

  @Test func `a trail is drawn in its order, with a mark at its last point only`() {
    let trail = Series(label: "a", x: [0, 3, 1, 2], y: [0, 1, 2, 0.5], steps: [1, 2, 3, 4])
    let chart = LineChart(title: "t", series: [trail], countsSteps: false)
    let markup = Markup(chart.group())
    let numbers = markup.pathNumbers
    #expect(numbers.count == 8)
    #expect(numbers[2] > numbers[6] && numbers[6] > numbers[4] && numbers[4] > numbers[0])
    let marks = markup.elements.filter { ($0.attributes["class"] ?? "").contains("end-mark") }
    #expect(marks.map { $0.attributes["cx"].flatMap(Double.init) } == [numbers[6]])
    #expect(marks.map { $0.attributes["cy"].flatMap(Double.init) } == [numbers[7]])
  }

  @Test func `a long legend makes a chart higher instead of its curves flatter`() {
    func chart(_ count: Int) -> LineChart {
      let label = String(repeating: "a long name ", count: 4)
      return LineChart(title: "t", series: (0..<count).map { Series(label: label, x: [1, 2], y: [0, 1], color: $0) })
    }
    for count in [2, 12] {
      let numbers = Markup(chart(count).embedded()).pathNumbers
      #expect(abs(numbers[1] - numbers[3]) > 140)
    }
  }

  @Test func `long curves keep their peaks and stay small`() {
    let x = (0..<50_000).map(Double.init)
    var y = x.map { sin($0 / 5000) }
    y[31_415] = 9
    let thin = Series(label: nil, x: x, y: y, lower: y, upper: y).thinned(to: 1200)
    #expect(thin.x.count <= 1202)
    #expect(thin.y.max() == 9)
    #expect(thin.x.last == 49_999)
    #expect(thin.lower == thin.y)
    #expect(thin.x == thin.x.sorted())
  }
}
