import Foundation
import Reports
import Runs
import TestSupport
import Testing

@Suite struct TensorBoardContentTests {
  @Test func `buckets of values that are all the same stand at that value`() {
    for value in [4.0, 0, -1e300] {
      let buckets = HistogramBuckets([value, value, value], count: 5).buckets
      #expect(buckets.map(\.left) == [value, value, value, value, value])
      #expect(buckets.map(\.right) == [value, value, value, value, value])
      #expect(buckets.map(\.count) == [0, 0, 0, 0, 3])
    }
  }

  @Test func `buckets hold what lies between their edges`() {
    let buckets = HistogramBuckets([0, 0.1, 0.25, 0.5, 0.74, 0.75, 1, 1], count: 4).buckets
    #expect(buckets.map(\.left) == [0, 0.25, 0.5, 0.75])
    #expect(buckets.map(\.right) == [0.25, 0.5, 0.75, 1])
    #expect(buckets.map(\.count) == [2, 1, 2, 3])
  }

  @Test func `no value is lost, whatever the values`() {
    let greatest = Double.greatestFiniteMagnitude
    let cases: [[Double]] = [
      [-greatest, greatest, 0], [0, Double.leastNonzeroMagnitude], [1, 1.0.nextUp], [1e308, 1e308.nextUp, 1e308],
      [Double(Float.greatestFiniteMagnitude), Double(-Float.greatestFiniteMagnitude)],
      (0..<1000).map { Double($0) * 0.1 }, [0, Double.leastNormalMagnitude / 4, Double.leastNormalMagnitude / 2],
      [-0.0, 0.0],
    ]
    for values in cases {
      let buckets = HistogramBuckets(values + [.nan, .infinity, -.infinity]).buckets
      #expect(buckets.count == 30)
      #expect(buckets.reduce(0) { $0 + $1.count } == Double(values.count), "\(values.prefix(3))")
      #expect(buckets.allSatisfy { $0.left <= $0.right && $0.left.isFinite && $0.right.isFinite })
    }
    #expect(HistogramBuckets([.nan]).buckets.isEmpty)
    #expect(HistogramBuckets([]).buckets.isEmpty)
  }

  /// Stories that try to be Markdown, HTML or a command.
  @Test(arguments: [
    "| a | b |", "**bold** _it_ `code` ~~no~~", "<script>alert(1)</script>", "[x](javascript:alert(1))", "a\\|b\\",
    "&lt;b&gt;", "![i](http://a/b.png)", "```\nx\n```", "\u{1B}[31m\u{0}\u{9B}", "\u{202E}x\u{2066}", "a\r\nb\u{2028}c",
  ])
  func `a cell is nothing but its text`(text: String) throws {
    let cell = TensorBoardText.cell(text)
    #expect(!cell.unicodeScalars.contains { "|<>*_`[]!\\~\"'\n\r\u{1B}\u{202E}\u{2028}".unicodeScalars.contains($0) })
    // Character references aside, it is the text.
    var read = ""
    var rest = cell[...]
    while let first = rest.first {
      if first == "&" {
        try #require(rest.hasPrefix("&#"))
        let digits = rest.dropFirst(2).prefix { $0 != ";" }
        read.unicodeScalars.append(try #require(UInt32(digits).flatMap(Unicode.Scalar.init)))
        rest = rest.dropFirst(digits.count + 3)
      } else {
        read.append(first)
        rest = rest.dropFirst()
      }
    }
    var expected = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n", "\u{2028}": expected += "¶"
      case "\r", "\u{0}", "\u{1B}", "\u{9B}", "\u{202E}", "\u{2066}": expected += "\u{FFFD}"
      default: expected.unicodeScalars.append(scalar)
      }
    }
    #expect(Array(read.unicodeScalars) == Array(expected.unicodeScalars))
  }

  @Test func `a long cell is cut`() {
    #expect(TensorBoardText.cell(String(repeating: "é", count: 2_000)).count == 2_000)
    let cut = TensorBoardText.cell(String(repeating: "é", count: 2_001))
    #expect(cut.count == 2_001 && cut.hasSuffix("é…"))
  }

  @Test func `numbers that no metric should have are written, not fatal`() throws {
    try withTemporaryFolder { folder in
      let synthetic = SyntheticRun(steps: 1, stories: 4)
      let run = try synthetic.write(to: folder.appending(path: "run"))
      var metrics = synthetic.metrics[0]
      (metrics.step, metrics.rewardMean, metrics.loss, metrics.seconds) = (.max, .nan, 1e300, .infinity)
      var sample = synthetic.samples(step: 1)[0]
      (sample.reward, sample.advantage, sample.index) = (.nan, .infinity, .min)
      let writer = try TensorBoardWriter(folder: folder.appending(path: "events"), manifest: run.manifest)
      try writer.add(metrics: metrics, samples: [sample])
      let event = try #require(try TensorBoardFile(Data(contentsOf: writer.file)).events.last)
      #expect(event.step == .max && event.wallTime.isFinite)
      let values = Dictionary(event.values.map { ($0.tag, $0) }) { $1 }
      #expect(values["reward/mean"]?.floats.first?.isNaN == true)
      #expect(values["policy/loss"]?.floats == [.infinity])
      #expect(values["samples/reward"]?.shape == [0, 3])
    }
  }
}
