extension TokenizerVocabulary {
  /// A merge of two tokens by their ids.
  struct Merge {
    var left: Int32
    var right: Int32
    var merged: Int32
  }

  /// A longer token is refused: no vocabulary has one, and the ways to cut it grow with the square of its length.
  static let longestToken = 1024
  /// More bytes of merges for each byte of tokens are refused; a real vocabulary has two or three.
  private static let mergeFactor = 64

  /// A merge for every cut of a token into two others, in the order in which SentencePiece and llama2.c merge: the
  /// token with the highest score first.
  ///
  /// Of equal scores they take the leftmost pair of the text, which a list of merges cannot say: the cuts of one token
  /// come with the longest left part first, as transformers derives them, and different tokens with one score by id.
  /// Where each token has a score of its own, lower than those of its parts, as SentencePiece's trainer leaves them, the
  /// ids are the same: no text was found where the order of the cuts of a token shows.
  func mergesByScore(_ table: TokenTable) throws -> [Merge] {
    guard let scores else { throw invalid("it has neither merges nor scores") }
    if let id = scores.firstIndex(where: { !$0.isFinite }) { throw invalid("the score of token \(id) is not a number") }
    var merges: [Merge] = []
    var room = Self.mergeFactor * (tokens.reduce(0) { $0 + $1.utf8.count } + 1024)
    for id in tokens.indices.sorted(by: { (-scores[$0], $0) < (-scores[$1], $1) }) {
      guard tokens[id].utf8.count <= Self.longestToken else {
        // A special token may be long: nothing merges to it.
        if type(of: id) != TokenType.normal { continue }
        throw invalid("token \(id) has \(tokens[id].utf8.count) bytes, more than \(Self.longestToken)")
      }
      let first = merges.count
      appendCuts(of: id, table, to: &merges)
      room -= (merges.count - first) * tokens[id].utf8.count
      guard room >= 0 else { throw invalid("its tokens can be cut in more ways than those of any real vocabulary") }
    }
    return merges
  }

  private func appendCuts(of id: Int, _ table: TokenTable, to merges: inout [Merge]) {
    var token = tokens[id]
    token.withUTF8 { bytes in
      // Text has no plain spaces any more where merges look.
      if bytes.contains(0x20) { return }
      let first = merges.count
      var hash = TokenTable.emptyHash
      let none = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
      for i in 1..<max(bytes.count, 1) {
        hash = TokenTable.hash(hash, bytes[i - 1])
        if bytes[i] & 0xC0 == 0x80 { continue }
        let left = table.id(hash: hash, prefix: none, bytes: UnsafeBufferPointer(rebasing: bytes[..<i]))
        guard left >= 0 else { continue }
        let right = table.id(UnsafeBufferPointer(rebasing: bytes[i...]))
        if right >= 0 { merges.append(Merge(left: left, right: right, merged: Int32(truncatingIfNeeded: id))) }
      }
      merges[first...].reverse()
    }
  }
}
