/// Kernels as a textbook writes them: plain loops in double precision, row-major arrays in, arrays out.
///
/// Tests hold the fast kernels to these, and these to finite differences. Nothing here is meant to be fast.
public enum Reference {
  /// A B: the product of [rows, depth] and [depth, columns].
  public static func product(_ a: [Double], _ b: [Double], rows: Int, depth: Int, columns: Int) -> [Double] {
    var result = [Double](repeating: 0, count: rows * columns)
    for row in 0..<rows {
      for column in 0..<columns {
        var sum = 0.0
        for k in 0..<depth { sum += a[row * depth + k] * b[k * columns + column] }
        result[row * columns + column] = sum
      }
    }
    return result
  }

  /// The transpose of [rows, columns].
  public static func transposed(_ matrix: [Double], rows: Int, columns: Int) -> [Double] {
    var result = [Double](repeating: 0, count: rows * columns)
    for row in 0..<rows {
      for column in 0..<columns { result[column * rows + row] = matrix[row * columns + column] }
    }
    return result
  }

  /// The softmax of `scores`.
  public static func softmax(_ scores: [Double]) -> [Double] {
    let normalizer = logSumExp(scores)
    return scores.map { exponential($0 - normalizer) }
  }

  /// log of the sum of exponentials.
  public static func logSumExp(_ scores: [Double]) -> Double {
    let top = scores.max() ?? 0
    var sum = 0.0
    for score in scores { sum += exponential(score - top) }
    return top + logarithm(sum)
  }

  /// The sum of `a[i] * b[i]`.
  public static func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for (x, y) in zip(a, b) { sum += x * y }
    return sum
  }

  /// The gradient of `function` at `point` by central differences of fourth order.
  ///
  /// Every term is O(step^4) exact, so 1e-3 leaves an error near 1e-11 for smooth functions of size 1.
  public static func differences(
    of function: ([Double]) -> Double, at point: [Double], step: Double = 1e-3
  ) -> [Double] {
    var gradient: [Double] = []
    var moved = point
    for index in point.indices {
      func value(_ offset: Double) -> Double {
        moved[index] = point[index] + offset
        return function(moved)
      }
      let near = value(step) - value(-step)
      let far = value(2 * step) - value(-2 * step)
      moved[index] = point[index]
      gradient.append((8 * near - far) / (12 * step))
    }
    return gradient
  }
}
