/// The sizes of one causal attention layer over a tree of tokens.
public struct TreeAttention: Sendable {
  /// Unbranched paths of this length are computed by matrix products; below it they do not pay. The two ways differ in the last bits.
  public static let shortestChain = 12

  /// Heads of the queries.
  public var headCount: Int
  /// Heads of keys and values; `headCount / keyValueHeadCount` query heads read the same one (Ainslie et al. 2023).
  /// They share nothing, so the work is split by them.
  public var keyValueHeadCount: Int
  /// Size of one head.
  public var headDimension: Int
  /// How many tokens back a token sees, itself included; `Int.max` where there is no limit.
  public var window: Int
  /// What scores are multiplied by before the softmax: 1 for GPT-Neo, 1 / sqrt(headDimension) elsewhere.
  public var scale: Float

  /// The sizes of a layer.
  public init(
    headCount: Int, keyValueHeadCount: Int? = nil, headDimension: Int, window: Int = .max, scale: Float
  ) {
    precondition(window > 0, "an attention window of \(window)")
    let keyValueHeadCount = keyValueHeadCount ?? headCount
    precondition(
      keyValueHeadCount > 0 && headCount % keyValueHeadCount == 0,
      "\(headCount) heads share \(keyValueHeadCount) heads of keys and values")
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount
    self.headDimension = headDimension
    self.window = window
    self.scale = scale
  }

  /// Size of a node's queries, and of what attention gives back.
  public var querySize: Int { headCount * headDimension }
  /// Size of a node's keys, and of its values.
  public var keyValueSize: Int { keyValueHeadCount * headDimension }
  /// Elements from one node's query, key and value to the next node's.
  public var stride: Int { querySize + 2 * keyValueSize }
  /// Query heads that read the same keys and values.
  var groupSize: Int { headCount / keyValueHeadCount }

  /// Where the key of a head of keys and values begins in a node's row.
  @inline(__always) func keyColumn(_ group: Int) -> Int { querySize + group * headDimension }
  /// Where its value begins.
  @inline(__always) func valueColumn(_ group: Int) -> Int { querySize + keyValueSize + group * headDimension }

  /// Lets each node of `nodes` attend to itself and its ancestors.
  ///
  /// - Parameters:
  ///   - queryKeyValue: [all nodes, stride]: queries, keys and values of each node, heads side by side.
  ///   - parents: [all nodes]: each below its node's own index; -1 for a root.
  ///   - nodes: the nodes to compute; keys and values of their ancestors are read.
  ///   - output: [all nodes, querySize]; the rows of `nodes` are overwritten.
  /// - Complexity: 4 * querySize FLOPs for each pair of a node and an ancestor.
  public func forward(
    _ queryKeyValue: Floats, parents: UnsafePointer<Int32>, nodes: Range<Int>, into output: MutableFloats
  ) {
    let runs = TreeRun.runs(parents: parents, nodes: nodes, window: window)
    parallel(keyValueHeadCount) { groups in
      for run in runs {
        switch run {
        case .scattered(let nodes):
          forwardNodes(nodes, queryKeyValue, parents, groups, output)
        case .chain(let chain):
          for group in groups {
            for head in group * groupSize..<(group + 1) * groupSize {
              forwardChain(chain, head, group, queryKeyValue, output)
            }
          }
        }
      }
    }
  }

  /// The gradients of ``forward(_:parents:nodes:into:)``; the weights are computed again.
  ///
  /// - Parameters:
  ///   - outputGradient: [all nodes, querySize].
  ///   - queryKeyValueGradient: [all nodes, stride]; added to, for `nodes` and their ancestors.
  public func backward(
    _ queryKeyValue: Floats, parents: UnsafePointer<Int32>, nodes: Range<Int>, outputGradient: Floats,
    queryKeyValueGradient: MutableFloats
  ) {
    let runs = TreeRun.runs(parents: parents, nodes: nodes, window: window)
    // They touch disjoint columns, so threads that share out the heads of keys and values never write to the same element.
    parallel(keyValueHeadCount) { groups in
      for run in runs {
        switch run {
        case .scattered(let nodes):
          backwardNodes(nodes, queryKeyValue, parents, groups, outputGradient, queryKeyValueGradient)
        case .chain(let chain):
          for group in groups {
            for head in group * groupSize..<(group + 1) * groupSize {
              backwardChain(chain, head, group, queryKeyValue, outputGradient, queryKeyValueGradient)
            }
          }
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

  /// Takes a range of nodes apart: long chains first, then the rest.
  static func runs(parents: UnsafePointer<Int32>, nodes: Range<Int>, window: Int) -> [TreeRun] {
    guard nodes.count >= TreeAttention.shortestChain else { return [.scattered(Array(nodes))] }
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
      guard chain.count >= TreeAttention.shortestChain else {
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
