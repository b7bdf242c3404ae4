/// The merges of a byte-pair encoding: for a pair of ids the rank (lower merges first) and the id of the merged token.
struct MergeTable: Sendable {
  struct Merge {
    var pair: UInt64
    var rank: Int32
    var id: Int32
  }

  private static let empty = UInt64.max
  private var slots: [Merge]
  private var mask: Int
  private var count = 0

  init(capacity: Int) {
    var slotCount = 64
    while slotCount < 2 * capacity { slotCount *= 2 }
    slots = Array(repeating: Merge(pair: Self.empty, rank: 0, id: 0), count: slotCount)
    mask = slotCount - 1
  }

  @inline(__always)
  static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private func slot(_ pair: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: (pair &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    while slots[slot].pair != pair && slots[slot].pair != Self.empty { slot = (slot + 1) & mask }
    return slot
  }

  /// The merge of two neighbours, `nil` where they never merge.
  @inline(__always)
  func merge(_ left: Int32, _ right: Int32) -> Merge? {
    let merge = slots[slot(Self.pair(left, right))]
    return merge.pair == Self.empty ? nil : merge
  }

  /// Sets the merge of a pair; the last one of a pair counts, as it does in Hugging Face's table.
  mutating func set(_ left: Int32, _ right: Int32, rank: Int32, id: Int32) {
    if 2 * (count + 1) > slots.count { grow() }
    let pair = Self.pair(left, right)
    let slot = slot(pair)
    if slots[slot].pair == Self.empty { count += 1 }
    slots[slot] = Merge(pair: pair, rank: rank, id: id)
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: Merge(pair: Self.empty, rank: 0, id: 0), count: 2 * old.count)
    mask = slots.count - 1
    for merge in old where merge.pair != Self.empty { slots[slot(merge.pair)] = merge }
  }

  /// All merges as ids, first to last.
  var ordered: [(left: Int32, right: Int32, id: Int32)] {
    slots.filter { $0.pair != Self.empty }.sorted { $0.rank < $1.rank }.map {
      (Int32(truncatingIfNeeded: $0.pair >> 32), Int32(truncatingIfNeeded: $0.pair), $0.id)
    }
  }

  /// The ids of all merged tokens, in no order.
  var mergedIDs: [Int32] { slots.lazy.filter { $0.pair != Self.empty }.map(\.id) }
}
