/// What is done to a row of logits before a token is drawn from it.
public struct SamplingFilter: Sendable, Equatable {
  /// What logits are divided by; 0 takes the most likely token.
  public var temperature: Float
  /// Only this many of the most likely tokens remain; nil for all.
  public var topK: Int?
  /// Only the most likely tokens that together reach this probability, of what ``topK`` has left, remain; nil for all
  /// (Holtzman et al. 2020).
  public var topP: Float?

  /// The distribution itself, unless told otherwise.
  public init(temperature: Float = 1, topK: Int? = nil, topP: Float? = nil) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
  }

  /// Whether the filter changes nothing.
  public var isIdentity: Bool { temperature == 1 && topK == nil && topP == nil }

  /// Divides by the temperature and sets what is cut off to -infinity; drawing renormalises.
  public func apply(to logits: MutableFloats, count: Int) {
    if temperature == 0 {
      let best = mostLikely(logits, count: count)
      for index in 0..<count where index != best { logits[index] = -.infinity }
      return
    }
    if temperature != 1 { scaleInPlace(logits, by: 1 / temperature, count: count) }
    guard topK.map({ $0 < count }) ?? false || topP.map({ $0 < 1 }) ?? false else { return }
    // Ties go to the lower index, so that the order, and with it the result, is always the same.
    let order = (0..<count).sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
    var kept = min(topK ?? count, count)
    if let topP {
      // As transformers has it: after top-k, the rest is what the probabilities add up to.
      let top = Double(logits[order[0]])
      let total = order.prefix(kept).reduce(0.0) { $0 + exponential(Double(logits[$1]) - top) }
      var sum = 0.0
      for (rank, index) in order.prefix(kept).enumerated() {
        sum += exponential(Double(logits[index]) - top) / total
        if sum >= Double(topP) {
          kept = rank + 1
          break
        }
      }
    }
    for index in order.dropFirst(max(1, kept)) { logits[index] = -.infinity }
  }
}

/// The index of the largest logit, the first of equals.
public func mostLikely(_ logits: Floats, count: Int) -> Int {
  var best = 0
  for index in 1..<max(1, count) where logits[index] > logits[best] { best = index }
  return best
}

/// Draws a token for each of `uniforms` from the softmax of `logits`, all in one cumulative pass.
///
/// - Parameters:
///   - logits: [count], finite or -infinity.
///   - uniforms: numbers in [0, 1) in ascending order.
///   - body: gets the index of the uniform number, the token, and the token's log-probability in nats.
/// - Returns: the log of the sum of exponentials of `logits`.
@discardableResult
public func drawTokens(
  _ logits: Floats, count: Int, uniforms: [Double], _ body: (Int, Int, Float) -> Void
) -> Float {
  let normalizer = logSumExp(logits, count: count)
  var next = 0
  var cumulative = 0.0
  var last = -1
  forEachVector(count) { start in
    guard next < uniforms.count else { return }
    let p = exponential(load(logits + start) - normalizer)
    let sum = Double(horizontalSum(p))
    // Whole vectors are passed over; the margin covers the order in which a vector's sum was rounded.
    if cumulative + sum * (1 + 1e-5) < uniforms[next] {
      cumulative += sum
      return
    }
    var within = cumulative
    for lane in 0..<vectorWidth {
      draw(start + lane, p[lane], &within)
    }
    // The same sum on both paths: what a story draws must not depend on which others draw beside it.
    cumulative += sum
  } tail: { start, left in
    let p = exponential(loadPartial(logits + start, count: left) - normalizer)
    for lane in 0..<left { draw(start + lane, p[lane], &cumulative) }
  }
  // What rounding left over belongs to the last token that can be drawn.
  if next < uniforms.count {
    for token in 0..<count where logits[token] - normalizer > smallestLogProbability { last = token }
    let token = last >= 0 ? last : mostLikely(logits, count: count)
    for index in next..<uniforms.count { body(index, token, logits[token] - normalizer) }
  }
  return normalizer

  @inline(__always) func draw(_ token: Int, _ probability: Float, _ cumulative: inout Double) {
    guard logits[token] - normalizer > smallestLogProbability else { return }
    cumulative += Double(probability)
    while next < uniforms.count, uniforms[next] < cumulative {
      body(next, token, logits[token] - normalizer)
      next += 1
    }
  }
}

/// Below this, in nats, a token cannot be drawn: e^-80 is past the last digit of any uniform number.
private let smallestLogProbability: Float = -80
