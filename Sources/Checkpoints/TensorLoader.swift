/// Copies named tensors into a model's memory, checks their shapes, and reports what was left over.
public struct TensorLoader {
  /// The file that is loaded from.
  public let file: any TensorSource
  private var loaded: Set<String> = []

  /// Loads from `file`.
  public init(_ file: any TensorSource) { self.file = file }

  /// Whether the file has a tensor called `name`.
  public func contains(_ name: String) -> Bool { file.shape(of: name) != nil }

  /// Copies the tensor `name`, row-major, into `destination`; it may be loaded more than once.
  ///
  /// - Throws: ``CheckpointError`` when it is missing, has another shape, is of a type that is not read as floats, or
  ///   holds NaN or infinity.
  public mutating func load(
    _ name: String, shape: [Int], into destination: UnsafeMutableBufferPointer<Float>
  ) throws {
    guard let found = file.shape(of: name) else { throw CheckpointError.missingTensor(name: name, file: file.name) }
    guard found == shape else {
      throw CheckpointError.shapeMismatch(tensor: name, expected: shape, found: found, file: file.name)
    }
    try file.copyFloats(of: name, into: destination)
    loaded.insert(name)
  }

  /// Checks that every tensor of the file was loaded, other than those whose names `ignoring` returns true for.
  ///
  /// - Throws: ``CheckpointError/unexpectedTensors(names:file:)``.
  public func finish(ignoring: (String) -> Bool = { _ in false }) throws {
    let left = file.tensorNames.filter { !loaded.contains($0) && !ignoring($0) }
    if !left.isEmpty { throw CheckpointError.unexpectedTensors(names: left, file: file.name) }
  }
}
