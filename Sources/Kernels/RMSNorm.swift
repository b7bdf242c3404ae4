/// Root-mean-square normalisation: output = input / sqrt(mean(input^2) + epsilon) * weight, row by row (Zhang and Sennrich 2019).
///
/// - Parameters:
///   - input: [rows, size]; may be the same memory as `output`.
///   - weight: [size].
///   - output: [rows, size], overwritten.
///   - inverseDeviations: [rows], overwritten with 1 / sqrt(mean(input^2) + epsilon), which the backward pass needs.
///     Nil where there is none.
public func rmsNorm(
  _ input: Floats, weight: Floats, epsilon: Float, into output: MutableFloats,
  inverseDeviations: MutableFloats? = nil, rows: Int, size: Int
) {
  parallel(rows, minimumChunk: 16_384 / size + 1) { part in
    for row in part {
      let x = input + row * size
      let inverse = 1 / (dot(x, x, count: size) / Float(size) + epsilon).squareRoot()
      inverseDeviations?[row] = inverse
      normalize(x, inverse, weight, output + row * size, size)
    }
  }
}

/// ``rmsNorm(_:weight:epsilon:into:inverseDeviations:rows:size:)`` again, from what it saved.
public func rmsNormAgain(
  _ input: Floats, weight: Floats, inverseDeviations: Floats, into output: MutableFloats, rows: Int, size: Int
) {
  parallel(rows, minimumChunk: 16_384 / size + 1) { part in
    for row in part { normalize(input + row * size, inverseDeviations[row], weight, output + row * size, size) }
  }
}

/// The gradients of ``rmsNorm(_:weight:epsilon:into:inverseDeviations:rows:size:)``.
///
/// - Parameters:
///   - input: [rows, size], as the forward pass had it.
///   - outputGradient: [rows, size].
///   - inputGradient: [rows, size]; added to. May not alias `outputGradient`.
///   - weightGradient: [size]; added to. Nil where the weight is not trained.
public func rmsNormBackward(
  _ input: Floats, weight: Floats, inverseDeviations: Floats, outputGradient: Floats, inputGradient: MutableFloats,
  weightGradient: MutableFloats?, rows: Int, size: Int
) {
  parallel(rows, minimumChunk: 16_384 / size + 1) { part in
    for row in part {
      let x = input + row * size
      let dy = outputGradient + row * size
      let dx = inputGradient + row * size
      let inverse = inverseDeviations[row]
      // With n = x * inverse and g = dy * weight: dx = inverse * (g - n * mean(g * n)).
      var sums = Vector.zero
      var sum: Float = 0
      forEachVector(size) { i in
        sums = sums.addingProduct(load(dy + i) * load(weight + i), load(x + i))
      } tail: { i, left in
        for lane in i..<i + left { sum += dy[lane] * weight[lane] * x[lane] }
      }
      let projected = (sum + horizontalSum(sums)) * inverse * inverse / Float(size)
      forEachVector(size) { i in
        store(load(dx + i) + (load(dy + i) * load(weight + i) - load(x + i) * projected) * inverse, dx + i)
      } tail: { i, left in
        for lane in i..<i + left { dx[lane] += (dy[lane] * weight[lane] - x[lane] * projected) * inverse }
      }
    }
  }
  guard let weightGradient else { return }
  parallel(size, minimumChunk: 65_536 / max(1, rows) + 16) { part in
    for row in 0..<rows {
      let x = input + row * size + part.lowerBound
      let dy = outputGradient + row * size + part.lowerBound
      let dw = weightGradient + part.lowerBound
      let inverse = inverseDeviations[row]
      forEachVector(part.count) { i in
        store(load(dw + i).addingProduct(load(dy + i), load(x + i) * inverse), dw + i)
      } tail: { i, left in
        // Rounded as in a vector, so that it does not matter where threads share out the columns.
        for lane in i..<i + left { dw[lane].addProduct(dy[lane], x[lane] * inverse) }
      }
    }
  }
}

@inline(__always) private func normalize(
  _ x: Floats, _ inverse: Float, _ weight: Floats, _ y: MutableFloats, _ size: Int
) {
  forEachVector(size) { i in
    store(load(x + i) * inverse * load(weight + i), y + i)
  } tail: { i, left in
    for lane in i..<i + left { y[lane] = x[lane] * inverse * weight[lane] }
  }
}
