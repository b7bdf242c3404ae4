public import Checkpoints
import Kernels

/// BERT (Devlin et al. 2018) as an encoder of texts: inference only.
///
/// The texts of a pack lie one after the other without padding: one row for each token. The reference is
/// transformers' `modeling_bert.py`.
public final class BERTEncoder: Sendable {
  /// Sizes and constants.
  public let configuration: BERTConfiguration
  private let parameters: BERTParameters

  /// How many tokens are computed at once, unless a single text has more: enough to keep the matrix products busy,
  /// few enough for the activations to stay in the cache.
  private static let packSize = 512

  /// The encoder of a Hugging Face folder: `config.json` and `model.safetensors`.
  ///
  /// - Throws: `CheckpointError` where a file is missing, damaged, unsupported, or does not fit the configuration.
  public init(source: ModelSource) throws {
    configuration = try BERTConfiguration(source: source)
    parameters = try BERTParameters(configuration: configuration, source: source)
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
  /// - Parameter texts: token ids, those around a text included.
  /// - Throws: ``BERTInputError`` where a text is too long or an id unknown.
  public func meanHiddenStates(_ texts: [[Int]]) throws -> [[Float]] {
    let size = configuration.hiddenSize
    return try forEachText(texts) { hidden, tokens in
      [Float](unsafeUninitializedCapacity: size) { mean, count in
        mean.initialize(repeating: 0)
        guard let start = mean.baseAddress else { return }
        for row in 0..<tokens { add(hidden + row * size, to: start, count: size) }
        for index in 0..<size where tokens > 0 { mean[index] /= Float(tokens) }
        count = size
      }
    }
  }

  /// Calls `body` with each text's hidden states and number of tokens; the calls are in order, one at a time.
  private func forEachText<Result>(_ texts: [[Int]], _ body: (Floats, Int) -> Result) throws -> [Result] {
    for (index, ids) in texts.enumerated() { try check(ids, index: index) }
    var results: [Result] = []
    results.reserveCapacity(texts.count)
    let packs = packs(of: texts)
    let workspace = BERTWorkspace(rows: packs.map(\.rows).max() ?? 0, configuration: configuration)
    for pack in packs {
      let ranges = workspace.fill(texts[pack.texts])
      run(ranges, rows: pack.rows, workspace)
      for range in ranges {
        results.append(body(workspace.hidden + range.lowerBound * configuration.hiddenSize, range.count))
      }
    }
    return results
  }

  private func check(_ ids: [Int], index: Int) throws {
    guard ids.count <= configuration.contextLength else {
      throw BERTInputError.tooLong(text: index, tokens: ids.count, limit: configuration.contextLength)
    }
    for id in ids where id < 0 || id >= configuration.vocabularySize {
      throw BERTInputError.unknownID(id, text: index, vocabularySize: configuration.vocabularySize)
    }
  }

  /// Splits texts, in their order, into runs of about ``packSize`` tokens.
  private func packs(of texts: [[Int]]) -> [(texts: Range<Int>, rows: Int)] {
    var packs: [(texts: Range<Int>, rows: Int)] = []
    var start = 0
    var rows = 0
    for (index, ids) in texts.enumerated() {
      if rows > 0, rows + ids.count > Self.packSize {
        packs.append((start..<index, rows))
        (start, rows) = (index, 0)
      }
      rows += ids.count
    }
    if start < texts.count { packs.append((start..<texts.count, rows)) }
    return packs
  }

  /// Computes the hidden states of the tokens in the workspace.
  private func run(_ texts: [Range<Int>], rows: Int, _ workspace: BERTWorkspace) {
    let size = configuration.hiddenSize
    let hidden = workspace.hidden
    embedding(
      parameters[parameters.wordEmbedding], ids: workspace.ids, into: hidden, rows: rows, size: size)
    embedding(
      parameters[parameters.positionEmbedding], ids: workspace.positions, into: hidden, rows: rows, size: size,
      accumulates: true)
    normalize(hidden, rows, parameters.embeddingNorm, parameters.embeddingNormBias)
    for layer in parameters.layers { run(layer, texts, rows, workspace) }
  }

  private func run(
    _ layer: BERTParameters.Layer, _ texts: [Range<Int>], _ rows: Int, _ workspace: BERTWorkspace
  ) {
    let size = configuration.hiddenSize
    let innerSize = configuration.intermediateSize
    let hidden = workspace.hidden
    linear(
      hidden, weight: parameters[layer.queryKeyValue], bias: parameters[layer.queryKeyValueBias],
      into: workspace.wide, rows: rows, inputSize: size, outputSize: 3 * size)
    bidirectionalAttention(
      workspace.wide, texts: texts, into: workspace.context,
      headCount: configuration.headCount, headDimension: size / configuration.headCount)
    linear(
      workspace.context, weight: parameters[layer.output], bias: parameters[layer.outputBias],
      into: workspace.update, rows: rows, inputSize: size, outputSize: size)
    add(workspace.update, to: hidden, count: rows * size)
    normalize(hidden, rows, layer.attentionNorm, layer.attentionNormBias)
    linear(
      hidden, weight: parameters[layer.inner], bias: parameters[layer.innerBias],
      into: workspace.wide, rows: rows, inputSize: size, outputSize: innerSize)
    geluExact(workspace.wide, count: rows * innerSize)
    linear(
      workspace.wide, weight: parameters[layer.projection], bias: parameters[layer.projectionBias],
      into: workspace.update, rows: rows, inputSize: innerSize, outputSize: size)
    add(workspace.update, to: hidden, count: rows * size)
    normalize(hidden, rows, layer.finalNorm, layer.finalNormBias)
  }

  private func normalize(_ hidden: MutableFloats, _ rows: Int, _ weight: Int, _ bias: Int) {
    layerNorm(
      hidden, weight: parameters[weight], bias: parameters[bias], epsilon: configuration.layerNormEpsilon,
      into: hidden, rows: rows, size: configuration.hiddenSize)
  }
}
