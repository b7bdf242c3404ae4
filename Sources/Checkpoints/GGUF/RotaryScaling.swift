import Foundation

/// How rotary frequencies are stretched for texts longer than a model was first trained on.
enum RotaryScaling: Equatable {
  /// All of them are divided by a factor.
  case linear(factor: Double)
  /// Llama 3.1: only the slow ones are, with a smooth passage between two wavelengths.
  case llama3(factor: Double, low: Double, high: Double, originalPositions: Int)

  /// The number that each frequency of a head of `dimension` elements is divided by, as `rope_freqs.weight` has them.
  func divisors(base: Double, dimension: Int) -> [Double] {
    (0..<dimension / 2).map { index in
      switch self {
      case .linear(let factor):
        return factor
      case .llama3(let factor, let low, let high, let originalPositions):
        let frequency = Self.frequency(index, base: base, dimension: dimension)
        let turns = Double(originalPositions) * frequency / (2 * .pi)
        if turns > high { return 1 }
        if turns < low { return factor }
        let smooth = (turns - low) / (high - low)
        return 1 / ((1 - smooth) / factor + smooth)
      }
    }
  }

  private static func frequency(_ index: Int, base: Double, dimension: Int) -> Double {
    pow(base, -Double(2 * index) / Double(dimension))
  }

  /// The scaling that gives these divisors, or nil where none does.
  ///
  /// A GGUF file keeps the divisors only, and few of them where heads are small, so that many parameters of Llama 3's rule say the
  /// same: any of them will do. The largest divisor is the factor. The share of the unscaled frequency is a line in the frequency
  /// between 0 and 1; the published parameters (1, 4, 8192) are tried first.
  static func fitting(divisors: [Float], base: Double) -> RotaryScaling? {
    let dimension = divisors.count * 2
    guard let factor = divisors.last.map({ simplified(Double($0)) }), factor.isFinite, factor > 1 else { return nil }
    if divisors.allSatisfy({ abs(Double($0) - factor) <= 1e-6 * factor }) { return .linear(factor: factor) }
    func fits(_ candidate: RotaryScaling, within tolerance: Double) -> Bool {
      zip(candidate.divisors(base: base, dimension: dimension), divisors).allSatisfy { expected, found in
        abs(expected - Double(found)) <= tolerance * expected
      }
    }
    let points = divisors.enumerated().map {
      Point(
        frequency: frequency($0.offset, base: base, dimension: dimension),
        share: (1 / Double($0.element) - 1 / factor) / (1 - 1 / factor))
    }
    guard let line = ShareLine(points) else { return nil }
    // The published context lengths first, so that a configuration reads as it did; then one that leaves room for any line.
    let published = RotaryScaling.llama3(factor: factor, low: 1, high: 4, originalPositions: 8192)
    if fits(published, within: 1e-5) { return published }
    let whole = (2 * .pi / line.zero).rounded()
    for positions in [whole, 8192] where positions >= 1 && positions < 1e9 {
      let low = positions == whole ? 1 : positions * line.zero / (2 * .pi)
      let high = low + positions / (2 * .pi * line.slope)
      for high in [simplified(high), high] {
        let found = RotaryScaling.llama3(factor: factor, low: low, high: high, originalPositions: Int(positions))
        if low > 0, high > low, high.isFinite, fits(found, within: 1e-5) { return found }
      }
    }
    return nil
  }

  /// A frequency and the share of it that is left unscaled.
  private struct Point {
    var frequency: Double
    var share: Double

    var isUnscaled: Bool { share > 1 - 1e-6 }
    var isScaled: Bool { share < 1e-6 }
  }

  /// The line that the shares between 0 and 1 lie on.
  private struct ShareLine {
    /// The frequency at which it is 0.
    var zero: Double
    var slope: Double

    /// The line through what lies between 0 and 1; where that is a single point or none, one that passes the others by.
    init?(_ points: [Point]) {
      let between = points.filter { !$0.isUnscaled && !$0.isScaled }
      // From the fastest to the slowest.
      guard let lastUnscaled = points.last(where: \.isUnscaled)?.frequency ?? points.first.map({ 2 * $0.frequency }),
        let firstScaled = points.first(where: \.isScaled)?.frequency, lastUnscaled > firstScaled
      else { return nil }
      if let first = between.first, let last = between.last, first.frequency > last.frequency {
        slope = (first.share - last.share) / (first.frequency - last.frequency)
        zero = last.frequency - last.share / slope
      } else if let point = between.first {
        slope =
          1.5 * max(point.share / (point.frequency - firstScaled), (1 - point.share) / (lastUnscaled - point.frequency))
        zero = point.frequency - point.share / slope
      } else {
        let room = lastUnscaled - firstScaled
        slope = 2 / room
        zero = firstScaled + room / 4
      }
      guard slope > 0, slope.isFinite, zero > 0 else { return nil }
    }
  }

  /// A number of few decimals in place of one that differs from it by rounding only.
  private static func simplified(_ value: Double) -> Double {
    let short = (value * 1000).rounded() / 1000
    return abs(short - value) <= 1e-5 * abs(value) ? short : value
  }
}
