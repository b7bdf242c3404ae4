import JSON

/// The header of a safetensors file, read and validated as the reference implementation does.
///
/// Stricter than that where the format's text is: a repeated name and white space before the first brace are refused;
/// and where memory needs a bound: a tensor has at most 64 dimensions.
struct SafetensorsHeader {
  /// In the order of their bytes.
  private(set) var entries: [TensorEntry] = []
  private(set) var metadata: [String: String] = [:]
  private(set) var index: [String: Int] = [:]

  private static let lengthSize = 8
  private static let maximumLength = 100_000_000
  private static let maximumRank = 64

  /// A tensor as announced; the offsets count from the header's end.
  private struct Announced {
    let name: String
    let position: Int
    let typeName: String
    let shape: [Int]
    let begin: Int
    let end: Int
  }

  init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    guard bytes.count >= Self.lengthSize else {
      throw CheckpointError.truncated(file: file, offset: bytes.count, needed: Self.lengthSize)
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= Self.maximumLength else { throw Self.unreasonableLength(length, bytes, file) }
    let dataStart = Self.lengthSize + Int(length)
    guard dataStart <= bytes.count else {
      throw CheckpointError.truncated(file: file, offset: bytes.count, needed: dataStart)
    }
    let header = UnsafeRawBufferPointer(rebasing: bytes[Self.lengthSize..<dataStart])
    guard header.first == 0x7b else {
      throw CheckpointError.malformed(
        file: file, offset: Self.lengthSize, reason: "the header does not begin with \"{\"; is it a safetensors file?")
    }
    try withJSON(header, file: file, baseOffset: Self.lengthSize) { scanner in
      let announced = try readEntries(&scanner)
      try scanner.expectEnd()
      try place(announced, scanner: scanner, dataStart: dataStart, fileSize: bytes.count, file: file)
    }
  }

  /// Tells the common mix-ups apart: what should be a length is the beginning of some other kind of file.
  private static func unreasonableLength(
    _ length: UInt64, _ bytes: UnsafeRawBufferPointer, _ file: String
  ) -> CheckpointError {
    if isGitLFSPointer(bytes) { return gitLFSPointer(file) }
    return .malformed(
      file: file, offset: 0,
      reason: "it announces a header of \(length) bytes, and at most \(maximumLength) are allowed; "
        + "is it a safetensors file?")
  }

  private mutating func readEntries(_ scanner: inout JSONScanner) throws -> [Announced] {
    var announced: [Announced] = []
    var metadata: [String: String] = [:]
    var names: Set<String> = []
    try scanner.members { scanner, name, position in
      guard names.insert(name).inserted else {
        throw scanner.problem("the name \(quoted(name)) appears twice", at: position)
      }
      if name == "__metadata__" {
        metadata = try Self.readMetadata(&scanner)
      } else {
        announced.append(try Self.readEntry(&scanner, name: name, position: position))
      }
    }
    self.metadata = metadata
    return announced
  }

  private static func readMetadata(_ scanner: inout JSONScanner) throws -> [String: String] {
    var metadata: [String: String] = [:]
    if scanner.skip(word: "null") { return metadata }
    try scanner.members { scanner, key, position in
      let value = try scanner.string()
      guard metadata.updateValue(value, forKey: key) == nil else {
        throw scanner.problem("the metadata key \(quoted(key)) appears twice", at: position)
      }
    }
    return metadata
  }

  private static func readEntry(_ scanner: inout JSONScanner, name: String, position: Int) throws -> Announced {
    var typeName: String?
    var shape: [Int]?
    var offsets: [Int]?
    try scanner.members { scanner, key, keyPosition in
      let isRepeated =
        switch key {
        case "dtype": typeName != nil
        case "shape": shape != nil
        case "data_offsets": offsets != nil
        default: false
        }
      if isRepeated {
        throw scanner.problem("tensor \(quoted(name)) has \"\(key)\" twice", at: keyPosition)
      }
      switch key {
      case "dtype": typeName = try scanner.string()
      case "shape": shape = try readNumbers(&scanner, atMost: maximumRank, what: "dimensions", name: name)
      case "data_offsets": offsets = try readNumbers(&scanner, atMost: 2, what: "offsets", name: name)
      default: try scanner.skipValue()
      }
    }
    guard let typeName else { throw scanner.problem("tensor \(quoted(name)) has no \"dtype\"", at: position) }
    guard let shape else { throw scanner.problem("tensor \(quoted(name)) has no \"shape\"", at: position) }
    guard let offsets, offsets.count == 2 else {
      throw scanner.problem("tensor \(quoted(name)) needs two \"data_offsets\"", at: position)
    }
    return Announced(
      name: name, position: position, typeName: typeName, shape: shape, begin: offsets[0], end: offsets[1])
  }

  /// Numbers, bounded in count so that a header cannot make the program hold much more than itself.
  private static func readNumbers(
    _ scanner: inout JSONScanner, atMost limit: Int, what: String, name: String
  ) throws -> [Int] {
    var numbers: [Int] = []
    try scanner.array { scanner in
      if numbers.count == limit {
        throw scanner.problem("tensor \(quoted(name)) has more than \(limit) \(what)")
      }
      numbers.append(try scanner.naturalNumber())
    }
    return numbers
  }

  /// Checks that the tensors fill the data exactly, one after the other.
  private mutating func place(
    _ announced: [Announced], scanner: JSONScanner, dataStart: Int, fileSize: Int, file: String
  ) throws {
    let ordered = announced.sorted { ($0.begin, $0.end, $0.position) < ($1.begin, $1.end, $1.position) }
    var end = 0
    entries.reserveCapacity(ordered.count)
    index.reserveCapacity(ordered.count)
    for tensor in ordered {
      // Worked out only for an error: a hostile header may hold millions of names.
      var name: String { quoted(tensor.name) }
      guard tensor.begin == end, tensor.end >= tensor.begin else {
        let problem = tensor.begin > end ? "leaves a hole before it" : "overlaps the one before it"
        throw scanner.problem(
          "the bytes \(tensor.begin)..<\(tensor.end) of tensor \(name) "
            + (tensor.end < tensor.begin ? "end before they begin" : "begin where the data \(problem)"),
          at: tensor.position)
      }
      guard let bits = bitsPerElement(typeName: tensor.typeName) else {
        throw scanner.problem("tensor \(name) has the unknown type \(quoted(tensor.typeName))", at: tensor.position)
      }
      guard let count = elementCount(tensor.shape), case let size = count.multipliedReportingOverflow(by: bits),
        !size.overflow
      else {
        throw scanner.problem("the shape of tensor \(name) is too large", at: tensor.position)
      }
      guard size.partialValue % 8 == 0, size.partialValue / 8 == tensor.end - tensor.begin else {
        throw scanner.problem(
          "tensor \(name) of shape \(tensor.shape) and type \(tensor.typeName) does not fill its "
            + "\(tensor.end - tensor.begin) bytes", at: tensor.position)
      }
      guard tensor.end <= fileSize - dataStart else {
        let (needed, overflow) = dataStart.addingReportingOverflow(ordered.last?.end ?? tensor.end)
        throw CheckpointError.truncated(file: file, offset: fileSize, needed: overflow ? .max : needed)
      }
      end = tensor.end
      index[tensor.name] = entries.count
      entries.append(
        TensorEntry(
          name: tensor.name, typeName: tensor.typeName, shape: tensor.shape,
          byteRange: dataStart + tensor.begin..<dataStart + tensor.end, count: count))
    }
    guard dataStart + end == fileSize else {
      throw CheckpointError.malformed(
        file: file, offset: dataStart + end, reason: "\(fileSize - dataStart - end) bytes follow the last tensor")
    }
  }
}
