/// BERT's tokenizer: words are normalised and cut greedily into the longest pieces that the vocabulary has.
public struct WordPiece: Tokenizer {
  /// What the greedy cutting needs.
  struct Options: Sendable {
    var continuation = Array("##".utf8)
    /// A word of more scalars is unknown as a whole.
    var longestWord = 100
    var unknownID: Int32
    /// Whether decoding undoes spaces before punctuation.
    var cleansUp = true
    /// Whether decoding joins pieces into words; otherwise all tokens are joined with spaces.
    var joinsPieces = true
    /// The mark of pieces that decoding joins.
    var decodedContinuation = Array("##".utf8)
  }

  /// The id that ends a text where tokenizer_config.json names one; BERT has none.
  public let endOfTextID: Int?
  /// The special tokens that stand before every encoded text.
  public var idsBeforeText: [Int] { frame.before }
  /// The largest id plus one.
  public var vocabularySize: Int { max(table.size, added.size) }

  let table: TokenTable
  let options: Options
  let normalizer: BertNormalizer
  let frame: SpecialTokenFrame
  private let added: AddedTokenSet
  private let continuationHash: UInt64
  private let classes = UnicodeClasses.shared

  init(
    table: TokenTable, options: Options, normalizer: BertNormalizer, addedTokens: [AddedToken],
    frame: SpecialTokenFrame, endOfTextID: Int?
  ) {
    self.table = table
    self.options = options
    self.normalizer = normalizer
    self.frame = frame
    self.endOfTextID = endOfTextID
    added = AddedTokenSet(addedTokens) { normalizer.normalize($0) }
    continuationHash = options.continuation.reduce(TokenTable.emptyHash) { TokenTable.hash($0, $1) }
  }

  /// The ids of `text` with [CLS] before and [SEP] after, as Hugging Face's tokenizers give them.
  public func encode(_ text: String) -> [Int] { encode(text, addingSpecialTokens: true) }

  /// The ids of `text`, with [CLS] before and [SEP] after if `addingSpecialTokens`.
  public func encode(_ text: String, addingSpecialTokens: Bool) -> [Int] {
    var text = text
    var ids = addingSpecialTokens ? frame.before : []
    text.withUTF8 { bytes in
      ids.reserveCapacity(bytes.count / 3 + 8)
      added.raw.split(bytes) { stretch in
        normalizer.normalize(stretch).withUnsafeBufferPointer { normalized in
          added.normalized.split(normalized) { words in
            encodeWords(words, into: &ids)
          } token: { id in
            ids.append(Int(id))
          }
        }
      } token: { id in
        ids.append(Int(id))
      }
    }
    if addingSpecialTokens { ids += frame.after }
    return ids
  }

  /// Cuts at white space, and around each punctuation character.
  private func encodeWords(_ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int]) {
    var start = 0
    var i = 0
    while i < text.count {
      let (scalar, length) = decodeScalar(text, i)
      let kind = classes[scalar]
      if !kind.isDisjoint(with: [.whitespace, .punctuation]) {
        if start < i { encodeWord(UnsafeBufferPointer(rebasing: text[start..<i]), into: &ids) }
        if !kind.contains(.whitespace) {
          encodeWord(UnsafeBufferPointer(rebasing: text[i..<(i + length)]), into: &ids)
        }
        start = i + length
      }
      i += length
    }
    if start < i { encodeWord(UnsafeBufferPointer(rebasing: text[start...]), into: &ids) }
  }

  private func encodeWord(_ word: UnsafeBufferPointer<UInt8>, into ids: inout [Int]) {
    let firstID = ids.count
    if word.count > options.longestWord, word.count(where: { $0 & 0xC0 != 0x80 }) > options.longestWord {
      ids.append(Int(options.unknownID))
      return
    }
    let none = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    options.continuation.withUnsafeBufferPointer { continuation in
      var start = 0
      while start < word.count {
        let prefix = start == 0 ? none : continuation
        var hash = start == 0 ? TokenTable.emptyHash : continuationHash
        var (best, bestEnd): (Int32, Int) = (-1, start)
        for end in start..<min(word.count, start + table.longest) {
          hash = TokenTable.hash(hash, word[end])
          if end + 1 < word.count && word[end + 1] & 0xC0 == 0x80 { continue }
          let id = table.id(hash: hash, prefix: prefix, bytes: UnsafeBufferPointer(rebasing: word[start...end]))
          if id >= 0 { (best, bestEnd) = (id, end + 1) }
        }
        if best < 0 {
          ids.removeLast(ids.count - firstID)
          ids.append(Int(options.unknownID))
          return
        }
        ids.append(Int(best))
        start = bestEnd
      }
    }
  }

  /// The text of `ids` without special tokens, pieces joined into words.
  public func decode(_ ids: [Int]) -> String {
    String(decoding: joinedBytes(of: ids), as: UTF8.self)
  }

  /// The bytes that `id` adds, a space before a new word among them; `nil` for special tokens and unknown ids.
  public func decodedBytes(of id: Int, isFirst: Bool) -> [UInt8]? {
    let token = added[id]
    guard token?.isSpecial != true, token != nil || table.contains(id) else { return nil }
    var piece = token?.content ?? Array(table.bytes(of: id))
    if !isFirst {
      if options.joinsPieces && piece.starts(with: options.decodedContinuation) {
        piece.removeFirst(options.decodedContinuation.count)
      } else {
        piece.insert(0x20, at: 0)
      }
    }
    if options.joinsPieces && options.cleansUp { Self.cleanUp(&piece) }
    return piece
  }

  /// What decoding writes for spaces before punctuation and English contractions, in this order.
  private static let replacements: [(from: [UInt8], to: [UInt8])] = [
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
    (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
  ].map { (Array($0.0.utf8), Array($0.1.utf8)) }

  private static func cleanUp(_ piece: inout [UInt8]) {
    guard piece.contains(0x20) else { return }
    for (from, to) in replacements {
      var i = 0
      while i + from.count <= piece.count {
        if piece[i] == 0x20 && piece[i...].starts(with: from) {
          piece.replaceSubrange(i..<(i + from.count), with: to)
          i += to.count
        } else {
          i += 1
        }
      }
    }
  }

  /// The vocabulary's spelling of `id`; "##" marks a piece inside a word.
  public func token(for id: Int) -> String? {
    if let token = added[id] { return String(decoding: token.content, as: UTF8.self) }
    return table.text(of: id)
  }
}
