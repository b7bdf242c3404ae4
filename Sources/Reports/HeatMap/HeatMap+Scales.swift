import Foundation

extension HeatMap.Shading {
  /// What the switch calls it.
  var name: String {
    switch self {
    case .logRatio: "change"
    case .entropy: "entropy"
    case .advantage: "advantage"
    }
  }

  /// What the colours mean.
  var meaning: String {
    switch self {
    case .logRatio:
      "log π − log π_ref, nats: orange tokens became likelier than in the original model, blue ones less likely"
    case .entropy: "entropy before each token, nats: how open it was what would come; 0 is certain"
    case .advantage:
      "advantage, in units of reward: stories that begin like this earned more (orange) or less (blue) than the others"
    }
  }
}

extension HeatMap {
  /// The shadings whose numbers are known.
  var shadings: [Shading] { Shading.allCases.filter { ranges[$0] != nil } }

  /// A token's number.
  func value(of token: Token, _ shading: Shading) -> Double? { Self.value(of: token, shading) }

  private static func value(of token: Token, _ shading: Shading) -> Double? {
    let value: Double? =
      switch shading {
      case .logRatio: token.logRatio
      case .entropy: token.entropy
      case .advantage: token.advantage
      }
    return value.flatMap { $0.isFinite ? $0 : nil }
  }

  /// The number at the end of each colour scale; none where no token's number is known.
  static func ranges(of tokens: [Token]) -> [Shading: Double] {
    var ranges: [Shading: Double] = [:]
    for shading in Shading.allCases {
      guard let largest = tokens.compactMap({ value(of: $0, shading) }).map(abs).max() else { continue }
      ranges[shading] = range(of: shading, holding: largest)
    }
    return ranges
  }

  /// A round number that holds all, for log-ratios at most 3 nats.
  private static func range(of shading: Shading, holding largest: Double) -> Double {
    switch shading {
    case .logRatio: return [1, 2].first { largest <= $0 } ?? 3
    case .entropy: return [1, 2, 4, 6, 8].first { largest <= $0 } ?? 12
    case .advantage:
      guard largest > 1e-6, largest < 1e12 else { return largest < 1 ? 1e-6 : 1e12 }
      let power = pow(10, log10(largest).rounded(.down))
      return [1, 2, 5, 10].map { $0 * power }.first { largest <= $0 * (1 + 1e-9) } ?? largest
    }
  }

  /// Where a number stands on the scale: -1 to 1, entropy 0 to 1.
  func shade(_ value: Double, _ shading: Shading) -> Double {
    let share = value / (ranges[shading] ?? 1)
    return min(max(share, shading == .entropy ? 0 : -1), 1)
  }

  /// The numbers along the scale.
  func ticks(_ shading: Shading) -> [String] {
    let range = ranges[shading] ?? 1
    func text(_ value: Double) -> String {
      let digits = Numbers.significant(abs(value), 2)
      let short = digits.contains(".") && !digits.contains("×") ? trimmed(digits) : digits
      return value == 0 ? "0" : shading == .entropy ? short : (value < 0 ? "−" : "+") + short
    }
    let shares: [Double] = shading == .entropy ? [0, 0.25, 0.5, 0.75, 1] : [-1, -0.5, 0, 0.5, 1]
    return shares.map { text($0 * range) }
  }

  private func trimmed(_ digits: String) -> String {
    var digits = digits
    while digits.hasSuffix("0") { digits.removeLast() }
    if digits.hasSuffix(".") { digits.removeLast() }
    return digits
  }
}
