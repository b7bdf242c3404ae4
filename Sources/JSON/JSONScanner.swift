/// A cursor over the UTF-8 bytes of one JSON text, strict as RFC 8259 is; nothing in the bytes can make it trap.
///
/// It keeps the order of members, shows every key, bounds the depth, and compares no strings: all of these matter to files of
/// checkpoints and tokenizers, where Foundation's readers lose repeated keys and equate strings that differ in their bytes.
package struct JSONScanner {
  /// The deepest nesting that is read: no file needs more, and the stack is finite.
  package static let nestingLimit = 128

  private let bytes: UnsafeBufferPointer<UInt8>
  private let baseOffset: Int
  private var index = 0
  private var depth = 0

  /// A scanner at the start of `bytes`, which must outlive it and begin at byte `baseOffset` of their file.
  package init(_ bytes: UnsafeBufferPointer<UInt8>, baseOffset: Int = 0) {
    self.bytes = bytes
    self.baseOffset = baseOffset
  }

  /// The byte of the file under the cursor, counted from 0.
  package var offset: Int { baseOffset + index }

  /// The byte under the cursor, past white space; nil at the end.
  package mutating func peek() -> UInt8? {
    while index < bytes.count {
      let byte = bytes[index]
      if byte != 0x20 && byte != 0x0A && byte != 0x0D && byte != 0x09 { return byte }
      index += 1
    }
    return nil
  }

  /// A problem at byte `offset` of the file, or at the cursor.
  package func problem(_ reason: String, at offset: Int? = nil) -> JSONError {
    JSONError(reason: reason, offset: offset ?? self.offset)
  }

  /// Moves past `byte`.
  package mutating func expect(_ byte: UInt8) throws {
    guard peek() == byte else { throw problem("'\(Character(UnicodeScalar(byte)))' expected") }
    index += 1
  }

  /// Fails unless only white space is left.
  package mutating func expectEnd() throws {
    if peek() != nil { throw problem("there is more after the end of the value") }
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

  // MARK: - Containers

  /// Reads an object, handing each key as it is written (escapes unresolved) to `field`, which reads the value.
  package mutating func object(_ field: (UnsafeBufferPointer<UInt8>, inout JSONScanner) throws -> Void) throws {
    try container("{", "}") { scanner in
      let key = try scanner.quoted().raw
      try scanner.expect(UInt8(ascii: ":"))
      try field(key, &scanner)
    }
  }

  /// Reads an object, handing each key and the byte that it begins at to `member`, which reads the value.
  package mutating func members(_ member: (inout JSONScanner, _ key: String, _ offset: Int) throws -> Void) throws {
    try container("{", "}") { scanner in
      _ = scanner.peek()
      let start = scanner.offset
      let key = try scanner.string()
      try scanner.expect(UInt8(ascii: ":"))
      try member(&scanner, key, start)
    }
  }

  /// Reads an array, calling `element` at each of its values.
  package mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
    try container("[", "]", element)
  }

  private mutating func container(
    _ opening: UnicodeScalar, _ closing: UnicodeScalar, _ element: (inout JSONScanner) throws -> Void
  ) throws {
    try expect(UInt8(ascii: opening))
    depth += 1
    if depth > Self.nestingLimit {
      throw problem("nested deeper than \(Self.nestingLimit) levels", at: offset - 1)
    }
    if !skip(UInt8(ascii: closing)) {
      repeat { try element(&self) } while skip(UInt8(ascii: ","))
      guard skip(UInt8(ascii: closing)) else {
        throw problem(
          index < bytes.count ? "a comma or '\(closing)' was expected" : "the content ends before its '\(closing)'")
      }
    }
    depth -= 1
  }

  // MARK: - Values

  /// Reads a string.
  package mutating func string() throws -> String {
    let (raw, escaped) = try quoted()
    return escaped ? unescaped(raw) : String(decoding: raw, as: UTF8.self)
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

  /// Moves past one value of any kind, which is checked all the same.
  package mutating func skipValue() throws {
    switch peek() {
    case UInt8(ascii: "{"): try object { _, scanner in try scanner.skipValue() }
    case UInt8(ascii: "["): try array { scanner in try scanner.skipValue() }
    case UInt8(ascii: "\""): _ = try quoted()
    default:
      if !skip(word: "true"), !skip(word: "false"), !skip(word: "null") { _ = try numberToken() }
    }
  }

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
    guard whole > 0, !zero || whole == 1 else {
      throw problem(start < bytes.count ? "a value was expected" : "the content ends too early")
    }
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

  // MARK: - Strings

  /// The content of the string under the cursor as it is written; its UTF-8 and its escapes are checked.
  private mutating func quoted() throws -> (raw: UnsafeBufferPointer<UInt8>, escaped: Bool) {
    guard peek() == UInt8(ascii: "\"") else { throw problem("a string was expected") }
    index += 1
    let start = index
    var escaped = false
    while index < bytes.count {
      let byte = bytes[index]
      switch byte {
      case UInt8(ascii: "\""):
        index += 1
        return (UnsafeBufferPointer(rebasing: bytes[start..<index - 1]), escaped)
      case UInt8(ascii: "\\"):
        escaped = true
        try skipEscape()
      case 0..<0x20: throw problem("a control character in a string must be escaped")
      case 0x20..<0x80: index += 1
      default:
        guard let length = utf8Length(in: bytes, at: index) else { throw problem("the bytes are not UTF-8") }
        index += length
      }
    }
    throw problem("the string has no end", at: baseOffset + start - 1)
  }

  private mutating func skipEscape() throws {
    let start = offset
    index += 1
    guard index < bytes.count else { return }
    switch bytes[index] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      index += 1
    case UInt8(ascii: "u"):
      index += 1
      let first = try codeUnit()
      guard first & 0xF800 == 0xD800 else { return }
      guard first < 0xDC00, bytes.count - index >= 2, bytes[index] == UInt8(ascii: "\\"),
        bytes[index + 1] == UInt8(ascii: "u")
      else { throw problem("half of a surrogate pair", at: start) }
      index += 2
      guard try codeUnit() & 0xFC00 == 0xDC00 else { throw problem("half of a surrogate pair", at: start) }
    default: throw problem("unknown escape in a string", at: start)
    }
  }

  private mutating func codeUnit() throws -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard index < bytes.count, let digit = hexadecimalDigit(bytes[index]) else {
        throw problem("four hexadecimal digits were expected")
      }
      unit = unit << 4 | digit
      index += 1
    }
    return unit
  }
}

private let powersOfTen: [Double] = [
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
]

/// The text of a string's content whose escapes have been checked.
private func unescaped(_ raw: UnsafeBufferPointer<UInt8>) -> String {
  var result: [UInt8] = []
  result.reserveCapacity(raw.count)
  var at = 0
  func codeUnit() -> UInt32 {
    defer { at += 4 }
    return raw[at..<at + 4].reduce(0) { $0 << 4 | (hexadecimalDigit($1) ?? 0) }
  }
  while at < raw.count {
    let byte = raw[at]
    at += 1
    guard byte == UInt8(ascii: "\\") else {
      result.append(byte)
      continue
    }
    at += 1
    switch raw[at - 1] {
    case UInt8(ascii: "b"): result.append(0x08)
    case UInt8(ascii: "t"): result.append(0x09)
    case UInt8(ascii: "n"): result.append(0x0A)
    case UInt8(ascii: "f"): result.append(0x0C)
    case UInt8(ascii: "r"): result.append(0x0D)
    case UInt8(ascii: "u"):
      var code = codeUnit()
      if code & 0xFC00 == 0xD800 {
        at += 2
        code = 0x10000 + (code & 0x3FF) << 10 + (codeUnit() & 0x3FF)
      }
      if let scalar = UnicodeScalar(code) { result.append(contentsOf: String(scalar).utf8) }
    case let other: result.append(other)
    }
  }
  return String(decoding: result, as: UTF8.self)
}

/// The value of a hexadecimal digit.
private func hexadecimalDigit(_ byte: UInt8) -> UInt32? {
  switch byte {
  case 0x30...0x39: UInt32(byte) - 0x30
  case 0x41...0x46: UInt32(byte) - 0x37
  case 0x61...0x66: UInt32(byte) - 0x57
  default: nil
  }
}

/// The length of the UTF-8 sequence of a scalar at `offset`, nil if the bytes there are none.
private func utf8Length(in bytes: UnsafeBufferPointer<UInt8>, at offset: Int) -> Int? {
  let length: Int
  let second: ClosedRange<UInt8>
  switch bytes[offset] {
  case 0..<0x80: return 1
  case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
  case 0xE0: (length, second) = (3, 0xA0...0xBF)
  case 0xED: (length, second) = (3, 0x80...0x9F)
  case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
  case 0xF0: (length, second) = (4, 0x90...0xBF)
  case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
  case 0xF4: (length, second) = (4, 0x80...0x8F)
  default: return nil
  }
  guard bytes.count - offset >= length, second.contains(bytes[offset + 1]) else { return nil }
  for place in 2..<max(length, 2) where bytes[offset + place] & 0xC0 != 0x80 { return nil }
  return length
}
