/// The geometry of one chart: where numbers go, and the shapes they make.
struct Plot {
  private let series: [Series]
  private let xRange: ClosedRange<Double>
  private let yRange: ClosedRange<Double>
  private let xTicks: Ticks
  private let yTicks: Ticks
  private let left: Double
  private let right = LineChart.width - 18
  private let top: Double
  private let bottom = LineChart.height - 40
  /// The named curves, row by row, and where each starts.
  let legendRows: [[(series: Series, x: Double)]]

  /// Whether there is no point to draw.
  let isEmpty: Bool

  init(_ chart: LineChart, legendRows least: Int = 0) {
    series = chart.series
    legendRows = Self.layoutLegend(chart.series)
    top = 30 + 18 * Double(max(legendRows.count, least)) + 6
    let xs = chart.series.flatMap(\.x).filter(\.isFinite)
    var ys: [Double] = []
    for series in chart.series {
      if series.style != .area { ys += series.y }
      ys += (series.lower ?? []) + (series.upper ?? [])
    }
    ys = ys.filter { $0.isFinite && abs($0) <= 1e300 }
    isEmpty = xs.isEmpty || ys.isEmpty
    xRange = Self.horizontal(xs)
    yRange = Self.vertical(ys, includesZero: chart.includesZero)
    xTicks = Ticks(from: xRange.lowerBound, to: xRange.upperBound, count: 6, wholeOnly: true)
    yTicks = Ticks(from: yRange.lowerBound, to: yRange.upperBound, count: 6)
    left = max(30, 14 + 6.6 * Double(yTicks.labels.map(\.count).max() ?? 0))
  }

  /// The span of the steps; a run counted from 1 starts its axis at 0, so that the round numbers are at its ends.
  private static func horizontal(_ xs: [Double]) -> ClosedRange<Double> {
    guard let low = xs.min(), let high = xs.max() else { return 0...1 }
    if low == high { return low - 1...low + 1 }
    return (low == 1 && high >= 10 ? 0 : low)...high
  }

  /// The span of the values with a little air; a flat line lies in the middle of one.
  private static func vertical(_ ys: [Double], includesZero: Bool) -> ClosedRange<Double> {
    guard var low = ys.min(), var high = ys.max() else { return 0...1 }
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

  private func point(_ x: Double, _ y: Double) -> String { "\(coordinate(px(x))) \(coordinate(py(y)))" }

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

  /// The band or area of a curve, its line, and a dot for every point without neighbours.
  func shapes(of series: Series) -> [String] {
    var parts: [String] = []
    let color = series.color % ChartStyle.colorCount
    if let lower = series.lower, let upper = series.upper {
      let kind = series.style == .area ? "area" : "band"
      for run in series.finiteRuns([lower, upper]) {
        // One step has no width of its own: a sliver shows it.
        let single = run.count == 1
        let halfWidth = single ? (xRange.upperBound - xRange.lowerBound) / 40 : 0
        let there = run.flatMap { index in
          single
            ? [point(series.x[index] - halfWidth, upper[index]), point(series.x[index] + halfWidth, upper[index])]
            : [point(series.x[index], upper[index])]
        }
        let back = run.reversed().flatMap { index in
          single
            ? [point(series.x[index] + halfWidth, lower[index]), point(series.x[index] - halfWidth, lower[index])]
            : [point(series.x[index], lower[index])]
        }
        parts.append("<path class=\"\(kind) f\(color)\" d=\"M\((there + back).joined(separator: "L"))Z\"/>")
      }
    }
    if series.style == .area { return parts }
    let kind =
      switch series.style {
      case .dashed: "line dashed"
      case .faint: "line faint"
      case .line, .area: "line"
      }
    for run in series.finiteRuns([series.y]) {
      if run.count == 1 {
        let center =
          "cx=\"\(coordinate(px(series.x[run.lowerBound])))\" cy=\"\(coordinate(py(series.y[run.lowerBound])))\""
        parts.append("<circle class=\"f\(color)\" \(center) r=\"3.5\"/>")
      } else {
        let path = run.map { point(series.x[$0], series.y[$0]) }.joined(separator: "L")
        parts.append("<path class=\"\(kind) s\(color)\" d=\"M\(path)\"/>")
      }
    }
    return parts
  }

  /// A column over each step that lights up and tells the numbers when it is pointed at; no script is needed.
  func readings(xLabel: String) -> [String] {
    guard let longest = series.max(by: { $0.x.count < $1.x.count })?.x, !longest.isEmpty else { return [] }
    let columns = min(longest.count, 160)
    let width = (px(longest[longest.count - 1]) - px(longest[0])) / Double(max(1, columns - 1))
    return (0..<columns).compactMap { column in
      let index = columns == 1 ? 0 : column * (longest.count - 1) / (columns - 1)
      let x = longest[index]
      guard x.isFinite else { return nil }
      let values = series.compactMap { one -> String? in
        guard index < one.x.count, one.x[index] == x else { return nil }
        // Areas stand on one another: what counts is how thick each is.
        let value = one.style == .area ? one.y[index] - (one.lower?[index] ?? 0) : one.y[index]
        return (one.label.map { "\($0): " } ?? "") + Numbers.significant(value)
      }
      let from = max(left, px(x) - width / 2)
      let to = min(right, px(x) + width / 2)
      let place = "x=\"\(coordinate(from))\" width=\"\(coordinate(max(to - from, 2)))\""
      let reach = "y=\"\(coordinate(top))\" height=\"\(coordinate(bottom - top))\""
      let text = ["\(xLabel) \(Numbers.grouped(x))"] + values
      return "<rect class=\"hit\" \(place) \(reach)><title>\(escaped(text.joined(separator: "\n")))</title></rect>"
    }
  }

  /// A key for every named curve, in rows above the plot.
  func legend() -> [String] {
    var parts: [String] = []
    for (row, entries) in legendRows.enumerated() {
      let y = 38 + 18 * Double(row)
      for (series, x) in entries {
        let color = series.color % ChartStyle.colorCount
        switch series.style {
        case .area:
          let place = "x=\"\(coordinate(x))\" y=\"\(coordinate(y - 9))\""
          parts.append("<rect class=\"area f\(color)\" \(place) width=\"14\" height=\"10\" rx=\"2\"/>")
        case .line, .dashed, .faint:
          let kind = series.style == .dashed ? "line dashed" : "line"
          let from = "x1=\"\(coordinate(x))\" x2=\"\(coordinate(x + 18))\""
          let height = coordinate(y - 4)
          parts.append("<line class=\"\(kind) s\(color)\" \(from) y1=\"\(height)\" y2=\"\(height)\"/>")
        }
        let textX = coordinate(x + (series.style == .area ? 19 : 23))
        parts.append(
          "<text class=\"key\" x=\"\(textX)\" y=\"\(coordinate(y))\">\(escaped(Self.short(series.label ?? "")))</text>")
      }
    }
    return parts
  }

  /// Names longer than a row would run out of the picture.
  private static func short(_ label: String) -> String { label.count > 60 ? label.prefix(59) + "…" : label }

  private static func layoutLegend(_ series: [Series]) -> [[(series: Series, x: Double)]] {
    var rows: [[(series: Series, x: Double)]] = []
    var x = 2.0
    for one in series {
      guard let label = one.label else { continue }
      let width = 23 + 6.5 * Double(short(label).count) + 18
      if rows.isEmpty || x + width - 18 > LineChart.width {
        rows.append([])
        x = 2
      }
      rows[rows.count - 1].append((one, x))
      x += width
    }
    return rows
  }
}
