extension GGUFFile {
  /// The tensors under the names, shapes and conventions of transformers.
  ///
  /// Rows of query and key heads that the file interleaves are put back, matrices of GPT-2 are transposed.
  /// Llama's table of rotary divisors is left out: ``huggingFaceConfiguration()`` says what it holds.
  /// - Throws: ``CheckpointError`` for another architecture, and for tensors that it does not have.
  public func huggingFaceWeights() throws -> any TensorSource {
    let architecture = try architecture()
    let names = GGUFNames(architecture)
    var heads = (query: 1, key: 1, size: 1)
    if architecture == .llama {
      let values = try llamaValues()
      heads = (values.heads, values.keyValueHeads, values.headDimension)
    } else {
      _ = try gpt2Values()
    }
    var weights = GGUFWeights(file: self)
    var unknown: [String] = []
    for tensor in tensors where architecture != .llama || tensor.name != "rope_freqs.weight" {
      if let table = names.rotaryTable(tensor.name) {
        weights.add(table, GGUFWeights.Item(tensor: tensor, shape: tensor.shape, arrangement: .asStored))
        continue
      }
      guard let (rule, name, isBias) = names.find(tensor.name) else {
        unknown.append(tensor.name)
        continue
      }
      var shape = tensor.shape
      var arrangement = RowArrangement.asStored
      switch rule.rows {
      case .asStored: break
      case .transposed where !isBias:
        guard shape.count == 2 else { throw wrongRows(tensor, "be a matrix") }
        shape.reverse()
        arrangement = .transposed
      case .transposed: break
      case .queryHeads, .keyHeads:
        let count = rule.rows == .queryHeads ? heads.query : heads.key
        guard shape.first == count * heads.size else {
          throw wrongRows(tensor, "have \(count * heads.size) rows for \(count) heads of \(heads.size)")
        }
        arrangement = .interleaved(heads: count)
      }
      weights.add(name, GGUFWeights.Item(tensor: tensor, shape: shape, arrangement: arrangement))
    }
    guard unknown.isEmpty else { throw CheckpointError.unexpectedTensors(names: unknown, file: name) }
    return weights
  }

  private func wrongRows(_ tensor: GGUFTensor, _ need: String) -> CheckpointError {
    malformed("tensor \(quoted(tensor.name)) has shape \(tensor.shape), and must \(need)", nil)
  }
}

/// The tensors of a GGUF file as transformers has them.
private struct GGUFWeights: TensorSource {
  struct Item {
    let tensor: GGUFTensor
    let shape: [Int]
    let arrangement: RowArrangement
  }

  let file: GGUFFile
  private(set) var tensorNames: [String] = []
  private var items: [String: Item] = [:]

  init(file: GGUFFile) { self.file = file }

  var name: String { file.name }

  mutating func add(_ name: String, _ item: Item) {
    tensorNames.append(name)
    items[name] = item
  }

  func shape(of tensor: String) -> [Int]? { items[tensor]?.shape }

  func copyFloats(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    guard let item = items[tensor] else { throw CheckpointError.missingTensor(name: tensor, file: name) }
    do {
      try file.copyFloats(item.tensor, into: destination, arrangement: item.arrangement)
    } catch CheckpointError.notFinite(_, let index, _) {
      throw CheckpointError.notFinite(tensor: tensor, index: index, file: name)
    }
  }
}
