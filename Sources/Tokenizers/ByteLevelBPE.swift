/// GPT-2's tokenizer: byte pairs merge within the pieces of a fixed pattern, so that any text has ids.
///
/// Encoding keeps the words it has seen; values may be copied and used from many threads.
public struct ByteLevelBPE: Tokenizer {
  /// What happens to text before byte pairs merge.
  struct Options: Sendable, Equatable {
    /// Whether a text that does not begin with a space gets one.
    var addsPrefixSpace = false
    /// What cuts the text into pieces; `nil` leaves it whole.
    var pattern: SplitPattern? = .gpt2
    /// Whether each digit stands alone.
    var isolatesDigits = false
    /// Whether letters and their accents are composed before all that (Unicode's NFC).
    var composes = false
  }

  let model: BytePairModel
  let options: Options
  let addedTokens: [AddedToken]
  let frame: SpecialTokenFrame
  /// The id that begins a text, `nil` where the tokenizer has none.
  public var beginningOfTextID: Int? { bounds.beginning }
  /// The id that ends a text, usually `<|endoftext|>`.
  public var endOfTextID: Int? { bounds.end }
  /// The special tokens that stand before every encoded text.
  public var idsBeforeText: [Int] { frame.before }
  /// The largest id plus one.
  public var vocabularySize: Int { max(model.table.size, added.size) }

  private let added: AddedTokenSet
  private let bounds: TextBounds
  private let splitter: WordSplitter
  private let workspaces = WorkspaceShelf()
  /// The bytes of every id, one after the other, with the end of each.
  private let pieces: [UInt8]
  private let pieceEnds: [Int32]

  init(
    model: BytePairModel, options: Options, addedTokens: [AddedToken], frame: SpecialTokenFrame, bounds: TextBounds
  ) {
    self.model = model
    self.options = options
    self.addedTokens = addedTokens
    self.frame = frame
    self.bounds = bounds
    splitter = WordSplitter(options.pattern ?? .gpt2)
    added = AddedTokenSet(addedTokens) { options.composes ? UnicodeComposer.shared.compose($0) : Array($0) }
    var pieces: [UInt8] = []
    var ends: [Int32] = []
    for id in 0..<max(model.table.size, added.size) {
      let spelling = added[id]?.content[...] ?? model.table.bytes(of: id)
      ByteAlphabet.decode(spelling, into: &pieces)
      ends.append(Int32(truncatingIfNeeded: pieces.count))
    }
    self.pieces = pieces
    pieceEnds = ends
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
        guard options.composes, let first = UnicodeComposer.shared.firstToCompose(stretch) else {
          encodeNormalized(stretch, into: &ids, with: &workspace)
          return
        }
        UnicodeComposer.shared.compose(stretch, from: first).withUnsafeBufferPointer {
          encodeNormalized($0, into: &ids, with: &workspace)
        }
      } token: { id in
        ids.append(Int(id))
      }
    }
    workspaces.putBack(workspace)
    if addingSpecialTokens { ids += frame.after }
    return ids
  }

  private func encodeNormalized(
    _ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int], with workspace: inout MergeWorkspace
  ) {
    added.normalized.split(text) { stretch in
      encode(stretch, into: &ids, with: &workspace)
    } token: { id in
      ids.append(Int(id))
    }
  }

  private func encode(_ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int], with workspace: inout MergeWorkspace) {
    guard options.isolatesDigits else {
      encodePart(text, into: &ids, with: &workspace)
      return
    }
    var start = 0
    while start < text.count {
      let end = splitter.endOfDigits(text, from: start)
      encodePart(UnsafeBufferPointer(rebasing: text[start..<end]), into: &ids, with: &workspace)
      start = end
    }
  }

  private func encodePart(
    _ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int], with workspace: inout MergeWorkspace
  ) {
    if options.addsPrefixSpace && text.first != 0x20 {
      ([0x20] + Array(text)).withUnsafeBufferPointer { encodePieces($0, into: &ids, with: &workspace) }
    } else {
      encodePieces(text, into: &ids, with: &workspace)
    }
  }

  private func encodePieces(
    _ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int], with workspace: inout MergeWorkspace
  ) {
    var start = 0
    while start < text.count {
      let end = options.pattern != nil ? splitter.end(text, from: start) : text.count
      workspace.append(UnsafeBufferPointer(rebasing: text[start..<end]), model: model, to: &ids)
      start = end
    }
  }

  /// The text of `ids` without special tokens; bytes that are no UTF-8 become U+FFFD.
  public func decode(_ ids: [Int]) -> String {
    String(decoding: joinedBytes(of: ids), as: UTF8.self)
  }

  /// The bytes that `id` stands for, `nil` for special tokens and unknown ids.
  public func decodedBytes(of id: Int, isFirst: Bool) -> [UInt8]? {
    guard id >= 0 && id < pieceEnds.count, added[id]?.isSpecial != true else { return nil }
    return Array(pieces[(id == 0 ? 0 : Int(pieceEnds[id - 1]))..<Int(pieceEnds[id])])
  }

  /// The vocabulary's spelling of `id`, "Ġ" standing for a space.
  public func token(for id: Int) -> String? {
    if let token = added[id] { return String(decoding: token.content, as: UTF8.self) }
    return model.table.text(of: id)
  }
}
