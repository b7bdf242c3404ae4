/// The metadata of a GGUF file as bytes, key by key.
struct GGUFMetadataBytes {
  private(set) var bytes: [UInt8] = []
  private(set) var count = 0

  mutating func add(_ key: String, _ value: Int) throws {
    begin(key, .uint32)
    guard let number = UInt32(exactly: value) else {
      throw CheckpointError.invalidTensor(name: key, reason: "\(value) does not fit 32 bits")
    }
    bytes.append(littleEndian: number)
  }

  mutating func add(_ key: String, float value: Double) {
    begin(key, .float32)
    bytes.append(littleEndian: Float(value).bitPattern)
  }

  mutating func add(_ key: String, _ value: Bool) {
    begin(key, .bool)
    bytes.append(value ? 1 : 0)
  }

  mutating func add(_ key: String, _ value: String) {
    begin(key, .string)
    bytes.append(text: value)
  }

  mutating func add(_ key: String, _ values: [String]) {
    beginArray(key, .string, count: values.count)
    for value in values { bytes.append(text: value) }
  }

  mutating func add(_ key: String, _ values: [Float]) {
    beginArray(key, .float32, count: values.count)
    for value in values { bytes.append(littleEndian: value.bitPattern) }
  }

  mutating func add(_ key: String, _ values: [Int]) throws {
    beginArray(key, .int32, count: values.count)
    for value in values {
      guard let number = Int32(exactly: value) else {
        throw CheckpointError.invalidTensor(name: key, reason: "\(value) does not fit 32 bits")
      }
      bytes.append(littleEndian: UInt32(bitPattern: number))
    }
  }

  private mutating func begin(_ key: String, _ type: GGUFValueType) {
    count += 1
    bytes.append(text: key)
    bytes.append(littleEndian: type.rawValue)
  }

  private mutating func beginArray(_ key: String, _ type: GGUFValueType, count: Int) {
    begin(key, .array)
    bytes.append(littleEndian: type.rawValue)
    bytes.append(littleEndian: UInt64(count))
  }
}

extension [UInt8] {
  mutating func append<Integer: FixedWidthInteger>(littleEndian value: Integer) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  /// Text as GGUF has it: its length, then UTF-8.
  mutating func append(text: String) {
    append(littleEndian: UInt64(text.utf8.count))
    append(contentsOf: text.utf8)
  }
}
