/// Cuts text into the pieces within which byte pairs merge: GPT-2's regular expression, written out.
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
package struct WordSplitter {
  private let classes = UnicodeClasses.shared
  private let ascii: [ScalarClass]

  package init() {
    let classes = UnicodeClasses.shared
    ascii = (0..<128).map { classes[UInt32($0)].intersection(.split) }
  }

  @inline(__always)
  private func classify(_ bytes: UnsafeBufferPointer<UInt8>, _ i: Int) -> (kind: ScalarClass, length: Int) {
    let lead = bytes[i]
    if lead < 0x80 { return (ascii[Int(lead)], 1) }
    let (scalar, length) = decodeScalar(bytes, i)
    return (classes[scalar].intersection(.split), length)
  }

  /// Where the piece that begins at `start` ends; `start` must lie before the end.
  package func end(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
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
    repeat {
      i += length
      if i >= bytes.count { break }
      let next = classify(bytes, i)
      guard next.kind == kind else { break }
      length = next.length
    } while true
    return i
  }

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
