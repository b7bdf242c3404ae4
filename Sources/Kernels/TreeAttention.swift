/// The sizes of one causal attention layer over a tree of tokens.
public struct TreeAttention: Sendable {
  /// Heads; they share nothing, so the work is split by them.
  public var headCount: Int
  /// Size of one head.
  public var headDimension: Int
  /// How many tokens back a token sees, itself included; `Int.max` where there is no limit.
  public var window: Int
  /// What scores are multiplied by before the softmax: 1 for GPT-Neo, 1 / sqrt(headDimension) elsewhere.
  public var scale: Float

  /// The sizes of a layer.
  public init(headCount: Int, headDimension: Int, window: Int = .max, scale: Float) {
    precondition(window > 0, "an attention window of \(window)")
    self.headCount = headCount
    self.headDimension = headDimension
    self.window = window
    self.scale = scale
  }

  var hiddenSize: Int { headCount * headDimension }
  /// Elements from one node's query, key and value to the next node's.
  var stride: Int { 3 * hiddenSize }

  /// Lets each node of `nodes` attend to itself and its ancestors.
  ///
  /// - Parameters:
  ///   - queryKeyValue: [all nodes, 3 hiddenSize]: query, key and value of each node, heads side by side.
  ///   - parents: [all nodes]: each below its node's own index; -1 for a root.
  ///   - nodes: the nodes to compute; keys and values of their ancestors are read.
  ///   - output: [all nodes, hiddenSize]; the rows of `nodes` are overwritten.
  /// - Complexity: 4 * hiddenSize FLOPs for each pair of a node and an ancestor.
  public func forward(
    _ queryKeyValue: Floats, parents: UnsafePointer<Int32>, nodes: Range<Int>, into output: MutableFloats
  ) {
    let runs = TreeRun.runs(parents: parents, nodes: nodes, window: window)
    parallel(headCount) { heads in
      for run in runs {
        switch run {
        case .scattered(let nodes):
          forwardNodes(nodes, queryKeyValue, parents, heads, output)
        case .chain(let chain):
          for head in heads { forwardChain(chain, head, queryKeyValue, output) }
        }
      }
    }
  }

  /// The gradients of ``forward(_:parents:nodes:into:)``; the weights are computed again.
  ///
  /// - Parameters:
  ///   - outputGradient: [all nodes, hiddenSize].
  ///   - queryKeyValueGradient: [all nodes, 3 hiddenSize]; added to, for `nodes` and their ancestors.
  public func backward(
    _ queryKeyValue: Floats, parents: UnsafePointer<Int32>, nodes: Range<Int>, outputGradient: Floats,
    queryKeyValueGradient: MutableFloats
  ) {
    let runs = TreeRun.runs(parents: parents, nodes: nodes, window: window)
    // Heads touch disjoint columns, so threads that share out the heads never write to the same element.
    parallel(headCount) { heads in
      for run in runs {
        switch run {
        case .scattered(let nodes):
          backwardNodes(nodes, queryKeyValue, parents, heads, outputGradient, queryKeyValueGradient)
        case .chain(let chain):
          for head in heads { backwardChain(chain, head, queryKeyValue, outputGradient, queryKeyValueGradient) }
        }
      }
    }
  }
}

/// Nodes each of which is the only child of the one before, with the ancestors that they see, the oldest first.
struct TreeChain {
  /// Ancestors, then the nodes.
  var path: [Int]
  /// How many of ``path`` are ancestors.
  var ancestorCount: Int

  /// Nodes whose attention is computed.
  var nodes: ArraySlice<Int> { path[ancestorCount...] }
}

/// Nodes that attention handles alike.
enum TreeRun {
  /// A sequence, or a long unbranched part of a tree, wherever its nodes lie.
  case chain(TreeChain)
  /// Nodes in any arrangement, in ascending order, handled one by one.
  case scattered([Int])

  /// Below this length matrix products do not pay.
  private static let shortestChain = 12

  /// Takes a range of nodes apart: long chains first, then the rest.
  static func runs(parents: UnsafePointer<Int32>, nodes: Range<Int>, window: Int) -> [TreeRun] {
    guard nodes.count >= shortestChain else { return [.scattered(Array(nodes))] }
    let first = nodes.lowerBound
    var childCounts = [Int32](repeating: 0, count: nodes.count)
    var onlyChild = [Int32](repeating: -1, count: nodes.count)
    for node in nodes where Int(parents[node]) >= first {
      let parent = Int(parents[node]) - first
      childCounts[parent] += 1
      onlyChild[parent] = Int32(node)
    }
    var runs: [TreeRun] = []
    var scattered: [Int] = []
    for node in nodes {
      let parent = Int(parents[node])
      // A chain begins where its parent is outside, or branches.
      guard parent < first || childCounts[parent - first] != 1 else { continue }
      var chain = [node]
      while let last = chain.last, childCounts[last - first] == 1 { chain.append(Int(onlyChild[last - first])) }
      guard chain.count >= shortestChain else {
        scattered += chain
        continue
      }
      var ancestors: [Int] = []
      var ancestor = parent
      while ancestor >= 0, ancestors.count < window - 1 {
        ancestors.append(ancestor)
        ancestor = Int(parents[ancestor])
      }
      runs.append(.chain(TreeChain(path: ancestors.reversed() + chain, ancestorCount: ancestors.count)))
    }
    if !scattered.isEmpty { runs.append(.scattered(scattered.sorted())) }
    return runs
  }
}
