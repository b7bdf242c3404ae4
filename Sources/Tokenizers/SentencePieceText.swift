/// Turns the ids of a ``SentencePieceBPE`` into text, one after the other.
///
/// Tokens such as "<0x0A>" stand for bytes. As in the reference a run of them is text only as a whole, so it is kept back
/// until it ends; if it is no UTF-8, each of its bytes becomes U+FFFD.
struct SentencePieceText: Sendable {
  /// How tokens become text.
  struct Options: Sendable, Equatable {
    /// Whether "▁" becomes a space.
    var replacesSpaces = true
    /// Whether the first token's "▁" are dropped instead.
    var dropsFirstSpaces = false
    /// Whether tokens such as "<0x0A>" stand for bytes.
    var resolvesBytes = true
    /// How many spaces at the start of the text are left out.
    var stripped = 0

    /// The text of one token that is not a byte.
    func text(_ spelling: ArraySlice<UInt8>, isFirst: Bool) -> [UInt8] {
      guard replacesSpaces, spelling.contains(0xE2) else { return Array(spelling) }
      var output: [UInt8] = []
      var i = spelling.startIndex
      while i < spelling.endIndex {
        if spelling[i] == 0xE2 && spelling[i...].starts(with: SentencePieceBPE.space) {
          if !(dropsFirstSpaces && isFirst) { output.append(0x20) }
          i += 3
        } else {
          output.append(spelling[i])
          i += 1
        }
      }
      return output
    }
  }

  private let tokenizer: SentencePieceBPE
  private var run: [UInt8] = []
  private var toStrip: Int
  private var isFirst = true

  /// - Parameter isContinuation: whether text stands before the first id, so that a space at its start means a space.
  init(_ tokenizer: SentencePieceBPE, isContinuation: Bool = false) {
    self.tokenizer = tokenizer
    toStrip = isContinuation ? 0 : tokenizer.decoding.stripped
    isFirst = !isContinuation
  }

  /// Appends to `output` the text that `id` completes: whole characters.
  mutating func append(_ id: Int, to output: inout [UInt8]) {
    guard let spelling = tokenizer.decodedSpelling(of: id) else { return }
    if tokenizer.decoding.resolvesBytes, let byte = byte(of: spelling) {
      run.append(byte)
    } else {
      endRun(&output)
      add(tokenizer.decoding.text(spelling, isFirst: isFirst), to: &output)
    }
    isFirst = false
  }

  /// Appends what was kept back; the next id is the first of a new text.
  mutating func finish(_ output: inout [UInt8]) {
    endRun(&output)
    toStrip = tokenizer.decoding.stripped
    isFirst = true
  }

  private mutating func endRun(_ output: inout [UInt8]) {
    guard !run.isEmpty else { return }
    let isText = run.withUnsafeBufferPointer { bytes in
      var i = 0
      while i < bytes.count {
        guard let length = utf8Length(in: bytes, at: i) else { return false }
        i += length
      }
      return true
    }
    add(isText ? run : Array(repeatElement([0xEF, 0xBF, 0xBD], count: run.count).joined()), to: &output)
    run.removeAll(keepingCapacity: true)
  }

  private mutating func add(_ text: [UInt8], to output: inout [UInt8]) {
    var start = 0
    while toStrip > 0 && start < text.count {
      toStrip = text[start] == 0x20 ? toStrip - 1 : 0
      if text[start] == 0x20 { start += 1 }
    }
    output += text[start...]
  }
}
