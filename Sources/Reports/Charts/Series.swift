/// One curve of a chart.
package struct Series: Sendable {
  /// How it is drawn.
  package enum Style: Sendable {
    /// A solid line.
    case line
    /// A dashed line.
    case dashed
    /// A thin pale line, for one seed among several.
    case faint
    /// A filled area from `lower` to `upper`, without a line.
    case area
  }

  /// What the legend calls it; nil leaves it out of the legend.
  package var label: String?
  /// Where the points are along the horizontal axis, ascending.
  package var x: [Double]
  /// Their heights; a point that is not finite leaves a gap.
  package var y: [Double]
  /// The lower edge of a band around the line.
  package var lower: [Double]?
  /// The upper edge of a band around the line.
  package var upper: [Double]?
  /// Which colour of the palette, from 0.
  package var color: Int
  /// How it is drawn.
  package var style: Style

  /// A curve; all arrays are as long as `x`, or cut to the shortest.
  package init(
    label: String?, x: [Double], y: [Double], lower: [Double]? = nil, upper: [Double]? = nil, color: Int = 0,
    style: Style = .line
  ) {
    let count = [x.count, y.count, lower?.count ?? .max, upper?.count ?? .max].min() ?? 0
    self.label = label
    self.x = Array(x.prefix(count))
    self.y = Array(y.prefix(count))
    self.lower = lower.map { Array($0.prefix(count)) }
    self.upper = upper.map { Array($0.prefix(count)) }
    self.color = color
    self.style = style
  }

  /// The same curve with at most about `limit` points: of each stretch the lowest and the highest are kept.
  package func thinned(to limit: Int) -> Series {
    guard x.count > limit, limit >= 4 else { return self }
    let stretches = limit / 2
    var kept: [Int] = []
    // Areas stand on one another, so all of them must keep the same points.
    let even = style == .area
    for stretch in 0..<stretches {
      let range = stretch * x.count / stretches..<(stretch + 1) * x.count / stretches
      if even {
        kept.append(range.lowerBound)
        continue
      }
      guard let low = range.min(by: { y[$0] < y[$1] }), let high = range.max(by: { y[$0] < y[$1] }) else { continue }
      kept.append(min(low, high))
      if low != high { kept.append(max(low, high)) }
    }
    if let last = kept.last, last != x.count - 1 { kept.append(x.count - 1) }
    return Series(
      label: label, x: kept.map { x[$0] }, y: kept.map { y[$0] }, lower: lower.map { edge in kept.map { edge[$0] } },
      upper: upper.map { edge in kept.map { edge[$0] } }, color: color, style: style)
  }

  /// The ranges of neighbouring points whose `values` are all finite.
  package func finiteRuns(_ values: [[Double]]) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    var start: Int?
    for index in x.indices {
      let finite = x[index].isFinite && values.allSatisfy { $0[index].isFinite }
      if finite, start == nil { start = index }
      if !finite, let from = start {
        runs.append(from..<index)
        start = nil
      }
    }
    if let from = start { runs.append(from..<x.count) }
    return runs
  }
}
