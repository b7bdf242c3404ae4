/// Decodes ids one by one and never gives out a part of a character.
///
/// What all calls return, one after the other, is the text of all ids.
public struct StreamingDecoder: Sendable {
  private let tokenizer: any Tokenizer
  /// Bytes that begin a character not yet complete.
  private var pending: [UInt8] = []
  private var isFirst = true
  /// What decodes tokens that are text only together with their neighbours.
  private var pieces: SentencePieceText?

  /// A decoder at the start of a text or, where `isContinuation`, of what follows a text.
  public init(tokenizer: any Tokenizer, isContinuation: Bool = false) {
    self.tokenizer = tokenizer
    isFirst = !isContinuation
    pieces = (tokenizer as? SentencePieceBPE).map { SentencePieceText($0, isContinuation: isContinuation) }
  }

  /// The text that `id` completes, empty while a character (a Unicode scalar) is incomplete.
  ///
  /// Of a ``SentencePieceBPE``, tokens that spell bytes ("<0x0A>") wait for the next that does not.
  public mutating func append(_ id: Int) -> String {
    if pieces != nil {
      var bytes: [UInt8] = []
      pieces?.append(id, to: &bytes)
      return String(decoding: bytes, as: UTF8.self)
    }
    guard let bytes = tokenizer.decodedBytes(of: id, isFirst: isFirst) else { return "" }
    isFirst = false
    pending += bytes
    let complete = pending.count - Self.incompleteTail(pending)
    let text = String(decoding: pending[..<complete], as: UTF8.self)
    pending.removeFirst(complete)
    return text
  }

  /// What is left at the end: U+FFFD for an incomplete character, otherwise nothing. The decoder is then at a new start.
  public mutating func finish() -> String {
    pieces?.finish(&pending)
    let text = String(decoding: pending, as: UTF8.self)
    pending = []
    isFirst = true
    return text
  }

  /// How many bytes at the end may be the beginning of a character.
  private static func incompleteTail(_ bytes: [UInt8]) -> Int {
    for length in 1..<4 where length <= bytes.count {
      let lead = bytes[bytes.count - length]
      if lead & 0xC0 == 0x80 { continue }
      let needed = lead < 0xC2 || lead > 0xF4 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
      guard length < needed else { return 0 }
      // A lead whose continuation is already wrong can be completed by nothing.
      let completions: [[UInt8]] = [[0x80, 0x80, 0x80], [0xBF, 0x80, 0x80]]
      let canComplete = completions.contains { completion in
        (bytes.suffix(length) + completion.prefix(needed - length)).withUnsafeBufferPointer {
          utf8Length(in: $0, at: 0) == needed
        }
      }
      return canComplete ? length : 0
    }
    return 0
  }
}
