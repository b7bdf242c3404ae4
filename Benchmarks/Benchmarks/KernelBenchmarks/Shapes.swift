/// The sizes of one model, as far as kernels see them.
struct ModelShape: Sendable {
  /// The model's name in the names of benchmarks.
  let name: String
  /// Size of a hidden state.
  let hidden: Int
  /// Size of the hidden layer of a feed-forward network.
  let inner: Int
  /// Attention heads.
  let heads: Int
  /// Tokens of a language model; nil for an encoder, which has no head and is never trained here.
  let vocabulary: Int?
  /// Numbers that training would update.
  let parameters: Int

  /// Size of one attention head.
  var headDimension: Int { hidden / heads }
  /// The two linear layers of a feed-forward network.
  var layers: [LinearShape] {
    [
      LinearShape(name: "\(name) up", inputSize: hidden, outputSize: inner),
      LinearShape(name: "\(name) down", inputSize: inner, outputSize: hidden),
    ]
  }
  /// Rows of a forward pass: 1 when a language model generates, else a batch.
  var forwardRows: [Int] { vocabulary == nil ? batchRows : [1] + batchRows }
  /// Rows of a backward pass, if the model has one.
  var backwardRows: [Int] { vocabulary == nil ? [] : batchRows }

  private var batchRows: [Int] { [64, 512, 2048] }
}

/// The sizes of a linear layer.
struct LinearShape: Sendable {
  let name: String
  let inputSize: Int
  let outputSize: Int

  /// FLOPs of its forward pass, and of each of its two gradients.
  func operations(rows: Int) -> Int { 2 * rows * inputSize * outputSize }
}

/// A language model's vocabulary, which its kernels go through row by row.
struct HeadShape: Sendable {
  let name: String
  let hidden: Int
  let vocabulary: Int
  let parameters: Int

  /// FLOPs of the logits of `rows` rows.
  func operations(rows: Int) -> Int { 2 * rows * hidden * vocabulary }
  /// Whether `rows` rows are worth the time: more would only be the same chunk again.
  func isWorthwhile(rows: Int) -> Bool { rows * vocabulary <= 1 << 25 }
}

/// The models whose shapes are measured; every benchmark takes its sizes from here.
let modelShapes = [
  ModelShape(name: "embedded", hidden: 192, inner: 768, heads: 6, vocabulary: 2048, parameters: 2_269_056),
  ModelShape(
    name: "tinystories-33m", hidden: 768, inner: 3072, heads: 16, vocabulary: 50_257, parameters: 68_514_048),
  ModelShape(name: "smollm2-135m", hidden: 576, inner: 1536, heads: 9, vocabulary: 49_152, parameters: 134_515_008),
  ModelShape(name: "minilm", hidden: 384, inner: 1536, heads: 12, vocabulary: nil, parameters: 22_713_216),
]

/// The same, for what has a vocabulary.
let headShapes = modelShapes.compactMap { model in
  model.vocabulary.map {
    HeadShape(name: model.name, hidden: model.hidden, vocabulary: $0, parameters: model.parameters)
  }
}

/// So many rows, in words.
func rowCount(_ rows: Int) -> String { rows == 1 ? "1 row" : "\(rows) rows" }
