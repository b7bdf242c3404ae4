/// The header of a GGUF file (versions 2 and 3, little-endian), read and validated in full.
///
/// Written from the format's description, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Stricter than
/// other readers where a bound is needed: 4 dimensions as in ggml, arrays nested at most 4 deep.
struct GGUFHeader {
  private(set) var version = 0
  private(set) var keys: [String] = []
  private(set) var fields: [String: GGUFField] = [:]
  private(set) var tensors: [GGUFTensor] = []
  private(set) var index: [String: Int] = [:]

  private static let magic: UInt32 = 0x4655_4747
  private static let maximumKeyLength = 65_535
  private static let maximumNameLength = 64
  private static let maximumRank = 4
  private static let maximumNesting = 4
  private static let defaultAlignment = 32

  /// A tensor as announced; the offset counts from the start of the data.
  private struct Announced {
    let name: String
    let position: Int
    let type: GGUFTensorType
    let shape: [Int]
    let count: Int
    let size: Int
    let offset: UInt64
  }

  init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    var scanner = GGUFScanner(bytes, file: file)
    try readPreamble(&scanner, bytes, file: file)
    // A tensor takes at least its name's length, its rank, its type and its offset; a metadata entry its key's length,
    // its type and one byte. Nothing is reserved for the counts: a file can announce much that it does not have.
    let tensorCount = try scanner.count(of: "tensors", size: 24)
    let fieldCount = try scanner.count(of: "metadata entries", size: 13)
    for _ in 0..<fieldCount { try readField(&scanner) }
    let alignment = try alignment(bytes, scanner)
    var announced: [Announced] = []
    for _ in 0..<tensorCount { announced.append(try readTensor(&scanner)) }
    try place(announced, scanner: scanner, alignment: alignment, fileSize: bytes.count, file: file)
  }

  private mutating func readPreamble(
    _ scanner: inout GGUFScanner, _ bytes: UnsafeRawBufferPointer, file: String
  ) throws {
    let magic: UInt32 = try scanner.integer()
    guard magic == Self.magic else { throw Self.wrongMagic(magic, bytes, file) }
    let version: UInt32 = try scanner.integer()
    switch version {
    case 2, 3: self.version = Int(version)
    case 1:
      throw CheckpointError.unsupported(
        file: file, reason: "this is GGUF version 1, which was in use for a few days of August 2023",
        hint: "convert the model again with a current llama.cpp, or download a newer file")
    case _ where version & 0xffff == 0 && version != 0:
      throw CheckpointError.unsupported(
        file: file, reason: "this GGUF file is big-endian",
        hint: "convert it with gguf-py: gguf-convert-endian FILE little")
    default:
      throw CheckpointError.malformed(
        file: file, offset: 4, reason: "GGUF version \(version) is not known; 2 and 3 are read")
    }
  }

  /// Tells the common mix-ups apart.
  private static func wrongMagic(_ magic: UInt32, _ bytes: UnsafeRawBufferPointer, _ file: String) -> CheckpointError {
    if isGitLFSPointer(bytes) { return gitLFSPointer(file) }
    // ggml, ggmf, ggjt and ggla, as little-endian numbers.
    if [0x6767_6d6c, 0x6767_6d66, 0x6767_6a74, 0x6767_6c61].contains(magic) {
      return .unsupported(
        file: file, reason: "this is a GGML file from before GGUF",
        hint: "convert the original model with a current llama.cpp, or download a GGUF file")
    }
    return .malformed(file: file, offset: 0, reason: "it does not begin with \"GGUF\"; is it a GGUF file?")
  }

  // MARK: Metadata

  private mutating func readField(_ scanner: inout GGUFScanner) throws {
    let start = scanner.position
    let key = try scanner.string(atMost: Self.maximumKeyLength, what: "a metadata key")
    guard !key.isEmpty else { throw scanner.malformed("a metadata key is empty", at: start) }
    let type = try Self.readType(&scanner, key: key)
    let field: GGUFField
    if type == .array {
      field = try Self.readArray(&scanner, key: key, depth: 1)
    } else {
      let position = scanner.position
      let data = try Self.skipValues(&scanner, of: type, count: 1, key: key)
      field = GGUFField(position: position, type: type, elementType: nil, count: 1, data: data)
    }
    guard fields.updateValue(field, forKey: key) == nil else {
      throw scanner.malformed("the metadata key \(quoted(key)) appears twice", at: start)
    }
    keys.append(key)
  }

  private static func readType(_ scanner: inout GGUFScanner, key: String) throws -> GGUFValueType {
    let start = scanner.position
    let code: UInt32 = try scanner.integer()
    guard let type = GGUFValueType(rawValue: code) else {
      throw scanner.malformed("the metadata key \(quoted(key)) has the unknown type \(code)", at: start)
    }
    return type
  }

  /// Reads past an array; the depth is bounded, so a file cannot make this recurse far.
  private static func readArray(_ scanner: inout GGUFScanner, key: String, depth: Int) throws -> GGUFField {
    let start = scanner.position
    guard depth <= maximumNesting else {
      throw scanner.malformed(
        "the arrays of the metadata key \(quoted(key)) are nested more than \(maximumNesting) deep", at: start)
    }
    let type = try readType(&scanner, key: key)
    let count = try scanner.count(of: "elements of \(quoted(key))", size: type.minimumSize)
    let first = scanner.position
    if type == .array {
      for _ in 0..<count { _ = try readArray(&scanner, key: key, depth: depth + 1) }
    } else {
      _ = try skipValues(&scanner, of: type, count: count, key: key)
    }
    return GGUFField(
      position: start, type: .array, elementType: type, count: count, data: first..<scanner.position)
  }

  private static func skipValues(
    _ scanner: inout GGUFScanner, of type: GGUFValueType, count: Int, key: String
  ) throws -> Range<Int> {
    let start = scanner.position
    switch type {
    case .string:
      for _ in 0..<count { _ = try scanner.stringRange() }
    case .bool:
      for _ in 0..<count {
        let position = scanner.position
        let value: UInt8 = try scanner.integer()
        guard value <= 1 else {
          throw scanner.malformed("the metadata key \(quoted(key)) has a Boolean of value \(value)", at: position)
        }
      }
    default:
      let (size, overflow) = count.multipliedReportingOverflow(by: type.minimumSize)
      _ = try scanner.skip(overflow ? .max : size, what: "the metadata key \(quoted(key))")
    }
    return start..<scanner.position
  }

  private func alignment(_ bytes: UnsafeRawBufferPointer, _ scanner: GGUFScanner) throws -> Int {
    guard let field = fields["general.alignment"] else { return Self.defaultAlignment }
    guard field.type == .uint32 else {
      throw scanner.malformed(
        "\"general.alignment\" is of type \(field.type), and must be uint32", at: field.position)
    }
    let value = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: field.data.lowerBound, as: UInt32.self))
    guard value.nonzeroBitCount == 1 else {
      throw scanner.malformed("\"general.alignment\" is \(value), and must be a power of two", at: field.position)
    }
    return Int(value)
  }

  // MARK: Tensors

  private mutating func readTensor(_ scanner: inout GGUFScanner) throws -> Announced {
    let start = scanner.position
    let name = try scanner.string(atMost: Self.maximumNameLength, what: "a tensor's name")
    let rank: UInt32 = try scanner.integer()
    guard rank <= Self.maximumRank else {
      throw scanner.malformed(
        "tensor \(quoted(name)) has \(rank) dimensions, and at most \(Self.maximumRank) are allowed", at: start)
    }
    var lengths: [Int] = []
    for _ in 0..<rank {
      let position = scanner.position
      guard let length = Int(exactly: try scanner.integer(UInt64.self)) else {
        throw scanner.malformed("a dimension of tensor \(quoted(name)) is too large", at: position)
      }
      lengths.append(length)
    }
    let typePosition = scanner.position
    let code: UInt32 = try scanner.integer()
    guard let type = GGUFTensorType(rawValue: code) else {
      throw scanner.malformed("tensor \(quoted(name)) has the unknown type \(code)", at: typePosition)
    }
    let offset: UInt64 = try scanner.integer()
    let rowLength = lengths.first ?? 1
    guard rowLength % type.blockElements == 0 else {
      throw scanner.malformed(
        "the rows of tensor \(quoted(name)) have \(rowLength) elements, and \(type.name) needs a multiple of "
          + "\(type.blockElements)", at: start)
    }
    guard let count = elementCount(lengths),
      case let size = (count / type.blockElements).multipliedReportingOverflow(by: type.blockBytes), !size.overflow
    else { throw scanner.malformed("the shape of tensor \(quoted(name)) is too large", at: start) }
    guard index.updateValue(index.count, forKey: name) == nil else {
      throw scanner.malformed("the tensor \(quoted(name)) appears twice", at: start)
    }
    return Announced(
      name: name, position: start, type: type, shape: lengths.reversed(), count: count, size: size.partialValue,
      offset: offset)
  }

  /// Checks that each tensor lies aligned and within the file, and that none overlaps another.
  private mutating func place(
    _ announced: [Announced], scanner: GGUFScanner, alignment: Int, fileSize: Int, file: String
  ) throws {
    let mask = alignment - 1
    // Both are below 2^62, so the sum cannot overflow.
    let dataStart = (scanner.position + mask) & ~mask
    tensors.reserveCapacity(announced.count)
    for tensor in announced {
      guard tensor.offset & UInt64(mask) == 0 else {
        throw scanner.malformed(
          "the offset \(tensor.offset) of tensor \(quoted(tensor.name)) is not a multiple of the alignment "
            + "\(alignment)",
          at: tensor.position)
      }
      let offset = Int(exactly: tensor.offset) ?? .max
      let (start, overflow) = dataStart.addingReportingOverflow(offset)
      let (end, overflowAgain) = start.addingReportingOverflow(tensor.size)
      guard !overflow, !overflowAgain else {
        throw scanner.malformed("the offset of tensor \(quoted(tensor.name)) is too large", at: tensor.position)
      }
      let isEmpty = tensor.size == 0
      guard isEmpty || end <= fileSize else {
        throw CheckpointError.truncated(file: file, offset: fileSize, needed: end)
      }
      // One without elements may be announced where a file without any data has ended.
      let range = isEmpty ? fileSize..<fileSize : start..<end
      tensors.append(
        GGUFTensor(
          name: tensor.name, shape: tensor.shape, count: tensor.count, byteRange: range, type: tensor.type))
    }
    let order = tensors.indices.filter { !tensors[$0].byteRange.isEmpty }
      .sorted { (tensors[$0].byteRange.lowerBound, $0) < (tensors[$1].byteRange.lowerBound, $1) }
    for (one, next) in zip(order, order.dropFirst())
    where tensors[one].byteRange.upperBound > tensors[next].byteRange.lowerBound {
      throw scanner.malformed(
        "the bytes of tensor \(quoted(tensors[next].name)) overlap those of \(quoted(tensors[one].name))",
        at: announced[next].position)
    }
  }
}
