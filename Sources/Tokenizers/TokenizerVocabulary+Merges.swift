extension TokenizerVocabulary {
  /// A merge of two tokens by their ids.
  struct Merge {
    var left: Int32
    var right: Int32
    var merged: Int32
  }

  /// A longer token is refused: no vocabulary has one, and the ways to cut it grow with the square of its length.
  static let longestToken = 1024
  /// More bytes of merges for each byte of tokens are refused; Llama 2's vocabulary has three.
  private static let mergeFactor = 64

  /// A merge for every cut of a token into two others, in the order in which SentencePiece and llama2.c merge: the
  /// token with the highest score first.
  ///
  /// Of equal scores they take the leftmost pair of the text, which a list of merges cannot say. Where two cuts of one
  /// token can meet in a text ("ab" "aba" "ba": the first two or the last two), the cut that can only be the left one
  /// comes first; other cuts of a token come with the longest left part first, as transformers derives them. Different
  /// tokens with one score come by id.
  func mergesByScore(_ table: TokenTable) throws -> [Merge] {
    guard let scores else { throw invalid("it has neither merges nor scores") }
    if let id = scores.firstIndex(where: { !$0.isFinite }) { throw invalid("the score of token \(id) is not a number") }
    var merges: [Merge] = []
    var room = Self.mergeFactor * (tokens.reduce(0) { $0 + $1.utf8.count } + 1024)
    for id in tokens.indices.sorted(by: { (-scores[$0], $0) < (-scores[$1], $1) }) {
      guard tokens[id].utf8.count <= Self.longestToken else {
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
      var cuts: [(at: Int, merge: Merge)] = []
      var hash = TokenTable.emptyHash
      let none = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
      for i in 1..<max(bytes.count, 1) {
        hash = TokenTable.hash(hash, bytes[i - 1])
        if bytes[i] & 0xC0 == 0x80 { continue }
        let left = table.id(hash: hash, prefix: none, bytes: UnsafeBufferPointer(rebasing: bytes[..<i]))
        guard left >= 0 else { continue }
        let right = table.id(UnsafeBufferPointer(rebasing: bytes[i...]))
        if right >= 0 { cuts.append((i, Merge(left: left, right: right, merged: Int32(truncatingIfNeeded: id)))) }
      }
      guard cuts.count > 1 else {
        merges += cuts.map(\.merge)
        return
      }
      let count = bytes.count
      /// Whether the pair cut here can be followed by the pair with the cut mirrored, which shares its right token.
      func canLead(_ cut: Int) -> Bool { bytes[cut...].elementsEqual(bytes[..<(count - cut)]) }
      cuts.sort { a, b in
        let (longA, longB) = (max(a.at, count - a.at), max(b.at, count - b.at))
        if longA != longB { return longA > longB }
        let (leadsA, leadsB) = (canLead(a.at), canLead(b.at))
        return leadsA != leadsB ? leadsA : a.at > b.at
      }
      merges += cuts.map(\.merge)
    }
  }
}
