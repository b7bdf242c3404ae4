/// Text to token ids and back.
///
/// Ids run over `0..<vocabularySize`. Implementations are values that may be used from many threads at once.
public protocol Tokenizer: Sendable {
  /// The largest id plus one.
  var vocabularySize: Int { get }

  /// The id that begins a text (Llama: `<s>`), `nil` where the tokenizer has none.
  var beginningOfTextID: Int? { get }

  /// The id that ends a text (GPT-2: `<|endoftext|>`, Llama: `</s>`), `nil` where the tokenizer has none.
  var endOfTextID: Int? { get }

  /// The special tokens that ``encode(_:)`` puts before a text; what continues a text that is encoded without special tokens
  /// has them before it, and not those that come behind.
  var idsBeforeText: [Int] { get }

  /// The ids of `text`, exactly as Hugging Face's `Tokenizer.encode(text).ids` gives them without truncation or padding.
  ///
  /// Added and special tokens inside the text are recognised; the special tokens around it ([CLS] … [SEP], Llama's
  /// `<s>`) are included, as tokenizer.json's post-processor says.
  func encode(_ text: String) -> [Int]

  /// The ids of `text`, as Hugging Face's `Tokenizer.encode(text, add_special_tokens=...)` gives them.
  ///
  /// Special tokens spelled out in the text are recognised either way.
  ///
  /// - Parameter addingSpecialTokens: whether the special tokens around a text are included, as in ``encode(_:)``. What
  ///   continues a text, or has its special tokens spelled out (a chat), is encoded without them.
  func encode(_ text: String, addingSpecialTokens: Bool) -> [Int]

  /// The text of `ids`, as Hugging Face's `decode(ids, skip_special_tokens=True)` gives it.
  ///
  /// Ids outside the vocabulary are skipped, as there. Bytes that are no UTF-8 become U+FFFD.
  func decode(_ ids: [Int]) -> String

  /// The vocabulary's own spelling of `id` ("Ġcat", "##ing"), `nil` if there is no such id.
  func token(for id: Int) -> String?

  /// The UTF-8 bytes, possibly part of a character, that `id` adds to a decoded text.
  ///
  /// ``StreamingDecoder`` builds on it; the default decodes the id by itself.
  ///
  /// - Parameter isFirst: whether no other id has added anything yet.
  /// - Returns: `nil` for an id that decoding skips.
  func decodedBytes(of id: Int, isFirst: Bool) -> [UInt8]?
}

extension Tokenizer {
  /// None.
  public var beginningOfTextID: Int? { nil }

  /// None.
  public var idsBeforeText: [Int] { [] }

  /// ``encode(_:)``: right for a tokenizer that puts no special tokens around a text.
  public func encode(_ text: String, addingSpecialTokens: Bool) -> [Int] { encode(text) }

  /// The ids of a text that is to be continued: as ``encode(_:)`` gives them, without the special tokens behind it.
  public func encode(beginning text: String) -> [Int] { idsBeforeText + encode(text, addingSpecialTokens: false) }

  /// The bytes of the id decoded by itself.
  public func decodedBytes(of id: Int, isFirst: Bool) -> [UInt8]? {
    let text = decode([id])
    return text.isEmpty ? nil : Array(text.utf8)
  }

  /// The bytes of all `ids`, one after the other.
  func joinedBytes(of ids: [Int]) -> [UInt8] {
    var bytes: [UInt8] = []
    var isFirst = true
    for id in ids {
      guard let piece = decodedBytes(of: id, isFirst: isFirst) else { continue }
      bytes += piece
      isFirst = false
    }
    return bytes
  }
}
