/// Finds merges: again and again the most frequent pair of neighbours, of equal ones the one with the lowest ids.
///
/// Counts are kept pair by pair and only pieces that contain a merged pair are visited. The bookkeeping follows the
/// reference where it shows: counts of a merged pair are not reset, and a pair that arises again is queued with the pieces
/// of its new places only.
struct PairLearner {
  private struct Candidate {
    var count: Int
    var pair: UInt64
    var pieces: [Int32]

    /// Whether this one merges before another.
    func precedes(_ other: Candidate) -> Bool {
      count != other.count ? count > other.count : pair < other.pair
    }
  }

  private(set) var table: TokenTable
  private(set) var merges = MergeTable(capacity: 1 << 12)
  private var symbols: [Int32] = []
  private var starts: [Int] = []
  private var lengths: [Int] = []
  private let counts: [Int]
  private var pairCounts: [UInt64: Int] = [:]
  private var places: [UInt64: [Int32]] = [:]
  private var heap: [Candidate] = []

  init(table: TokenTable, pieces: PieceCounter) {
    self.table = table
    counts = pieces.counts
    let byteIDs = (0..<256).map { table.id(ByteAlphabet.encode([UInt8($0)])) }
    for piece in 0..<pieces.pieceCount {
      let bytes = pieces.bytes(of: piece)
      starts.append(symbols.count)
      lengths.append(bytes.count)
      for byte in bytes { symbols.append(byteIDs[Int(byte)]) }
      for i in starts[piece]..<max(starts[piece], symbols.count - 1) {
        add(symbols[i], symbols[i + 1], 1, piece)
      }
    }
    queueNewPairs()
  }

  @inline(__always)
  private mutating func add(_ left: Int32, _ right: Int32, _ change: Int, _ piece: Int) {
    let pair = MergeTable.pair(left, right)
    pairCounts[pair, default: 0] += change * counts[piece]
    guard change > 0 else { return }
    let piece = Int32(truncatingIfNeeded: piece)
    places[pair, default: []].appendUnlessLast(piece)
  }

  private mutating func queueNewPairs() {
    for (pair, pieces) in places {
      if let count = pairCounts[pair], count > 0 { push(Candidate(count: count, pair: pair, pieces: pieces)) }
    }
    places.removeAll(keepingCapacity: true)
  }

  mutating func learn(upTo size: Int, progress: (Int) -> Void) {
    var rank: Int32 = 0
    while table.count < size, var top = pop() {
      let count = pairCounts[top.pair] ?? 0
      if top.count != count {
        top.count = count
        push(top)
        continue
      }
      guard count > 0 else { break }
      let left = Int32(truncatingIfNeeded: top.pair >> 32)
      let right = Int32(truncatingIfNeeded: top.pair)
      let spelling = Array(table.bytes(of: Int(left))) + Array(table.bytes(of: Int(right)))
      var merged = table.id(spelling)
      if merged < 0 {
        merged = Int32(truncatingIfNeeded: table.size)
        guard case .added = table.add(spelling, id: table.size) else { break }
      }
      merges.set(left, right, rank: rank, id: merged)
      rank += 1
      for piece in top.pieces { merge(left, right, into: merged, in: Int(piece)) }
      queueNewPairs()
      progress(table.count)
    }
  }

  /// Merges a pair in one piece and counts what changes beside it.
  private mutating func merge(_ left: Int32, _ right: Int32, into merged: Int32, in piece: Int) {
    let start = starts[piece]
    let end = start + lengths[piece]
    var read = start
    var write = start
    while read < end {
      guard read + 1 < end, symbols[read] == left, symbols[read + 1] == right else {
        symbols[write] = symbols[read]
        read += 1
        write += 1
        continue
      }
      if write > start {
        add(symbols[write - 1], left, -1, piece)
        add(symbols[write - 1], merged, 1, piece)
      }
      read += 2
      if read < end {
        add(right, symbols[read], -1, piece)
        add(merged, symbols[read], 1, piece)
      }
      symbols[write] = merged
      write += 1
    }
    lengths[piece] = write - start
  }

  private mutating func push(_ candidate: Candidate) {
    heap.append(candidate)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].precedes(heap[parent]) else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func pop() -> Candidate? {
    guard let last = heap.popLast() else { return nil }
    guard let top = heap.first else { return last }
    heap[0] = last
    var parent = 0
    while 2 * parent + 1 < heap.count {
      var child = 2 * parent + 1
      if child + 1 < heap.count && heap[child + 1].precedes(heap[child]) { child += 1 }
      guard heap[child].precedes(heap[parent]) else { break }
      heap.swapAt(child, parent)
      parent = child
    }
    return top
  }
}

extension [Int32] {
  /// Pieces are visited one after the other, so comparing with the last keeps each only once.
  fileprivate mutating func appendUnlessLast(_ value: Int32) {
    if last != value { append(value) }
  }
}
