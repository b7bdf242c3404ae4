/// Layer normalisation: output = (input - mean) / sqrt(variance + epsilon) * weight + bias, row by row (Ba et al. 2016).
///
/// - Parameters:
///   - input: [rows, size]; may be the same memory as `output`.
///   - weight: [size].
///   - bias: [size].
///   - output: [rows, size], overwritten.
///   - means: [rows], overwritten; what the backward pass needs. Nil where there is none.
///   - inverseDeviations: [rows], 1 / sqrt(variance + epsilon).
public func layerNorm(
  _ input: Floats, weight: Floats, bias: Floats, epsilon: Float, into output: MutableFloats,
  means: MutableFloats? = nil, inverseDeviations: MutableFloats? = nil, rows: Int, size: Int
) {
  parallel(rows, minimumChunk: 16_384 / size + 1) { part in
    for row in part {
      let x = input + row * size
      let (mean, inverseDeviation) = moments(x, size: size, epsilon: epsilon)
      means?[row] = mean
      inverseDeviations?[row] = inverseDeviation
      normalize(x, mean, inverseDeviation, weight, bias, output + row * size, size)
    }
  }
}

/// ``layerNorm(_:weight:bias:epsilon:into:means:inverseDeviations:rows:size:)`` again, from the moments that it saved.
public func layerNormAgain(
  _ input: Floats, weight: Floats, bias: Floats, means: Floats, inverseDeviations: Floats,
  into output: MutableFloats, rows: Int, size: Int
) {
  parallel(rows, minimumChunk: 16_384 / size + 1) { part in
    for row in part {
      normalize(input + row * size, means[row], inverseDeviations[row], weight, bias, output + row * size, size)
    }
  }
}

/// The gradients of ``layerNorm(_:weight:bias:epsilon:into:means:inverseDeviations:rows:size:)``.
///
/// - Parameters:
///   - input: [rows, size], as the forward pass had it.
///   - outputGradient: [rows, size].
///   - inputGradient: [rows, size]; added to. May not alias `outputGradient`.
///   - weightGradient: [size]; added to. Nil, as the next, where neither is trained.
///   - biasGradient: [size]; added to.
public func layerNormBackward(
  _ input: Floats, weight: Floats, means: Floats, inverseDeviations: Floats, outputGradient: Floats,
  inputGradient: MutableFloats, weightGradient: MutableFloats?, biasGradient: MutableFloats?, rows: Int, size: Int
) {
  parallel(rows, minimumChunk: 16_384 / size + 1) { part in
    for row in part {
      let x = input + row * size
      let dy = outputGradient + row * size
      let dx = inputGradient + row * size
      let mean = means[row]
      let inverse = inverseDeviations[row]
      // With n = (x - mean) * inverse and g = dy * weight: dx = inverse * (g - mean(g) - n * mean(g * n)).
      var gradientSum: Float = 0
      var projectedSum: Float = 0
      var gradientSums = Vector.zero
      var projectedSums = Vector.zero
      forEachVector(size) { i in
        let g = load(dy + i) * load(weight + i)
        gradientSums += g
        projectedSums = projectedSums.addingProduct(g, (load(x + i) - mean) * inverse)
      } tail: { i, left in
        for lane in i..<i + left {
          let g = dy[lane] * weight[lane]
          gradientSum += g
          projectedSum += g * (x[lane] - mean) * inverse
        }
      }
      let gradientMean = (gradientSum + horizontalSum(gradientSums)) / Float(size)
      let projectedMean = (projectedSum + horizontalSum(projectedSums)) / Float(size)
      forEachVector(size) { i in
        let g = load(dy + i) * load(weight + i)
        let n = (load(x + i) - mean) * inverse
        store(load(dx + i) + (g - gradientMean - n * projectedMean) * inverse, dx + i)
      } tail: { i, left in
        for lane in i..<i + left {
          let n = (x[lane] - mean) * inverse
          dx[lane] += (dy[lane] * weight[lane] - gradientMean - n * projectedMean) * inverse
        }
      }
    }
  }
  guard let weightGradient, let biasGradient else { return }
  parallel(size, minimumChunk: 65_536 / max(1, rows) + 16) { part in
    for row in 0..<rows {
      let x = input + row * size + part.lowerBound
      let dy = outputGradient + row * size + part.lowerBound
      let dw = weightGradient + part.lowerBound
      let db = biasGradient + part.lowerBound
      let mean = means[row]
      let inverse = inverseDeviations[row]
      forEachVector(part.count) { i in
        let g = load(dy + i)
        store(load(dw + i).addingProduct(g, (load(x + i) - mean) * inverse), dw + i)
        store(load(db + i) + g, db + i)
      } tail: { i, left in
        for lane in i..<i + left {
          // Rounded as in a vector, so that it does not matter where threads share out the columns.
          dw[lane].addProduct(dy[lane], (x[lane] - mean) * inverse)
          db[lane] += dy[lane]
        }
      }
    }
  }
}

@inline(__always) private func moments(_ x: Floats, size: Int, epsilon: Float) -> (mean: Float, inverse: Float) {
  var sum: Float = 0
  var sums = Vector.zero
  forEachVector(size) { i in
    sums += load(x + i)
  } tail: { i, left in
    for lane in i..<i + left { sum += x[lane] }
  }
  let mean = (sum + horizontalSum(sums)) / Float(size)
  var square: Float = 0
  var squares = Vector.zero
  forEachVector(size) { i in
    let d = load(x + i) - mean
    squares = squares.addingProduct(d, d)
  } tail: { i, left in
    for lane in i..<i + left { square += (x[lane] - mean) * (x[lane] - mean) }
  }
  return (mean, 1 / ((square + horizontalSum(squares)) / Float(size) + epsilon).squareRoot())
}

@inline(__always) private func normalize(
  _ x: Floats, _ mean: Float, _ inverse: Float, _ weight: Floats, _ bias: Floats, _ y: MutableFloats, _ size: Int
) {
  forEachVector(size) { i in
    store(load(bias + i).addingProduct((load(x + i) - mean) * inverse, load(weight + i)), y + i)
  } tail: { i, left in
    for lane in i..<i + left { y[lane] = (x[lane] - mean) * inverse * weight[lane] + bias[lane] }
  }
}
