/// A JSON value whose strings still lie in the document's bytes.
enum JSONValue {
  case null
  case bool(Bool)
  /// A number without fraction or exponent that fits.
  case integer(Int)
  case number(Double)
  case string(JSONString)
  case array([JSONValue])
  case object([JSONMember])
}

/// A name and its value, in the order of the file.
struct JSONMember {
  let name: JSONString
  let value: JSONValue
}

/// Where a string's content lies between its quotes.
struct JSONString {
  let start: Int
  let end: Int
  let hasEscapes: Bool
}

/// The bytes of a JSON file, and its root value.
struct JSONDocument {
  let file: String
  let bytes: [UInt8]
  let root: JSONValue

  /// Parses strictly by RFC 8259.
  ///
  /// - Throws: ``TokenizerError/malformedJSON(file:offset:reason:)``.
  init(file: String, bytes: [UInt8]) throws {
    self.file = file
    self.bytes = bytes
    root = try bytes.withUnsafeBufferPointer { buffer in
      var parser = JSONParser(file: file, bytes: buffer)
      return try parser.document()
    }
  }

  /// Appends the string's UTF-8 bytes, escapes resolved, to `output`.
  func append(_ string: JSONString, to output: inout [UInt8]) {
    guard string.hasEscapes else {
      output.append(contentsOf: bytes[string.start..<string.end])
      return
    }
    var i = string.start
    while i < string.end {
      let byte = bytes[i]
      guard byte == UInt8(ascii: "\\") else {
        output.append(byte)
        i += 1
        continue
      }
      i += 2
      switch bytes[i - 1] {
      case UInt8(ascii: "b"): output.append(8)
      case UInt8(ascii: "f"): output.append(12)
      case UInt8(ascii: "n"): output.append(10)
      case UInt8(ascii: "r"): output.append(13)
      case UInt8(ascii: "t"): output.append(9)
      case UInt8(ascii: "u"):
        var scalar = hexadecimal(at: i)
        i += 4
        if scalar >= 0xD800 && scalar < 0xDC00 {
          scalar = 0x10000 + ((scalar - 0xD800) << 10) + (hexadecimal(at: i + 2) - 0xDC00)
          i += 6
        }
        appendUTF8(scalar, to: &output)
      case let other: output.append(other)
      }
    }
  }

  /// Calls `body` with the string's bytes, copied only where there are escapes.
  func withContent<Result>(
    _ string: JSONString, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
  ) rethrows -> Result {
    if string.hasEscapes { return try content(string).withUnsafeBufferPointer(body) }
    return try bytes.withUnsafeBufferPointer { bytes in
      try body(UnsafeBufferPointer(rebasing: bytes[string.start..<string.end]))
    }
  }

  /// The four digits at `offset`, which the parser has checked.
  private func hexadecimal(at offset: Int) -> UInt32 {
    bytes[offset..<(offset + 4)].reduce(0) { $0 << 4 | UInt32(hexadecimalDigit($1) ?? 0) }
  }

  /// The string's bytes.
  func content(_ string: JSONString) -> [UInt8] {
    var output: [UInt8] = []
    append(string, to: &output)
    return output
  }

  /// The string as text.
  func text(_ string: JSONString) -> String { String(decoding: content(string), as: UTF8.self) }

  /// Whether the string is exactly `name`.
  func matches(_ string: JSONString, _ name: StaticString) -> Bool {
    let expected = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    return string.hasEscapes
      ? content(string).elementsEqual(expected) : bytes[string.start..<string.end].elementsEqual(expected)
  }
}

/// The value of a hexadecimal digit.
@inline(__always)
func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case 0x30...0x39: byte - 0x30
  case 0x41...0x46: byte - 0x37
  case 0x61...0x66: byte - 0x57
  default: nil
  }
}

/// Appends the UTF-8 bytes of a scalar value.
@inline(__always)
func appendUTF8(_ scalar: UInt32, to output: inout [UInt8]) {
  if scalar < 0x80 {
    output.append(UInt8(truncatingIfNeeded: scalar))
  } else if scalar < 0x800 {
    output.append(UInt8(truncatingIfNeeded: 0xC0 | scalar >> 6))
    output.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
  } else if scalar < 0x10000 {
    output.append(UInt8(truncatingIfNeeded: 0xE0 | scalar >> 12))
    output.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
    output.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
  } else {
    output.append(UInt8(truncatingIfNeeded: 0xF0 | scalar >> 18))
    output.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 12 & 0x3F))
    output.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
    output.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
  }
}
