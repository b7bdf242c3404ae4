/// GPT-2's alphabet: a visible character for each of the 256 bytes, so that vocabularies are readable text.
///
/// The bytes of printable Latin-1 characters stand for themselves; the 68 others, in order, are U+0100 and on ("Ġ" is the
/// space, "Ċ" the line feed).
enum ByteAlphabet {
  /// The scalar for each byte.
  static let scalars: [UInt32] = {
    var next: UInt32 = 0x100
    return (0..<256).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return UInt32(byte)
      default:
        next += 1
        return next - 1
      }
    }
  }()

  /// The byte for each scalar below U+0144, -1 where there is none.
  static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = Int16(byte) }
    return bytes
  }()

  /// Appends the bytes that a spelling stands for; a spelling with any other character stands for itself.
  static func decode(_ spelling: ArraySlice<UInt8>, into output: inout [UInt8]) {
    let start = output.count
    var i = spelling.startIndex
    while i < spelling.endIndex {
      let lead = spelling[i]
      let scalar: Int
      if lead < 0x80 {
        scalar = Int(lead)
        i += 1
      } else if lead & 0xE0 == 0xC0, i + 1 < spelling.endIndex {
        scalar = Int(lead & 0x1F) << 6 | Int(spelling[i + 1] & 0x3F)
        i += 2
      } else {
        output.replaceSubrange(start..., with: spelling)
        return
      }
      guard scalar < bytes.count, bytes[scalar] >= 0 else {
        output.replaceSubrange(start..., with: spelling)
        return
      }
      output.append(UInt8(truncatingIfNeeded: bytes[scalar]))
    }
  }

  /// The spelling of bytes.
  static func encode(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var output: [UInt8] = []
    for byte in bytes { appendUTF8(scalars[Int(byte)], to: &output) }
    return output
  }
}
