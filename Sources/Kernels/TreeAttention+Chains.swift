// Attention of a chain of nodes by matrix products, a block of queries at a time.

extension TreeAttention {
  /// Queries in one product; small enough that little above the diagonal is computed in vain.
  private static let blockSize = 64

  /// One head's part (at `column`) of some nodes' rows, one after the other: in place where they lie so, else copied to `scratch`.
  private func gathered(
    _ nodes: ArraySlice<Int>, _ rows: Floats, column: Int, rowStride: Int, scratch: MutableFloats
  ) -> (pointer: Floats, stride: Int) {
    guard let first = nodes.first, let last = nodes.last else { return (Floats(scratch), headDimension) }
    // Nodes ascend, so as many numbers as lie between the ends can only be all of them.
    if last - first + 1 == nodes.count { return (rows + first * rowStride + column, rowStride) }
    for (index, node) in nodes.enumerated() {
      (scratch + index * headDimension).update(from: rows + node * rowStride + column, count: headDimension)
    }
    return (Floats(scratch), headDimension)
  }

  /// Softmax weights of a block of queries: rows of `keyCount` numbers, zero where a query does not look.
  private func weigh(
    block: Range<Int>, keys: Range<Int>, ancestorCount: Int, query: (pointer: Floats, stride: Int),
    key: (pointer: Floats, stride: Int), into weights: MutableFloats
  ) {
    matrixMultiply(
      Matrix(query.pointer + block.lowerBound * query.stride, stride: query.stride),
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

  func forwardChain(_ chain: TreeChain, _ head: Int, _ group: Int, _ queryKeyValue: Floats, _ output: MutableFloats) {
    let column = head * headDimension
    let nodes = chain.nodes
    let length = chain.path.count
    let gatherSize = length * headDimension
    withScratch(4 * gatherSize + Self.blockSize * length) { scratch in
      let query = gathered(nodes, queryKeyValue, column: column, rowStride: stride, scratch: scratch)
      let key = gathered(
        chain.path[...], queryKeyValue, column: keyColumn(group), rowStride: stride, scratch: scratch + gatherSize)
      let value = gathered(
        chain.path[...], queryKeyValue, column: valueColumn(group), rowStride: stride,
        scratch: scratch + 2 * gatherSize)
      let result = scratch + 3 * gatherSize
      let weights = scratch + 4 * gatherSize
      forEachBlock(nodes.count, chain.ancestorCount) { block, keys in
        weigh(block: block, keys: keys, ancestorCount: chain.ancestorCount, query: query, key: key, into: weights)
        matrixMultiply(
          Matrix(weights, stride: keys.count),
          Matrix(value.pointer + keys.lowerBound * value.stride, stride: value.stride),
          into: result + block.lowerBound * headDimension, resultStride: headDimension,
          rows: block.count, columns: headDimension, depth: keys.count)
      }
      for (index, node) in nodes.enumerated() {
        (output + node * querySize + column).update(from: result + index * headDimension, count: headDimension)
      }
    }
  }

  func backwardChain(
    _ chain: TreeChain, _ head: Int, _ group: Int, _ queryKeyValue: Floats, _ outputGradient: Floats,
    _ gradient: MutableFloats
  ) {
    let column = head * headDimension
    let nodes = chain.nodes
    let length = chain.path.count
    let gatherSize = length * headDimension
    withScratch(7 * gatherSize + 2 * Self.blockSize * length) { scratch in
      let query = gathered(nodes, queryKeyValue, column: column, rowStride: stride, scratch: scratch)
      let key = gathered(
        chain.path[...], queryKeyValue, column: keyColumn(group), rowStride: stride, scratch: scratch + gatherSize)
      let value = gathered(
        chain.path[...], queryKeyValue, column: valueColumn(group), rowStride: stride,
        scratch: scratch + 2 * gatherSize)
      let result = gathered(
        nodes, outputGradient, column: column, rowStride: querySize, scratch: scratch + 3 * gatherSize)
      let queryGradient = scratch + 4 * gatherSize
      let keyGradient = scratch + 5 * gatherSize
      let valueGradient = scratch + 6 * gatherSize
      keyGradient.update(repeating: 0, count: 2 * gatherSize)
      let weights = scratch + 7 * gatherSize
      let scoreGradients = weights + Self.blockSize * length
      forEachBlock(nodes.count, chain.ancestorCount) { block, keys in
        weigh(block: block, keys: keys, ancestorCount: chain.ancestorCount, query: query, key: key, into: weights)
        let resultGradient = Matrix(result.pointer + block.lowerBound * result.stride, stride: result.stride)
        let keyOffset = keys.lowerBound * headDimension
        // Values: weights^T outputGradient.
        matrixMultiply(
          Matrix(weights, stride: keys.count, transposed: true), resultGradient,
          into: valueGradient + keyOffset, resultStride: headDimension,
          rows: keys.count, columns: headDimension, depth: block.count, accumulates: true)
        // Weights: outputGradient value^T; then through the softmax.
        matrixMultiply(
          resultGradient,
          Matrix(value.pointer + keys.lowerBound * value.stride, stride: value.stride, transposed: true),
          into: scoreGradients, resultStride: keys.count, rows: block.count, columns: keys.count, depth: headDimension)
        for row in 0..<block.count {
          softmaxBackward(weights + row * keys.count, scoreGradients + row * keys.count, count: keys.count)
        }
        matrixMultiply(
          Matrix(scoreGradients, stride: keys.count),
          Matrix(key.pointer + keys.lowerBound * key.stride, stride: key.stride),
          into: queryGradient + block.lowerBound * headDimension, resultStride: headDimension,
          rows: block.count, columns: headDimension, depth: keys.count, scale: scale)
        matrixMultiply(
          Matrix(scoreGradients, stride: keys.count, transposed: true),
          Matrix(query.pointer + block.lowerBound * query.stride, stride: query.stride),
          into: keyGradient + keyOffset, resultStride: headDimension,
          rows: keys.count, columns: headDimension, depth: block.count, scale: scale, accumulates: true)
      }
      for (index, node) in nodes.enumerated() {
        addScaled(
          queryGradient + index * headDimension, scale: 1, to: gradient + node * stride + column, count: headDimension)
      }
      for (index, node) in chain.path.enumerated() {
        let target = gradient + node * stride
        addScaled(keyGradient + index * headDimension, scale: 1, to: target + keyColumn(group), count: headDimension)
        addScaled(
          valueGradient + index * headDimension, scale: 1, to: target + valueColumn(group), count: headDimension)
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
