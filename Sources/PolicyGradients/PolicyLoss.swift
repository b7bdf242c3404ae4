/// A sampled story as the loss sees it: its tokens and, for each, the tree node whose distribution it was drawn from.
public struct SampledPath: Sendable {
  /// The tokens, the end-of-text among them when it was sampled.
  public var tokens: [Int]
  /// The node before each token.
  public var nodes: [Int]

  /// A path of as many nodes as tokens.
  public init(tokens: [Int], nodes: [Int]) {
    precondition(tokens.count == nodes.count, "\(tokens.count) tokens from \(nodes.count) nodes")
    self.tokens = tokens
    self.nodes = nodes
  }
}

/// The policy-gradient loss on a tree of tokens, one row for each distinct prefix:
///
///     L = -(1/N) sum_i A_i (1/T) sum_t log p(s_it | s_i,<t)  +  c (1/N) sum_i (1/T) sum_t D_it
///
/// Samples that share a prefix share its row, whatever their number: their advantages are added for each token that
/// follows, and the divergence D counts once for each of them. The sum over rows is the very gradient of the sum over
/// samples.
public struct PolicyLossRows: Sendable, Equatable {
  /// The nodes that have a row, in ascending order.
  public private(set) var nodes: [Int] = []
  /// How many samples drew a token at each row.
  public private(set) var sampleCounts: [Int] = []
  /// The tokens of row r: `targetStarts[r]..<targetStarts[r + 1]` of ``targetTokens``.
  public private(set) var targetStarts: [Int] = [0]
  /// Distinct tokens drawn at each row, in ascending order.
  public private(set) var targetTokens: [Int32] = []
  /// Advantages of the samples that drew the token, added and divided by N T.
  public private(set) var targetWeights: [Float] = []
  /// Weight of each row's divergence, in the loss's unit for one nat.
  public private(set) var klWeights: [Float] = []

  /// The rows of the paths of some of the samples of a step.
  ///
  /// - Parameters:
  ///   - paths: sampled tokens and nodes.
  ///   - advantages: one for each path.
  ///   - sampleCount: N, all samples of the step, of which `paths` may be a part: parts add up to the whole gradient.
  ///   - lengthNormalizer: T, a constant: dividing by each story's own length would favour long bad stories.
  ///   - klWeightPerNat: c, from ``KLPenalty/weightPerNat(vocabularySize:)``.
  public init(
    paths: [SampledPath], advantages: [Float], sampleCount: Int, lengthNormalizer: Float, klWeightPerNat: Float
  ) {
    precondition(paths.count == advantages.count, "\(advantages.count) advantages of \(paths.count) paths")
    struct Draw {
      var node: Int
      var token: Int
      var advantage: Float
    }
    var draws: [Draw] = []
    for (path, advantage) in zip(paths, advantages) {
      for (token, node) in zip(path.tokens, path.nodes) {
        draws.append(Draw(node: node, token: token, advantage: advantage))
      }
    }
    draws.sort { ($0.node, $0.token) < ($1.node, $1.token) }
    let scale = 1 / (Double(sampleCount) * Double(lengthNormalizer))
    var index = 0
    while index < draws.count {
      let node = draws[index].node
      let start = index
      while index < draws.count, draws[index].node == node {
        let token = draws[index].token
        var sum = 0.0
        while index < draws.count, draws[index].node == node, draws[index].token == token {
          sum += Double(draws[index].advantage)
          index += 1
        }
        targetTokens.append(Int32(token))
        targetWeights.append(Float(sum * scale))
      }
      nodes.append(node)
      sampleCounts.append(index - start)
      targetStarts.append(targetTokens.count)
      klWeights.append(Float(Double(klWeightPerNat) * Double(index - start) * scale))
    }
  }
}
