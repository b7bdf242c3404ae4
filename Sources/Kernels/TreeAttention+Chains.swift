// Attention of a chain of nodes by matrix products, a block of queries at a time.

extension TreeAttention {
  /// Queries in one product; small enough that little above the diagonal is computed in vain.
  private static let blockSize = 64

  /// One head's keys or values (at `column` of each node's row) of a chain and its ancestors, one after the other:
  /// in place where they lie so, else copied to `scratch`.
  private func gathered(
    _ nodes: Range<Int>, _ ancestors: [Int], _ rows: Floats, column: Int, scratch: MutableFloats
  ) -> (pointer: Floats, stride: Int) {
    let start = nodes.lowerBound - ancestors.count
    if ancestors.enumerated().allSatisfy({ $1 == start + $0 }) { return (rows + start * stride + column, stride) }
    for (index, node) in (ancestors + nodes).enumerated() {
      (scratch + index * headDimension).update(from: rows + node * stride + column, count: headDimension)
    }
    return (Floats(scratch), headDimension)
  }

  /// Softmax weights of a block of queries: rows of `keyCount` numbers, zero where a query does not look.
  private func weigh(
    block: Range<Int>, keys: Range<Int>, ancestorCount: Int, query: Floats, key: (pointer: Floats, stride: Int),
    into weights: MutableFloats
  ) {
    matrixMultiply(
      Matrix(query + block.lowerBound * stride, stride: stride),
      Matrix(key.pointer + keys.lowerBound * key.stride, stride: key.stride, transposed: true),
      into: weights, resultStride: keys.count, rows: block.count, columns: keys.count, depth: headDimension,
      scale: scale)
    for (row, node) in block.enumerated() {
      let row = weights + row * keys.count
      let position = ancestorCount + node
      let first = firstKey(for: position) - keys.lowerBound
      let count = position + 1 - keys.lowerBound - first
      softmaxInPlace(row + first, count: count)
      row.update(repeating: 0, count: first)
      (row + first + count).update(repeating: 0, count: keys.count - first - count)
    }
  }

  private func firstKey(for position: Int) -> Int { position < window ? 0 : position - window + 1 }

  /// Calls `body` with each block of queries and the keys that any of them sees.
  private func forEachBlock(_ nodeCount: Int, _ ancestorCount: Int, _ body: (Range<Int>, Range<Int>) -> Void) {
    var start = 0
    while start < nodeCount {
      let end = min(nodeCount, start + Self.blockSize)
      body(start..<end, firstKey(for: ancestorCount + start)..<ancestorCount + end)
      start = end
    }
  }

  func forwardChain(
    _ nodes: Range<Int>, _ ancestors: [Int], _ head: Int, _ queryKeyValue: Floats, _ output: MutableFloats
  ) {
    let column = head * headDimension
    let length = ancestors.count + nodes.count
    let query = queryKeyValue + nodes.lowerBound * stride + column
    let gatherSize = length * headDimension
    withScratch(2 * gatherSize + Self.blockSize * length) { scratch in
      let key = gathered(nodes, ancestors, queryKeyValue, column: hiddenSize + column, scratch: scratch)
      let value = gathered(
        nodes, ancestors, queryKeyValue, column: 2 * hiddenSize + column, scratch: scratch + gatherSize)
      let weights = scratch + 2 * gatherSize
      forEachBlock(nodes.count, ancestors.count) { block, keys in
        weigh(block: block, keys: keys, ancestorCount: ancestors.count, query: query, key: key, into: weights)
        matrixMultiply(
          Matrix(weights, stride: keys.count),
          Matrix(value.pointer + keys.lowerBound * value.stride, stride: value.stride),
          into: output + (nodes.lowerBound + block.lowerBound) * hiddenSize + column, resultStride: hiddenSize,
          rows: block.count, columns: headDimension, depth: keys.count)
      }
    }
  }

  func backwardChain(
    _ nodes: Range<Int>, _ ancestors: [Int], _ head: Int, _ queryKeyValue: Floats, _ outputGradient: Floats,
    _ gradient: MutableFloats
  ) {
    let column = head * headDimension
    let length = ancestors.count + nodes.count
    let query = queryKeyValue + nodes.lowerBound * stride + column
    let queryGradient = gradient + nodes.lowerBound * stride + column
    let gatherSize = length * headDimension
    withScratch(4 * gatherSize + 2 * Self.blockSize * length) { scratch in
      let key = gathered(nodes, ancestors, queryKeyValue, column: hiddenSize + column, scratch: scratch)
      let value = gathered(
        nodes, ancestors, queryKeyValue, column: 2 * hiddenSize + column, scratch: scratch + gatherSize)
      let keyGradient = scratch + 2 * gatherSize
      let valueGradient = scratch + 3 * gatherSize
      keyGradient.update(repeating: 0, count: 2 * gatherSize)
      let weights = scratch + 4 * gatherSize
      let scoreGradients = weights + Self.blockSize * length
      forEachBlock(nodes.count, ancestors.count) { block, keys in
        weigh(block: block, keys: keys, ancestorCount: ancestors.count, query: query, key: key, into: weights)
        let resultGradient = outputGradient + (nodes.lowerBound + block.lowerBound) * hiddenSize + column
        let keyOffset = keys.lowerBound * headDimension
        // Values: weights^T outputGradient.
        matrixMultiply(
          Matrix(weights, stride: keys.count, transposed: true), Matrix(resultGradient, stride: hiddenSize),
          into: valueGradient + keyOffset, resultStride: headDimension,
          rows: keys.count, columns: headDimension, depth: block.count, accumulates: true)
        // Weights: outputGradient value^T; then through the softmax.
        matrixMultiply(
          Matrix(resultGradient, stride: hiddenSize),
          Matrix(value.pointer + keys.lowerBound * value.stride, stride: value.stride, transposed: true),
          into: scoreGradients, resultStride: keys.count, rows: block.count, columns: keys.count, depth: headDimension)
        for row in 0..<block.count {
          softmaxBackward(weights + row * keys.count, scoreGradients + row * keys.count, count: keys.count)
        }
        matrixMultiply(
          Matrix(scoreGradients, stride: keys.count),
          Matrix(key.pointer + keys.lowerBound * key.stride, stride: key.stride),
          into: queryGradient + block.lowerBound * stride, resultStride: stride,
          rows: block.count, columns: headDimension, depth: keys.count, scale: scale, accumulates: true)
        matrixMultiply(
          Matrix(scoreGradients, stride: keys.count, transposed: true),
          Matrix(query + block.lowerBound * stride, stride: stride),
          into: keyGradient + keyOffset, resultStride: headDimension,
          rows: keys.count, columns: headDimension, depth: block.count, scale: scale, accumulates: true)
      }
      for (index, node) in (ancestors + nodes).enumerated() {
        let target = gradient + node * stride + column
        addScaled(keyGradient + index * headDimension, scale: 1, to: target + hiddenSize, count: headDimension)
        addScaled(valueGradient + index * headDimension, scale: 1, to: target + 2 * hiddenSize, count: headDimension)
      }
    }
  }
}

/// gradients = weights * (gradients - sum(weights * gradients)): the backward pass of a softmax, in place.
@inline(__always) func softmaxBackward(_ weights: Floats, _ gradients: MutableFloats, count: Int) {
  let weighted = dot(weights, gradients, count: count)
  forEachVector(count) { i in
    store(load(weights + i) * (load(gradients + i) - weighted), gradients + i)
  } tail: { i, left in
    for lane in i..<i + left { gradients[lane] = weights[lane] * (gradients[lane] - weighted) }
  }
}
