/// Reads the little-endian header of a GGUF file step by step, and never past the file's end.
struct GGUFScanner {
  private let bytes: UnsafeRawBufferPointer
  private let file: String
  private(set) var position: Int

  init(_ bytes: UnsafeRawBufferPointer, file: String, position: Int = 0) {
    self.bytes = bytes
    self.file = file
    self.position = position
  }

  /// The number of bytes after ``position``.
  var remaining: Int { bytes.count - position }

  /// An error at `position`, or at the place reached.
  func malformed(_ reason: String, at position: Int? = nil) -> CheckpointError {
    .malformed(file: file, offset: position ?? self.position, reason: reason)
  }

  mutating func integer<Integer: FixedWidthInteger>(_ type: Integer.Type = Integer.self) throws -> Integer {
    let size = MemoryLayout<Integer>.size
    guard remaining >= size else {
      throw CheckpointError.truncated(file: file, offset: bytes.count, needed: position + size)
    }
    defer { position += size }
    return Integer(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Integer.self))
  }

  /// A number of things of at least `size` bytes each, which the rest of the file must be able to hold.
  mutating func count(of what: String, size: Int) throws -> Int {
    let start = position
    let count: UInt64 = try integer()
    // The number itself may be the last thing of the file.
    guard let count = Int(exactly: count), count <= remaining / size else {
      throw malformed("it announces \(count) \(what), more than the \(remaining) bytes left can hold", at: start)
    }
    return count
  }

  /// The place of `count` bytes, which are skipped.
  mutating func skip(_ count: Int, what: String) throws -> Range<Int> {
    guard count <= remaining else {
      throw malformed("\(what) takes \(count) bytes and \(remaining) are left: the file is cut short or damaged")
    }
    defer { position += count }
    return position..<position + count
  }

  /// The place of a string's bytes, which are skipped.
  mutating func stringRange() throws -> Range<Int> {
    let start = position
    let length: UInt64 = try integer()
    guard length <= UInt64(remaining) else {
      throw malformed("a string of \(length) bytes begins where \(remaining) are left", at: start)
    }
    return try skip(Int(length), what: "a string")
  }

  /// A string of at most `limit` bytes.
  mutating func string(atMost limit: Int, what: String) throws -> String {
    let start = position
    let range = try stringRange()
    guard range.count <= limit else {
      throw malformed("\(what) has \(range.count) bytes, and at most \(limit) are allowed", at: start)
    }
    return try Self.string(bytes, range, file: file)
  }

  /// The text of bytes that were found to lie within the file.
  static func string(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, file: String) throws -> String {
    let part = UnsafeRawBufferPointer(rebasing: bytes[range])
    guard let text = String(validating: part, as: UTF8.self) else {
      throw CheckpointError.malformed(file: file, offset: range.lowerBound, reason: "a string is not UTF-8")
    }
    return text
  }
}
