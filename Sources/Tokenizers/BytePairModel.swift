/// The vocabulary and merges of a byte-pair encoding, without the text around them.
struct BytePairModel: Sendable {
  /// What a piece is before anything merges.
  enum Alphabet: Sendable {
    /// Bytes, spelled in the ``ByteAlphabet``.
    case bytes
    /// Scalars; one that the vocabulary lacks is its bytes, spelled "<0x0A>", where `fallsBack`.
    case scalars(fallsBack: Bool)
  }

  let table: TokenTable
  var merges: MergeTable
  /// The id of each single byte, -1 where the vocabulary lacks it.
  private let byteIDs: [Int32]
  /// The ids of ASCII scalars, where scalars are the alphabet.
  private let asciiIDs: [Int32]
  /// The id for what the vocabulary lacks; without one it is left out.
  var unknownID: Int32?
  /// Whether neighbouring unknown symbols become one unknown token.
  var fusesUnknown = false
  /// Whether a piece that is a token as a whole is not merged.
  var ignoresMerges = false

  init(table: TokenTable, merges: MergeTable, alphabet: Alphabet = .bytes) {
    self.table = table
    self.merges = merges
    switch alphabet {
    case .bytes:
      byteIDs = (0..<256).map { table.id(ByteAlphabet.encode([UInt8($0)])) }
      asciiIDs = []
    case .scalars(let fallsBack):
      byteIDs = (0..<256).map { fallsBack ? table.id(byteToken(UInt8($0))) : -1 }
      asciiIDs = (0..<128).map { table.id([UInt8($0)]) }
    }
  }

  /// Leaves the ids of a piece in `merger.symbols`.
  func encode(_ word: UnsafeBufferPointer<UInt8>, with merger: inout PairMerger) {
    merger.symbols.removeAll(keepingCapacity: true)
    if ignoresMerges {
      let id = asciiIDs.isEmpty ? table.id(ByteAlphabet.encode(word)) : table.id(word)
      if id >= 0 {
        merger.symbols.append(id)
        return
      }
    }
    if asciiIDs.isEmpty { appendBytes(word, to: &merger.symbols) } else { appendScalars(word, to: &merger.symbols) }
    merger.mergeAll(merges)
  }

  private func appendBytes(_ word: UnsafeBufferPointer<UInt8>, to symbols: inout [Int32]) {
    var lastIsUnknown = false
    for byte in word {
      let id = byteIDs[Int(byte)]
      if id >= 0 {
        symbols.append(id)
      } else if let unknownID, !(lastIsUnknown && fusesUnknown) {
        symbols.append(unknownID)
      }
      lastIsUnknown = id < 0
    }
  }

  /// As in the reference, an unknown token waits for the next scalar that the vocabulary has: bytes overtake it.
  private func appendScalars(_ word: UnsafeBufferPointer<UInt8>, to symbols: inout [Int32]) {
    var waits = false
    var i = 0
    while i < word.count {
      let length = word[i] < 0x80 ? 1 : decodeScalar(word, i).length
      let scalar = UnsafeBufferPointer(rebasing: word[i..<(i + length)])
      let id = length == 1 ? asciiIDs[Int(word[i])] : table.id(scalar)
      i += length
      if id >= 0 {
        if waits, let unknownID { symbols.append(unknownID) }
        waits = false
        symbols.append(id)
      } else if scalar.allSatisfy({ byteIDs[Int($0)] >= 0 }) {
        for byte in scalar { symbols.append(byteIDs[Int(byte)]) }
      } else if let unknownID {
        if waits && !fusesUnknown { symbols.append(unknownID) }
        waits = true
      }
    }
    if waits, let unknownID { symbols.append(unknownID) }
  }
}

/// SentencePiece's spelling of a byte: "<0x0A>".
func byteToken(_ byte: UInt8) -> [UInt8] {
  let digits = Array("0123456789ABCDEF".utf8)
  return Array("<0x".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)], UInt8(ascii: ">")]
}

/// The byte that a spelling such as "<0x0A>" stands for, `nil` for any other.
func byte(of spelling: some RandomAccessCollection<UInt8>) -> UInt8? {
  guard spelling.count == 6, spelling.starts(with: "<0x".utf8), spelling.last == UInt8(ascii: ">") else { return nil }
  let digits = spelling.dropFirst(3).prefix(2).compactMap(hexadecimalDigit)
  return digits.count == 2 ? digits[0] << 4 | digits[1] : nil
}
