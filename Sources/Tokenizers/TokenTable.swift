/// The spellings of a vocabulary by id, and the ids by spelling.
///
/// Spellings are bytes: Swift's `String` takes canonically equivalent texts for equal, a vocabulary does not.
struct TokenTable: Sendable {
  /// More ids than any real vocabulary has: a file cannot make us allocate without bound.
  static let idLimit = 1 << 22

  private var arena: [UInt8] = []
  /// Start and length in `arena` by id; a negative length marks an id without a token.
  private var spans: [(start: Int32, length: Int32)] = []
  /// Open addressing: id + 1, or 0 for an empty slot.
  private var slots: [Int32]
  private var mask: Int
  /// How many tokens there are; at most `size`.
  private(set) var count = 0
  /// The length in bytes of the longest spelling.
  private(set) var longest = 0

  /// The largest id plus one.
  var size: Int { spans.count }

  init(capacity: Int) {
    var slotCount = 64
    while slotCount < 2 * min(capacity, Self.idLimit) { slotCount *= 2 }
    slots = Array(repeating: 0, count: slotCount)
    mask = slotCount - 1
    spans.reserveCapacity(min(capacity, Self.idLimit))
  }

  /// The hash of no bytes, from which ``hash(_:_:)`` goes on.
  static let emptyHash: UInt64 = 0xCBF2_9CE4_8422_2325

  @inline(__always)
  static func hash(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }

  @inline(__always)
  static func slot(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: (hash &* 0x9E37_79B9_7F4A_7C15) >> 32)
  }

  /// The id spelled by `prefix` and then `bytes`, whose hash is known; -1 where there is none.
  @inline(__always)
  func id(hash: UInt64, prefix: UnsafeBufferPointer<UInt8>, bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
    var slot = Self.slot(hash) & mask
    while true {
      let entry = slots[slot]
      if entry == 0 { return -1 }
      let span = spans[Int(entry) - 1]
      if Int(span.length) == prefix.count + bytes.count, spells(span.start, prefix, bytes) { return entry - 1 }
      slot = (slot + 1) & mask
    }
  }

  @inline(__always)
  private func spells(
    _ start: Int32, _ prefix: UnsafeBufferPointer<UInt8>, _ bytes: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    arena.withUnsafeBufferPointer { arena in
      var i = Int(start)
      for byte in prefix {
        if arena[i] != byte { return false }
        i += 1
      }
      for byte in bytes {
        if arena[i] != byte { return false }
        i += 1
      }
      return true
    }
  }

  /// The id spelled by `left` and then `right`, -1 where there is none.
  func id(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Int32 {
    var hash = Self.emptyHash
    for byte in left { hash = Self.hash(hash, byte) }
    for byte in right { hash = Self.hash(hash, byte) }
    return id(hash: hash, prefix: left, bytes: right)
  }

  /// The id spelled `bytes`, -1 where there is none.
  func id(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
    var hash = Self.emptyHash
    for byte in bytes { hash = Self.hash(hash, byte) }
    return id(hash: hash, prefix: UnsafeBufferPointer(start: nil, count: 0), bytes: bytes)
  }

  func id(_ bytes: [UInt8]) -> Int32 { bytes.withUnsafeBufferPointer { id($0) } }

  func id(_ text: String) -> Int32 { id(Array(text.utf8)) }

  /// What adding a token came to.
  enum Addition {
    case added
    case idOutOfRange
    case idTaken
    case spellingTaken
  }

  /// Adds a token.
  mutating func add(_ bytes: UnsafeBufferPointer<UInt8>, id newID: Int) -> Addition {
    guard newID >= 0 && newID < Self.idLimit else { return .idOutOfRange }
    if newID < spans.count && spans[newID].length >= 0 { return .idTaken }
    if 2 * (count + 1) > slots.count { grow() }
    var hash = Self.emptyHash
    for byte in bytes { hash = Self.hash(hash, byte) }
    let none = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    if id(hash: hash, prefix: none, bytes: bytes) >= 0 { return .spellingTaken }
    while spans.count <= newID { spans.append((0, -1)) }
    spans[newID] = (Int32(truncatingIfNeeded: arena.count), Int32(truncatingIfNeeded: bytes.count))
    arena.append(contentsOf: bytes)
    place(newID, hash)
    count += 1
    longest = max(longest, bytes.count)
    return .added
  }

  mutating func add(_ bytes: [UInt8], id: Int) -> Addition { bytes.withUnsafeBufferPointer { add($0, id: id) } }

  /// Adds a token of a file, or says what is wrong with it.
  mutating func add(_ bytes: UnsafeBufferPointer<UInt8>, id: Int, file: String) throws {
    // Spans are 32 bits wide.
    guard arena.count + bytes.count < Int(Int32.max) else {
      throw TokenizerError.invalid(file: file, reason: "the vocabulary is too large")
    }
    let problem: String
    switch add(bytes, id: id) {
    case .added: return
    case .idOutOfRange: problem = "the id \(id), which is not from 0 to \(Self.idLimit - 1)"
    case .idTaken: problem = "the id \(id), which another token has too"
    case .spellingTaken: problem = "two entries"
    }
    let spelling = String(decoding: bytes.prefix(80), as: UTF8.self)
    throw TokenizerError.invalid(file: file, reason: "the token \(jsonQuoted(spelling)) has \(problem)")
  }

  /// Adds a token of a file, or says what is wrong with it.
  mutating func add(_ bytes: [UInt8], id: Int, file: String) throws {
    try bytes.withUnsafeBufferPointer { try add($0, id: id, file: file) }
  }

  private mutating func place(_ id: Int, _ hash: UInt64) {
    var slot = Self.slot(hash) & mask
    while slots[slot] != 0 { slot = (slot + 1) & mask }
    slots[slot] = Int32(truncatingIfNeeded: id + 1)
  }

  private mutating func grow() {
    slots = Array(repeating: 0, count: 2 * slots.count)
    mask = slots.count - 1
    for id in spans.indices where spans[id].length >= 0 {
      place(id, bytes(of: id).reduce(Self.emptyHash) { Self.hash($0, $1) })
    }
  }

  /// Whether `id` has a token.
  func contains(_ id: Int) -> Bool { id >= 0 && id < spans.count && spans[id].length >= 0 }

  /// The spelling of `id`, empty where there is none.
  func bytes(of id: Int) -> ArraySlice<UInt8> {
    guard contains(id) else { return [] }
    let span = spans[id]
    return arena[Int(span.start)..<Int(span.start + span.length)]
  }

  /// The spelling of `id` as text.
  func text(of id: Int) -> String? { contains(id) ? String(decoding: bytes(of: id), as: UTF8.self) : nil }
}
