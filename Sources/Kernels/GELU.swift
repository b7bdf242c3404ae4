/// GELU by its tanh approximation ("gelu_new", Hendrycks and Gimpel 2016): output = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
///
/// - Parameters:
///   - input: [count].
///   - output: [count], overwritten; may be the same memory as `input`.
public func geluTanh(_ input: Floats, into output: MutableFloats, count: Int) {
  parallel(count, minimumChunk: 8_192) { part in
    let x = input + part.lowerBound
    let y = output + part.lowerBound
    forEachVector(part.count) { i in
      let v = load(x + i)
      store(v * gate(v), y + i)
    } tail: { i, left in
      let v = loadPartial(x + i, count: left)
      storePartial(v * gate(v), y + i, count: left)
    }
  }
}

/// gradient *= d geluTanh(input) / d input.
///
/// - Parameters:
///   - input: [count], as the forward pass had it.
///   - gradient: [count]: the output's gradient, replaced by the input's.
public func geluTanhBackward(_ input: Floats, gradient: MutableFloats, count: Int) {
  parallel(count, minimumChunk: 8_192) { part in
    let x = input + part.lowerBound
    let g = gradient + part.lowerBound
    forEachVector(part.count) { i in
      store(load(g + i) * slope(load(x + i)), g + i)
    } tail: { i, left in
      storePartial(loadPartial(g + i, count: left) * slope(loadPartial(x + i, count: left)), g + i, count: left)
    }
  }
}

/// GELU in its exact form ("gelu"): output = x/2 (1 + erf(x / sqrt(2))), within 4e-7 of the input
/// (the error function by Abramowitz and Stegun, formula 7.1.26).
///
/// - Parameters:
///   - values: [count], overwritten.
public func geluExact(_ values: MutableFloats, count: Int) {
  parallel(count, minimumChunk: 8_192) { part in
    let x = values + part.lowerBound
    forEachVector(part.count) { i in
      let v = load(x + i)
      store(v * normalDistribution(v), x + i)
    } tail: { i, left in
      let v = loadPartial(x + i, count: left)
      storePartial(v * normalDistribution(v), x + i, count: left)
    }
  }
}

// (1 + tanh u) / 2 is the logistic function of 2u.
private let twiceRootTwoOverPi: Float = 1.595_769_1
private let cubic: Float = 0.044_715

@inline(__always) private func gate(_ x: Vector) -> Vector {
  let z = x * (x * x * (twiceRootTwoOverPi * cubic) + twiceRootTwoOverPi)
  return 1 / (exponential(-z) + 1)
}

@inline(__always) private func slope(_ x: Vector) -> Vector {
  let z = x * (x * x * (twiceRootTwoOverPi * cubic) + twiceRootTwoOverPi)
  let e = exponential(-z)
  let s = 1 / (e + 1)
  let zSlope = x * x * (3 * twiceRootTwoOverPi * cubic) + twiceRootTwoOverPi
  // 1 - s is e s, without the cancellation.
  return s + x * s * (e * s) * zSlope
}

/// The standard normal distribution function, (1 + erf(x / sqrt(2))) / 2.
@inline(__always) private func normalDistribution(_ x: Vector) -> Vector {
  let isNegative = x .< 0
  let z = x.replacing(with: -x, where: isNegative) * 0.707_106_77
  let t = 1 / (z * 0.327_591_1 + 1)
  var p = Vector(repeating: -1.453_152_027).addingProduct(t, Vector(repeating: 1.061_405_429))
  p = Vector(repeating: 1.421_413_741).addingProduct(p, t)
  p = Vector(repeating: -0.284_496_736).addingProduct(p, t)
  p = Vector(repeating: 0.254_829_592).addingProduct(p, t)
  // Half of 1 - erf(z).
  let tail = p * t * exponential(-z * z) * 0.5
  return (1 - tail).replacing(with: tail, where: isNegative)
}
