/// A strict reader of JSON over bytes: keeps order, shows every key, and is bounded in depth.
///
/// JSONSerialization loses repeated keys, so it cannot validate a safetensors header; and JSONDecoder does not say on
/// every platform where a file stops being JSON.
struct JSONScanner {
  private let bytes: UnsafeRawBufferPointer
  private let file: String
  private let baseOffset: Int
  private(set) var position = 0
  private var depth = 0

  private static let maximumDepth = 128

  /// Reads `bytes`, which begin at byte `baseOffset` of `file`.
  init(_ bytes: UnsafeRawBufferPointer, file: String, baseOffset: Int) {
    self.bytes = bytes
    self.file = file
    self.baseOffset = baseOffset
  }

  /// An error at `position`, or at the place reached.
  func malformed(_ reason: String, at position: Int? = nil) -> CheckpointError {
    .malformed(file: file, offset: baseOffset + (position ?? self.position), reason: reason)
  }

  /// The next byte; the only place that reads `bytes` one by one, since release builds do not check the index.
  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipWhitespace() {
    while let byte = peek(), byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
  }

  /// The next byte that is not white space, without consuming it.
  mutating func next() -> UInt8? {
    skipWhitespace()
    return peek()
  }

  private mutating func consume(_ character: Unicode.Scalar) -> Bool {
    guard let byte = peek(), UInt32(byte) == character.value else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws {
    skipWhitespace()
    guard consume(character) else { throw malformed("JSON needs \"\(character)\" here") }
  }

  /// Checks that only white space is left.
  mutating func finish() throws {
    if next() != nil { throw malformed("there is something after the end of the JSON") }
  }

  /// Calls `member` with each key and the key's position; it must read the value.
  mutating func object(_ member: (inout JSONScanner, String, Int) throws -> Void) throws {
    try expect("{")
    try enter()
    skipWhitespace()
    if !consume("}") {
      repeat {
        skipWhitespace()
        let start = position
        let key = try string()
        try expect(":")
        try member(&self, key, start)
        skipWhitespace()
      } while consume(",")
      try expect("}")
    }
    depth -= 1
  }

  /// Calls `element` for each element; it must read the value.
  mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
    try expect("[")
    try enter()
    skipWhitespace()
    if !consume("]") {
      repeat {
        try element(&self)
        skipWhitespace()
      } while consume(",")
      try expect("]")
    }
    depth -= 1
  }

  private mutating func enter() throws {
    depth += 1
    if depth > Self.maximumDepth { throw malformed("the JSON is nested too deeply") }
  }

  /// An integer of at least 0 without sign, fraction or exponent.
  mutating func naturalNumber() throws -> Int {
    skipWhitespace()
    let start = position
    var value = 0
    while let byte = peek(), byte >= 0x30, byte <= 0x39 {
      let (scaled, scaleOverflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, sumOverflow) = scaled.addingReportingOverflow(Int(byte) - 0x30)
      if scaleOverflow || sumOverflow { throw malformed("the number is too large", at: start) }
      value = sum
      position += 1
    }
    let length = position - start
    let startsWithZero = length > 1 && bytes[start] == 0x30
    guard length > 0, !startsWithZero else { throw malformed("a whole number of at least 0 is needed", at: start) }
    if let byte = peek(), byte == 0x2e || byte | 0x20 == 0x65 {
      throw malformed("a whole number of at least 0 is needed", at: start)
    }
    return value
  }

  /// A string.
  mutating func string() throws -> String {
    skipWhitespace()
    let start = position
    guard consume("\"") else { throw malformed("JSON needs a string here") }
    var decoded: [UInt8]?
    var runStart = position
    while let byte = peek() {
      switch byte {
      case 0x22:
        let run = UnsafeRawBufferPointer(rebasing: bytes[runStart..<position])
        let text: String?
        if var decoded {
          decoded += run
          text = String(validating: decoded, as: UTF8.self)
        } else {
          text = String(validating: run, as: UTF8.self)
        }
        guard let text else { throw malformed("the string is not UTF-8", at: start) }
        position += 1
        return text
      case 0x5c:
        var soFar = decoded ?? []
        soFar += UnsafeRawBufferPointer(rebasing: bytes[runStart..<position])
        decoded = nil
        position += 1
        soFar += UTF8.encode(try escapedScalar()) ?? UTF8.encodedReplacementCharacter
        decoded = soFar
        runStart = position
      case 0..<0x20:
        throw malformed("the string holds a control character")
      default:
        position += 1
      }
    }
    throw malformed("the string does not end", at: start)
  }

  /// What follows a backslash.
  private mutating func escapedScalar() throws -> Unicode.Scalar {
    let start = position
    guard let byte = peek() else { throw malformed("the string does not end") }
    position += 1
    switch byte {
    case 0x22: return "\""
    case 0x5c: return "\\"
    case 0x2f: return "/"
    case 0x62: return "\u{8}"
    case 0x66: return "\u{c}"
    case 0x6e: return "\n"
    case 0x72: return "\r"
    case 0x74: return "\t"
    case 0x75:
      var code = try fourHexadecimalDigits()
      if code & 0xfc00 == 0xd800, consume("\\"), consume("u") {
        let low = try fourHexadecimalDigits()
        if low & 0xfc00 == 0xdc00 { code = 0x10000 + (code & 0x3ff) << 10 + (low & 0x3ff) }
      }
      // Half of a surrogate pair is no scalar.
      guard let scalar = Unicode.Scalar(code) else { throw malformed("the \\u escape is invalid", at: start) }
      return scalar
    default: throw malformed("the escape is invalid", at: start)
    }
  }

  private mutating func fourHexadecimalDigits() throws -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek() else { throw malformed("the string does not end") }
      switch byte {
      case 0x30...0x39: value = value << 4 | UInt32(byte - 0x30)
      case 0x41...0x46: value = value << 4 | UInt32(byte - 0x41 + 10)
      case 0x61...0x66: value = value << 4 | UInt32(byte - 0x61 + 10)
      default: throw malformed("the \\u escape is invalid")
      }
      position += 1
    }
    return value
  }

  /// Reads any value and drops it.
  mutating func skipValue() throws {
    switch next() {
    case 0x7b: try object { scanner, _, _ in try scanner.skipValue() }
    case 0x5b: try array { scanner in try scanner.skipValue() }
    case 0x22: _ = try string()
    case 0x74: try literal("true")
    case 0x66: try literal("false")
    case 0x6e: try literal("null")
    default: try skipNumber()
    }
  }

  /// Reads `text`, such as `null`.
  mutating func literal(_ text: StaticString) throws {
    for index in 0..<text.utf8CodeUnitCount {
      guard peek() == text.utf8Start[index] else { throw malformed("this is not JSON") }
      position += 1
    }
  }

  private mutating func skipNumber() throws {
    _ = consume("-")
    let start = position
    guard skipDigits() else { throw malformed("this is not JSON") }
    if position - start > 1, bytes[start] == 0x30 { throw malformed("the number begins with 0", at: start) }
    if consume("."), !skipDigits() { throw malformed("this is not a number") }
    if consume("e") || consume("E") {
      if !consume("+") { _ = consume("-") }
      if !skipDigits() { throw malformed("this is not a number") }
    }
  }

  private mutating func skipDigits() -> Bool {
    let start = position
    while let byte = peek(), byte >= 0x30, byte <= 0x39 { position += 1 }
    return position > start
  }
}
