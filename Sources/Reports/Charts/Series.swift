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
    /// A thin dotted line, for a limit.
    case rule
    /// A filled area from `lower` to `upper`, without a line.
    case area
  }

  /// What the legend calls it; nil leaves it out of the legend.
  package var label: String?
  /// What the reading of a pointed step calls it, where that is not its label.
  package var readingLabel: String?
  /// Where the points are along the horizontal axis, ascending unless ``steps`` orders them.
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
  /// The step of each point, where `x` is something else: the points are then a trail, joined in this order, whose
  /// last point is marked.
  package var steps: [Double]?
  /// Which run of the chart it is of: an index of ``LineChart/clocks``.
  package var run = 0
  /// The label of the curve that a reader hides it with; nil where it is its own.
  package var companion: String?

  /// A curve; all arrays are as long as `x`, or cut to the shortest.
  package init(
    label: String?, x: [Double], y: [Double], lower: [Double]? = nil, upper: [Double]? = nil, color: Int = 0,
    style: Style = .line, steps: [Double]? = nil
  ) {
    let count = [x.count, y.count, lower?.count ?? .max, upper?.count ?? .max, steps?.count ?? .max].min() ?? 0
    self.label = label
    self.x = Array(x.prefix(count))
    self.y = Array(y.prefix(count))
    self.lower = lower.map { Array($0.prefix(count)) }
    self.upper = upper.map { Array($0.prefix(count)) }
    self.color = color
    self.style = style
    self.steps = steps.map { Array($0.prefix(count)) }
  }

  /// How many numbers a point of the drawing has: its line, and the edges of its band.
  var strands: Int { (style == .area ? 0 : 1) + (lower == nil ? 0 : 1) + (upper == nil ? 0 : 1) }

  /// The same curve with at most about `limit` points: of each stretch the lowest and the highest are kept. Trails stay
  /// as they are.
  package func thinned(to limit: Int) -> Series {
    guard x.count > limit, limit >= 4, steps == nil else { return self }
    let stretches = limit / 2
    var kept: [Int] = []
    kept.reserveCapacity(limit + 2)
    // Areas stand on one another, so all of them must keep the same points.
    let even = style == .area
    let count = even ? limit : stretches
    for stretch in 0..<count {
      let range = stretch * x.count / count..<(stretch + 1) * x.count / count
      if even {
        kept.append(range.lowerBound)
        continue
      }
      var low: Int?
      var high: Int?
      for index in range where y[index].isFinite {
        if low.map({ y[index] < y[$0] }) ?? true { low = index }
        if high.map({ y[index] > y[$0] }) ?? true { high = index }
      }
      // A stretch without any number stays as a gap.
      guard let low, let high else {
        kept.append(range.lowerBound)
        continue
      }
      kept.append(min(low, high))
      if low != high { kept.append(max(low, high)) }
    }
    if let last = kept.last, last != x.count - 1 { kept.append(x.count - 1) }
    var thin = self
    thin.x = kept.map { x[$0] }
    thin.y = kept.map { y[$0] }
    thin.lower = lower.map { edge in kept.map { edge[$0] } }
    thin.upper = upper.map { edge in kept.map { edge[$0] } }
    return thin
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
