import Kernels
import Transformers

/// The trained model beside its reference, looked at after the same prefixes.
struct ModelPair {
  let policy: any LanguageModel
  let reference: any LanguageModel

  /// Memory for the nodes of a tree, for each model.
  struct Memory {
    let policy: Activations
    let reference: Activations
  }

  /// What both models say may come next at one node.
  struct Next {
    /// Probabilities of all tokens under the policy.
    let policy: Floats
    /// Probabilities of all tokens under the reference.
    let reference: Floats
    /// What either finds most likely, the policy's favourite first.
    let favourites: [Int]
    /// Entropy of the policy, nats.
    let entropy: Float
    /// Entropy of the reference, nats.
    let referenceEntropy: Float
    /// log-probability under the policy of the token that was asked for, nats.
    let logProbability: Float
    /// log-probability under the reference of the token that was asked for, nats.
    let referenceLogProbability: Float
  }

  /// Rows whose logits are held at once.
  private static let chunkSize = 64

  func makeMemory(capacity: Int) -> Memory {
    Memory(
      policy: policy.makeActivations(capacity: capacity, keepsForBackward: false),
      reference: reference.makeActivations(capacity: capacity, keepsForBackward: false))
  }

  /// Computes nodes of a tree with both models.
  func forward(_ tree: TokenTree, nodes: Range<Int>, _ memory: Memory) {
    policy.forward(tree, nodes: nodes, activations: memory.policy)
    reference.forward(tree, nodes: nodes, activations: memory.reference)
  }

  /// What `body` makes of both models' distributions at some nodes, which have been computed.
  ///
  /// - Parameters:
  ///   - tokens: the token of each node whose log-probabilities are asked for.
  ///   - favouriteCount: how many favourites each model has.
  func next<Result>(
    at nodes: [Int], tokens: [Int], favouriteCount: Int, _ memory: Memory, _ body: (Int, Next) -> Result
  ) -> [Result] {
    precondition(nodes.count == tokens.count, "\(tokens.count) tokens at \(nodes.count) nodes")
    let vocabularySize = policy.vocabularySize
    var results: [Result] = []
    results.reserveCapacity(nodes.count)
    for start in stride(from: 0, to: nodes.count, by: Self.chunkSize) {
      let count = min(Self.chunkSize, nodes.count - start)
      withScratch(2 * count * vocabularySize) { logits in
        let referenceLogits = logits + count * vocabularySize
        let rows = Array(nodes[start..<start + count])
        write(policy, memory.policy, rows, into: logits)
        write(reference, memory.reference, rows, into: referenceLogits)
        for row in 0..<count {
          results.append(
            body(
              start + row,
              Self.next(
                logits + row * vocabularySize, referenceLogits + row * vocabularySize, count: vocabularySize,
                token: tokens[start + row], favouriteCount: favouriteCount)))
        }
      }
    }
    return results
  }

  private func write(_ model: any LanguageModel, _ activations: Activations, _ nodes: [Int], into logits: MutableFloats)
  {
    let hidden = gatherRows(activations.hidden, rows: nodes, size: model.hiddenSize)
    withExtendedLifetime(hidden) {
      linear(
        hidden.pointer, weight: model.head.weight, into: logits, rows: nodes.count, inputSize: model.hiddenSize,
        outputSize: model.vocabularySize)
    }
  }

  private static func next(
    _ logits: MutableFloats, _ referenceLogits: MutableFloats, count: Int, token: Int, favouriteCount: Int
  ) -> Next {
    let normalizer = logSumExp(logits, count: count)
    let referenceNormalizer = logSumExp(referenceLogits, count: count)
    let logProbability = logits[token] - normalizer
    let referenceLogProbability = referenceLogits[token] - referenceNormalizer
    let union = Set(largest(logits, count: count, favouriteCount))
      .union(largest(referenceLogits, count: count, favouriteCount))
    let favourites = union.sorted { (logits[$1], $0) < (logits[$0], $1) }
    let entropy = probabilitiesInPlace(logits, normalizer, count: count)
    let referenceEntropy = probabilitiesInPlace(referenceLogits, referenceNormalizer, count: count)
    return Next(
      policy: Floats(logits), reference: Floats(referenceLogits), favourites: favourites, entropy: entropy,
      referenceEntropy: referenceEntropy, logProbability: logProbability,
      referenceLogProbability: referenceLogProbability)
  }

  /// The indices of the `limit` largest values, the largest first.
  private static func largest(_ values: MutableFloats, count: Int, _ limit: Int) -> [Int] {
    var found: [Int] = []
    for index in 0..<count {
      if found.count == limit, let last = found.last, values[index] <= values[last] { continue }
      let place = found.firstIndex { values[$0] < values[index] } ?? found.count
      found.insert(index, at: place)
      if found.count > limit { found.removeLast() }
    }
    return found
  }
}
