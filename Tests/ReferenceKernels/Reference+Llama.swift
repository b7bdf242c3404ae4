extension Reference {
  /// input / sqrt(mean(input^2) + epsilon) * weight for each row, with the inverse of the root.
  public static func rmsNorm(
    _ input: [Double], weight: [Double], epsilon: Double, rows: Int, size: Int
  ) -> (output: [Double], inverseDeviations: [Double]) {
    var output: [Double] = []
    var inverses: [Double] = []
    for row in 0..<rows {
      let x = Array(input[row * size..<(row + 1) * size])
      let inverse = 1 / (dot(x, x) / Double(size) + epsilon).squareRoot()
      for (value, factor) in zip(x, weight) { output.append(value * inverse * factor) }
      inverses.append(inverse)
    }
    return (output, inverses)
  }

  /// Gradients of ``rmsNorm(_:weight:epsilon:rows:size:)``, by the chain rule through the mean square.
  public static func rmsNormBackward(
    _ input: [Double], weight: [Double], epsilon: Double, outputGradient: [Double], rows: Int, size: Int
  ) -> (input: [Double], weight: [Double]) {
    var dx = [Double](repeating: 0, count: rows * size)
    var dw = [Double](repeating: 0, count: size)
    let forward = rmsNorm(input, weight: weight, epsilon: epsilon, rows: rows, size: size)
    for row in 0..<rows {
      let inverse = forward.inverseDeviations[row]
      var squareGradient = 0.0
      for k in 0..<size {
        let dy = outputGradient[row * size + k]
        let x = input[row * size + k]
        dw[k] += dy * x * inverse
        squareGradient += dy * weight[k] * x * -0.5 * inverse * inverse * inverse
      }
      for k in 0..<size {
        let dy = outputGradient[row * size + k]
        dx[row * size + k] = dy * weight[k] * inverse + squareGradient * 2 * input[row * size + k] / Double(size)
      }
    }
    return (dx, dw)
  }

  /// x / (1 + e^-x).
  public static func silu(_ x: Double) -> Double { x / (1 + exponential(-x)) }

  /// The derivative of ``silu(_:)``.
  public static func siluSlope(_ x: Double) -> Double {
    let s = 1 / (1 + exponential(-x))
    // 1 - s, which would lose all its digits for large x.
    let rest = 1 / (1 + exponential(x))
    return s + x * s * rest
  }

  /// silu(gate) * up; each row of `gateUp` [rows, 2 size] is the gate, then the up projection.
  public static func swiGLU(_ gateUp: [Double], rows: Int, size: Int) -> [Double] {
    (0..<rows * size).map { index in
      let gate = index / size * 2 * size + index % size
      return silu(gateUp[gate]) * gateUp[gate + size]
    }
  }

  /// The gradient of ``swiGLU(_:rows:size:)``.
  public static func swiGLUBackward(
    _ gateUp: [Double], outputGradient: [Double], rows: Int, size: Int
  ) -> [Double] {
    var gradient = [Double](repeating: 0, count: gateUp.count)
    for index in 0..<rows * size {
      let gate = index / size * 2 * size + index % size
      gradient[gate] = outputGradient[index] * siluSlope(gateUp[gate]) * gateUp[gate + size]
      gradient[gate + size] = outputGradient[index] * silu(gateUp[gate])
    }
    return gradient
  }

  /// Rows of heads, [positions, headCount, 2 frequencies.count], turned: in each head element i and element
  /// i + frequencies.count by the angle position * frequencies[i].
  public static func rotated(
    _ rows: [Double], positions: [Int], frequencies: [Double], headCount: Int, isInverse: Bool = false
  ) -> [Double] {
    var result = rows
    let half = frequencies.count
    for (row, position) in positions.enumerated() {
      for head in 0..<headCount {
        for (index, frequency) in frequencies.enumerated() {
          let angle = Double(position) * frequency * (isInverse ? -1 : 1)
          let first = (row * headCount + head) * 2 * half + index
          result[first] = rows[first] * cosine(angle) - rows[first + half] * sine(angle)
          result[first + half] = rows[first] * sine(angle) + rows[first + half] * cosine(angle)
        }
      }
    }
    return result
  }
}
