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
        case .chain(let nodes, let ancestors):
          for head in heads { forwardChain(nodes, ancestors, head, queryKeyValue, output) }
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
        case .chain(let nodes, let ancestors):
          for head in heads {
            backwardChain(nodes, ancestors, head, queryKeyValue, outputGradient, queryKeyValueGradient)
          }
        }
      }
    }
  }
}

/// Nodes that attention handles alike.
enum TreeRun {
  /// A long stretch in which each node is the parent of the next: a sequence, or the unbranched part of one.
  /// With it the ancestors of its first node that the run can see, oldest first.
  case chain(nodes: Range<Int>, ancestors: [Int])
  /// Nodes in any arrangement, handled one by one.
  case scattered(nodes: Range<Int>)

  /// Below this length matrix products do not pay.
  private static let shortestChain = 12

  static func runs(parents: UnsafePointer<Int32>, nodes: Range<Int>, window: Int) -> [TreeRun] {
    var runs: [TreeRun] = []
    var scatteredStart = nodes.lowerBound
    var start = nodes.lowerBound
    func closeScattered(at end: Int) {
      if scatteredStart < end { runs.append(.scattered(nodes: scatteredStart..<end)) }
    }
    while start < nodes.upperBound {
      var end = start + 1
      while end < nodes.upperBound, Int(parents[end]) == end - 1 { end += 1 }
      if end - start >= shortestChain {
        closeScattered(at: start)
        scatteredStart = end
        var ancestors: [Int] = []
        var ancestor = Int(parents[start])
        while ancestor >= 0, ancestors.count < window - 1 {
          ancestors.append(ancestor)
          ancestor = Int(parents[ancestor])
        }
        runs.append(.chain(nodes: start..<end, ancestors: ancestors.reversed()))
      }
      start = end
    }
    closeScattered(at: nodes.upperBound)
    return runs
  }
}
