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

  /// Llama 3's parameters that give these divisors, or nil where none do.
  ///
  /// A GGUF file keeps the divisors only. The factor is the last one. Between the two wavelengths, the share of the
  /// unscaled frequency is a line in the frequency, from which the passage follows up to a common factor of its
  /// parameters; the published values (1, 4, 8192) are tried first.
  static func llama3(divisors: [Float], base: Double) -> RotaryScaling? {
    let dimension = divisors.count * 2
    guard let factor = divisors.last.map({ simplified(Double($0)) }), factor.isFinite, factor > 1 else { return nil }
    func fits(_ candidate: RotaryScaling) -> Bool {
      zip(candidate.divisors(base: base, dimension: dimension), divisors).allSatisfy { expected, found in
        abs(expected - Double(found)) <= 1e-4 * expected
      }
    }
    let published = RotaryScaling.llama3(factor: factor, low: 1, high: 4, originalPositions: 8192)
    if fits(published) { return published }
    let points = divisors.enumerated().filter { $0.element > 1.0001 && Double($0.element) < factor * 0.9999 }.map {
      (
        frequency: frequency($0.offset, base: base, dimension: dimension),
        share: (1 / Double($0.element) - 1 / factor) / (1 - 1 / factor)
      )
    }
    guard let first = points.first, let last = points.last, first.frequency > last.frequency else { return nil }
    let slope = (first.share - last.share) / (first.frequency - last.frequency)
    let intercept = slope * last.frequency - last.share
    guard slope > 0, intercept > 0 else { return nil }
    let high = simplified(1 + 1 / intercept)
    let positions = (slope * 2 * .pi * (high - 1)).rounded()
    guard positions >= 1, positions < 1e9, high.isFinite else { return nil }
    let found = RotaryScaling.llama3(factor: factor, low: 1, high: high, originalPositions: Int(positions))
    return fits(found) ? found : nil
  }

  /// A number of few decimals in place of one that differs from it by rounding only.
  private static func simplified(_ value: Double) -> Double {
    let short = (value * 1000).rounded() / 1000
    return abs(short - value) <= 1e-5 * abs(value) ? short : value
  }
}
