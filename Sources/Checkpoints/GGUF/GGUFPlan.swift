import Foundation

/// What is written to a GGUF file: its metadata, and its tensors in order.
struct GGUFPlan {
  struct Tensor {
    enum Source {
      /// A tensor of the model under its name there.
      case model(String)
      case values([Float])
    }

    let name: String
    let source: Source
    /// The lengths of the dimensions in the file, innermost first.
    let lengths: [Int]
    let arrangement: RowArrangement
    let type: GGUFTensorType

    var byteCount: Int { lengths.reduce(1, *) / type.blockElements * type.blockBytes }

    /// The name for messages.
    var sourceName: String {
      guard case .model(let name) = source else { return name }
      return name
    }
  }

  private(set) var metadata = GGUFMetadataBytes()
  let tensors: [Tensor]

  /// Checks that tensors of `shapes` are those of a model with this configuration.
  ///
  /// - Parameter areEqual: whether two tensors hold the same numbers.
  init(
    shapes: [String: [Int]], areEqual: (String, String) -> Bool, configuration: Data, vocabulary: GGUFVocabulary,
    matrices: GGUFMatrixType, name: String?
  ) throws {
    let model = try GGUFModelToWrite(configuration)
    metadata.add("general.architecture", model.architecture.rawValue)
    metadata.add("general.type", "model")
    if let name { metadata.add("general.name", name) }
    try metadata.add("general.file_type", matrices.fileType)
    try metadata.add("general.quantization_version", 2)
    try model.addMetadata(to: &metadata)
    try vocabulary.addMetadata(to: &metadata, size: model.vocabularySize, architecture: model.architecture)
    var list = TensorList(model: model, shapes: shapes, matrices: matrices)
    try list.addAll(areEqual: areEqual)
    tensors = list.tensors
  }
}

/// Finds the tensors that a model must have among those that there are.
private struct TensorList {
  let model: GGUFModelToWrite
  let shapes: [String: [Int]]
  let matrices: GGUFMatrixType
  private(set) var tensors: [GGUFPlan.Tensor] = []
  private var used: Set<String> = []

  init(model: GGUFModelToWrite, shapes: [String: [Int]], matrices: GGUFMatrixType) {
    self.model = model
    self.shapes = shapes
    self.matrices = matrices
  }

  mutating func addAll(areEqual: (String, String) -> Bool) throws {
    let names = GGUFNames(model.architecture)
    // A head that is the embedding again is left out; one of its own is written, whatever the configuration says.
    let head = "lm_head.weight"
    let table = names.globals.first { $0.gguf == "token_embd" }.flatMap { stored($0.huggingFace + ".weight")?.name }
    let repeatsEmbedding = model.tiesEmbeddings && table.map { shapes[head] == nil || areEqual(head, $0) } ?? false
    if repeatsEmbedding { used.insert(head) }
    for rule in names.globals where rule.gguf != "output" || !repeatsEmbedding { try add(rule) }
    if let divisors = model.ropeDivisors {
      tensors.append(
        GGUFPlan.Tensor(
          name: "rope_freqs.weight", source: .values(divisors), lengths: [divisors.count], arrangement: .asStored,
          type: .f32))
    }
    for layer in 0..<model.layers {
      for rule in names.block {
        try add(rule, after: "\(GGUFNames.ggufPrefix)\(layer).", inModelAfter: "\(names.huggingFacePrefix)\(layer).")
      }
    }
    let unknown = shapes.keys.filter { !used.contains($0) }
    guard unknown.isEmpty else {
      throw CheckpointError.unexpectedTensors(names: unknown.sorted(), file: "the model to write")
    }
  }

  /// Adds a weight, and its bias where there is one; the prefixes name the block.
  private mutating func add(_ rule: GGUFTensorRule, after prefix: String = "", inModelAfter modelPrefix: String = "")
    throws
  {
    guard let shape = model.shape(of: rule.gguf) else { return }
    let (name, stem) = (prefix + rule.gguf, modelPrefix + rule.huggingFace)
    try add(name + ".weight", from: stem + ".weight", shape: shape, rule)
    guard rule.bias == .required || rule.bias == .optional && stored(stem + ".bias") != nil else { return }
    let length = (rule.rows == .transposed ? shape.last : shape.first) ?? 0
    try add(name + ".bias", from: stem + ".bias", shape: [length], rule)
  }

  private mutating func add(_ name: String, from source: String, shape: [Int], _ rule: GGUFTensorRule) throws {
    guard let stored = stored(source) else {
      throw CheckpointError.missingTensor(name: source, file: "the model to write")
    }
    guard stored.shape == shape else {
      throw CheckpointError.shapeMismatch(
        tensor: stored.name, expected: shape, found: stored.shape, file: "the model to write")
    }
    used.insert(stored.name)
    let arrangement: RowArrangement =
      switch rule.rows {
      case .asStored: .asStored
      case .queryHeads: .interleaved(heads: model.heads)
      case .keyHeads: .interleaved(heads: model.keyValueHeads)
      case .transposed: shape.count == 2 ? .transposed : .asStored
      }
    let lengths = arrangement == .transposed ? shape : shape.reversed()
    var type = shape.count < 2 || rule.isAlwaysFloat ? GGUFTensorType.f32 : matrices.tensorType
    // As llama.cpp's converter does it.
    if (lengths.first ?? 1) % type.blockElements != 0 { type = .f16 }
    tensors.append(
      GGUFPlan.Tensor(
        name: name, source: .model(stored.name), lengths: lengths, arrangement: arrangement, type: type))
  }

  /// A tensor under its name, or under the name that the model without its head has for it.
  private func stored(_ name: String) -> (name: String, shape: [Int])? {
    for prefix in ["", "transformer.", "model."] where name.hasPrefix(prefix) {
      let short = String(name.dropFirst(prefix.count))
      if let shape = shapes[short] { return (short, shape) }
    }
    return nil
  }
}

extension GGUFVocabulary {
  /// Adds the keys of the tokenizer, with as many tokens as the embedding has rows.
  func addMetadata(to metadata: inout GGUFMetadataBytes, size: Int, architecture: GGUFArchitecture) throws {
    func refuse(_ reason: String) -> CheckpointError {
      .invalidTensor(name: "tokenizer.ggml.tokens", reason: reason)
    }
    guard model == "gpt2" || model == "llama" else {
      throw CheckpointError.unsupported(
        file: "the model to write", reason: "a tokenizer of kind \(quoted(model)) is not supported",
        hint: "supported are gpt2 (byte-level BPE) and llama (SentencePiece)")
    }
    guard tokens.count <= size else {
      throw refuse("the tokenizer has \(tokens.count) tokens and the embedding \(size) rows")
    }
    for count in [scores?.count, types?.count] {
      if let count, count != tokens.count {
        throw refuse("there are \(count) scores or kinds for \(tokens.count) tokens")
      }
    }
    for number in [beginning, end, unknown, padding] + moreStops {
      if let number, !(0..<size).contains(number) { throw refuse("there is no token \(number) among \(size)") }
    }
    let unused = tokens.count..<size
    let prefix = "tokenizer.ggml."
    metadata.add(prefix + "model", model)
    if let pre = pre ?? (architecture == .gpt2 ? "gpt-2" : nil) { metadata.add(prefix + "pre", pre) }
    metadata.add(prefix + "tokens", tokens + unused.map { "[PAD\($0)]" })
    if let scores { metadata.add(prefix + "scores", scores + unused.map { _ in -1000 }) }
    let kinds = types ?? Array(repeating: 1, count: tokens.count)
    try metadata.add(prefix + "token_type", kinds + unused.map { _ in 5 })
    if let merges { metadata.add(prefix + "merges", merges) }
    if let beginning { try metadata.add(prefix + "bos_token_id", beginning) }
    if let end { try metadata.add(prefix + "eos_token_id", end) }
    try addStops(to: &metadata)
    if let unknown { try metadata.add(prefix + "unknown_token_id", unknown) }
    if let padding { try metadata.add(prefix + "padding_token_id", padding) }
    if let addsBeginning { metadata.add(prefix + "add_bos_token", addsBeginning) }
    if let addsEnd { metadata.add(prefix + "add_eos_token", addsEnd) }
    if let addsSpacePrefix { metadata.add(prefix + "add_space_prefix", addsSpacePrefix) }
    if let chatTemplate { metadata.add("tokenizer.chat_template", chatTemplate) }
  }
}
