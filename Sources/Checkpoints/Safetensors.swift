/// A reader of one safetensors file, mapped or in memory.
///
/// The header is validated in full when it is opened, so that no later access can leave the file.
public struct Safetensors: Sendable {
  private let bytes: MappedBytes
  private let index: [String: Int]
  /// The file's path, for messages.
  public let name: String
  /// The tensors in the order of their bytes, those of types that are not read as floats among them.
  public let entries: [TensorEntry]
  /// The texts under `__metadata__`.
  public let metadata: [String: String]

  /// Reads and validates the header of `bytes`; `name`, the file's path, is for messages.
  ///
  /// - Throws: ``CheckpointError`` when the file breaks the format.
  public init(_ bytes: MappedBytes, name: String) throws {
    let header = try bytes.withUnsafeBytes { try SafetensorsHeader($0, file: name) }
    self.bytes = bytes
    self.name = name
    index = header.index
    entries = header.entries
    metadata = header.metadata
  }

  /// The tensor called `name`, or nil when there is none.
  public subscript(name: String) -> TensorEntry? {
    index[name].map { entries[$0] }
  }

  /// Converts a tensor's elements to floats, row-major, into `destination`, which must have exactly its count.
  ///
  /// - Throws: ``CheckpointError`` when the element type is not read as floats, or the count differs.
  public func copyFloats(_ entry: TensorEntry, into destination: UnsafeMutableBufferPointer<Float>) throws {
    try copyFloats(entry, into: destination, refusingNonFinite: false)
  }

  /// Calls `body` with the elements in place, without a copy, where they are float32 and aligned; else returns nil.
  ///
  /// - Throws: ``CheckpointError`` when the entry is not of this file; what `body` throws.
  public func withFloats<R>(_ entry: TensorEntry, _ body: (UnsafeBufferPointer<Float>) throws -> R) throws -> R? {
    try checkBelongs(entry)
    return try bytes.withUnsafeBytes { all in
      guard entry.elementType == .float32 else { return nil }
      let range = UnsafeRawBufferPointer(rebasing: all[entry.byteRange])
      guard let start = range.baseAddress, Int(bitPattern: start) % MemoryLayout<Float>.alignment == 0 else {
        return nil
      }
      return try body(UnsafeBufferPointer(start: start.assumingMemoryBound(to: Float.self), count: entry.count))
    }
  }

  func copyFloats(
    _ entry: TensorEntry, into destination: UnsafeMutableBufferPointer<Float>, refusingNonFinite: Bool
  ) throws {
    try copy(entry, StoredFloat(safetensors: entry.typeName), into: destination, refusingNonFinite: refusingNonFinite)
  }

  private func copy(
    _ entry: TensorEntry, _ type: StoredFloat?, into destination: UnsafeMutableBufferPointer<Float>,
    refusingNonFinite: Bool
  ) throws {
    try checkBelongs(entry)
    guard let type else {
      throw CheckpointError.unsupported(
        file: name, reason: "tensor \(quoted(entry.name)) has type \(entry.typeName)",
        hint: "save the model as F32, F16, BF16 or F64")
    }
    guard destination.count == entry.count else {
      throw CheckpointError.shapeMismatch(
        tensor: entry.name, expected: [destination.count], found: entry.shape, file: name)
    }
    let bad = bytes.copyFloats(
      type, at: entry.byteRange.lowerBound, into: destination, stoppingAtNonFinite: refusingNonFinite)
    if let bad { throw CheckpointError.notFinite(tensor: entry.name, index: bad, file: name) }
  }

  /// An entry of another file could point outside of this one.
  private func checkBelongs(_ entry: TensorEntry) throws {
    guard self[entry.name] == entry else { throw CheckpointError.missingTensor(name: entry.name, file: name) }
  }
}

extension Safetensors: TensorSource {
  /// The names of all tensors, in the order of their bytes.
  public var tensorNames: [String] { entries.map(\.name) }

  /// A tensor's shape, or nil where there is none of that name.
  public func shape(of tensor: String) -> [Int]? { self[tensor]?.shape }

  /// Converts a tensor's elements to floats, row-major, into `destination`, which must have exactly their count.
  ///
  /// - Throws: ``CheckpointError`` when there is none of that name, the count differs, its type is not read as floats,
  ///   or an element is NaN or infinite.
  public func copyFloats(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    guard let entry = self[tensor] else { throw CheckpointError.missingTensor(name: tensor, file: name) }
    try copyFloats(entry, into: destination, refusingNonFinite: true)
  }

  /// The same, also of Booleans, bytes and 64-bit whole numbers.
  public func copyNumbers(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    guard let entry = self[tensor] else { throw CheckpointError.missingTensor(name: tensor, file: name) }
    let type: StoredFloat? =
      switch entry.typeName {
      case "BOOL", "U8": .uint8
      case "I64": .int64
      default: StoredFloat(safetensors: entry.typeName)
      }
    try copy(entry, type, into: destination, refusingNonFinite: true)
  }
}
