/// A token that is recognised in the text before anything else happens to it.
struct AddedToken: Sendable {
  var content: [UInt8]
  var id: Int32
  var isSpecial = true
  var isWholeWord = false
  var stripsLeft = false
  var stripsRight = false
  /// Whether it is looked for in the normalised text.
  var isNormalized = false
}

/// Finds added tokens in text: the leftmost, and of those the longest.
struct AddedTokenMatcher: Sendable {
  private let tokens: [AddedToken]
  /// Indices into `tokens` by first byte, longest first.
  private var byFirstByte: [[Int]]

  init(_ added: [AddedToken]) {
    tokens = added
    byFirstByte = Array(repeating: [], count: 256)
    for (i, token) in tokens.enumerated() {
      if let first = token.content.first { byFirstByte[Int(first)].append(i) }
    }
    for byte in byFirstByte.indices {
      let order = byFirstByte[byte].sorted { a, b in
        let (m, n) = (tokens[a].content.count, tokens[b].content.count)
        return m != n ? m > n : a < b
      }
      byFirstByte[byte] = order
    }
  }

  private func match(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> AddedToken? {
    for index in byFirstByte[Int(bytes[start])] {
      let content = tokens[index].content
      if content.count <= bytes.count - start && bytes[start..<(start + content.count)].elementsEqual(content) {
        return tokens[index]
      }
    }
    return nil
  }

  /// Calls `text` for the stretches between tokens, none empty, and `token` for the tokens, in order.
  func split(
    _ bytes: UnsafeBufferPointer<UInt8>, text: (UnsafeBufferPointer<UInt8>) -> Void, token: (Int32) -> Void
  ) {
    var done = 0
    var i = 0
    while i < bytes.count && !tokens.isEmpty {
      guard !byFirstByte[Int(bytes[i])].isEmpty, let found = match(bytes, i) else {
        i += 1
        continue
      }
      var start = i
      var end = i + found.content.count
      i = end
      if found.isWholeWord && (isWord(bytes, before: start) || isWord(bytes, after: end)) { continue }
      if found.stripsLeft {
        while start > 0 {
          let (scalar, length) = decodeScalar(bytes, before: start)
          guard UnicodeClasses.shared[scalar].contains(.whitespace) else { break }
          start -= length
        }
        start = max(start, done)
      }
      if found.stripsRight {
        while end < bytes.count {
          let (scalar, length) = decodeScalar(bytes, end)
          guard UnicodeClasses.shared[scalar].contains(.whitespace) else { break }
          end += length
        }
      }
      if done < start { text(UnsafeBufferPointer(rebasing: bytes[done..<start])) }
      token(found.id)
      done = end
    }
    if done < bytes.count { text(UnsafeBufferPointer(rebasing: bytes[done...])) }
  }

  private func isWord(_ bytes: UnsafeBufferPointer<UInt8>, before offset: Int) -> Bool {
    offset > 0 && UnicodeClasses.shared[decodeScalar(bytes, before: offset).scalar].contains(.word)
  }

  private func isWord(_ bytes: UnsafeBufferPointer<UInt8>, after offset: Int) -> Bool {
    offset < bytes.count && UnicodeClasses.shared[decodeScalar(bytes, offset).scalar].contains(.word)
  }
}

/// The added tokens of a tokenizer: some are looked for in the text as it is, the rest in the normalised text between.
struct AddedTokenSet: Sendable {
  let raw: AddedTokenMatcher
  let normalized: AddedTokenMatcher
  /// The largest id plus one.
  let size: Int
  private let byID: [Int: AddedToken]

  init(_ tokens: [AddedToken], normalize: (UnsafeBufferPointer<UInt8>) -> [UInt8]) {
    raw = AddedTokenMatcher(tokens.filter { !$0.isNormalized })
    // Tokens looked for in normalised text are spelled so from here on, and skipped in decoding only if that spelling
    // is a special token's: so the reference has it.
    let special = Set(tokens.filter(\.isSpecial).map(\.content))
    let respelled = tokens.map { token in
      guard token.isNormalized else { return token }
      var token = token
      token.content = token.content.withUnsafeBufferPointer(normalize)
      token.isSpecial = special.contains(token.content)
      return token
    }
    normalized = AddedTokenMatcher(respelled.filter(\.isNormalized))
    byID = Dictionary(respelled.map { (Int($0.id), $0) }, uniquingKeysWith: { $1 })
    size = (tokens.map { Int($0.id) }.max() ?? -1) + 1
  }

  /// The token of an id, spelled as it is looked for.
  subscript(id: Int) -> AddedToken? { byID[id] }
}
