/// How values are spread: the buckets that TensorBoard's histogram plugin takes.
package struct HistogramBuckets: Equatable {
  /// The values from ``left`` to below ``right``; the last bucket holds those at its right edge, too.
  package struct Bucket: Equatable {
    /// The left edge.
    package var left: Double
    /// The right edge.
    package var right: Double
    /// How many values there are.
    package var count: Double
  }

  /// The buckets from left to right.
  package let buckets: [Bucket]

  /// Sorts values into `count` buckets of one width, from the lowest to the highest; what is not finite is left out.
  ///
  /// Where all values are the same, all buckets stand at it and the last one holds them, as TensorBoard has it.
  package init(_ values: [Double], count: Int = 30) {
    let finite = values.filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max(), count > 0 else {
      buckets = []
      return
    }
    let width = (high - low) / Double(count)
    // Values so close, or so far apart, that the edges between them cannot be told.
    guard width > 0, width.isFinite, low + width > low, high - width < high else {
      let empty = Bucket(left: low, right: low, count: 0)
      buckets =
        Array(repeating: empty, count: count - 1) + [Bucket(left: low, right: high, count: Double(finite.count))]
      return
    }
    let edges = (0...count).map { $0 == count ? high : low + Double($0) * width }
    var counts = Array(repeating: 0.0, count: count)
    for value in finite {
      var index = min(count - 1, Int((value - low) / width))
      // The division may round across an edge.
      while index > 0, value < edges[index] { index -= 1 }
      while index < count - 1, value >= edges[index + 1] { index += 1 }
      counts[index] += 1
    }
    buckets = counts.indices.map { Bucket(left: edges[$0], right: edges[$0 + 1], count: counts[$0]) }
  }
}
