/// What one AdamW update needs beside the arrays.
public struct AdamWStep: Sendable {
  /// Step size of this update.
  public var learningRate: Float
  /// Decay of the first moment.
  public var beta1: Float
  /// Decay of the second moment.
  public var beta2: Float
  /// Added to the denominator.
  public var epsilon: Float
  /// Decoupled weight decay.
  public var weightDecay: Float
  /// 1 - beta1^t and 1 - beta2^t of this update, t counted from 1.
  public var bias1: Float
  /// See ``bias1``.
  public var bias2: Float
  /// The gradient is multiplied by this first: gradient clipping.
  public var gradientScale: Float

  /// One update's numbers.
  public init(
    learningRate: Float, beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, bias1: Float, bias2: Float,
    gradientScale: Float
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.bias1 = bias1
    self.bias2 = bias2
    self.gradientScale = gradientScale
  }
}

/// One AdamW update (Loshchilov and Hutter 2019) in a single pass, in the order of `torch.optim.AdamW`:
/// the decay first, then the bias-corrected step.
///
/// - Parameters:
///   - parameters: [count], updated.
///   - gradients: [count].
///   - firstMoments: [count], updated.
///   - secondMoments: [count], updated.
public func adamW(
  _ parameters: MutableFloats, gradients: Floats, firstMoments: MutableFloats, secondMoments: MutableFloats, count: Int,
  step: AdamWStep
) {
  let decay = 1 - step.learningRate * step.weightDecay
  let stepSize = step.learningRate / step.bias1
  let rootBias2 = step.bias2.squareRoot()
  @inline(__always) func update(_ p: Vector, _ g: Vector, _ m: Vector, _ v: Vector) -> (p: Vector, m: Vector, v: Vector)
  {
    let gradient = g * step.gradientScale
    let first = m + (gradient - m) * (1 - step.beta1)
    let second = v * step.beta2 + gradient * gradient * (1 - step.beta2)
    let denominator = second.squareRoot() / rootBias2 + step.epsilon
    return (p * decay - first / denominator * stepSize, first, second)
  }
  parallel(count, minimumChunk: 16_384) { part in
    let p = parameters + part.lowerBound
    let g = gradients + part.lowerBound
    let m = firstMoments + part.lowerBound
    let v = secondMoments + part.lowerBound
    forEachVector(part.count) { i in
      let next = update(load(p + i), load(g + i), load(m + i), load(v + i))
      store(next.p, p + i)
      store(next.m, m + i)
      store(next.v, v + i)
    } tail: { i, left in
      let next = update(
        loadPartial(p + i, count: left), loadPartial(g + i, count: left), loadPartial(m + i, count: left),
        loadPartial(v + i, count: left))
      storePartial(next.p, p + i, count: left)
      storePartial(next.m, m + i, count: left)
      storePartial(next.v, v + i, count: left)
    }
  }
}

/// parameters = parameters * (1 - learningRate * weightDecay) - learningRate * gradientScale * gradients: plain SGD.
///
/// `torch.optim.SGD` adds its weight decay to the gradient, which is the same where there is no momentum.
public func gradientDescent(
  _ parameters: MutableFloats, gradients: Floats, count: Int, learningRate: Float, weightDecay: Float,
  gradientScale: Float
) {
  let decay = 1 - learningRate * weightDecay
  let factor = learningRate * gradientScale
  parallel(count, minimumChunk: 16_384) { part in
    let p = parameters + part.lowerBound
    let g = gradients + part.lowerBound
    forEachVector(part.count) { i in
      store(load(p + i) * decay - load(g + i) * factor, p + i)
    } tail: { i, left in
      for lane in i..<i + left { p[lane] = p[lane] * decay - g[lane] * factor }
    }
  }
}

/// The sum of squares of `count` floats: blocks of 16,384 in single precision, the blocks in double.
///
/// The order of summation depends on nothing but `count`.
public func sumOfSquares(_ values: Floats, count: Int) -> Double {
  let blockSize = 1 << 14
  let blocks = (count + blockSize - 1) / blockSize
  return withUnsafeTemporaryAllocation(of: Double.self, capacity: max(1, blocks)) { partial in
    // Threads write their own elements only.
    nonisolated(unsafe) let sums = partial
    parallel(blocks, minimumChunk: 4) { part in
      for block in part {
        let start = block * blockSize
        let length = min(blockSize, count - start)
        var squares = Vector.zero
        var square: Float = 0
        forEachVector(length) { i in
          let v = load(values + start + i)
          squares = squares.addingProduct(v, v)
        } tail: { i, left in
          for lane in i..<i + left { square += values[start + lane] * values[start + lane] }
        }
        sums[block] = Double(square + horizontalSum(squares))
      }
    }
    return partial.prefix(blocks).reduce(0, +)
  }
}
