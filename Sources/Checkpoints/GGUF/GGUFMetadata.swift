/// The types of metadata values, by their number in the file.
enum GGUFValueType: UInt32 {
  case uint8 = 0
  case int8 = 1
  case uint16 = 2
  case int16 = 3
  case uint32 = 4
  case int32 = 5
  case float32 = 6
  case bool = 7
  case string = 8
  case array = 9
  case uint64 = 10
  case int64 = 11
  case float64 = 12

  /// The bytes of a value; of a string its length alone, of an array its type and its count.
  var minimumSize: Int {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64, .string: 8
    case .array: 12
    }
  }
}

/// Where a metadata value lies; it is decoded when it is asked for, since few of them are.
struct GGUFField: Sendable {
  /// The byte at which the value begins, for messages.
  let position: Int
  let type: GGUFValueType
  /// The type of an array's elements.
  let elementType: GGUFValueType?
  /// The number of elements of an array; else 1.
  let count: Int
  /// The bytes of the value, or of an array's elements.
  let data: Range<Int>
}

extension GGUFFile {
  /// The text under a metadata key, or nil where there is no such key.
  ///
  /// - Throws: ``CheckpointError`` when the value is no string, or not UTF-8.
  public func string(_ key: String) throws -> String? {
    guard let field = fields[key] else { return nil }
    guard field.type == .string else { throw wrongType(key, field, needed: "a string") }
    return try strings(field).first
  }

  /// The whole number under a metadata key, or nil where there is no such key.
  ///
  /// - Throws: ``CheckpointError`` when the value is not of an integer type, or too large.
  public func integer(_ key: String) throws -> Int? {
    guard let field = fields[key] else { return nil }
    guard field.type != .array else { throw wrongType(key, field, needed: "a whole number") }
    return try integers(key, field).first
  }

  /// The number under a metadata key, or nil where there is no such key.
  ///
  /// - Throws: ``CheckpointError`` when the value is not of a number type, or not finite.
  public func number(_ key: String) throws -> Double? {
    guard let field = fields[key] else { return nil }
    let value: Double? = bytes.withUnsafeBytes { all in
      let start = field.data.lowerBound
      return switch field.type {
      case .float32:
        Double(Float(bitPattern: UInt32(littleEndian: all.loadUnaligned(fromByteOffset: start, as: UInt32.self))))
      case .float64:
        Double(bitPattern: UInt64(littleEndian: all.loadUnaligned(fromByteOffset: start, as: UInt64.self)))
      default: nil
      }
    }
    guard let value else {
      guard field.type != .array else { throw wrongType(key, field, needed: "a number") }
      return try integers(key, field).first.map { Double($0) }
    }
    guard value.isFinite else { throw malformed("\(quoted(key)) is \(value)", field) }
    return value
  }

  /// The Boolean under a metadata key, or nil where there is no such key.
  ///
  /// - Throws: ``CheckpointError`` when the value is of another type.
  public func flag(_ key: String) throws -> Bool? {
    guard let field = fields[key] else { return nil }
    guard field.type == .bool else { throw wrongType(key, field, needed: "a Boolean") }
    return bytes.withUnsafeBytes { $0[field.data.lowerBound] != 0 }
  }

  /// The texts of the array under a metadata key, or nil where there is no such key.
  ///
  /// - Throws: ``CheckpointError`` when the value is no array of strings, or one is not UTF-8.
  public func strings(_ key: String) throws -> [String]? {
    guard let field = fields[key] else { return nil }
    // An empty array may be of any type.
    guard field.type == .array, field.elementType == .string || field.count == 0 else {
      throw wrongType(key, field, needed: "an array of strings")
    }
    return try strings(field)
  }

  /// The whole numbers of the array under a metadata key, or nil where there is no such key.
  ///
  /// - Throws: ``CheckpointError`` when the value is no array of integers, or one is too large.
  public func integers(_ key: String) throws -> [Int]? {
    guard let field = fields[key] else { return nil }
    guard field.type == .array else { throw wrongType(key, field, needed: "an array of whole numbers") }
    return try integers(key, field)
  }

  /// The numbers of the array of 32-bit floats under a metadata key, or nil where there is no such key.
  ///
  /// - Throws: ``CheckpointError`` when the value is no such array.
  public func floats(_ key: String) throws -> [Float]? {
    guard let field = fields[key] else { return nil }
    guard field.type == .array, field.elementType == .float32 || field.count == 0 else {
      throw wrongType(key, field, needed: "an array of 32-bit floats")
    }
    return bytes.withUnsafeBytes { all in
      (0..<field.count).map { index in
        let place = field.data.lowerBound + index * 4
        return Float(bitPattern: UInt32(littleEndian: all.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
      }
    }
  }

  /// An error at a metadata value.
  func malformed(_ reason: String, _ field: GGUFField?) -> CheckpointError {
    .malformed(file: name, offset: field?.position, reason: reason)
  }

  private func wrongType(_ key: String, _ field: GGUFField, needed: String) -> CheckpointError {
    let found = field.elementType.map { "an array of \($0)" } ?? "of type \(field.type)"
    return malformed("\(quoted(key)) is \(found), and must be \(needed)", field)
  }

  private func strings(_ field: GGUFField) throws -> [String] {
    try bytes.withUnsafeBytes { all in
      var scanner = GGUFScanner(all, file: name, position: field.data.lowerBound)
      var texts: [String] = []
      texts.reserveCapacity(field.count)
      for _ in 0..<field.count {
        texts.append(try GGUFScanner.string(all, try scanner.stringRange(), file: name))
      }
      return texts
    }
  }

  private func integers(_ key: String, _ field: GGUFField) throws -> [Int] {
    try bytes.withUnsafeBytes { all in
      var scanner = GGUFScanner(all, file: name, position: field.data.lowerBound)
      return try (0..<field.count).map { _ in
        let position = scanner.position
        switch field.elementType ?? field.type {
        case .uint8: return Int(try scanner.integer(UInt8.self))
        case .int8: return Int(try scanner.integer(Int8.self))
        case .uint16: return Int(try scanner.integer(UInt16.self))
        case .int16: return Int(try scanner.integer(Int16.self))
        case .uint32: return Int(try scanner.integer(UInt32.self))
        case .int32: return Int(try scanner.integer(Int32.self))
        case .int64: return Int(try scanner.integer(Int64.self))
        case .uint64:
          let value: UInt64 = try scanner.integer()
          guard let number = Int(exactly: value) else {
            throw CheckpointError.malformed(
              file: name, offset: position, reason: "\(quoted(key)) is too large: \(value)")
          }
          return number
        case .float32, .float64, .bool, .string, .array:
          throw wrongType(key, field, needed: "a whole number")
        }
      }
    }
  }
}
