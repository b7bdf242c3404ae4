/// The geometry of one chart: where numbers go, and the shapes they make.
struct Plot {
  let frame: Frame
  let xRange: ClosedRange<Double>
  let yRange: ClosedRange<Double>
  private let xTicks: Ticks
  private let yTicks: Ticks
  let left: Double
  let right: Double
  let top: Double
  let bottom: Double
  let width: Double
  let height: Double
  /// The named curves, row by row, and where each starts.
  let legendRows: [[(series: Series, x: Double)]]

  /// Whether there is no point to draw.
  let isEmpty: Bool

  init(_ chart: LineChart, frame: Frame, legendRows least: Int = 0) {
    self.frame = frame
    legendRows = frame.legend(of: chart.series)
    let rows = max(legendRows.count, least)
    width = frame.width
    height = frame.height(legendRows: rows)
    top = frame.top(legendRows: rows)
    bottom = height - frame.foot
    right = width - frame.rightMargin
    var xs: ClosedRange<Double>?
    var ys: ClosedRange<Double>?
    func widen(_ range: inout ClosedRange<Double>?, _ values: [Double]) {
      for value in values where value.isFinite && abs(value) <= 1e300 {
        guard let old = range else {
          range = value...value
          continue
        }
        if value < old.lowerBound { range = value...old.upperBound }
        if value > old.upperBound { range = old.lowerBound...value }
      }
    }
    for series in chart.series {
      widen(&xs, series.x)
      if series.style != .area { widen(&ys, series.y) }
      widen(&ys, series.lower ?? [])
      widen(&ys, series.upper ?? [])
    }
    isEmpty = xs == nil || ys == nil
    xRange = chart.countsSteps ? Self.steps(xs) : Self.fromZero(xs)
    yRange = Self.vertical(ys, includesZero: chart.includesZero)
    xTicks = Ticks(from: xRange.lowerBound, to: xRange.upperBound, count: 6, wholeOnly: chart.countsSteps)
    yTicks = Ticks(from: yRange.lowerBound, to: yRange.upperBound, count: frame.tickCount)
    left = max(30, 14 + 6.6 * Double(yTicks.labels.map(\.count).max() ?? 0))
  }

  /// The span of the steps; a run counted from 1 starts its axis at 0, so that the round numbers are at its ends.
  private static func steps(_ range: ClosedRange<Double>?) -> ClosedRange<Double> {
    guard let range else { return 0...1 }
    let (low, high) = (range.lowerBound, range.upperBound)
    if low == high { return low - 1...low + 1 }
    return (low == 1 && high >= 10 ? 0 : low)...high
  }

  /// From zero, or below, to the greatest number with a little air.
  private static func fromZero(_ range: ClosedRange<Double>?) -> ClosedRange<Double> {
    guard let range else { return 0...1 }
    let low = min(0, range.lowerBound)
    let high = max(0, range.upperBound)
    return low...(high > low ? high + (high - low) * 0.04 : low + 1)
  }

  /// The span of the values with a little air; a flat line lies in the middle of one.
  private static func vertical(_ range: ClosedRange<Double>?, includesZero: Bool) -> ClosedRange<Double> {
    guard let range else { return 0...1 }
    var (low, high) = (range.lowerBound, range.upperBound)
    if includesZero { (low, high) = (min(low, 0), max(high, 0)) }
    let size = max(abs(low), abs(high))
    if high - low <= size * 1e-9 {
      let air = size > 0 ? size / 2 : 1
      return includesZero && low >= 0 ? 0...max(high + air, 1e-300) : low - air...high + air
    }
    let air = (high - low) * 0.05
    return (includesZero && low == 0 ? 0 : low - air)...(includesZero && high == 0 ? 0 : high + air)
  }

  private func px(_ x: Double) -> Double {
    left + (x - xRange.lowerBound) / (xRange.upperBound - xRange.lowerBound) * (right - left)
  }

  private func py(_ y: Double) -> Double {
    bottom - (y - yRange.lowerBound) / (yRange.upperBound - yRange.lowerBound) * (bottom - top)
  }

  private func point(_ x: Double, _ y: Double) -> String { "\(frame.number(px(x))) \(frame.number(py(y)))" }

  /// Grid, tick labels and the name of the horizontal axis.
  func axes(xLabel: String) -> [String] {
    var parts: [String] = []
    for (value, label) in zip(yTicks.values, yTicks.labels) {
      let y = coordinate(py(value))
      let kind = value == 0 ? "zero" : "grid"
      parts.append(
        "<line class=\"\(kind)\" x1=\"\(coordinate(left))\" x2=\"\(coordinate(right))\" y1=\"\(y)\" y2=\"\(y)\"/>")
      let baseline = coordinate(py(value) + 4)
      parts.append("<text class=\"tick end\" x=\"\(coordinate(left - 6))\" y=\"\(baseline)\">\(escaped(label))</text>")
    }
    let base = coordinate(bottom)
    parts.append(
      "<line class=\"axis\" x1=\"\(coordinate(left))\" x2=\"\(coordinate(right))\" y1=\"\(base)\" y2=\"\(base)\"/>")
    for (value, label) in zip(xTicks.values, xTicks.labels) {
      let x = coordinate(px(value))
      parts.append("<line class=\"axis\" x1=\"\(x)\" x2=\"\(x)\" y1=\"\(base)\" y2=\"\(coordinate(bottom + 4))\"/>")
      parts.append("<text class=\"tick middle\" x=\"\(x)\" y=\"\(coordinate(bottom + 18))\">\(escaped(label))</text>")
    }
    let middle = coordinate((left + right) / 2)
    parts.append(
      "<text class=\"tick middle\" x=\"\(middle)\" y=\"\(coordinate(bottom + 35))\">\(escaped(xLabel))</text>")
    return parts
  }

  /// The band or area of a curve, its line, a dot for every point without neighbours, and the mark that ends a trail.
  func shapes(of series: Series) -> [String] {
    var parts: [String] = []
    let color = series.color % ChartStyle.colorCount
    if let lower = series.lower, let upper = series.upper {
      let kind = series.style == .area ? "area" : "band"
      for run in series.finiteRuns([lower, upper]) {
        parts.append("<path class=\"\(kind) f\(color)\" d=\"\(outline(run, of: series, lower, upper))\"/>")
      }
    }
    if series.style == .area { return parts }
    for run in series.finiteRuns([series.y]) {
      if run.count == 1 {
        if series.steps == nil || run.upperBound < series.x.count {
          parts.append(circle(series, run.lowerBound, kind: "f\(color)", radius: 3.5))
        }
      } else {
        let path = run.map { point(series.x[$0], series.y[$0]) }.joined(separator: "L")
        parts.append("<path class=\"\(series.style.classes) s\(color)\" d=\"M\(path)\"/>")
      }
    }
    if series.steps != nil, let last = series.finiteRuns([series.y]).last?.last {
      parts.append(circle(series, last, kind: "end-mark f\(color)", radius: 5))
    }
    return parts
  }

  private func outline(_ run: Range<Int>, of series: Series, _ lower: [Double], _ upper: [Double]) -> String {
    // One step has no width of its own: a sliver shows it.
    let halfWidth = run.count == 1 ? (xRange.upperBound - xRange.lowerBound) / 40 : 0
    func edge(_ index: Int, _ y: Double, _ sides: [Double]) -> [String] {
      (halfWidth == 0 ? [0] : sides).map { point(series.x[index] + $0 * halfWidth, y) }
    }
    let there = run.flatMap { edge($0, upper[$0], [-1, 1]) }
    let back = run.reversed().flatMap { edge($0, lower[$0], [1, -1]) }
    return "M\((there + back).joined(separator: "L"))Z"
  }

  private func circle(_ series: Series, _ index: Int, kind: String, radius: Double) -> String {
    let center = "cx=\"\(coordinate(px(series.x[index])))\" cy=\"\(coordinate(py(series.y[index])))\""
    return "<circle class=\"\(kind)\" \(center) r=\"\(coordinate(radius))\"/>"
  }

  /// A key for every named curve, in rows above the plot.
  func legend() -> [String] {
    var parts: [String] = []
    for (row, entries) in legendRows.enumerated() {
      let y = frame.head + 8 + frame.legendRow * Double(row)
      for (series, x) in entries {
        if frame == .page { parts.append("<g class=\"entry\" data-name=\"\(escaped(series.label ?? ""))\">") }
        let color = series.color % ChartStyle.colorCount
        if series.style == .area {
          let place = "x=\"\(coordinate(x))\" y=\"\(coordinate(y - 9))\""
          parts.append("<rect class=\"area f\(color)\" \(place) width=\"14\" height=\"10\" rx=\"2\"/>")
        } else {
          let kind = series.style == .faint ? "line" : series.style.classes
          let from = "x1=\"\(coordinate(x))\" x2=\"\(coordinate(x + 18))\""
          let height = coordinate(y - 4)
          parts.append("<line class=\"\(kind) s\(color)\" \(from) y1=\"\(height)\" y2=\"\(height)\"/>")
        }
        let textX = coordinate(x + (series.style == .area ? 19 : 23))
        let label = escaped(frame.short(series.label ?? ""))
        parts.append("<text class=\"key\" x=\"\(textX)\" y=\"\(coordinate(y))\">\(label)</text>")
        if frame == .page { parts.append("</g>") }
      }
    }
    return parts
  }
}

extension Series.Style {
  /// The classes of a curve drawn so.
  var classes: String {
    switch self {
    case .dashed: "line dashed"
    case .faint: "line faint"
    case .rule: "line rule"
    case .line, .area: "line"
    }
  }
}
