public import Checkpoints
import Kernels
import Synchronization

/// BERT (Devlin et al. 2018) as an encoder of texts: inference only.
///
/// The texts of a pack lie one after the other without padding: one row for each token. Neither the number of threads
/// nor the company of other texts changes a bit of a result; only Accelerate may round the rows of a product differently
/// at different places. The reference is transformers' `modeling_bert.py`.
public final class BERTEncoder: Sendable {
  /// Sizes and constants.
  public let configuration: BERTConfiguration
  private let parameters: BERTParameters

  /// How many tokens are computed at once, unless a single text has more: enough to keep the matrix products busy,
  /// few enough for the activations to stay in the cache.
  private static let packSizes = 128...512

  /// The encoder of a Hugging Face folder: `config.json` and `model.safetensors`.
  ///
  /// - Throws: `CheckpointError` where a file is missing, damaged, unsupported, or does not fit the configuration.
  public init(source: ModelSource) throws {
    configuration = try BERTConfiguration(source: source)
    parameters = try BERTParameters(configuration: configuration, source: source)
  }

  /// FLOPs of a text of `tokens` tokens: its products with the layers' matrices, and attention.
  public func flops(tokens: Int) -> Int {
    let size = configuration.hiddenSize
    return configuration.layerCount * tokens
      * (8 * size * size + 4 * size * configuration.intermediateSize + 4 * size * tokens)
  }

  /// The last layer's hidden states, [tokens, hiddenSize] for each text.
  ///
  /// - Parameter texts: token ids, those around a text included.
  /// - Throws: ``BERTInputError`` where a text is too long or an id unknown.
  public func hiddenStates(_ texts: [[Int]]) throws -> [[Float]] {
    let size = configuration.hiddenSize
    return try forEachText(texts) { hidden, tokens in
      Array(UnsafeBufferPointer(start: hidden, count: tokens * size))
    }
  }

  /// The mean of the last layer's hidden states, [hiddenSize] for each text; zeros for a text without tokens.
  ///
  /// - Parameters:
  ///   - texts: token ids, those around a text included.
  ///   - skipped: tokens at the start of each text that the mean leaves out.
  /// - Throws: ``BERTInputError`` where a text is too long or an id unknown.
  public func meanHiddenStates(_ texts: [[Int]], skipping skipped: Int = 0) throws -> [[Float]] {
    let size = configuration.hiddenSize
    return try forEachText(texts) { hidden, tokens in
      [Float](unsafeUninitializedCapacity: size) { mean, count in
        mean.initialize(repeating: 0)
        guard let start = mean.baseAddress else { return }
        let first = min(skipped, tokens)
        for row in first..<tokens { add(hidden + row * size, to: start, count: size) }
        for index in 0..<size where tokens > first { mean[index] /= Float(tokens - first) }
        count = size
      }
    }
  }

  /// Calls `body` with each text's hidden states and number of tokens, on several threads at once.
  private func forEachText<Result>(_ texts: [[Int]], _ body: (Floats, Int) -> Result) throws -> [Result] {
    for (index, ids) in texts.enumerated() { try check(ids, index: index) }
    let packs = packs(of: texts)
    var results = [[Result]](repeating: [], count: packs.count)
    results.withUnsafeMutableBufferPointer { results in
      // A thread works on packs of its own: no waiting for others within a layer, and no product is split.
      let next = Atomic(0)
      let capacity = packs.map(\.rows).max() ?? 0
      parallel(min(packs.count, Threads.count)) { workers in
        for _ in workers {
          let workspace = BERTWorkspace(capacity: capacity, configuration: configuration)
          while true {
            let index = next.add(1, ordering: .relaxed).oldValue
            guard index < packs.count else { break }
            let ranges = workspace.fill(texts[packs[index].texts])
            run(ranges, workspace)
            results[index] = ranges.map {
              body(workspace.hidden + $0.lowerBound * configuration.hiddenSize, $0.count)
            }
          }
        }
      }
    }
    return Array(results.joined())
  }

  private func check(_ ids: [Int], index: Int) throws {
    guard ids.count <= configuration.contextLength else {
      throw BERTInputError.tooLong(text: index, tokens: ids.count, limit: configuration.contextLength)
    }
    for id in ids where id < 0 || id >= configuration.vocabularySize {
      throw BERTInputError.unknownID(id, text: index, vocabularySize: configuration.vocabularySize)
    }
  }

  /// Splits texts, in their order, into packs of about the same number of tokens.
  ///
  /// A small job still makes enough of them to share; how many must not depend on the number of threads.
  private func packs(of texts: [[Int]]) -> [(texts: Range<Int>, rows: Int)] {
    let total = texts.reduce(0) { $0 + $1.count }
    let limit = min(max(total / 8, Self.packSizes.lowerBound), Self.packSizes.upperBound)
    var packs: [(texts: Range<Int>, rows: Int)] = []
    var start = 0
    var rows = 0
    for (index, ids) in texts.enumerated() {
      if rows > 0, rows + ids.count > limit {
        packs.append((start..<index, rows))
        (start, rows) = (index, 0)
      }
      rows += ids.count
    }
    if start < texts.count { packs.append((start..<texts.count, rows)) }
    return packs
  }

  /// Computes the hidden states of the tokens in the workspace.
  private func run(_ texts: [Range<Int>], _ workspace: BERTWorkspace) {
    let size = configuration.hiddenSize
    let hidden = workspace.hidden
    embedding(parameters[parameters.wordEmbedding], ids: workspace.ids, into: hidden, rows: workspace.rows, size: size)
    embedding(
      parameters[parameters.positionEmbedding], ids: workspace.positions, into: hidden, rows: workspace.rows,
      size: size, accumulates: true)
    normalize(workspace, parameters.embeddingNorm, parameters.embeddingNormBias)
    for layer in parameters.layers { run(layer, texts, workspace) }
  }

  private func run(_ layer: BERTParameters.Layer, _ texts: [Range<Int>], _ workspace: BERTWorkspace) {
    let size = configuration.hiddenSize
    let inner = configuration.intermediateSize
    let rows = workspace.rows
    project(workspace.hidden, size, by: layer.queryKeyValue, into: workspace.wide, 3 * size, rows) {
      (workspace.wide + $0 * 3 * size).update(from: parameters[layer.queryKeyValueBias], count: 3 * size)
    }
    bidirectionalAttention(
      workspace.wide, texts: texts, into: workspace.context,
      headCount: configuration.headCount, headDimension: size / configuration.headCount)
    project(workspace.context, size, by: layer.output, into: workspace.hidden, size, rows) {
      add(parameters[layer.outputBias], to: workspace.hidden + $0 * size, count: size)
    }
    normalize(workspace, layer.attentionNorm, layer.attentionNormBias)
    project(workspace.hidden, size, by: layer.inner, into: workspace.wide, inner, rows) {
      (workspace.wide + $0 * inner).update(from: parameters[layer.innerBias], count: inner)
    }
    geluExact(workspace.wide, count: rows * inner)
    project(workspace.wide, inner, by: layer.projection, into: workspace.hidden, size, rows) {
      add(parameters[layer.projectionBias], to: workspace.hidden + $0 * size, count: size)
    }
    normalize(workspace, layer.finalNorm, layer.finalNormBias)
  }

  /// output += input W^T on the calling thread, after `prepare` has put the bias, or added it, in each row of `output`.
  private func project(
    _ input: MutableFloats, _ inputSize: Int, by weight: Int, into output: MutableFloats, _ outputSize: Int,
    _ rows: Int, prepare: (Int) -> Void
  ) {
    for row in 0..<rows { prepare(row) }
    matrixMultiply(
      Matrix(input, stride: inputSize), Matrix(parameters[weight], stride: inputSize, transposed: true),
      into: output, resultStride: outputSize, rows: rows, columns: outputSize, depth: inputSize, accumulates: true)
  }

  private func normalize(_ workspace: BERTWorkspace, _ weight: Int, _ bias: Int) {
    layerNorm(
      workspace.hidden, weight: parameters[weight], bias: parameters[bias], epsilon: configuration.layerNormEpsilon,
      into: workspace.hidden, rows: workspace.rows, size: configuration.hiddenSize)
  }
}
