extension PickleMachine {
  /// The next byte.
  mutating func byte() throws -> UInt8 {
    guard position < bytes.count else { throw cutShort() }
    position += 1
    return bytes[position - 1]
  }

  /// The next bytes as a little-endian number.
  mutating func number<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
    guard bytes.count - position >= MemoryLayout<T>.size else { throw cutShort() }
    defer { position += MemoryLayout<T>.size }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
  }

  private func cutShort() -> CheckpointError {
    malformed("the pickle ends in the middle", at: bytes.count)
  }

  /// The next `count` bytes.
  private mutating func take(_ count: some FixedWidthInteger) throws -> PickledBytes {
    guard count <= bytes.count - position, count >= 0 else {
      throw malformed("the pickle announces \(count) bytes where \(bytes.count - position) are left")
    }
    defer { position += Int(count) }
    return PickledBytes(start: UInt32(position), count: UInt32(count))
  }

  /// Up to the end of the line, which is taken too.
  mutating func line() throws -> PickledBytes {
    var end = position
    while end < bytes.count, bytes[end] != 0x0a { end += 1 }
    guard end < bytes.count else { throw cutShort() }
    defer { position = end + 1 }
    return PickledBytes(start: UInt32(position), count: UInt32(end - position))
  }

  /// The bytes of a string or a long integer.
  func slice(_ place: PickledBytes) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[Int(place.start)..<Int(place.start) + Int(place.count)])
  }

  /// A string, or nil where it is not UTF-8.
  func text(_ place: PickledBytes) -> String? { String(validating: slice(place), as: UTF8.self) }

  /// Whether a value is the string `text`.
  func isText(_ value: PickleValue, _ text: StaticString) -> Bool {
    guard case .text(let place) = value else { return false }
    return slice(place).elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Numbers, strings and the like.
  mutating func runData(_ opcode: UInt8) throws -> Bool {
    switch opcode {
    case 0x80:  // PROTO
      let version = try byte()
      guard version <= 5 else {
        throw CheckpointError.unsupported(
          file: file, reason: "its pickle at byte \(base) has protocol \(version), and 2 to 5 are read",
          hint: "save it with torch.save's own protocol")
      }
    case 0x95:  // FRAME
      let count = try number(UInt64.self)
      guard count <= UInt64(bytes.count - position) else {
        throw malformed("the pickle announces \(count) bytes where \(bytes.count - position) are left")
      }
    case 0x4e: try push(.none)  // NONE
    case 0x88: try push(.bool(true))  // NEWTRUE
    case 0x89: try push(.bool(false))  // NEWFALSE
    case 0x4a: try push(.integer(Int(try number(Int32.self))))  // BININT
    case 0x4b: try push(.integer(Int(try byte())))  // BININT1
    case 0x4d: try push(.integer(Int(try number(UInt16.self))))  // BININT2
    case 0x8a: try pushLong(try take(try byte()))  // LONG1
    case 0x8b: try pushLong(try take(try number(Int32.self)))  // LONG4
    case 0x47:  // BINFLOAT
      _ = try take(8)
      try push(.other)
    case 0x58: try push(.text(try take(try number(UInt32.self))))  // BINUNICODE
    case 0x8c: try push(.text(try take(try byte())))  // SHORT_BINUNICODE
    case 0x8d: try push(.text(try take(try number(UInt64.self))))  // BINUNICODE8
    case 0x54: try push(.text(try take(try number(Int32.self))))  // BINSTRING, of Python 2
    case 0x55: try push(.text(try take(try byte())))  // SHORT_BINSTRING, of Python 2
    case 0x42: try skip(try number(UInt32.self))  // BINBYTES
    case 0x43: try skip(try byte())  // SHORT_BINBYTES
    case 0x8e, 0x96: try skip(try number(UInt64.self))  // BINBYTES8, BYTEARRAY8
    default: return false
    }
    return true
  }

  private mutating func skip(_ count: some FixedWidthInteger) throws {
    _ = try take(count)
    try push(.other)
  }

  /// A two's complement integer of any length.
  private mutating func pushLong(_ place: PickledBytes) throws {
    let digits = slice(place)
    guard digits.count <= 8 else { return try push(.longInteger(place)) }
    var value: UInt64 = (digits.last ?? 0) & 0x80 == 0 ? 0 : .max
    for digit in digits.reversed() { value = value << 8 | UInt64(digit) }
    try push(.integer(Int(Int64(bitPattern: value))))
  }
}
