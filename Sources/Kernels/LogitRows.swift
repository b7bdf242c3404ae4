// What is done to one row of logits, each in one pass over the row.

/// log of the sum of exponentials of `count` logits.
public func logSumExp(_ logits: Floats, count: Int) -> Float {
  let top = maximum(logits, count: count)
  let shift = Vector(repeating: top)
  var sums = Vector.zero
  var sum: Float = 0
  forEachVector(count) { i in
    sums += exponential(load(logits + i) - shift)
  } tail: { i, left in
    let e = exponential(loadPartial(logits + i, count: left) - shift)
    for lane in 0..<left { sum += e[lane] }
  }
  return top + logarithm(sum + horizontalSum(sums))
}

/// Replaces logits by probabilities; returns their entropy in nats.
public func probabilitiesInPlace(_ logits: MutableFloats, _ normalizer: Float, count: Int) -> Float {
  var entropies = Vector.zero
  var entropy: Float = 0
  forEachVector(count) { i in
    let logProbability = load(logits + i) - normalizer
    let p = exponential(logProbability)
    entropies -= p * logProbability
    store(p, logits + i)
  } tail: { i, left in
    let logProbability = loadPartial(logits + i, count: left) - normalizer
    let p = exponential(logProbability)
    for lane in 0..<left { entropy -= p[lane] * logProbability[lane] }
    storePartial(p, logits + i, count: left)
  }
  return entropy + horizontalSum(entropies)
}

/// Entropy and divergences of two rows of logits, p and r, in nats.
struct RowDivergence {
  var entropy: Float
  /// KL(r || p).
  var forward: Float
  /// KL(p || r).
  var reverse: Float
}

/// Replaces `logits` by p, and `referenceLogits` by log p - log r where `keepsDifferences`, else by r.
@inline(__always)
func compareRows(
  _ logits: MutableFloats, _ normalizer: Float, _ referenceLogits: MutableFloats, _ referenceNormalizer: Float,
  count: Int, keepsDifferences: Bool
) -> RowDivergence {
  var entropies = Vector.zero
  var forwards = Vector.zero
  var reverses = Vector.zero
  var result = RowDivergence(entropy: 0, forward: 0, reverse: 0)
  forEachVector(count) { i in
    let logP = load(logits + i) - normalizer
    let logR = load(referenceLogits + i) - referenceNormalizer
    let p = exponential(logP)
    let r = exponential(logR)
    let difference = logP - logR
    // r (log r - log p) - (r - p), which sums to the same and is never negative: no cancellation where p is near r.
    entropies -= p * logP
    forwards += (p - r) - r * difference
    reverses += (r - p) + p * difference
    store(p, logits + i)
    store(keepsDifferences ? difference : r, referenceLogits + i)
  } tail: { i, left in
    let logP = loadPartial(logits + i, count: left) - normalizer
    let logR = loadPartial(referenceLogits + i, count: left) - referenceNormalizer
    let p = exponential(logP)
    let r = exponential(logR)
    let difference = logP - logR
    for lane in 0..<left {
      result.entropy -= p[lane] * logP[lane]
      result.forward += (p[lane] - r[lane]) - r[lane] * difference[lane]
      result.reverse += (r[lane] - p[lane]) + p[lane] * difference[lane]
    }
    storePartial(p, logits + i, count: left)
    storePartial(keepsDifferences ? difference : r, referenceLogits + i, count: left)
  }
  result.entropy += horizontalSum(entropies)
  result.forward += horizontalSum(forwards)
  result.reverse += horizontalSum(reverses)
  return result
}

/// probabilities = probabilityWeight p + klWeight (p - r), r being the reference's probabilities.
func forwardKLGradient(
  _ probabilities: MutableFloats, reference: Floats, count: Int, probabilityWeight: Float, klWeight: Float
) {
  let weight = probabilityWeight + klWeight
  forEachVector(count) { i in
    store(load(probabilities + i) * weight - load(reference + i) * klWeight, probabilities + i)
  } tail: { i, left in
    for lane in i..<i + left { probabilities[lane] = probabilities[lane] * weight - reference[lane] * klWeight }
  }
}

/// probabilities = probabilityWeight p + klWeight p (log p - log r - KL(p || r)).
func reverseKLGradient(
  _ probabilities: MutableFloats, differences: Floats, count: Int, probabilityWeight: Float, klWeight: Float, kl: Float
) {
  let offset = probabilityWeight - klWeight * kl
  forEachVector(count) { i in
    store(load(probabilities + i) * (load(differences + i) * klWeight + offset), probabilities + i)
  } tail: { i, left in
    for lane in i..<i + left { probabilities[lane] *= differences[lane] * klWeight + offset }
  }
}

func scaleInPlace(_ values: MutableFloats, by factor: Float, count: Int) {
  forEachVector(count) { i in
    store(load(values + i) * factor, values + i)
  } tail: { i, left in
    for lane in i..<i + left { values[lane] *= factor }
  }
}
