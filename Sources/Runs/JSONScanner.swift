/// What is wrong with a piece of JSON text.
package struct JSONProblem: Error {
  /// In a few words, with the place.
  package let reason: String
}

/// A cursor over the UTF-8 bytes of one JSON text; nothing in the bytes can make it trap.
package struct JSONScanner {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var index = 0

  /// A scanner at the start of `bytes`, which must outlive it.
  package init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  /// The byte under the cursor, past white space; nil at the end.
  package mutating func peek() -> UInt8? {
    while index < bytes.count {
      let byte = bytes[index]
      if byte != 0x20 && byte != 0x0A && byte != 0x0D && byte != 0x09 { return byte }
      index += 1
    }
    return nil
  }

  /// A problem at the cursor.
  package func problem(_ reason: String) -> JSONProblem { JSONProblem(reason: "\(reason) at byte \(index + 1)") }

  /// Moves past `byte`.
  package mutating func expect(_ byte: UInt8) throws {
    guard peek() == byte else { throw problem("'\(Character(UnicodeScalar(byte)))' expected") }
    index += 1
  }

  /// Fails unless only white space is left.
  package mutating func expectEnd() throws {
    if peek() != nil { throw problem("text after the value") }
  }

  /// Moves past `byte` if it is next.
  package mutating func skip(_ byte: UInt8) -> Bool {
    guard peek() == byte else { return false }
    index += 1
    return true
  }

  /// Moves past `word` if it is next.
  package mutating func skip(word: StaticString) -> Bool {
    _ = peek()
    let length = word.utf8CodeUnitCount
    guard bytes.count - index >= length else { return false }
    for offset in 0..<length where bytes[index + offset] != word.utf8Start[offset] { return false }
    index += length
    return true
  }

  /// Reads an object, handing each key as it is written (escapes unresolved) to `field`, which reads the value.
  package mutating func object(_ field: (UnsafeBufferPointer<UInt8>, inout JSONScanner) throws -> Void) throws {
    try expect(UInt8(ascii: "{"))
    if skip(UInt8(ascii: "}")) { return }
    repeat {
      let key = try quoted().raw
      try expect(UInt8(ascii: ":"))
      try field(key, &self)
    } while skip(UInt8(ascii: ","))
    try expect(UInt8(ascii: "}"))
  }

  /// Reads an array, calling `element` at each of its values.
  package mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
    try expect(UInt8(ascii: "["))
    if skip(UInt8(ascii: "]")) { return }
    repeat { try element(&self) } while skip(UInt8(ascii: ","))
    try expect(UInt8(ascii: "]"))
  }

  /// Reads a string.
  package mutating func string() throws -> String {
    let (raw, escaped) = try quoted()
    return escaped ? try unescape(raw) : String(decoding: raw, as: UTF8.self)
  }

  /// Reads a whole number.
  package mutating func integer<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws -> Number {
    let token = try numberToken()
    var value: Number = 0
    var start = 0
    let negative = token[0] == UInt8(ascii: "-")
    if negative { start = 1 }
    for byte in token[start...] {
      guard byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") else { throw problem("whole number expected") }
      let digit = Number(byte - UInt8(ascii: "0"))
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = negative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
      if overflow || carry { throw problem("number out of range") }
      value = sum
    }
    return value
  }

  /// Reads a number.
  package mutating func double() throws -> Double {
    let token = try numberToken()
    if let value = exactDouble(token) { return value }
    guard let value = Double(String(decoding: token, as: UTF8.self)), value.isFinite else {
      throw problem("number out of range")
    }
    return value
  }

  /// Reads a number, rounded once.
  package mutating func float() throws -> Float {
    let token = try numberToken()
    // Through Double where that rounds only once: not where the double lies halfway between two floats.
    if let value = exactDouble(token), value.bitPattern & 0x1FFF_FFFF != 0x1000_0000 {
      let rounded = Float(value)
      if rounded.isFinite, rounded.magnitude > Float.leastNormalMagnitude || value == 0 { return rounded }
    }
    guard let value = Float(String(decoding: token, as: UTF8.self)), value.isFinite else {
      throw problem("number out of range")
    }
    return value
  }

  /// Moves past one value of any kind.
  package mutating func skipValue() throws { _ = try JSONValue(&self, depth: 0) }

  /// The bytes of the number under the cursor, checked against JSON's grammar; never empty.
  package mutating func numberToken() throws -> UnsafeBufferPointer<UInt8> {
    _ = peek()
    let start = index
    var at = index
    func digits(_ at: inout Int) -> Int {
      let from = at
      while at < bytes.count, bytes[at] >= UInt8(ascii: "0"), bytes[at] <= UInt8(ascii: "9") { at += 1 }
      return at - from
    }
    if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at += 1 }
    let zero = at < bytes.count && bytes[at] == UInt8(ascii: "0")
    let whole = digits(&at)
    guard whole > 0, !zero || whole == 1 else { throw problem("number expected") }
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      at += 1
      guard digits(&at) > 0 else { throw problem("digits expected after the point") }
    }
    if at < bytes.count, bytes[at] == UInt8(ascii: "e") || bytes[at] == UInt8(ascii: "E") {
      at += 1
      if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
      guard digits(&at) > 0 else { throw problem("digits expected in the exponent") }
    }
    index = at
    return UnsafeBufferPointer(rebasing: bytes[start..<at])
  }

  /// The number where double arithmetic gives it exactly rounded: at most 15 digits and a power of ten up to 22.
  private func exactDouble(_ token: UnsafeBufferPointer<UInt8>) -> Double? {
    var mantissa: UInt64 = 0
    var digits = 0
    var exponent = 0
    var written = 0
    var inFraction = false
    var negative = false
    var negativeExponent = false
    var inExponent = false
    for byte in token {
      switch byte {
      case UInt8(ascii: "-"): if inExponent { negativeExponent = true } else { negative = true }
      case UInt8(ascii: "+"): break
      case UInt8(ascii: "."): inFraction = true
      case UInt8(ascii: "e"), UInt8(ascii: "E"): inExponent = true
      default:
        let digit = Int(byte - UInt8(ascii: "0"))
        if inExponent {
          written = written * 10 + digit
          if written > 400 { return nil }
        } else {
          mantissa = mantissa * 10 + UInt64(digit)
          if mantissa > 0 { digits += 1 }
          if digits > 15 { return nil }
          if inFraction { exponent -= 1 }
        }
      }
    }
    exponent += negativeExponent ? -written : written
    guard abs(exponent) < powersOfTen.count else { return nil }
    let magnitude = Double(mantissa)
    let value = exponent < 0 ? magnitude / powersOfTen[-exponent] : magnitude * powersOfTen[exponent]
    return negative ? -value : value
  }

  private mutating func quoted() throws -> (raw: UnsafeBufferPointer<UInt8>, escaped: Bool) {
    try expect(UInt8(ascii: "\""))
    let start = index
    var escaped = false
    while index < bytes.count {
      let byte = bytes[index]
      if byte == UInt8(ascii: "\"") {
        index += 1
        return (UnsafeBufferPointer(rebasing: bytes[start..<index - 1]), escaped)
      }
      if byte == UInt8(ascii: "\\") {
        escaped = true
        index += 1
      } else if byte < 0x20 {
        throw problem("control character in a string")
      }
      index += 1
    }
    throw problem("string without an end")
  }

  private func unescape(_ raw: UnsafeBufferPointer<UInt8>) throws -> String {
    var result: [UInt8] = []
    result.reserveCapacity(raw.count)
    var at = 0
    while at < raw.count {
      let byte = raw[at]
      at += 1
      guard byte == UInt8(ascii: "\\"), at < raw.count else {
        result.append(byte)
        continue
      }
      let kind = raw[at]
      at += 1
      switch kind {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(kind)
      case UInt8(ascii: "b"): result.append(0x08)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "n"): result.append(0x0A)
      case UInt8(ascii: "f"): result.append(0x0C)
      case UInt8(ascii: "r"): result.append(0x0D)
      case UInt8(ascii: "u"):
        var code = try codeUnit(raw, &at)
        if code & 0xFC00 == 0xD800, at + 1 < raw.count, raw[at] == UInt8(ascii: "\\"), raw[at + 1] == UInt8(ascii: "u")
        {
          var next = at + 2
          let low = try codeUnit(raw, &next)
          if low & 0xFC00 == 0xDC00 {
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            at = next
          }
        }
        // Half a surrogate pair is no character: it becomes the replacement character.
        result.append(contentsOf: String(UnicodeScalar(code) ?? "\u{FFFD}").utf8)
      default: throw problem("unknown escape in a string")
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private func codeUnit(_ raw: UnsafeBufferPointer<UInt8>, _ at: inout Int) throws -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard at < raw.count, let digit = Character(UnicodeScalar(raw[at])).hexDigitValue else {
        throw problem("four hexadecimal digits expected after \\u")
      }
      code = code << 4 + UInt32(digit)
      at += 1
    }
    return code
  }
}

private let powersOfTen: [Double] = [
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
]
