/// SentencePiece's kind of byte-pair encoding, as Llama 2 has it: spaces are visible characters ("▁"), and what the
/// vocabulary lacks is spelled as bytes ("<0x0A>").
///
/// Encoding keeps the words it has seen; values may be copied and used from many threads.
public struct SentencePieceBPE: Tokenizer {
  /// What happens to text before pairs merge.
  struct Options: Sendable, Equatable {
    /// Which stretches of text between added tokens get a "▁" before them.
    enum Prefix: Sendable {
      case never
      /// The stretch at the start of the text, unless it begins with a space.
      case first
      /// Each that does not begin with a space.
      case always
      /// Each, whatever it begins with: the normaliser does it.
      case normalizer
    }
    var prefix = Prefix.never
    /// Whether spaces become "▁".
    var replacesSpaces = false
    /// Whether text is cut before every "▁".
    var splitsWords = false
  }

  /// "▁", U+2581.
  static let space: [UInt8] = [0xE2, 0x96, 0x81]

  let model: BytePairModel
  let options: Options
  let decoding: SentencePieceText.Options
  let addedTokens: [AddedToken]
  let frame: SpecialTokenFrame
  private let bounds: TextBounds
  private let added: AddedTokenSet
  private let workspaces = WorkspaceShelf()
  /// Whether no merge crosses from a word to the "▁" of the next, so that words may merge by themselves.
  private let wordsAreApart: Bool

  /// The id that begins a text (`<s>`), `nil` where the tokenizer has none.
  public var beginningOfTextID: Int? { bounds.beginning }
  /// The id that ends a text (`</s>`), `nil` where the tokenizer has none.
  public var endOfTextID: Int? { bounds.end }
  /// The special tokens that stand before every encoded text.
  public var idsBeforeText: [Int] { frame.before }
  /// The largest id plus one.
  public var vocabularySize: Int { max(model.table.size, added.size) }

  init(
    model: BytePairModel, options: Options, decoding: SentencePieceText.Options, addedTokens: [AddedToken],
    frame: SpecialTokenFrame, bounds: TextBounds
  ) {
    self.model = model
    self.options = options
    self.decoding = decoding
    self.addedTokens = addedTokens
    self.frame = frame
    self.bounds = bounds
    added = AddedTokenSet(addedTokens) { Self.normalize($0, options) }
    wordsAreApart = !model.ignoresMerges && model.table.id(Self.space) >= 0 && !model.mergesAcrossWords
  }

  /// The ids of `text`, as Hugging Face's tokenizers give them.
  public func encode(_ text: String) -> [Int] { encode(text, addingSpecialTokens: true) }

  /// The ids of `text`, with the special tokens around it if `addingSpecialTokens`.
  public func encode(_ text: String, addingSpecialTokens: Bool) -> [Int] {
    var text = text
    var ids = addingSpecialTokens ? frame.before : []
    var workspace = workspaces.take()
    text.withUTF8 { bytes in
      ids.reserveCapacity(bytes.count / 3 + 8)
      added.raw.split(bytes) { stretch in
        let isFirst = stretch.baseAddress == bytes.baseAddress
        Self.normalize(stretch, options).withUnsafeBufferPointer { normalized in
          added.normalized.split(normalized) { part in
            encode(
              part, isFirst: isFirst && part.baseAddress == normalized.baseAddress, into: &ids, with: &workspace)
          } token: { id in
            ids.append(Int(id))
          }
        }
      } token: { id in
        ids.append(Int(id))
      }
    }
    workspaces.putBack(workspace)
    if addingSpecialTokens { ids += frame.after }
    return ids
  }

  private static func normalize(_ text: UnsafeBufferPointer<UInt8>, _ options: Options) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: space.count * (text.count + 1)) { output, count in
      func append(_ byte: UInt8) {
        output.initializeElement(at: count, to: byte)
        count += 1
      }
      if options.prefix == .normalizer { for byte in space { append(byte) } }
      for byte in text {
        if byte == 0x20 && options.replacesSpaces {
          append(0xE2)
          append(0x96)
          append(0x81)
        } else {
          append(byte)
        }
      }
    }
  }

  private func encode(
    _ part: UnsafeBufferPointer<UInt8>, isFirst: Bool, into ids: inout [Int], with workspace: inout MergeWorkspace
  ) {
    let isPrefixed = options.prefix == .always || options.prefix == .first && isFirst
    if isPrefixed && !part.starts(with: Self.space) {
      (Self.space + part).withUnsafeBufferPointer { encodeWords($0, into: &ids, with: &workspace) }
    } else {
      encodeWords(part, into: &ids, with: &workspace)
    }
  }

  private func encodeWords(
    _ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int], with workspace: inout MergeWorkspace
  ) {
    var start = 0
    if wordsAreApart || options.splitsWords {
      var i = 1
      var lastSpace = isSpace(text, 0) ? 0 : -3
      while i + 2 < text.count {
        guard text[i] == 0xE2 && isSpace(text, i) else {
          i += 1
          continue
        }
        // Spaces in a row belong together unless each "▁" begins a word.
        if options.splitsWords || lastSpace + 3 != i {
          workspace.append(UnsafeBufferPointer(rebasing: text[start..<i]), model: model, to: &ids)
          start = i
        }
        lastSpace = i
        i += 3
      }
    }
    if start < text.count {
      workspace.append(UnsafeBufferPointer(rebasing: text[start...]), model: model, to: &ids)
    }
  }

  @inline(__always)
  private func isSpace(_ text: UnsafeBufferPointer<UInt8>, _ i: Int) -> Bool {
    i + 2 < text.count && text[i] == 0xE2 && text[i + 1] == 0x96 && text[i + 2] == 0x81
  }

  /// The text of `ids` without special tokens; bytes that are no UTF-8 become U+FFFD.
  public func decode(_ ids: [Int]) -> String {
    var text = SentencePieceText(self)
    var bytes: [UInt8] = []
    for id in ids { text.append(id, to: &bytes) }
    text.finish(&bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The bytes that `id` stands for, `nil` for special tokens and unknown ids.
  ///
  /// Bytes of tokens such as "<0x0A>" are text only together with their neighbours, which ``decode(_:)`` and
  /// ``StreamingDecoder`` heed.
  public func decodedBytes(of id: Int, isFirst: Bool) -> [UInt8]? {
    guard let spelling = decodedSpelling(of: id) else { return nil }
    var bytes = decoding.resolvesBytes ? byte(of: spelling).map { [$0] } : nil
    if bytes == nil { bytes = decoding.text(spelling, isFirst: isFirst) }
    let dropped = isFirst ? bytes?.prefix(decoding.stripped).prefix { $0 == 0x20 }.count ?? 0 : 0
    return bytes.map { Array($0.dropFirst(dropped)) }
  }

  /// The spelling of an id that decoding does not skip.
  func decodedSpelling(of id: Int) -> ArraySlice<UInt8>? {
    if let token = added[id] { return token.isSpecial ? nil : token.content[...] }
    return model.table.contains(id) ? model.table.bytes(of: id) : nil
  }

  /// The vocabulary's spelling of `id`, "▁" standing for a space.
  public func token(for id: Int) -> String? {
    if let token = added[id] { return String(decoding: token.content, as: UTF8.self) }
    return model.table.text(of: id)
  }
}

extension BytePairModel {
  /// Whether some merged token has a "▁" behind another character.
  fileprivate var mergesAcrossWords: Bool {
    merges.mergedIDs.contains { id in
      let bytes = Array(table.bytes(of: Int(id)))
      return bytes.indices.dropFirst().contains { i in
        let isSpace = bytes[i...].starts(with: SentencePieceBPE.space)
        return isSpace && !(i >= 3 && bytes[(i - 3)...].starts(with: SentencePieceBPE.space))
      }
    }
  }
}
