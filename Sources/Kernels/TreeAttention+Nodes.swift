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

  /// Brings the columns of `groups` into the cache, for the ancestor two places after `index`; `rows` begins at the first of them.
  @inline(__always)
  private func prefetch(_ rows: Floats, _ path: [Int], after index: Int, _ groups: Range<Int>) {
    guard index + 2 < path.count else { return }
    tinyalign_prefetch(rows + path[index + 2] * stride, groups.count * headDimension)
  }

  /// Calls `body` with each head of keys and values in `groups`, each query head that reads it, and the latter's number
  /// counted from the first of all.
  @inline(__always)
  private func forEachHead(_ groups: Range<Int>, _ body: (_ group: Int, _ head: Int, _ number: Int) -> Void) {
    var number = 0
    for group in groups {
      for head in group * groupSize..<(group + 1) * groupSize {
        body(group, head, number)
        number += 1
      }
    }
  }

  /// The softmax weights of a node's heads: [heads, path].
  @inline(__always)
  private func weigh(_ path: [Int], _ groups: Range<Int>, _ queryKeyValue: Floats, into weights: MutableFloats) {
    let query = queryKeyValue + path[0] * stride
    for (index, ancestor) in path.enumerated() {
      prefetch(queryKeyValue + keyColumn(groups.lowerBound), path, after: index, groups)
      let row = queryKeyValue + ancestor * stride
      forEachHead(groups) { group, head, number in
        weights[number * path.count + index] =
          dot(query + head * headDimension, row + keyColumn(group), count: headDimension) * scale
      }
    }
    for head in 0..<groups.count * groupSize { softmaxInPlace(weights + head * path.count, count: path.count) }
  }

  func forwardNodes(
    _ nodes: [Int], _ queryKeyValue: Floats, _ parents: UnsafePointer<Int32>, _ groups: Range<Int>,
    _ output: MutableFloats
  ) {
    let headCount = groups.count * groupSize
    var path: [Int] = []
    for node in nodes {
      self.path(from: node, parents, into: &path)
      withScratch(headCount * path.count) { weights in
        weigh(path, groups, queryKeyValue, into: weights)
        let result = output + node * querySize
        let first = groups.lowerBound * groupSize * headDimension
        (result + first).update(repeating: 0, count: headCount * headDimension)
        for (index, ancestor) in path.enumerated() {
          prefetch(queryKeyValue + valueColumn(groups.lowerBound), path, after: index, groups)
          let row = queryKeyValue + ancestor * stride
          forEachHead(groups) { group, head, number in
            addScaled(
              row + valueColumn(group), scale: weights[number * path.count + index], to: result + head * headDimension,
              count: headDimension)
          }
        }
      }
    }
  }

  func backwardNodes(
    _ nodes: [Int], _ queryKeyValue: Floats, _ parents: UnsafePointer<Int32>, _ groups: Range<Int>,
    _ outputGradient: Floats, _ gradient: MutableFloats
  ) {
    let headCount = groups.count * groupSize
    var path: [Int] = []
    for node in nodes {
      self.path(from: node, parents, into: &path)
      let count = path.count
      withScratch(2 * headCount * count) { weights in
        weigh(path, groups, queryKeyValue, into: weights)
        let weightGradients = weights + headCount * count
        let resultGradient = outputGradient + node * querySize
        for (index, ancestor) in path.enumerated() {
          let row = queryKeyValue + ancestor * stride
          let rowGradient = gradient + ancestor * stride
          forEachHead(groups) { group, head, number in
            let headGradient = resultGradient + head * headDimension
            let place = number * count + index
            weightGradients[place] = dot(headGradient, row + valueColumn(group), count: headDimension)
            addScaled(headGradient, scale: weights[place], to: rowGradient + valueColumn(group), count: headDimension)
          }
        }
        for head in 0..<headCount {
          softmaxBackward(weights + head * count, weightGradients + head * count, count: count)
        }
        let query = queryKeyValue + node * stride
        let queryGradient = gradient + node * stride
        for (index, ancestor) in path.enumerated() {
          let row = queryKeyValue + ancestor * stride
          let rowGradient = gradient + ancestor * stride
          forEachHead(groups) { group, head, number in
            let column = head * headDimension
            let scoreGradient = weightGradients[number * count + index] * scale
            addScaled(row + keyColumn(group), scale: scoreGradient, to: queryGradient + column, count: headDimension)
            addScaled(query + column, scale: scoreGradient, to: rowGradient + keyColumn(group), count: headDimension)
          }
        }
      }
    }
  }
}
