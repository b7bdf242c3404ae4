/// The tensors of a model whose weights are spread over several files, by an index such as `model.safetensors.index.json`.
///
/// The index maps each tensor to its file; a tensor that it does not name is not there.
public struct ShardedTensors: Sendable {
  /// The index's path, for messages.
  public let name: String
  /// The names of all tensors, in the order of the index.
  public let tensorNames: [String]

  private let shards: [any TensorSource]
  /// Which of the shards holds a tensor.
  private let shardIndex: [String: Int]

  /// Reads an index and opens the files that it names.
  ///
  /// - Parameters:
  ///   - name: the index's path, for messages.
  ///   - open: opens a file by its name in the index.
  /// - Throws: ``CheckpointError`` when the index is malformed or a file lacks a tensor; what `open` throws.
  init(index: MappedBytes, name: String, open: (String) throws -> any TensorSource) throws {
    let map = try WeightMap(index, name: name)
    var shards: [any TensorSource] = []
    for file in map.files { shards.append(try open(file)) }
    for (tensor, shard) in zip(map.tensors, map.shardOfTensor) where shards[shard].shape(of: tensor) == nil {
      throw CheckpointError.missingTensor(name: tensor, file: shards[shard].name)
    }
    self.name = name
    self.shards = shards
    tensorNames = map.tensors
    shardIndex = Dictionary(uniqueKeysWithValues: zip(map.tensors, map.shardOfTensor))
  }
}

extension ShardedTensors: TensorSource {
  /// A tensor's shape, or nil where there is none of that name.
  public func shape(of tensor: String) -> [Int]? { shardIndex[tensor].flatMap { shards[$0].shape(of: tensor) } }

  /// Converts a tensor's elements to floats, row-major, into `destination`, which must have exactly their count.
  ///
  /// - Throws: ``CheckpointError``, which names the file of the tensor.
  public func copyFloats(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    guard let shard = shardIndex[tensor] else { throw CheckpointError.missingTensor(name: tensor, file: name) }
    try shards[shard].copyFloats(of: tensor, into: destination)
  }
}

/// The `weight_map` of an index: which file holds which tensor.
struct WeightMap {
  /// The files, in the order of their names.
  private(set) var files: [String] = []
  /// The tensors, in the order of the index; none appears twice.
  private(set) var tensors: [String] = []
  /// For each of ``tensors``, the place of its file in ``files``.
  private(set) var shardOfTensor: [Int] = []

  init(_ index: MappedBytes, name: String) throws {
    try index.withUnsafeBytes { bytes in
      var scanner = JSONScanner(bytes, file: name, baseOffset: 0)
      var fileOfTensor: [String] = []
      var seen: Set<String> = []
      var isMapped = false
      try scanner.object { scanner, key, position in
        guard key == "weight_map" else { return try scanner.skipValue() }
        guard !isMapped else { throw scanner.malformed("\"weight_map\" appears twice", at: position) }
        isMapped = true
        try scanner.object { scanner, tensor, position in
          guard seen.insert(tensor).inserted else {
            throw scanner.malformed("the tensor \(quoted(tensor)) appears twice", at: position)
          }
          tensors.append(tensor)
          fileOfTensor.append(try scanner.string())
        }
      }
      try scanner.finish()
      guard isMapped else {
        throw CheckpointError.malformed(file: name, offset: nil, reason: "there is no \"weight_map\"")
      }
      files = Set(fileOfTensor).sorted()
      let places = Dictionary(uniqueKeysWithValues: zip(files, files.indices))
      shardOfTensor = fileOfTensor.compactMap { places[$0] }
    }
  }
}
