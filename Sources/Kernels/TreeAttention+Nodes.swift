// Attention node by node: each follows its parents, reading keys and values where they stand. An ancestor's row is read for all
// heads before the next one's: the rows of a path lie far apart in memory, the heads of a row side by side. While one row is
// read, the next but one is fetched.
import CPlatform

extension TreeAttention {
  /// A node and its visible ancestors, youngest first.
  @inline(__always)
  private func path(from node: Int, _ parents: UnsafePointer<Int32>, into path: inout [Int]) {
    path.removeAll(keepingCapacity: true)
    var ancestor = node
    while ancestor >= 0, path.count < window {
      path.append(ancestor)
      ancestor = Int(parents[ancestor])
    }
  }

  /// Brings the part of `rows` that belongs to `heads` into the cache, for the ancestor two places after `index`.
  @inline(__always)
  private func prefetch(_ rows: Floats, _ path: [Int], after index: Int, _ heads: Range<Int>) {
    guard index + 2 < path.count else { return }
    tinyalign_prefetch(
      rows + path[index + 2] * stride + heads.lowerBound * headDimension, heads.count * headDimension)
  }

  /// The softmax weights of a node's heads: [heads, path].
  @inline(__always)
  private func weigh(_ path: [Int], _ heads: Range<Int>, _ queryKeyValue: Floats, into weights: MutableFloats) {
    let query = queryKeyValue + path[0] * stride
    for (index, ancestor) in path.enumerated() {
      prefetch(queryKeyValue + hiddenSize, path, after: index, heads)
      let key = queryKeyValue + ancestor * stride + hiddenSize
      for head in heads {
        let column = head * headDimension
        weights[(head - heads.lowerBound) * path.count + index] =
          dot(query + column, key + column, count: headDimension) * scale
      }
    }
    for head in 0..<heads.count { softmaxInPlace(weights + head * path.count, count: path.count) }
  }

  func forwardNodes(
    _ nodes: [Int], _ queryKeyValue: Floats, _ parents: UnsafePointer<Int32>, _ heads: Range<Int>,
    _ output: MutableFloats
  ) {
    var path: [Int] = []
    for node in nodes {
      self.path(from: node, parents, into: &path)
      withScratch(heads.count * path.count) { weights in
        weigh(path, heads, queryKeyValue, into: weights)
        let result = output + node * hiddenSize
        let first = heads.lowerBound * headDimension
        (result + first).update(repeating: 0, count: heads.count * headDimension)
        for (index, ancestor) in path.enumerated() {
          prefetch(queryKeyValue + 2 * hiddenSize, path, after: index, heads)
          let value = queryKeyValue + ancestor * stride + 2 * hiddenSize
          for head in heads {
            let column = head * headDimension
            addScaled(
              value + column, scale: weights[(head - heads.lowerBound) * path.count + index], to: result + column,
              count: headDimension)
          }
        }
      }
    }
  }

  func backwardNodes(
    _ nodes: [Int], _ queryKeyValue: Floats, _ parents: UnsafePointer<Int32>, _ heads: Range<Int>,
    _ outputGradient: Floats, _ gradient: MutableFloats
  ) {
    var path: [Int] = []
    for node in nodes {
      self.path(from: node, parents, into: &path)
      let count = path.count
      withScratch(2 * heads.count * count) { weights in
        weigh(path, heads, queryKeyValue, into: weights)
        let weightGradients = weights + heads.count * count
        let resultGradient = outputGradient + node * hiddenSize
        for (index, ancestor) in path.enumerated() {
          let value = queryKeyValue + ancestor * stride + 2 * hiddenSize
          let valueGradient = gradient + ancestor * stride + 2 * hiddenSize
          for head in heads {
            let column = head * headDimension
            let place = (head - heads.lowerBound) * count + index
            weightGradients[place] = dot(resultGradient + column, value + column, count: headDimension)
            addScaled(
              resultGradient + column, scale: weights[place], to: valueGradient + column, count: headDimension)
          }
        }
        for head in 0..<heads.count {
          softmaxBackward(weights + head * count, weightGradients + head * count, count: count)
        }
        let query = queryKeyValue + node * stride
        let queryGradient = gradient + node * stride
        for (index, ancestor) in path.enumerated() {
          let key = queryKeyValue + ancestor * stride + hiddenSize
          let keyGradient = gradient + ancestor * stride + hiddenSize
          for head in heads {
            let column = head * headDimension
            let scoreGradient = weightGradients[(head - heads.lowerBound) * count + index] * scale
            addScaled(key + column, scale: scoreGradient, to: queryGradient + column, count: headDimension)
            addScaled(query + column, scale: scoreGradient, to: keyGradient + column, count: headDimension)
          }
        }
      }
    }
  }
}
