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
    var kept = min(topK ?? count, count)
    var ranking = LogitRanking(logits, count: count)
    if let topP {
      // As transformers has it: after top-k, the rest is what the probabilities add up to.
      let top = Double(logits[ranking.index(rank: 0)])
      var total = 0.0
      if kept == count {
        for index in 0..<count { total += exponential(Double(logits[index]) - top) }
      } else {
        for rank in 0..<kept { total += exponential(Double(logits[ranking.index(rank: rank)]) - top) }
      }
      var sum = 0.0
      for rank in 0..<kept {
        sum += exponential(Double(logits[ranking.index(rank: rank)]) - top) / total
        if sum >= Double(topP) {
          kept = rank + 1
          break
        }
      }
    }
    let least = ranking.index(rank: max(1, kept) - 1)
    for index in 0..<count where LogitRanking.isBefore(logits, least, index) { logits[index] = -.infinity }
  }
}

/// Indices of logits, the most likely first, sorted no further than is asked for.
///
/// Ties go to the lower index, so that the order, and with it the result, is always the same.
private struct LogitRanking {
  private let logits: Floats
  private var indices: [Int32]
  /// How many of ``indices`` stand in their place.
  private var sortedCount = 0

  init(_ logits: MutableFloats, count: Int) {
    self.logits = Floats(logits)
    indices = (0..<Int32(count)).map(\.self)
  }

  static func isBefore(_ logits: MutableFloats, _ a: Int, _ b: Int) -> Bool { isBefore(Floats(logits), a, b) }

  private static func isBefore(_ logits: Floats, _ a: Int, _ b: Int) -> Bool {
    logits[a] != logits[b] ? logits[a] > logits[b] : a < b
  }

  mutating func index(rank: Int) -> Int {
    if rank >= sortedCount { sort(atLeast: rank + 1) }
    return Int(indices[rank])
  }

  /// Brings four times as many into order as were, or `count` if that is more.
  private mutating func sort(atLeast count: Int) {
    let end = min(indices.count, max(64, count, 4 * sortedCount))
    let logits = logits
    // Quickselect over what is not in place yet: the `end` first come before the rest, in any order.
    var low = sortedCount
    var high = indices.count
    indices.withUnsafeMutableBufferPointer { indices in
      while high - low > 1, low < end, end < high {
        let pivot = Int(indices[low + (high - low) / 2])
        var left = low
        var right = high - 1
        while left <= right {
          while Self.isBefore(logits, Int(indices[left]), pivot) { left += 1 }
          while Self.isBefore(logits, pivot, Int(indices[right])) { right -= 1 }
          guard left <= right else { break }
          indices.swapAt(left, right)
          left += 1
          right -= 1
        }
        if end <= right + 1 { high = right + 1 } else if end >= left { low = left } else { break }
      }
      indices[sortedCount..<end].sort { Self.isBefore(logits, Int($0), Int($1)) }
    }
    sortedCount = end
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
