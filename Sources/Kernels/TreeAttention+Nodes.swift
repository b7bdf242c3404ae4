// Attention node by node: each follows its parents, reading keys and values where they stand.

extension TreeAttention {
  /// A node and its visible ancestors, youngest first; returns how many there are.
  @inline(__always)
  private func path(from node: Int, _ parents: UnsafePointer<Int32>, into path: inout [Int]) {
    path.removeAll(keepingCapacity: true)
    var ancestor = node
    while ancestor >= 0, path.count < window {
      path.append(ancestor)
      ancestor = Int(parents[ancestor])
    }
  }

  @inline(__always)
  private func weigh(_ path: [Int], query: Floats, keys: Floats, into weights: MutableFloats) {
    for (index, ancestor) in path.enumerated() {
      weights[index] = dot(query, keys + ancestor * stride, count: headDimension) * scale
    }
    softmaxInPlace(weights, count: path.count)
  }

  func forwardNodes(
    _ nodes: Range<Int>, _ queryKeyValue: Floats, _ parents: UnsafePointer<Int32>, _ heads: Range<Int>,
    _ output: MutableFloats
  ) {
    var path: [Int] = []
    var weights: [Float] = []
    for node in nodes {
      self.path(from: node, parents, into: &path)
      if weights.count < path.count { weights = [Float](repeating: 0, count: 2 * path.count) }
      weights.withUnsafeMutableBufferPointer { buffer in
        guard let weights = buffer.baseAddress else { return }
        for head in heads {
          let column = head * headDimension
          weigh(
            path, query: queryKeyValue + node * stride + column, keys: queryKeyValue + hiddenSize + column,
            into: weights)
          let values = queryKeyValue + 2 * hiddenSize + column
          let result = output + node * hiddenSize + column
          result.update(repeating: 0, count: headDimension)
          for (index, ancestor) in path.enumerated() {
            addScaled(values + ancestor * stride, scale: weights[index], to: result, count: headDimension)
          }
        }
      }
    }
  }

  func backwardNodes(
    _ nodes: Range<Int>, _ queryKeyValue: Floats, _ parents: UnsafePointer<Int32>, _ heads: Range<Int>,
    _ outputGradient: Floats, _ gradient: MutableFloats
  ) {
    var path: [Int] = []
    var scratch: [Float] = []
    for node in nodes {
      self.path(from: node, parents, into: &path)
      let count = path.count
      if scratch.count < 2 * count { scratch = [Float](repeating: 0, count: 4 * count) }
      scratch.withUnsafeMutableBufferPointer { buffer in
        guard let weights = buffer.baseAddress else { return }
        let weightGradients = weights + count
        for head in heads {
          let column = head * headDimension
          let query = queryKeyValue + node * stride + column
          let keys = queryKeyValue + hiddenSize + column
          let values = queryKeyValue + 2 * hiddenSize + column
          let resultGradient = outputGradient + node * hiddenSize + column
          weigh(path, query: query, keys: keys, into: weights)
          var weighted: Float = 0
          for (index, ancestor) in path.enumerated() {
            weightGradients[index] = dot(resultGradient, values + ancestor * stride, count: headDimension)
            weighted += weights[index] * weightGradients[index]
          }
          let queryGradient = gradient + node * stride + column
          for (index, ancestor) in path.enumerated() {
            let ancestorGradient = gradient + ancestor * stride + column
            addScaled(
              resultGradient, scale: weights[index], to: ancestorGradient + 2 * hiddenSize, count: headDimension)
            let scoreGradient = weights[index] * (weightGradients[index] - weighted) * scale
            addScaled(keys + ancestor * stride, scale: scoreGradient, to: queryGradient, count: headDimension)
            addScaled(query, scale: scoreGradient, to: ancestorGradient + hiddenSize, count: headDimension)
          }
        }
      }
    }
  }
}
