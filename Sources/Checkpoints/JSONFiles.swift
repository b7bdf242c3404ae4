import JSON

/// Calls `body` with a scanner at the start of `bytes`, which begin at byte `baseOffset` of `file`.
///
/// - Throws: ``CheckpointError/malformed(file:offset:reason:)`` for a ``JSONError``; what else `body` throws.
func withJSON<Result>(
  _ bytes: UnsafeRawBufferPointer, file: String, baseOffset: Int = 0, _ body: (inout JSONScanner) throws -> Result
) throws -> Result {
  try bytes.withMemoryRebound(to: UInt8.self) { bytes in
    var scanner = JSONScanner(bytes, baseOffset: baseOffset)
    do {
      return try body(&scanner)
    } catch let error as JSONError {
      throw CheckpointError.malformed(file: file, offset: error.offset, reason: error.reason)
    }
  }
}

/// The same for a mapped file.
func withJSON<Result>(
  _ bytes: MappedBytes, file: String, _ body: (inout JSONScanner) throws -> Result
) throws -> Result {
  try bytes.withUnsafeBytes { try withJSON($0, file: file, body) }
}

extension JSONScanner {
  /// Reads a whole number of at least 0, written without sign, fraction or exponent.
  mutating func naturalNumber() throws -> Int {
    let isNegative = peek() == UInt8(ascii: "-")
    let start = offset
    let value: Int = try integer()
    guard !isNegative else { throw problem("a whole number of at least 0 is needed", at: start) }
    return value
  }
}
