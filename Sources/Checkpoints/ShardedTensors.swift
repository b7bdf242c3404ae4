import JSON

/// The tensors of a model whose weights are spread over several files, by an index such as `model.safetensors.index.json`.
///
/// The index names the files; what they hold counts, as for transformers. So an index may be out of date: it may name a tensor
/// that none of its files has, leave one out, or name the wrong file.
public struct ShardedTensors: Sendable {
  /// The index's path, for messages.
  public let name: String
  /// The names of all tensors, file by file.
  public let tensorNames: [String]

  private let shards: [any TensorSource]
  /// The shards that hold a tensor: more than one where it is repeated.
  private let shardsOfTensor: [String: [Int]]

  /// Reads an index and opens the files that it names.
  ///
  /// - Parameters:
  ///   - name: the index's path, for messages.
  ///   - open: opens a file by its name in the index.
  /// - Throws: ``CheckpointError`` when the index is malformed; what `open` throws.
  init(index: MappedBytes, name: String, open: (String) throws -> any TensorSource) throws {
    let map = try WeightMap(index, name: name)
    var shards: [any TensorSource] = []
    for file in map.files { shards.append(try open(file)) }
    var names: [String] = []
    var places: [String: [Int]] = [:]
    for (index, shard) in shards.enumerated() {
      for tensor in shard.tensorNames {
        if places[tensor] == nil { names.append(tensor) }
        places[tensor, default: []].append(index)
      }
    }
    self.name = name
    self.shards = shards
    tensorNames = names
    shardsOfTensor = places
  }
}

extension ShardedTensors: TensorSource {
  /// A tensor's shape, or nil where there is none of that name.
  public func shape(of tensor: String) -> [Int]? {
    shardsOfTensor[tensor]?.first.flatMap { shards[$0].shape(of: tensor) }
  }

  /// Converts a tensor's elements to floats, row-major, into `destination`, which must have exactly their count.
  ///
  /// - Throws: ``CheckpointError``, which names the file of the tensor, or two that differ in it.
  public func copyFloats(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    try copy(tensor, into: destination) { try $0.copyFloats(of: tensor, into: $1) }
  }

  /// The same, also of Booleans and whole numbers.
  public func copyNumbers(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    try copy(tensor, into: destination) { try $0.copyNumbers(of: tensor, into: $1) }
  }

  private func copy(
    _ tensor: String, into destination: UnsafeMutableBufferPointer<Float>,
    _ read: (any TensorSource, UnsafeMutableBufferPointer<Float>) throws -> Void
  ) throws {
    guard let places = shardsOfTensor[tensor], let first = places.first else {
      throw CheckpointError.missingTensor(name: tensor, file: name)
    }
    try read(shards[first], destination)
    for other in places.dropFirst() {
      var copy = [Float](repeating: 0, count: destination.count)
      try copy.withUnsafeMutableBufferPointer { try read(shards[other], $0) }
      guard copy.elementsEqual(destination) else {
        throw CheckpointError.malformed(
          file: name, offset: nil,
          reason: "tensor \(quoted(tensor)) is in \(oneLine(shards[first].name)) and in "
            + "\(oneLine(shards[other].name)), with other numbers")
      }
    }
  }
}

/// The `weight_map` of an index: which files hold the tensors.
struct WeightMap {
  /// The files, in the order of their names.
  private(set) var files: [String] = []

  init(_ index: MappedBytes, name: String) throws {
    try withJSON(index, file: name) { scanner in
      var named: Set<String> = []
      var seen: Set<String> = []
      var isMapped = false
      try scanner.members { scanner, key, position in
        guard key == "weight_map" else { return try scanner.skipValue() }
        guard !isMapped else { throw scanner.problem("\"weight_map\" appears twice", at: position) }
        isMapped = true
        try scanner.members { scanner, tensor, position in
          guard seen.insert(tensor).inserted else {
            throw scanner.problem("the tensor \(quoted(tensor)) appears twice", at: position)
          }
          named.insert(try scanner.string())
        }
      }
      try scanner.expectEnd()
      guard isMapped else {
        throw CheckpointError.malformed(file: name, offset: nil, reason: "there is no \"weight_map\"")
      }
      files = named.sorted()
    }
  }
}
