import Foundation

/// The round numbers along an axis, and how they are written.
package struct Ticks: Equatable, Sendable {
  /// The numbers, ascending.
  package let values: [Double]
  /// One label for each.
  package let labels: [String]

  /// At most about `count` round numbers from `low` to `high`, steps of 1, 2 or 5 times a power of ten.
  ///
  /// `wholeOnly` leaves no fractions, as for steps. Limits that are not finite or not in order give no ticks.
  package init(from low: Double, to high: Double, count: Int = 5, wholeOnly: Bool = false) {
    let span = high - low
    guard span.isFinite, span > 0, count > 0 else {
      values = []
      labels = []
      return
    }
    var step = Self.niceStep(span / Double(count))
    if wholeOnly { step = max(1, step) }
    let first = (low / step - 1e-9).rounded(.up)
    let last = (high / step + 1e-9).rounded(.down)
    // A step far below the rounding of the limits has no ticks of its own.
    guard step > 0, last >= first, last - first < 100 else {
      values = []
      labels = []
      return
    }
    values = (0...Int(last - first)).map { (first + Double($0)) * step }
    labels = Self.labels(values, step: step)
  }

  private static func niceStep(_ rough: Double) -> Double {
    let power = pow(10, log10(rough).rounded(.down))
    let steps: [Double] = [1, 2, 5, 10]
    return (steps.first { $0 * power >= rough * (1 - 1e-9) } ?? 10) * power
  }

  private static func labels(_ values: [Double], step: Double) -> [String] {
    let largest = values.map(abs).max() ?? 0
    guard largest > 0 else { return values.map { _ in "0" } }
    let exponent = Int((log10(largest) + 1e-9).rounded(.down))
    let stepExponent = Int((log10(step) + 1e-9).rounded(.down))
    return values.map { value in
      if abs(value) < step / 2 { return "0" }
      if exponent < -3 || exponent > 8 {
        return Numbers.scientific(value, exponent: exponent, decimals: max(0, exponent - stepExponent))
      }
      if exponent >= 6 { return Numbers.fixed(value / 1e6, max(0, 6 - stepExponent)) + "M" }
      if exponent >= 4 { return Numbers.fixed(value / 1e3, max(0, 3 - stepExponent)) + "k" }
      return Numbers.fixed(value, max(0, -stepExponent))
    }
  }
}
