extension Reference {
  /// The sizes of an attention layer.
  public struct Attention: Sendable {
    /// Number of heads.
    public var headCount: Int
    /// Number of heads of keys and values: query head h reads number h * keyValueHeadCount / headCount.
    public var keyValueHeadCount: Int
    /// Size of one head.
    public var headDimension: Int
    /// How many tokens a token sees, itself included; `Int.max` for all.
    public var window: Int
    /// What scores are multiplied by.
    public var scale: Double

    /// The sizes of a layer.
    public init(
      headCount: Int, keyValueHeadCount: Int? = nil, headDimension: Int, window: Int, scale: Double
    ) {
      self.headCount = headCount
      self.keyValueHeadCount = keyValueHeadCount ?? headCount
      self.headDimension = headDimension
      self.window = window
      self.scale = scale
    }

    /// Size of all heads together.
    public var hiddenSize: Int { headCount * headDimension }
    /// Size of a node's row: all queries, all keys, all values.
    public var rowSize: Int { (headCount + 2 * keyValueHeadCount) * headDimension }

    /// Where element `k` of a node's query, of the key that it meets, and of the value that it gets, are.
    func places(of node: Int, head: Int, _ k: Int) -> (query: Int, key: Int, value: Int) {
      let row = node * rowSize
      let shared = head * keyValueHeadCount / headCount
      return (
        row + head * headDimension + k, row + (headCount + shared) * headDimension + k,
        row + (headCount + keyValueHeadCount + shared) * headDimension + k
      )
    }
  }

  /// The nodes that `node` sees: itself, its parent, ... up to `window` of them.
  static func visible(from node: Int, parents: [Int], window: Int) -> [Int] {
    var path: [Int] = []
    var ancestor = node
    while ancestor >= 0 && path.count < window {
      path.append(ancestor)
      ancestor = parents[ancestor]
    }
    return path
  }

  /// Attention over a forest; node i is row i of `queryKeyValue` [nodes, rowSize]. Returns [nodes, hiddenSize].
  public static func treeAttention(_ queryKeyValue: [Double], parents: [Int], layer: Attention) -> [Double] {
    attention(
      queryKeyValue, seen: parents.indices.map { visible(from: $0, parents: parents, window: layer.window) }, layer)
  }

  /// The gradient of ``treeAttention(_:parents:layer:)`` with respect to `queryKeyValue`,
  /// of the outputs of `nodes` alone.
  public static func treeAttentionBackward(
    _ queryKeyValue: [Double], parents: [Int], nodes: Range<Int>, outputGradient: [Double], layer: Attention
  ) -> [Double] {
    let size = layer.hiddenSize
    var gradient = [Double](repeating: 0, count: queryKeyValue.count)
    for node in nodes {
      let path = visible(from: node, parents: parents, window: layer.window)
      for head in 0..<layer.headCount {
        let weights = self.weights(of: node, path, head, queryKeyValue, layer)
        let column = node * size + head * layer.headDimension
        var weightGradients: [Double] = []
        for ancestor in path {
          var sum = 0.0
          for k in 0..<layer.headDimension {
            sum += outputGradient[column + k] * queryKeyValue[layer.places(of: ancestor, head: head, k).value]
          }
          weightGradients.append(sum)
        }
        let mean = dot(weights, weightGradients)
        for (index, ancestor) in path.enumerated() {
          let scoreGradient = weights[index] * (weightGradients[index] - mean) * layer.scale
          for k in 0..<layer.headDimension {
            let query = layer.places(of: node, head: head, k).query
            let (_, key, value) = layer.places(of: ancestor, head: head, k)
            gradient[query] += scoreGradient * queryKeyValue[key]
            gradient[key] += scoreGradient * queryKeyValue[query]
            gradient[value] += weights[index] * outputGradient[column + k]
          }
        }
      }
    }
    return gradient
  }

  /// Attention without a mask within each text; scores are divided by the root of the head's size.
  public static func bidirectionalAttention(
    _ queryKeyValue: [Double], texts: [Range<Int>], rows: Int, headCount: Int, headDimension: Int
  ) -> [Double] {
    var seen = [[Int]](repeating: [], count: rows)
    for text in texts {
      for row in text { seen[row] = Array(text) }
    }
    return attention(
      queryKeyValue, seen: seen,
      Attention(
        headCount: headCount, headDimension: headDimension, window: .max, scale: 1 / Double(headDimension).squareRoot())
    )
  }

  private static func attention(_ queryKeyValue: [Double], seen: [[Int]], _ layer: Attention) -> [Double] {
    let size = layer.hiddenSize
    var output = [Double](repeating: 0, count: seen.count * size)
    for (node, keys) in seen.enumerated() where !keys.isEmpty {
      for head in 0..<layer.headCount {
        let weights = self.weights(of: node, keys, head, queryKeyValue, layer)
        for k in 0..<layer.headDimension {
          for (weight, key) in zip(weights, keys) {
            let value = queryKeyValue[layer.places(of: key, head: head, k).value]
            output[node * size + head * layer.headDimension + k] += weight * value
          }
        }
      }
    }
    return output
  }

  private static func weights(
    of node: Int, _ keys: [Int], _ head: Int, _ queryKeyValue: [Double], _ layer: Attention
  ) -> [Double] {
    var scores: [Double] = []
    for key in keys {
      var score = 0.0
      for k in 0..<layer.headDimension {
        let query = queryKeyValue[layer.places(of: node, head: head, k).query]
        score += query * queryKeyValue[layer.places(of: key, head: head, k).key]
      }
      scores.append(score * layer.scale)
    }
    return softmax(scores)
  }
}
