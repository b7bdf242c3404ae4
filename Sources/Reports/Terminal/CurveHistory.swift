/// The course of a number, however long: where it gets long, neighbours are told as one range, so that no peak is lost.
package struct CurveHistory: Sendable {
  /// One step, or several that lie beside each other.
  package struct Entry: Sendable, Equatable {
    /// The lowest value.
    package var low: Double
    /// The highest value.
    package var high: Double
  }

  /// The entries; each stands for as many steps, but the last may stand for fewer.
  package private(set) var entries: [Entry] = []
  private let limit: Int
  private var stepsPerEntry = 1
  private var stepsInLast = 0

  /// An empty history of at most `limit` entries.
  package init(limit: Int = 2_048) { self.limit = max(2, limit) }

  /// Appends the value of the next step; what is not finite is left out.
  package mutating func append(_ value: Double) {
    guard value.isFinite else { return }
    if stepsInLast < stepsPerEntry, let last = entries.last {
      entries[entries.count - 1] = Entry(low: min(last.low, value), high: max(last.high, value))
      stepsInLast += 1
      return
    }
    if entries.count == limit { halve() }
    if stepsInLast < stepsPerEntry, !entries.isEmpty { return append(value) }
    entries.append(Entry(low: value, high: value))
    stepsInLast = 1
  }

  /// Makes one entry of each two.
  private mutating func halve() {
    stepsInLast = entries.count % 2 == 0 ? stepsPerEntry * 2 : stepsPerEntry
    entries = stride(from: 0, to: entries.count, by: 2).map { index in
      let (one, two) = (entries[index], entries[min(index + 1, entries.count - 1)])
      return Entry(low: min(one.low, two.low), high: max(one.high, two.high))
    }
    stepsPerEntry *= 2
  }
}
