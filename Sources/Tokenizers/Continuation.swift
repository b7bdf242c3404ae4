extension Tokenizer {
  /// The text that `ids` add to a text before them, or, where there is none, their text.
  ///
  /// The two differ for a tokenizer that puts a space before each text and leaves it out in decoding: after another text
  /// it is a space.
  public func decode(_ ids: [Int], isContinuation: Bool) -> String {
    guard isContinuation, let tokenizer = self as? SentencePieceBPE else { return decode(ids) }
    var text = SentencePieceText(tokenizer, isContinuation: true)
    var bytes: [UInt8] = []
    for id in ids { text.append(id, to: &bytes) }
    text.finish(&bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}
