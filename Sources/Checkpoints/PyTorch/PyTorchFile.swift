/// A reader of the state dicts that torch.save writes (`pytorch_model.bin`, `*.pt`), mapped or in memory.
///
/// Both of PyTorch's formats are read: the zip file of torch 1.6 and later, and what came before it. The pickle in them is
/// read by ``PickleMachine``, which knows tensors only and executes nothing. All that it announces is validated when the
/// file is opened, so that no later access can leave the file.
///
/// A state dict may stand under "state_dict", "model", "module" or "model_state_dict" of a dictionary. Values that are no
/// tensors are ignored. Tensors of types that are not read as floats are listed.
public struct PyTorchFile: Sendable {
  /// The file's path, for messages.
  public let name: String
  /// The names of all tensors, in the order of the state dict.
  public let tensorNames: [String]

  private let bytes: MappedBytes
  private let tensors: [String: StridedTensor]

  /// Reads and validates the pickle in `bytes`; `name`, the file's path, is for messages.
  ///
  /// - Throws: ``CheckpointError`` when the file breaks the format, or asks to run something that is no tensor.
  public init(_ bytes: MappedBytes, name: String) throws {
    let state = try bytes.withUnsafeBytes { bytes in
      try PickledStateDict(Self.open(bytes, file: name))
    }
    self.bytes = bytes
    self.name = name
    tensorNames = state.names
    tensors = state.tensors
  }

  private static func open(_ bytes: UnsafeRawBufferPointer, file: String) throws -> PyTorchContents {
    if bytes.starts(with: [0x50, 0x4b, 0x03, 0x04]) { return try PyTorchContents(zip: bytes, file: file) }
    if isGitLFSPointer(bytes) { throw gitLFSPointer(file) }
    guard let first = bytes.first, first == 0x80 || first == 0x63 || first == 0x28 else {
      throw CheckpointError.malformed(
        file: file, offset: 0, reason: "it begins neither as a zip file nor as a pickle; is it a PyTorch file?")
    }
    return try PyTorchContents(legacy: bytes, file: file)
  }
}

extension PyTorchFile: TensorSource {
  /// A tensor's shape, or nil where there is none of that name.
  public func shape(of tensor: String) -> [Int]? { tensors[tensor]?.shape }

  /// Converts a tensor's elements to floats, row-major, into `destination`, which must have exactly their count.
  ///
  /// - Throws: ``CheckpointError`` when there is none of that name, the count differs, its type is not read as floats,
  ///   or an element is NaN or infinite as a float.
  public func copyFloats(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    try copy(tensor, into: destination) { $0.storedFloat }
  }

  /// The same, also of Booleans, bytes and 64-bit whole numbers.
  public func copyNumbers(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    try copy(tensor, into: destination) { type in
      switch type {
      case .bool, .uint8: .uint8
      case .int64: .int64
      default: type.storedFloat
      }
    }
  }

  private func copy(
    _ tensor: String, into destination: UnsafeMutableBufferPointer<Float>, as storedType: (TorchType) -> StoredFloat?
  ) throws {
    guard let place = tensors[tensor] else { throw CheckpointError.missingTensor(name: tensor, file: name) }
    guard let type = storedType(place.type) else {
      throw CheckpointError.unsupported(
        file: name, reason: "tensor \(quoted(tensor)) has type torch.\(place.type.rawValue)",
        hint: "save it as float32, float16, bfloat16 or float64")
    }
    guard destination.count == place.count else {
      throw CheckpointError.shapeMismatch(
        tensor: tensor, expected: [destination.count], found: place.shape, file: name)
    }
    let bad =
      place.isContiguous
      ? bytes.copyFloats(type, at: place.start, into: destination, stoppingAtNonFinite: true)
      : bytes.copyFloats(type, at: place.start, strides: place.mergedDimensions, into: destination)
    if let bad { throw CheckpointError.notFinite(tensor: tensor, index: bad, file: name) }
    if !place.isContiguous { bytes.release(place.storage) }
  }
}
