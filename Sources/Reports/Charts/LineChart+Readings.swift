import Foundation
import JSON
import Runs

extension LineChart {
  /// The values behind a chart as JSON, for the scripts of charts: where the plot lies, its ranges, what else may stand
  /// along the horizontal axis, and for each curve its name, look and values at no more steps than the chart shows.
  func readings(_ plot: Plot) -> String {
    var writer = JSONWriter(capacity: 8192)
    func numbers(_ name: StaticString, _ values: [Double]) {
      writer.key(name)
      writer.list(values) { value, writer in writer.number(value, field: "") }
    }
    let across = ReadingScale(plot.xRange)
    let upward = ReadingScale(plot.yRange)
    writer.raw("{")
    writer.key("x", first: true)
    writer.string(xLabel)
    numbers("plot", [plot.left, plot.top, plot.right, plot.bottom])
    numbers("xr", [plot.xRange.lowerBound, plot.xRange.upperBound])
    numbers("yr", [plot.yRange.lowerBound, plot.yRange.upperBound])
    if includesZero {
      writer.key("zero")
      writer.integer(1)
    }
    let shown = series.filter { $0.style != .rule }
    let steps = Self.sharedSteps(of: shown, limit: pointLimit)
    writer.key("t")
    writer.list(steps) { value, writer in across.write(value, to: &writer) }
    writer.key("clocks")
    writer.list(steps.isEmpty ? [] : clocks) { $0.write(at: steps, to: &$1) }
    writer.key("rules")
    writer.list(series.filter { $0.style == .rule }) { rule, writer in
      writer.raw("{")
      writer.key("n", first: true)
      writer.string(rule.label ?? "")
      writer.key("c")
      writer.integer(rule.color % ChartStyle.colorCount)
      writer.key("v")
      upward.write(rule.y.first ?? .nan, to: &writer)
      writer.raw("}")
    }
    writer.key("s")
    writer.list(shown) { one, writer in
      writer.raw("{")
      writer.key("n", first: true)
      writer.string(one.readingLabel ?? one.label ?? "")
      writer.key("c")
      writer.integer(one.color % ChartStyle.colorCount)
      writer.key("k")
      writer.string(one.style.classes)
      writer.key("l")
      writer.string(one.companion ?? one.label ?? "")
      writer.key("r")
      writer.integer(one.run)
      if one.style == .area {
        writer.key("a")
        writer.integer(1)
      }
      let indices = one.steps == nil ? one.indices(of: steps) : one.x.indices.map { Optional($0) }
      if let trail = one.steps {
        writer.key("t")
        writer.list(trail) { value, writer in across.write(value, to: &writer) }
        writer.key("x")
        writer.list(one.x) { value, writer in across.write(value, to: &writer) }
        writer.key("clock")
        if clocks.indices.contains(one.run) {
          clocks[one.run].write(at: trail, to: &writer)
        } else {
          writer.raw("null")
        }
      }
      writer.key("v")
      writer.list(indices) { index, writer in
        // Areas stand on one another: what counts is how thick each is.
        let value = index.map { one.style == .area ? one.y[$0] - (one.lower?[$0] ?? 0) : one.y[$0] }
        upward.write(value ?? .nan, to: &writer)
      }
      if one.style != .area, let lower = one.lower, let upper = one.upper {
        writer.key("d")
        writer.list(indices) { index, writer in
          upward.write(index.map { (upper[$0] - lower[$0]) / 2 } ?? .nan, to: &writer)
        }
      }
      writer.raw("}")
    }
    writer.raw("}")
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// The steps that any of the curves has, ascending, at most about `limit` of them evenly spread, with the last.
  private static func sharedSteps(of series: [Series], limit: Int) -> [Double] {
    var all: [Double] = []
    var last: [Double]?
    for one in series where one.steps == nil && one.x != last {
      all += one.x
      last = one.x
    }
    all = all.filter(\.isFinite).sorted()
    var steps: [Double] = []
    for step in all where step != steps.last { steps.append(step) }
    guard steps.count > limit, limit > 1 else { return steps }
    return (0..<limit).map { steps[$0 * (steps.count - 1) / (limit - 1)] }
  }
}

extension Series {
  /// Where each of the ascending `steps` is among the points; nil where it is not.
  fileprivate func indices(of steps: [Double]) -> [Int?] { places(of: steps, in: x) }
}

/// Where each of the ascending `steps` is among others; nil where it is not.
private func places(of steps: [Double], in all: [Double]) -> [Int?] {
  var low = 0
  return steps.map { step in
    var high = all.count
    while low < high {
      let middle = (low + high) / 2
      if all[middle] < step { low = middle + 1 } else { high = middle }
    }
    return low < all.count && all[low] == step ? low : nil
  }
}

extension RunClock {
  /// Appends what it shows at the ascending `steps`; null at steps that the run does not have.
  fileprivate func write(at chosen: [Double], to writer: inout JSONWriter) {
    let indices = places(of: chosen, in: steps)
    writer.raw("{")
    for (position, values) in [completions, seconds].enumerated() {
      if position == 0 { writer.key("completions", first: true) } else { writer.key("seconds") }
      let scale = ReadingScale(0...max(values.last ?? 0, 1e-9))
      writer.list(indices) { index, writer in scale.write(index.map { values[$0] } ?? .nan, to: &writer) }
    }
    writer.raw("}")
  }
}

/// How numbers of one axis are written: as finely as the axis can show, and with three significant digits at least.
private struct ReadingScale {
  /// Decimals that suit a thousandth of the axis.
  private let decimals: Double

  init(_ range: ClosedRange<Double>) {
    let part = (range.upperBound - range.lowerBound) / 1000
    decimals = part.isFinite && part > 0 ? -log10(part).rounded(.down) : 0
  }

  /// Appends a number; null where it is not finite.
  func write(_ value: Double, to writer: inout JSONWriter) {
    guard value.isFinite else {
      writer.raw("null")
      return
    }
    if value == value.rounded(), abs(value) < 1e15 {
      writer.integer(Int(value))
      return
    }
    let digits = max(decimals, 2 - log10(abs(value)).rounded(.down))
    // Powers beyond the range of a double would lose the number itself.
    guard abs(digits) < 290 else {
      writer.number(value, field: "")
      return
    }
    let scale = pow(10, abs(digits))
    let scaled = digits >= 0 ? (value * scale).rounded() / scale : (value / scale).rounded() * scale
    let rounded = scaled.isFinite ? scaled : value
    if rounded == rounded.rounded(), abs(rounded) < 1e15 {
      writer.integer(Int(rounded))
    } else {
      writer.number(rounded, field: "")
    }
  }
}
