public import Foundation

extension TokenizerVocabulary {
  /// Reads llama2.c's tokenizer.bin: the length of the longest token, then for each token its score, its length and its
  /// bytes, all little-endian and 32 bits wide.
  ///
  /// Spaces, plain in the file, become "▁", and the tokens that begin and end a text are spelled `<s>` and `</s>`, so
  /// that Hugging Face's libraries can read what ``tokenizerFiles()`` writes. Ids without the special tokens around a
  /// text are then those of llama2.c's `encode` for any text but one with "▁", `<unk>`, `<s>` or `</s>` in it:
  /// these are a space and special tokens here, and spelled out there.
  ///
  /// - Parameter vocabularySize: how many tokens the model has: the file does not say.
  /// - Throws: ``TokenizerError/invalid(file:reason:)`` with the offset in bytes.
  public init(llama2C data: Data, vocabularySize: Int, source: String = "tokenizer.bin") throws {
    // The unknown token, the two that begin and end a text, and all bytes.
    let (beginning, end, firstByte, count) = (1, 2, 3, vocabularySize)
    func invalid(_ reason: String) -> TokenizerError { .invalid(file: source, reason: reason) }
    guard count >= firstByte + 256 && count <= TokenTable.idLimit else {
      throw invalid("a vocabulary of \(count) tokens; llama2.c's have from 259 to \(TokenTable.idLimit)")
    }
    var tokens: [String] = []
    var scores: [Float] = []
    // Each token takes nine bytes or more: a short file makes no long arrays.
    tokens.reserveCapacity(min(count, data.count / 9))
    scores.reserveCapacity(min(count, data.count / 9))
    try data.withUnsafeBytes { bytes in
      guard bytes.count >= 4 else { throw invalid("it ends at byte \(bytes.count), before its first number") }
      func number(at offset: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      }
      var offset = 4
      while tokens.count < count {
        let id = tokens.count
        let place = "token \(id) at byte \(offset)"
        guard bytes.count - offset >= 8 else {
          throw invalid(
            "it ends at byte \(bytes.count) with \(id) of \(count) tokens; "
              + "it belongs to another model, or a part is missing")
        }
        let score = Float(bitPattern: number(at: offset))
        let length = Int(Int32(bitPattern: number(at: offset + 4)))
        guard score.isFinite else { throw invalid("the score of \(place) is not a number") }
        guard length > 0 && length <= Self.longestToken && length <= bytes.count - offset - 8 else {
          throw invalid("\(place) cannot have \(length) bytes")
        }
        let spelling = UnsafeRawBufferPointer(rebasing: bytes[(offset + 8)..<(offset + 8 + length)])
        guard let token = Self.token(spelling) else { throw invalid("\(place) is not UTF-8") }
        let byte = UInt8(exactly: id - firstByte)
        if let byte, !token.utf8.elementsEqual(byteToken(byte)) { throw invalid("\(place) is not the byte \(byte)") }
        tokens.append(id == beginning ? "<s>" : id == end ? "</s>" : token)
        scores.append(score)
        offset += 8 + length
      }
      guard offset == bytes.count else {
        throw invalid("it goes on after token \(count) at byte \(offset); it belongs to a model with more tokens")
      }
    }
    var types = Array(repeating: TokenType.normal, count: count)
    types[0] = TokenType.unknown
    types[beginning] = TokenType.control
    types[end] = TokenType.control
    for byte in 0..<256 { types[firstByte + byte] = TokenType.byte }
    self.init(
      model: "llama", tokens: tokens, scores: scores, types: types, beginningID: beginning, endID: end, unknownID: 0,
      addsBeginning: true, source: source)
  }

  /// The token that bytes spell, with "▁" for spaces; `nil` where they are no UTF-8.
  private static func token(_ bytes: UnsafeRawBufferPointer) -> String? {
    let spelling = bytes.flatMap { $0 == 0x20 ? SentencePieceBPE.space : [$0] }
    return String(validating: spelling, as: UTF8.self)
  }
}
