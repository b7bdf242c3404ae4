/// Between which of policy and reference the divergence is taken.
public enum KLDirection: String, Codable, Sendable, CaseIterable {
  /// KL(reference || policy), as the published script computes it.
  case forward
  /// KL(policy || reference), as the published formula and most of the field have it.
  case reverse
}

/// How a divergence over the vocabulary becomes one number.
public enum KLReduction: String, Codable, Sendable, CaseIterable {
  /// The divergence itself, in nats.
  case sum
  /// Divided by the vocabulary's size, as the published script computes it.
  case vocabularyMean = "vocabulary-mean"
}

/// The penalty for leaving the reference: exact, over the full vocabulary at every sampled prefix.
///
/// Estimators from the sampled tokens alone have gradients that differ from what their value suggests (arXiv 2510.01555).
public struct KLPenalty: Sendable, Equatable {
  /// Weight of the penalty beside rewards.
  public var coefficient: Float
  /// Which divergence.
  public var direction: KLDirection
  /// Its unit.
  public var reduction: KLReduction

  /// A penalty; a coefficient of 0 is none.
  public init(coefficient: Float, direction: KLDirection, reduction: KLReduction) {
    self.coefficient = coefficient
    self.direction = direction
    self.reduction = reduction
  }

  /// The weight of one nat of divergence.
  public func weightPerNat(vocabularySize: Int) -> Float {
    switch reduction {
    case .sum: coefficient
    case .vocabularyMean: coefficient / Float(vocabularySize)
    }
  }
}
