/// The unit that kernels work in: eight floats, one AVX register or two NEON ones.
@usableFromInline typealias Vector = SIMD8<Float>

let vectorWidth = 8

@inline(__always) func load(_ pointer: Floats) -> Vector {
  UnsafeRawPointer(pointer).loadUnaligned(as: Vector.self)
}

@inline(__always) func store(_ vector: Vector, _ pointer: MutableFloats) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: Vector.self)
}

/// The first `count` (below 8) elements at `pointer`, then `fill`.
@inline(__always) func loadPartial(_ pointer: Floats, count: Int, fill: Float = 0) -> Vector {
  var vector = Vector(repeating: fill)
  for lane in 0..<count { vector[lane] = pointer[lane] }
  return vector
}

@inline(__always) func storePartial(_ vector: Vector, _ pointer: MutableFloats, count: Int) {
  for lane in 0..<count { pointer[lane] = vector[lane] }
}

@inline(__always) func larger(_ a: Vector, _ b: Vector) -> Vector { a.replacing(with: b, where: b .> a) }

@inline(__always) func horizontalSum(_ v: Vector) -> Float {
  let four = v.lowHalf + v.highHalf
  let two = four.lowHalf + four.highHalf
  return two.x + two.y
}

@inline(__always) func horizontalMaximum(_ v: Vector) -> Float {
  let four = v.lowHalf.replacing(with: v.highHalf, where: v.highHalf .> v.lowHalf)
  return Swift.max(Swift.max(four.x, four.y), Swift.max(four.z, four.w))
}

/// e^x within 2 ULP for x in -87.3...88.3, clamped outside (so never 0, never infinite); the polynomial is that of Cephes' `expf`.
@inline(__always) func exponential(_ x: Vector) -> Vector {
  let low = Vector(repeating: -87.336_54)
  let high = Vector(repeating: 88.376_26)
  var x = x.replacing(with: low, where: x .< low)
  x = x.replacing(with: high, where: x .> high)
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  let magic = Vector(repeating: 12_582_912)
  let shifted = magic.addingProduct(x, Vector(repeating: 1.442_695_04))
  let power = shifted - magic
  let exponent = unsafeBitCast(shifted, to: SIMD8<Int32>.self) &- unsafeBitCast(magic, to: SIMD8<Int32>.self)
  var r = x.addingProduct(power, Vector(repeating: -0.693_359_375))
  r = r.addingProduct(power, Vector(repeating: 2.121_944_4e-4))
  var y = Vector(repeating: 1.987_569_15e-4)
  y = Vector(repeating: 1.398_199_950_7e-3).addingProduct(y, r)
  y = Vector(repeating: 8.333_451_907_3e-3).addingProduct(y, r)
  y = Vector(repeating: 4.166_579_589_4e-2).addingProduct(y, r)
  y = Vector(repeating: 1.666_666_545_9e-1).addingProduct(y, r)
  y = Vector(repeating: 5.000_000_120_1e-1).addingProduct(y, r)
  y = (r + 1).addingProduct(y, r * r)
  let scale = unsafeBitCast((exponent &+ 127) &<< 23, to: Vector.self)
  return y * scale
}

/// Calls `vectorBody` for every full vector of 0..<count and `tailBody` once for what is left.
@inline(__always) func forEachVector(_ count: Int, _ vectorBody: (Int) -> Void, tail tailBody: (Int, Int) -> Void) {
  var index = 0
  while index + vectorWidth <= count {
    vectorBody(index)
    index += vectorWidth
  }
  if index < count { tailBody(index, count - index) }
}

/// The dot product of two rows of `count` floats.
@inline(__always) func dot(_ a: Floats, _ b: Floats, count: Int) -> Float {
  var first = Vector.zero
  var second = Vector.zero
  var index = 0
  while index + 2 * vectorWidth <= count {
    first = first.addingProduct(load(a + index), load(b + index))
    second = second.addingProduct(load(a + index + vectorWidth), load(b + index + vectorWidth))
    index += 2 * vectorWidth
  }
  if index + vectorWidth <= count {
    first = first.addingProduct(load(a + index), load(b + index))
    index += vectorWidth
  }
  var sum = horizontalSum(first + second)
  while index < count {
    sum += a[index] * b[index]
    index += 1
  }
  return sum
}

/// target += scale * source.
@inline(__always) func addScaled(_ source: Floats, scale: Float, to target: MutableFloats, count: Int) {
  let factor = Vector(repeating: scale)
  var index = 0
  while index + vectorWidth <= count {
    store(load(target + index).addingProduct(load(source + index), factor), target + index)
    index += vectorWidth
  }
  while index < count {
    target[index] += scale * source[index]
    index += 1
  }
}

/// Turns `count` scores into softmax weights in place; returns the logarithm of their exponentials' sum.
@discardableResult
@inline(__always) func softmaxInPlace(_ scores: MutableFloats, count: Int) -> Float {
  let top = maximum(scores, count: count)
  let shift = Vector(repeating: top)
  var sums = Vector.zero
  var sum: Float = 0
  forEachVector(count) { index in
    let e = exponential(load(scores + index) - shift)
    sums += e
    store(e, scores + index)
  } tail: { index, left in
    let e = exponential(loadPartial(scores + index, count: left, fill: -.infinity) - shift)
    for lane in 0..<left { sum += e[lane] }
    storePartial(e, scores + index, count: left)
  }
  sum += horizontalSum(sums)
  let factor = Vector(repeating: 1 / sum)
  forEachVector(count) { index in
    store(load(scores + index) * factor, scores + index)
  } tail: { index, left in
    for lane in 0..<left { scores[index + lane] /= sum }
  }
  return top + logarithm(sum)
}

/// The largest of `count` floats; -infinity for none.
@inline(__always) func maximum(_ values: Floats, count: Int) -> Float {
  var tops = Vector(repeating: -.infinity)
  var top = -Float.infinity
  forEachVector(count) { index in
    tops = larger(tops, load(values + index))
  } tail: { index, left in
    for lane in 0..<left { top = Swift.max(top, values[index + lane]) }
  }
  return Swift.max(top, horizontalMaximum(tops))
}
