import Checkpoints
import Kernels

/// A BERT encoder's weights: one buffer, and where each tensor starts in it.
struct BERTParameters: Sendable {
  /// Where one layer's tensors start.
  struct Layer {
    /// Query, key and value lie one after the other, so that one product computes all three.
    var queryKeyValue, queryKeyValueBias: Int
    var output, outputBias: Int
    var attentionNorm, attentionNormBias: Int
    var inner, innerBias: Int
    var projection, projectionBias: Int
    var finalNorm, finalNormBias: Int
  }

  let wordEmbedding: Int
  /// The embedding of token type 0, which all texts have, is added to each row.
  let positionEmbedding: Int
  let embeddingNorm, embeddingNormBias: Int
  let layers: [Layer]
  private let buffer: FloatBuffer

  /// Loads the weights.
  ///
  /// - Throws: `CheckpointError` where a tensor is missing, has another shape, or has no place here.
  init(configuration: BERTConfiguration, source: ModelSource) throws {
    let hidden = configuration.hiddenSize
    let inner = configuration.intermediateSize
    var layout = ParameterLayout()
    wordEmbedding = layout.append("embeddings.word_embeddings.weight", [configuration.vocabularySize, hidden])
    positionEmbedding = layout.append("embeddings.position_embeddings.weight", [configuration.contextLength, hidden])
    let typeEmbedding = layout.append("embeddings.token_type_embeddings.weight", [configuration.typeCount, hidden])
    embeddingNorm = layout.append("embeddings.LayerNorm.weight", [hidden])
    embeddingNormBias = layout.append("embeddings.LayerNorm.bias", [hidden])
    layers = (0..<configuration.layerCount).map { index in
      let name = "encoder.layer.\(index)."
      let attention = name + "attention.self."
      let query = layout.append(attention + "query.weight", [hidden, hidden])
      _ = layout.append(attention + "key.weight", [hidden, hidden])
      _ = layout.append(attention + "value.weight", [hidden, hidden])
      let queryBias = layout.append(attention + "query.bias", [hidden])
      _ = layout.append(attention + "key.bias", [hidden])
      _ = layout.append(attention + "value.bias", [hidden])
      return Layer(
        queryKeyValue: query, queryKeyValueBias: queryBias,
        output: layout.append(name + "attention.output.dense.weight", [hidden, hidden]),
        outputBias: layout.append(name + "attention.output.dense.bias", [hidden]),
        attentionNorm: layout.append(name + "attention.output.LayerNorm.weight", [hidden]),
        attentionNormBias: layout.append(name + "attention.output.LayerNorm.bias", [hidden]),
        inner: layout.append(name + "intermediate.dense.weight", [inner, hidden]),
        innerBias: layout.append(name + "intermediate.dense.bias", [inner]),
        projection: layout.append(name + "output.dense.weight", [hidden, inner]),
        projectionBias: layout.append(name + "output.dense.bias", [hidden]),
        finalNorm: layout.append(name + "output.LayerNorm.weight", [hidden]),
        finalNormBias: layout.append(name + "output.LayerNorm.bias", [hidden]))
    }
    buffer = try load(layout, from: source)
    for position in 0..<configuration.contextLength {
      let row = buffer.pointer + positionEmbedding + position * hidden
      add(buffer.pointer + typeEmbedding, to: row, count: hidden)
    }
  }

  /// The weights from an offset on.
  subscript(offset: Int) -> Floats { Floats(buffer.pointer + offset) }
}

/// The tensors of a layout, loaded with or without the prefix of a task's model.
private func load(_ layout: ParameterLayout, from source: ModelSource) throws -> FloatBuffer {
  let tensors = try source.weights()
  if let name = tensors.tensorNames.first(where: { $0.hasPrefix("classifier.") || $0.hasPrefix("qa_outputs.") }) {
    throw CheckpointError.unsupported(
      file: tensors.name,
      reason: "this is a BERT that classifies (\(name)), and rewards are made of sentence embeddings",
      hint: "give a sentence-embedding model, such as all-MiniLM-L6-v2")
  }
  // Before memory is taken: a small config.json may announce a huge model.
  guard layout.count <= tensors.elementCount else {
    throw CheckpointError.malformed(
      file: source.path(of: "config.json"), offset: nil,
      reason: "it describes \(layout.count) weights, more than \(tensors.name) holds; "
        + "check that config.json belongs to these weights")
  }
  let buffer = FloatBuffer(count: layout.count, isZeroed: false)
  var loader = TensorLoader(tensors)
  let prefix = loader.contains("bert.embeddings.word_embeddings.weight") ? "bert." : ""
  for parameter in layout.parameters {
    try loader.load(
      storedName(prefix + parameter.name, tensors), shape: parameter.shape,
      into: UnsafeMutableBufferPointer(rebasing: buffer.elements[parameter.range]))
  }
  let positions = prefix + "embeddings.position_ids"
  try checkPositions(positions, tensors)
  try loader.finish { name in
    // The pooler serves next-sentence prediction alone, "cls." are the heads of pretraining; old files carry the constant position
    // ids.
    name.hasPrefix(prefix + "pooler.") || !prefix.isEmpty && name.hasPrefix("cls.") || name == positions
  }
  return buffer
}

/// A tensor's name in the file: BERT of 2018 calls the two vectors of a layer norm gamma and beta.
private func storedName(_ name: String, _ tensors: any TensorSource) -> String {
  guard tensors.shape(of: name) == nil else { return name }
  for (suffix, old) in [("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")]
  where name.hasSuffix(suffix) {
    let candidate = String(name.dropLast(suffix.count)) + old
    if tensors.shape(of: candidate) != nil { return candidate }
  }
  return name
}

/// Refuses position ids other than 0, 1, 2 and so on, which are what is computed with.
private func checkPositions(_ name: String, _ tensors: any TensorSource) throws {
  guard let shape = tensors.shape(of: name) else { return }
  let positions = FloatBuffer(count: shape.reduce(1, *), isZeroed: false)
  try tensors.copyNumbers(of: name, into: positions.elements)
  guard positions.elements.enumerated().allSatisfy({ Float($0) == $1 }) else {
    throw CheckpointError.unsupported(
      file: tensors.name, reason: "\(name) does not count from 0 in steps of 1", hint: "use a BERT with plain positions"
    )
  }
}
