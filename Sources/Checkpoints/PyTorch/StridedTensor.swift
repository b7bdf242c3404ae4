/// A tensor whose elements lie in a file, each dimension a number of elements apart.
struct StridedTensor: Sendable {
  /// The type of its elements.
  let type: TorchType
  let shape: [Int]
  /// How far apart neighbours are in each dimension, in elements.
  let strides: [Int]
  /// The number of elements.
  let count: Int
  /// The first element's byte in the file.
  let start: Int
  /// The bytes of the storage that it is a view of.
  let storage: Range<Int>

  /// The dimensions that matter, with neighbouring ones merged where they lie one after the other.
  var mergedDimensions: [StridedDimension] {
    guard count > 1 else { return [] }
    var merged: [StridedDimension] = []
    for (length, stride) in zip(shape, strides) where length != 1 {
      // No length is 0 here, so the product of some is at most the count.
      if let last = merged.last, case let outer = stride.multipliedReportingOverflow(by: length), !outer.overflow,
        outer.partialValue == last.stride
      {
        merged[merged.count - 1] = StridedDimension(length: last.length * length, stride: stride)
      } else {
        merged.append(StridedDimension(length: length, stride: stride))
      }
    }
    return merged
  }

  /// Whether its elements lie one after the other in row-major order.
  var isContiguous: Bool {
    count <= 1 || mergedDimensions == [StridedDimension(length: count, stride: 1)]
  }
}

/// One dimension of a tensor in memory.
struct StridedDimension: Sendable, Equatable {
  var length: Int
  /// How far apart neighbours are, in elements.
  var stride: Int
}
