/// Merges the symbols of one piece: always the pair of lowest rank, of equal ones the leftmost.
struct PairMerger: Sendable {
  /// Up to this many symbols a scan for the best pair beats a heap.
  private static let scanLimit = 48

  var symbols: [Int32] = []
  private var pairs: [MergeTable.Merge] = []
  private var heap = MinimumHeap()
  private var next: [Int32] = []
  private var previous: [Int32] = []

  private static let none = MergeTable.Merge(pair: 0, rank: .max, id: 0)

  mutating func mergeAll(_ merges: MergeTable) {
    guard symbols.count > 1 else { return }
    if symbols.count <= Self.scanLimit { scan(merges) } else { drain(merges) }
  }

  /// Short pieces: keep the merge of each neighbouring pair, take the best, repeat.
  private mutating func scan(_ merges: MergeTable) {
    var count = symbols.count
    pairs.removeAll(keepingCapacity: true)
    for i in 0..<(count - 1) { pairs.append(merges.merge(symbols[i], symbols[i + 1]) ?? Self.none) }
    while count > 1 {
      var best = 0
      var rank = pairs[0].rank
      for i in 1..<max(1, count - 1) where pairs[i].rank < rank { (best, rank) = (i, pairs[i].rank) }
      if rank == .max { break }
      symbols[best] = pairs[best].id
      for i in (best + 1)..<(count - 1) {
        symbols[i] = symbols[i + 1]
        pairs[i - 1] = pairs[i]
      }
      // The loop above moved the pairs after the merged one down; the two beside the new symbol change.
      count -= 1
      if best + 1 < count { pairs[best] = merges.merge(symbols[best], symbols[best + 1]) ?? Self.none }
      if best > 0 { pairs[best - 1] = merges.merge(symbols[best - 1], symbols[best]) ?? Self.none }
    }
    symbols.removeLast(symbols.count - count)
  }

  /// Long pieces: a heap of candidate pairs over a linked list, n log n whatever the text.
  private mutating func drain(_ merges: MergeTable) {
    let count = symbols.count
    next = (0..<count).map { Int32(truncatingIfNeeded: $0 + 1) }
    previous = (0..<count).map { Int32(truncatingIfNeeded: $0 - 1) }
    heap.removeAll()
    for i in 0..<(count - 1) {
      if let merge = merges.merge(symbols[i], symbols[i + 1]) { heap.push(rank: merge.rank, position: Int32(i)) }
    }
    while let (rank, position) = heap.pop() {
      let i = Int(position)
      guard symbols[i] >= 0, next[i] < count else { continue }
      let right = Int(next[i])
      // A pair that changed since it was pushed has another rank now.
      guard let merge = merges.merge(symbols[i], symbols[right]), merge.rank == rank else { continue }
      symbols[i] = merge.id
      symbols[right] = -1
      next[i] = next[right]
      if next[i] < count { previous[Int(next[i])] = position }
      if previous[i] >= 0, let merge = merges.merge(symbols[Int(previous[i])], symbols[i]) {
        heap.push(rank: merge.rank, position: previous[i])
      }
      if next[i] < count, let merge = merges.merge(symbols[i], symbols[Int(next[i])]) {
        heap.push(rank: merge.rank, position: position)
      }
    }
    symbols.removeAll { $0 < 0 }
  }
}

/// A binary heap of pairs, the lowest rank first, then the lowest position.
struct MinimumHeap: Sendable {
  private var keys: [UInt64] = []

  mutating func removeAll() { keys.removeAll(keepingCapacity: true) }

  mutating func push(rank: Int32, position: Int32) {
    keys.append(UInt64(UInt32(bitPattern: rank)) << 32 | UInt64(UInt32(bitPattern: position)))
    var child = keys.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard keys[child] < keys[parent] else { return }
      keys.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> (rank: Int32, position: Int32)? {
    guard let top = keys.first, let last = keys.popLast() else { return nil }
    if !keys.isEmpty {
      keys[0] = last
      var parent = 0
      while 2 * parent + 1 < keys.count {
        var child = 2 * parent + 1
        if child + 1 < keys.count && keys[child + 1] < keys[child] { child += 1 }
        guard keys[child] < keys[parent] else { break }
        keys.swapAt(child, parent)
        parent = child
      }
    }
    return (Int32(truncatingIfNeeded: top >> 32), Int32(truncatingIfNeeded: top))
  }
}
