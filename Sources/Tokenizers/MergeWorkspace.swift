import Synchronization

/// What encoding needs besides the vocabulary: room to merge in, and the words merged before.
struct MergeWorkspace: Sendable {
  /// Words beyond this many are merged again each time they come.
  private static let wordLimit = 1 << 16
  /// Longer words hardly ever come twice.
  private static let longestWord = 64

  private struct Entry {
    var hash: UInt64
    var keyStart: Int32
    var keyLength: Int32
    var idsStart: Int32
    var idsCount: Int32
  }

  private var slots = [Int32](repeating: 0, count: 256)
  private var entries: [Entry] = []
  private var keys: [UInt8] = []
  private var ids: [Int32] = []
  private var merger = PairMerger()

  /// How many words are known.
  var wordCount: Int { entries.count }

  /// Appends the ids of one piece of text.
  @inline(__always)
  mutating func append(_ word: UnsafeBufferPointer<UInt8>, model: BytePairModel, to output: inout [Int]) {
    guard word.count <= Self.longestWord else {
      model.encode(word, with: &merger)
      for id in merger.symbols { output.append(Int(id)) }
      return
    }
    var hash = TokenTable.emptyHash
    for byte in word { hash = TokenTable.hash(hash, byte) }
    var slot = TokenTable.slot(hash) & (slots.count - 1)
    while slots[slot] != 0 {
      let entry = entries[Int(slots[slot]) - 1]
      if entry.hash == hash && Int(entry.keyLength) == word.count && isKey(entry, word) {
        for i in Int(entry.idsStart)..<Int(entry.idsStart + entry.idsCount) { output.append(Int(ids[i])) }
        return
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    model.encode(word, with: &merger)
    for id in merger.symbols { output.append(Int(id)) }
    remember(word, hash, slot)
  }

  @inline(__always)
  private func isKey(_ entry: Entry, _ word: UnsafeBufferPointer<UInt8>) -> Bool {
    let start = Int(entry.keyStart)
    for i in 0..<word.count where keys[start + i] != word[i] { return false }
    return true
  }

  private mutating func remember(_ word: UnsafeBufferPointer<UInt8>, _ hash: UInt64, _ slot: Int) {
    guard entries.count < Self.wordLimit else { return }
    entries.append(
      Entry(
        hash: hash, keyStart: Int32(keys.count), keyLength: Int32(word.count), idsStart: Int32(ids.count),
        idsCount: Int32(merger.symbols.count)))
    keys.append(contentsOf: word)
    ids.append(contentsOf: merger.symbols)
    slots[slot] = Int32(entries.count)
    guard 2 * entries.count > slots.count else { return }
    slots = Array(repeating: 0, count: 4 * slots.count)
    for (i, entry) in entries.enumerated() {
      var slot = TokenTable.slot(entry.hash) & (slots.count - 1)
      while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(i + 1)
    }
  }
}

/// Keeps one workspace between calls; a call that finds it taken by another thread starts a fresh one.
final class WorkspaceShelf: Sendable {
  private let shelf = Mutex<MergeWorkspace?>(nil)

  func take() -> MergeWorkspace {
    shelf.withLock { kept in
      let workspace = kept
      kept = nil
      return workspace
    } ?? MergeWorkspace()
  }

  func putBack(_ workspace: consuming MergeWorkspace) {
    let returned = workspace
    shelf.withLock { kept in
      if returned.wordCount >= kept?.wordCount ?? 0 { kept = returned }
    }
  }
}
