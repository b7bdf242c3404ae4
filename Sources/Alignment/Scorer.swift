import Kernels
public import Transformers

/// Log-probabilities of given tokens under a model.
public struct Scorer {
  private let model: any LanguageModel
  private let beginning: Int?
  private let activations: Activations

  /// Tokens computed together.
  private static let batchSize = 4_096

  /// A scorer that starts every document with the token `beginning`, where one is given.
  public init(_ model: any LanguageModel, beginning: Int? = nil) {
    self.model = model
    self.beginning = beginning
    activations = model.makeActivations(
      capacity: max(Self.batchSize, model.contextLength), keepsForBackward: false)
  }

  /// A stretch of a document that fits the context, and the tokens of it that are to be scored.
  private struct Window {
    var document: Int
    var tokens: [Int]
    /// Where the scored tokens go in the document.
    var firstScored: Int
    /// How many tokens at the end of the window are scored.
    var scoredCount: Int
  }

  /// The log-probability of each token of each document, in nats; nil for a first token that nothing precedes.
  ///
  /// A document longer than the context is read in windows that overlap by half, each token scored once,
  /// with at least half a context before it.
  public func logProbabilities(of documents: [[Int]]) -> [[Float?]] {
    var results = documents.map { [Float?](repeating: nil, count: $0.count) }
    var batch: [Window] = []
    var size = 0
    for window in documents.enumerated().lazy.flatMap({ windows(of: $1, document: $0) }) {
      if size + window.tokens.count > activations.capacity, !batch.isEmpty {
        score(batch, into: &results)
        batch = []
        size = 0
      }
      batch.append(window)
      size += window.tokens.count
    }
    if !batch.isEmpty { score(batch, into: &results) }
    return results
  }

  private func windows(of ids: [Int], document: Int) -> [Window] {
    let tokens = (beginning.map { [$0] } ?? []) + ids
    let offset = tokens.count - ids.count
    let length = model.contextLength
    var windows: [Window] = []
    var scored = 1  // the first token has nothing before it
    while scored < tokens.count {
      // The last token of a window is a target only; it needs no place in the context.
      let start = scored == 1 ? 0 : max(0, scored - max(1, length / 2))
      let end = min(tokens.count, start + length + 1)
      windows.append(
        Window(
          document: document, tokens: Array(tokens[start..<end]), firstScored: scored - offset,
          scoredCount: end - scored))
      scored = end
    }
    return windows
  }

  private func score(_ windows: [Window], into results: inout [[Float?]]) {
    var tree = TokenTree()
    var starts = [0]
    var targets: [Int32] = []
    var rows: [Int] = []
    for window in windows {
      let nodes = tree.appendChain(window.tokens.dropLast())
      for (node, token) in zip(nodes, window.tokens.dropFirst()).suffix(window.scoredCount) {
        rows.append(node)
        targets.append(Int32(token))
        starts.append(targets.count)
      }
    }
    model.forward(tree, activations: activations)
    var loss = HeadLoss(
      targetStarts: starts, targetTokens: targets, targetWeights: [Float](repeating: 0, count: targets.count))
    let hidden = gatherRows(activations.hidden, rows: rows, size: model.hiddenSize)
    withExtendedLifetime(hidden) { model.head.evaluate(&loss, hidden: hidden.pointer) }
    var next = 0
    for window in windows {
      for index in 0..<window.scoredCount {
        results[window.document][window.firstScored + index] = loss.targetLogProbabilities[next]
        next += 1
      }
    }
  }
}

/// The named rows of a matrix, one after the other.
func gatherRows(_ matrix: FloatBuffer, rows: [Int], size: Int) -> FloatBuffer {
  let result = FloatBuffer(count: rows.count * size, isZeroed: false)
  for (index, row) in rows.enumerated() {
    (result.pointer + index * size).update(from: matrix.pointer + row * size, count: size)
  }
  return result
}
