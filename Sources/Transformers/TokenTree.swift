/// Sequences of tokens that share their common beginnings: what every batch in this program is.
///
/// A node is a token with a parent and a position. Samples that share a prefix share its nodes, so each distinct prefix
/// is computed once. Roots have no parent, a tree may have several (one for each document or prompt), and a plain
/// sequence is a tree without branches. Parents come before their children, so a range of nodes can be computed as soon
/// as all nodes before it have been.
public struct TokenTree: Sendable {
  /// Token of each node.
  public private(set) var tokens: [Int32] = []
  /// Parent of each node, -1 for a root.
  public private(set) var parents: [Int32] = []
  /// Distance of each node from its root.
  public private(set) var positions: [Int32] = []
  /// How many samples pass through each node.
  public private(set) var sampleCounts: [Int32] = []

  /// A tree without nodes.
  public init() {}

  /// Number of nodes.
  public var count: Int { tokens.count }

  /// Adds a node and returns its index.
  ///
  /// - Precondition: `parent` is nil or a node of the tree.
  @discardableResult
  public mutating func append(token: Int, parent: Int?, sampleCount: Int = 1) -> Int {
    precondition(parent.map { $0 >= 0 && $0 < count } ?? true, "node \(parent ?? -1) is not one of \(count)")
    tokens.append(Int32(token))
    parents.append(Int32(parent ?? -1))
    positions.append(parent.map { positions[$0] + 1 } ?? 0)
    sampleCounts.append(Int32(sampleCount))
    return count - 1
  }

  /// Adds a sequence below `parent`, sharing nothing with what is there, and returns its nodes.
  @discardableResult
  public mutating func appendChain(
    _ sequence: some Sequence<Int>, below parent: Int? = nil, sampleCount: Int = 1
  ) -> Range<Int> {
    let start = count
    var last = parent
    for token in sequence { last = append(token: token, parent: last, sampleCount: sampleCount) }
    return start..<count
  }

  /// One more sample passes through `node`.
  public mutating func addSample(at node: Int) { sampleCounts[node] += 1 }

  /// The nodes from the root down to `node`.
  public func path(to node: Int) -> [Int] {
    var path: [Int] = []
    var ancestor = node
    while ancestor >= 0 {
      path.append(ancestor)
      ancestor = Int(parents[ancestor])
    }
    return path.reversed()
  }
}

/// Builds a tree in which sequences share their common beginnings.
public struct TokenTreeBuilder: Sendable {
  private struct Edge: Hashable {
    var parent: Int
    var token: Int
  }

  /// The tree so far.
  public private(set) var tree = TokenTree()
  private var children: [Edge: Int] = [:]

  /// A builder of an empty tree.
  public init() {}

  /// Adds a sample and returns its nodes, one for each token.
  @discardableResult
  public mutating func insert(_ sequence: [Int]) -> [Int] {
    var nodes: [Int] = []
    nodes.reserveCapacity(sequence.count)
    for token in sequence {
      let parent = nodes.last
      let edge = Edge(parent: parent ?? -1, token: token)
      if let node = children[edge] {
        tree.addSample(at: node)
        nodes.append(node)
      } else {
        let node = tree.append(token: token, parent: parent)
        children[edge] = node
        nodes.append(node)
      }
    }
    return nodes
  }
}
