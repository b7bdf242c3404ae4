/// Cuts text into the pieces within which byte pairs merge: the regular expressions of ``SplitPattern``, written out.
package struct WordSplitter {
  private let classes = UnicodeClasses.shared
  private let ascii: [ScalarClass]
  /// At most so many digits make a piece of a pattern that is not GPT-2's.
  private let digitLimit: Int
  private let isGPT2: Bool

  /// A splitter by GPT-2's pattern.
  package init() { self.init(.gpt2) }

  /// A splitter by a pattern.
  package init(_ pattern: SplitPattern) {
    let classes = UnicodeClasses.shared
    ascii = (0..<128).map { classes[UInt32($0)].intersection(.split) }
    isGPT2 = pattern == .gpt2
    digitLimit = pattern == .qwen2 ? 1 : 3
  }

  @inline(__always)
  private func classify(_ bytes: UnsafeBufferPointer<UInt8>, _ i: Int) -> (kind: ScalarClass, length: Int) {
    let lead = bytes[i]
    if lead < 0x80 { return (ascii[Int(lead)], 1) }
    let (scalar, length) = decodeScalar(bytes, i)
    return (classes[scalar].intersection(.split), length)
  }

  /// Where the piece that begins at `start` ends; `start` must lie before the end.
  @inline(__always)
  package func end(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    isGPT2 ? gpt2End(bytes, from: start) : modernEnd(bytes, from: start)
  }

  private func gpt2End(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    if bytes[start] == UInt8(ascii: "'"), let end = contraction(bytes, start) { return end }
    var i = start
    var (kind, length) = classify(bytes, i)
    if bytes[start] == 0x20 && start + 1 < bytes.count {
      let next = classify(bytes, start + 1)
      if next.kind != .whitespace {
        i += 1
        (kind, length) = next
      }
    }
    if kind == .whitespace { return whitespace(bytes, start) }
    return run(bytes, from: i + length, of: kind)
  }

  /// The pattern of Llama 3 and Qwen 2.
  private func modernEnd(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    if bytes[start] == UInt8(ascii: "'"), let end = caselessContraction(bytes, start) { return end }
    let (kind, length) = classify(bytes, start)
    if kind == .letter { return run(bytes, from: start + length, of: .letter) }
    if kind == .number { return digits(bytes, from: start + length) }
    let second = start + length
    let next = second < bytes.count ? classify(bytes, second) : nil
    // One character that is neither a line break nor a letter nor a number leads a word.
    if let next, next.kind == .letter, !Self.isLineBreak(bytes[start]) {
      return run(bytes, from: second + next.length, of: .letter)
    }
    if kind == .whitespace {
      guard bytes[start] == 0x20, let next, next.kind.isEmpty else { return spaces(bytes, start) }
      return symbols(bytes, from: second + next.length)
    }
    return symbols(bytes, from: second)
  }

  /// The end of a run of one class.
  @inline(__always)
  private func run(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, of kind: ScalarClass) -> Int {
    var i = start
    while i < bytes.count {
      let next = classify(bytes, i)
      guard next.kind == kind else { break }
      i += next.length
    }
    return i
  }

  /// The end of a number whose first digit ends at `start`.
  private func digits(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var i = start
    var count = 1
    while count < digitLimit && i < bytes.count {
      let next = classify(bytes, i)
      guard next.kind == .number else { break }
      i += next.length
      count += 1
    }
    return i
  }

  /// The end of a run of symbols with the line breaks behind it.
  private func symbols(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var i = run(bytes, from: start, of: [])
    while i < bytes.count && Self.isLineBreak(bytes[i]) { i += 1 }
    return i
  }

  /// White space up to its last line break; without one as in GPT-2's pattern.
  private func spaces(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
    var i = start
    var last = start
    var lineBreak = start
    while i < bytes.count {
      let (kind, length) = classify(bytes, i)
      guard kind == .whitespace else { break }
      last = i
      if Self.isLineBreak(bytes[i]) { lineBreak = i + 1 }
      i += length
    }
    if lineBreak > start { return lineBreak }
    return i < bytes.count && last > start ? last : i
  }

  private static func isLineBreak(_ byte: UInt8) -> Bool { byte == 0x0A || byte == 0x0D }

  private func contraction(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int? {
    guard start + 1 < bytes.count else { return nil }
    let second = start + 2 < bytes.count ? bytes[start + 2] : 0
    switch bytes[start + 1] {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"): return second == UInt8(ascii: "e") ? start + 3 : nil
    case UInt8(ascii: "l"): return second == UInt8(ascii: "l") ? start + 3 : nil
    default: return nil
    }
  }

  /// A contraction in either case; the long s (U+017F) is an s there too.
  private func caselessContraction(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int? {
    func letter(_ offset: Int) -> UInt8 { start + offset < bytes.count ? bytes[start + offset] | 0x20 : 0 }
    switch letter(1) {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"): return letter(2) == UInt8(ascii: "e") ? start + 3 : nil
    case UInt8(ascii: "l"): return letter(2) == UInt8(ascii: "l") ? start + 3 : nil
    default:
      guard start + 2 < bytes.count, bytes[start + 1] == 0xC5, bytes[start + 2] == 0xBF else { return nil }
      return start + 3
    }
  }

  /// A run of white space leaves its last character to a word that follows, unless it is the only one.
  private func whitespace(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
    var i = start
    var last = start
    while i < bytes.count {
      let (kind, length) = classify(bytes, i)
      guard kind == .whitespace else { return last > start ? last : i }
      last = i
      i += length
    }
    return i
  }

  /// The end of the stretch from `start` without digits, or of the one digit there.
  func endOfDigits(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var i = start
    while i < bytes.count {
      let (scalar, length) = decodeScalar(bytes, i)
      if classes[scalar].contains(.digit) { return i == start ? i + length : i }
      i += length
    }
    return i
  }
}
