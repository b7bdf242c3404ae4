/// Trains a ``ByteLevelBPE`` on text, with the merges that Hugging Face's `BpeTrainer` finds.
///
/// The end-of-text token has id 0, the 256 bytes follow in the order of their spellings, then the merges in theirs. As
/// there, an end-of-text token spelled out inside a document is text like any other.
public struct ByteLevelBPETrainer: Sendable {
  /// How many tokens to make; text that has no more pairs to merge gives fewer.
  public let vocabularySize: Int
  /// The spelling of the token that ends a text.
  public let endOfText: String

  /// How far training is.
  public struct Progress: Sendable, Equatable {
    /// Tokens so far.
    public let tokens: Int
    /// Tokens to make.
    public let target: Int
  }

  /// A trainer for a vocabulary of `vocabularySize` tokens, at least 257.
  public init(vocabularySize: Int, endOfText: String = "<|endoftext|>") {
    self.vocabularySize = vocabularySize
    self.endOfText = endOfText
  }

  /// Trains on `documents`.
  ///
  /// - Parameter progress: is told of every new token.
  /// - Throws: ``TokenizerError/invalidTraining(reason:)`` for an impossible vocabulary or no text at all.
  public func train(
    on documents: [String], progress: ((Progress) -> Void)? = nil
  ) throws -> ByteLevelBPE {
    let end = Array(endOfText.utf8)
    let smallest = 256 + 1
    guard vocabularySize >= smallest && vocabularySize <= TokenTable.idLimit else {
      throw TokenizerError.invalidTraining(
        reason: "a vocabulary of \(vocabularySize) tokens; it must have from \(smallest) to \(TokenTable.idLimit)")
    }
    var table = TokenTable(capacity: vocabularySize)
    guard !end.isEmpty, case .added = table.add(end, id: 0) else {
      throw TokenizerError.invalidTraining(reason: "the end-of-text token is empty; give it a name")
    }
    for scalar in ByteAlphabet.scalars.sorted() {
      var spelling: [UInt8] = []
      appendUTF8(scalar, to: &spelling)
      guard case .added = table.add(spelling, id: table.size) else {
        throw TokenizerError.invalidTraining(reason: "the end-of-text token is a single byte; give it a longer name")
      }
    }
    var counter = PieceCounter()
    for document in documents { counter.count(document) }
    guard counter.pieceCount > 0 else {
      throw TokenizerError.invalidTraining(reason: "there is no text to train on")
    }
    var learner = PairLearner(table: table, pieces: counter)
    learner.learn(upTo: vocabularySize) { progress?(Progress(tokens: $0, target: vocabularySize)) }
    return ByteLevelBPE(
      model: BytePairModel(table: learner.table, merges: learner.merges), options: ByteLevelBPE.Options(),
      addedTokens: [AddedToken(content: end, id: 0)], frame: SpecialTokenFrame(), bounds: TextBounds(end: 0))
  }
}

/// Counts the distinct pieces of a text.
struct PieceCounter {
  private var table = TokenTable(capacity: 1 << 14)
  /// How often each piece occurs.
  private(set) var counts: [Int] = []
  private let splitter = WordSplitter()

  var pieceCount: Int { counts.count }

  func bytes(of piece: Int) -> ArraySlice<UInt8> { table.bytes(of: piece) }

  mutating func count(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
      var start = 0
      while start < bytes.count {
        let end = splitter.end(bytes, from: start)
        let piece = UnsafeBufferPointer(rebasing: bytes[start..<end])
        let known = table.id(piece)
        if known >= 0 {
          counts[Int(known)] += 1
        } else if case .added = table.add(piece, id: counts.count) {
          counts.append(1)
        }
        start = end
      }
    }
  }
}
