extension Reference {
  /// input W^T + bias: [rows, inputSize] times the transpose of [outputSize, inputSize].
  public static func linear(
    _ input: [Double], weight: [Double], bias: [Double]?, rows: Int, inputSize: Int, outputSize: Int
  ) -> [Double] {
    var output: [Double] = []
    for row in 0..<rows {
      for unit in 0..<outputSize {
        var sum = bias?[unit] ?? 0
        for k in 0..<inputSize { sum += input[row * inputSize + k] * weight[unit * inputSize + k] }
        output.append(sum)
      }
    }
    return output
  }

  /// Gradients of ``linear(_:weight:bias:rows:inputSize:outputSize:)``.
  public static func linearBackward(
    _ input: [Double], weight: [Double], outputGradient: [Double], rows: Int, inputSize: Int, outputSize: Int
  ) -> (input: [Double], weight: [Double], bias: [Double]) {
    var dx = [Double](repeating: 0, count: rows * inputSize)
    var dw = [Double](repeating: 0, count: outputSize * inputSize)
    var db = [Double](repeating: 0, count: outputSize)
    for row in 0..<rows {
      for unit in 0..<outputSize {
        let dy = outputGradient[row * outputSize + unit]
        db[unit] += dy
        for k in 0..<inputSize {
          dx[row * inputSize + k] += dy * weight[unit * inputSize + k]
          dw[unit * inputSize + k] += dy * input[row * inputSize + k]
        }
      }
    }
    return (dx, dw, db)
  }

  /// (input - mean) / sqrt(variance + epsilon) * weight + bias for each row, with the moments.
  public static func layerNorm(
    _ input: [Double], weight: [Double], bias: [Double], epsilon: Double, rows: Int, size: Int
  ) -> (output: [Double], means: [Double], inverseDeviations: [Double]) {
    var output: [Double] = []
    var means: [Double] = []
    var inverses: [Double] = []
    for row in 0..<rows {
      let x = input[row * size..<(row + 1) * size]
      let mean = x.reduce(0, +) / Double(size)
      let variance = x.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(size)
      let inverse = 1 / (variance + epsilon).squareRoot()
      for (k, value) in x.enumerated() { output.append((value - mean) * inverse * weight[k] + bias[k]) }
      means.append(mean)
      inverses.append(inverse)
    }
    return (output, means, inverses)
  }

  /// Gradients of ``layerNorm(_:weight:bias:epsilon:rows:size:)``, by the chain rule through mean and variance.
  public static func layerNormBackward(
    _ input: [Double], weight: [Double], epsilon: Double, outputGradient: [Double], rows: Int, size: Int
  ) -> (input: [Double], weight: [Double], bias: [Double]) {
    var dx = [Double](repeating: 0, count: rows * size)
    var dw = [Double](repeating: 0, count: size)
    var db = [Double](repeating: 0, count: size)
    let zeros = [Double](repeating: 0, count: size)
    let forward = layerNorm(input, weight: weight, bias: zeros, epsilon: epsilon, rows: rows, size: size)
    for row in 0..<rows {
      let mean = forward.means[row]
      let inverse = forward.inverseDeviations[row]
      var varianceGradient = 0.0
      var meanGradient = 0.0
      for k in 0..<size {
        let dy = outputGradient[row * size + k]
        let centred = input[row * size + k] - mean
        dw[k] += dy * centred * inverse
        db[k] += dy
        varianceGradient += dy * weight[k] * centred * -0.5 * inverse * inverse * inverse
        meanGradient -= dy * weight[k] * inverse
      }
      for k in 0..<size {
        let centred = input[row * size + k] - mean
        dx[row * size + k] =
          outputGradient[row * size + k] * weight[k] * inverse + varianceGradient * 2 * centred / Double(size)
          + meanGradient / Double(size)
      }
    }
    return (dx, dw, db)
  }

  /// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
  public static func geluTanh(_ x: Double) -> Double {
    x / 2 * (1 + hyperbolicTangent((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
  }

  /// The derivative of ``geluTanh(_:)``.
  public static func geluTanhSlope(_ x: Double) -> Double {
    let root = (2 / Double.pi).squareRoot()
    let t = hyperbolicTangent(root * (x + 0.044715 * x * x * x))
    return (1 + t) / 2 + x / 2 * (1 - t * t) * root * (1 + 3 * 0.044715 * x * x)
  }

  /// x/2 (1 + erf(x / sqrt(2))).
  public static func geluExact(_ x: Double) -> Double { x / 2 * (1 + errorFunction(x / 2.0.squareRoot())) }

  /// The rows of `table` [entries, size] that `ids` names.
  public static func embedding(_ table: [Double], ids: [Int], size: Int) -> [Double] {
    ids.flatMap { table[$0 * size..<($0 + 1) * size] }
  }

  /// The gradient of ``embedding(_:ids:size:)`` with respect to a table of `entries` rows.
  public static func embeddingBackward(_ outputGradient: [Double], ids: [Int], entries: Int, size: Int) -> [Double] {
    var gradient = [Double](repeating: 0, count: entries * size)
    for (row, id) in ids.enumerated() {
      for k in 0..<size { gradient[id * size + k] += outputGradient[row * size + k] }
    }
    return gradient
  }
}
