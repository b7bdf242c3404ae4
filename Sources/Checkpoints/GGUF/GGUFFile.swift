/// A reader of one GGUF file, mapped or in memory: metadata, and tensors under the names and in the layout of ggml.
///
/// The header is validated in full when it is opened, so that no later access can leave the file. What is kept of it
/// is at most some ten times its size; the tensors stay where they are.
public struct GGUFFile: Sendable {
  /// The file's bytes.
  public let bytes: MappedBytes
  /// The file's path, for messages.
  public let name: String
  /// The version of the format: 2 or 3.
  public let version: Int
  /// The metadata keys in the order of the file.
  public let keys: [String]
  /// The tensors in the order of the file.
  public let tensors: [GGUFTensor]
  let fields: [String: GGUFField]
  private let index: [String: Int]

  /// Reads and validates the header of `bytes`; `name`, the file's path, is for messages.
  ///
  /// - Throws: ``CheckpointError`` when the file breaks the format, is of version 1 or big-endian.
  public init(_ bytes: MappedBytes, name: String) throws {
    let header = try bytes.withUnsafeBytes { try GGUFHeader($0, file: name) }
    self.bytes = bytes
    self.name = name
    version = header.version
    keys = header.keys
    tensors = header.tensors
    fields = header.fields
    index = header.index
  }

  /// The tensor called `name`, or nil when there is none.
  public subscript(name: String) -> GGUFTensor? { index[name].map { tensors[$0] } }

  /// Whether bytes begin as a GGUF file does.
  public static func isPlausible(_ bytes: MappedBytes) -> Bool {
    bytes.withUnsafeBytes { $0.starts(with: "GGUF".utf8) }
  }
}

extension GGUFFile: TensorSource {
  /// The names of all tensors, in the order of the file.
  public var tensorNames: [String] { tensors.map(\.name) }

  /// A tensor's shape, outermost dimension first, or nil where there is none of that name.
  public func shape(of tensor: String) -> [Int]? { self[tensor]?.shape }

  /// Converts a tensor's elements to floats, as they lie in the file, into `destination`, which must have exactly
  /// their count.
  ///
  /// - Throws: ``CheckpointError`` when there is none of that name, the count differs, its type is not read as floats,
  ///   or an element is NaN or infinite.
  public func copyFloats(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    guard let found = self[tensor] else { throw CheckpointError.missingTensor(name: tensor, file: name) }
    try copyFloats(found, into: destination, arrangement: .asStored)
  }

  /// The same without the check for NaN and infinity, which random blocks hold.
  package func copyUnchecked(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    guard let found = self[tensor] else { throw CheckpointError.missingTensor(name: tensor, file: name) }
    try copyFloats(found, into: destination, arrangement: .asStored, refusingNonFinite: false)
  }
}
