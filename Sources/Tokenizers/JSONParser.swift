/// A strict, bounds-checked JSON parser over bytes; a vocabulary of 50,000 strings takes it a few milliseconds.
struct JSONParser {
  /// Deeper nesting than this is refused: no tokenizer needs it, and the stack is finite.
  static let nestingLimit = 64

  let file: String
  let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0
  private var depth = 0

  init(file: String, bytes: UnsafeBufferPointer<UInt8>) {
    self.file = file
    self.bytes = bytes
  }

  /// The one value that the bytes hold.
  mutating func document() throws -> JSONValue {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { throw error("a byte order mark stands before the content") }
    let value = try self.value()
    skipWhitespace()
    if position < bytes.count { throw error("there is more after the end of the content") }
    return value
  }

  private func error(_ reason: String, at offset: Int? = nil) -> TokenizerError {
    .malformedJSON(file: file, offset: offset ?? position, reason: reason)
  }

  /// The byte at the position, 0 at the end: a zero byte is never valid outside strings.
  @inline(__always)
  private var current: UInt8 { position < bytes.count ? bytes[position] : 0 }

  @inline(__always)
  private mutating func skipWhitespace() {
    while position < bytes.count {
      let byte = bytes[position]
      guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
      position += 1
    }
  }

  private mutating func value() throws -> JSONValue {
    skipWhitespace()
    switch current {
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "["): return .array(try array())
    case UInt8(ascii: "{"): return .object(try object())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw error(position < bytes.count ? "a value was expected" : "the content ends too early")
    }
  }

  private mutating func literal(_ word: StaticString, _ value: JSONValue) throws -> JSONValue {
    let expected = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    guard bytes.count - position >= expected.count, bytes[position...].starts(with: expected) else {
      throw error("a value was expected")
    }
    position += expected.count
    return value
  }

  private mutating func enter() throws {
    depth += 1
    position += 1
    if depth > Self.nestingLimit { throw error("nested deeper than \(Self.nestingLimit) levels", at: position - 1) }
    skipWhitespace()
  }

  private mutating func array() throws -> [JSONValue] {
    try enter()
    var elements: [JSONValue] = []
    if current != UInt8(ascii: "]") {
      while true {
        elements.append(try value())
        skipWhitespace()
        if current == UInt8(ascii: "]") { break }
        guard current == UInt8(ascii: ",") else { throw error("a comma or a closing bracket was expected") }
        position += 1
      }
    }
    position += 1
    depth -= 1
    return elements
  }

  private mutating func object() throws -> [JSONMember] {
    try enter()
    var members: [JSONMember] = []
    if current != UInt8(ascii: "}") {
      while true {
        skipWhitespace()
        guard current == UInt8(ascii: "\"") else { throw error("a name in quotes was expected") }
        let name = try string()
        skipWhitespace()
        guard current == UInt8(ascii: ":") else { throw error("a colon was expected") }
        position += 1
        members.append(JSONMember(name: name, value: try value()))
        skipWhitespace()
        if current == UInt8(ascii: "}") { break }
        guard current == UInt8(ascii: ",") else { throw error("a comma or a closing brace was expected") }
        position += 1
      }
    }
    position += 1
    depth -= 1
    return members
  }

  private mutating func digits() throws {
    let start = position
    while current >= UInt8(ascii: "0") && current <= UInt8(ascii: "9") { position += 1 }
    if position == start { throw error("a digit was expected") }
  }

  private mutating func number() throws -> JSONValue {
    let start = position
    if current == UInt8(ascii: "-") { position += 1 }
    if current == UInt8(ascii: "0") { position += 1 } else { try digits() }
    var isInteger = true
    if current == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      try digits()
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      isInteger = false
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      try digits()
    }
    if isInteger, let integer = integer(from: start) { return .integer(integer) }
    guard let number = Double(String(decoding: bytes[start..<position], as: UTF8.self)), number.isFinite else {
      throw error("the number is too large", at: start)
    }
    return .number(number)
  }

  /// The whole number from `start` to the position, `nil` if it does not fit.
  private func integer(from start: Int) -> Int? {
    let isNegative = bytes[start] == UInt8(ascii: "-")
    var result = 0
    for byte in bytes[(isNegative ? start + 1 : start)..<position] {
      let (product, overflow) = result.multipliedReportingOverflow(by: 10)
      let (sum, carried) = product.addingReportingOverflow(Int(byte) - 0x30)
      if overflow || carried { return nil }
      result = sum
    }
    return isNegative ? -result : result
  }

  private mutating func string() throws -> JSONString {
    position += 1
    let start = position
    var hasEscapes = false
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return JSONString(start: start, end: position - 1, hasEscapes: hasEscapes)
      case UInt8(ascii: "\\"):
        hasEscapes = true
        try escape()
      case 0..<0x20: throw error("a control character in a string must be escaped")
      case 0x20..<0x80: position += 1
      default:
        guard let length = utf8Length(in: bytes, at: position) else { throw error("the bytes are not UTF-8") }
        position += length
      }
    }
    throw error("the string has no end", at: start - 1)
  }

  private mutating func escape() throws {
    let start = position
    position += 1
    switch current {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      position += 1
    case UInt8(ascii: "u"):
      position += 1
      let first = try codeUnit()
      if first >= 0xDC00 && first < 0xE000 { throw error("half of a surrogate pair", at: start) }
      guard first >= 0xD800 && first < 0xDC00 else { return }
      guard bytes.count - position >= 2, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
      else { throw error("half of a surrogate pair", at: start) }
      position += 2
      let second = try codeUnit()
      guard second >= 0xDC00 && second < 0xE000 else { throw error("half of a surrogate pair", at: start) }
    default: throw error("unknown escape", at: start)
    }
  }

  private mutating func codeUnit() throws -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = hexadecimalDigit(current) else { throw error("four hexadecimal digits were expected") }
      unit = unit << 4 | UInt32(digit)
      position += 1
    }
    return unit
  }
}

/// The length of the UTF-8 sequence of a scalar at `offset`, `nil` if the bytes there are none.
func utf8Length(in bytes: UnsafeBufferPointer<UInt8>, at offset: Int) -> Int? {
  let lead = bytes[offset]
  let length: Int
  let second: ClosedRange<UInt8>
  switch lead {
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
  for i in 2..<max(length, 2) where bytes[offset + i] & 0xC0 != 0x80 { return nil }
  return length
}
