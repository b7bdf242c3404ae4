import Foundation

extension ModelSource {
  /// How a model's weights are kept.
  private enum Weights {
    case safetensors(String)
    case pytorch(String)
    /// An index, and whether its files are safetensors.
    case sharded(index: String, isSafetensors: Bool)
  }

  /// The weights: of `model.safetensors`, of the files that `model.safetensors.index.json` names, of `pytorch_model.bin`, of
  /// the files that `pytorch_model.bin.index.json` names, or of the only `.bin` or `.pt` file; the first that is there.
  ///
  /// - Throws: ``CheckpointError`` where there are none, or a file is missing, damaged, or asks to run something.
  public func weights() throws -> any TensorSource {
    if case .converted(let model) = self { return model.weights }
    return try UnwrappedTensors.unwrapping(storedWeights())
  }

  private func storedWeights() throws -> any TensorSource {
    switch try findWeights() {
    case .safetensors(let name): return try Safetensors(requiredFile(name), name: path(of: name))
    case .pytorch(let name): return try PyTorchFile(requiredFile(name), name: path(of: name))
    case .sharded(let index, let isSafetensors):
      return try ShardedTensors(index: requiredFile(index), name: path(of: index)) { name in
        let bytes = try shard(name, of: index)
        return isSafetensors
          ? try Safetensors(bytes, name: path(of: name)) : try PyTorchFile(bytes, name: path(of: name))
      }
    }
  }

  /// The tensors of a file that is named: PyTorch's where the name ends in `.bin`, else safetensors.
  ///
  /// - Throws: ``CheckpointError`` where it is missing, damaged, or asks to run something.
  public func tensors(inFile name: String) throws -> any TensorSource {
    let bytes = try requiredFile(name)
    let tensors: any TensorSource =
      name.hasSuffix(".bin")
      ? try PyTorchFile(bytes, name: path(of: name)) : try Safetensors(bytes, name: path(of: name))
    return try UnwrappedTensors.unwrapping(tensors)
  }

  /// The files that ``weights()`` reads tensors from, in the order of their names.
  ///
  /// - Throws: ``CheckpointError`` where there are none, or one is missing.
  public func weightFiles() throws -> [MappedBytes] {
    if case .converted(let model) = self { return [model.weightFile] }
    switch try findWeights() {
    case .safetensors(let name), .pytorch(let name): return [try requiredFile(name)]
    case .sharded(let index, _):
      return try WeightMap(requiredFile(index), name: path(of: index)).files.map { try shard($0, of: index) }
    }
  }

  /// Whether a whole model's weights are there under one of their usual names.
  public var hasWeights: Bool {
    get throws {
      if case .converted = self { return true }
      let stems = ["model.safetensors", "pytorch_model.bin"]
      return try stems.contains { try file($0) != nil || file($0 + ".index.json") != nil }
    }
  }

  private func findWeights() throws -> Weights {
    if try file("model.safetensors") != nil { return .safetensors("model.safetensors") }
    let index = "model.safetensors.index.json"
    if try file(index) != nil { return .sharded(index: index, isSafetensors: true) }
    if try file("pytorch_model.bin") != nil { return .pytorch("pytorch_model.bin") }
    let torchIndex = "pytorch_model.bin.index.json"
    if try file(torchIndex) != nil { return .sharded(index: torchIndex, isSafetensors: false) }
    let others = try namesOfOtherWeights()
    if let name = others.first, others.count == 1 { return .pytorch(name) }
    if others.count > 1 {
      throw CheckpointError.unsupported(
        file: description,
        reason: "the weights may be in any of " + others.prefix(5).map(quoted).joined(separator: ", ")
          + (others.count > 5 ? ", …" : ""),
        hint: "rename the file that holds them to pytorch_model.bin")
    }
    // Says of a folder that is not there that it is not there.
    _ = try requiredFile("model.safetensors")
    return .safetensors("model.safetensors")
  }

  /// Files that may be a state dict of another name: none of those that trainers leave beside it.
  private func namesOfOtherWeights() throws -> [String] {
    let names: [String]
    switch self {
    case .folder(let url):
      names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    case .embedded(_, let files): names = Array(files.keys)
    case .converted: names = []
    }
    let others: Set<String> = [
      "training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "scaler.pt", "adapter_model.bin",
    ]
    return names.filter { ($0.hasSuffix(".bin") || $0.hasSuffix(".pt")) && !$0.hasPrefix(".") && !others.contains($0) }
      .sorted()
  }

  private func shard(_ name: String, of index: String) throws -> MappedBytes {
    guard let bytes = try file(name) else {
      throw CheckpointError.missingFile(
        path: path(of: name), hint: "\(index) names it as a part of the weights; copy or download it too")
    }
    return bytes
  }
}
