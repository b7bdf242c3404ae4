import Foundation
import PolicyGradients
import TestSupport
import Testing

/// Expectations of gradients over everything that can be sampled, against the gradient of the objective itself.
struct EnumerationTests {
  let policy = TablePolicy.policy
  let stories = TablePolicy.stories

  /// The gradient of the expected reward, which the loss's gradient must be the negative of.
  var rewardGradient: [Double] {
    policy.gradient { policy in
      TablePolicy.stories.reduce(0) { $0 + policy.probability($1) * TablePolicy.reward($1) }
    }
  }

  /// The expected gradient of the loss over all ordered groups of `size` stories.
  func expectedGradient(size: Int, klWeight: Float = 0, advantages: ([Float]) -> [Float]) -> [Double] {
    var groups: [[[Int]]] = [[]]
    for _ in 0..<size { groups = groups.flatMap { group in stories.map { group + [$0] } } }
    var sum = [Double](repeating: 0, count: 12)
    for group in groups {
      let rows = PolicyLossRows(
        paths: group.map(TablePolicy.path), advantages: advantages(group.map { Float(TablePolicy.reward($0)) }),
        sampleCount: size, lengthNormalizer: 1, klWeightPerNat: klWeight)
      let probability = group.reduce(1) { $0 * policy.probability($1) }
      for (index, value) in policy.gradient(of: rows).enumerated() { sum[index] += probability * value }
    }
    return sum
  }

  func expectEqual(_ actual: [Double], _ expected: [Double], within bound: Double = 2e-6) {
    let comparison = Comparison(actual, expected)
    #expect(comparison.matches(absolute: bound), "\(comparison)")
    // A gradient of nothing would match nothing.
    #expect(expected.contains { abs($0) > 0.02 })
  }

  @Test func `nine stories are all there is`() {
    #expect(stories.count == 9)
    #expect(abs(stories.reduce(0) { $0 + policy.probability($1) } - 1) < 1e-12)
  }

  @Test(arguments: [1, 2]) func `REINFORCE is unbiased`(size: Int) {
    expectEqual(
      expectedGradient(size: size, advantages: Algorithm.reinforce.advantages).map { -$0 }, rewardGradient)
  }

  @Test func `leave-one-out is unbiased, over 81 pairs and over 729 triples`() {
    for size in [2, 3] {
      expectEqual(expectedGradient(size: size, advantages: Algorithm.rloo.advantages).map { -$0 }, rewardGradient)
    }
  }

  @Test func `a baseline that includes the story itself shrinks the gradient`() {
    let gradient = expectedGradient(size: 2) { rewards in
      let mean = rewards.reduce(0, +) / Float(rewards.count)
      return rewards.map { $0 - mean }
    }
    expectEqual(gradient.map { -2 * $0 }, rewardGradient)
  }

  @Test func `the reward and the penalty add up to the gradient of the objective at fixed prefixes`() {
    let weight = 0.375
    let fixed = policy
    let expected = policy.gradient { policy in
      let reward = stories.reduce(0) { $0 + policy.probability($1) * TablePolicy.reward($1) }
      let divergence = (0..<TablePolicy.prefixes).reduce(0) {
        $0 + fixed.visits($1) * TablePolicy.divergence(.reference, policy, $1)
      }
      return reward - weight * divergence
    }
    for algorithm in Algorithm.allCases {
      let gradient = expectedGradient(size: 2, klWeight: Float(weight), advantages: algorithm.advantages)
      expectEqual(gradient.map { -$0 }, expected)
    }
  }

  @Test(arguments: KLDirection.allCases) func `the penalty's gradient is that of the exact KL`(direction: KLDirection) {
    let rows = PolicyLossRows(
      paths: stories.map(TablePolicy.path), advantages: [Float](repeating: 0, count: 9), sampleCount: 9,
      lengthNormalizer: 2, klWeightPerNat: 0.5)
    let expected = policy.gradient { policy in
      (0..<TablePolicy.prefixes).reduce(0) { sum, prefix in
        let divergence =
          direction == .forward
          ? TablePolicy.divergence(.reference, policy, prefix) : TablePolicy.divergence(policy, .reference, prefix)
        return sum + 0.5 * Double(prefix == 0 ? 9 : 3) / 18 * divergence
      }
    }
    expectEqual(policy.gradient(of: rows, direction: direction), expected)
  }

  /// The expected gradient at the empty prefix of a loss that sees the sampled token's log-probabilities only.
  func estimatorGradient(_ loss: (_ policy: Double, _ reference: Double) -> Double) -> [Double] {
    let probabilities = policy.probabilities(0)
    let reference = TablePolicy.reference.logProbabilities(0)
    // Samples are constants: only what the loss makes of them is differentiated.
    return policy.gradient { policy in
      let logProbabilities = policy.logProbabilities(0)
      return (0..<3).reduce(0) { $0 + probabilities[$1] * loss(logProbabilities[$1], reference[$1]) }
    }
  }

  @Test func `estimators from sampled tokens have other gradients than their values suggest`() {
    func exact(_ divergence: @escaping (TablePolicy) -> Double) -> [Double] { policy.gradient(of: divergence) }
    let reverse = exact { TablePolicy.divergence($0, .reference, 0) }
    let forward = exact { TablePolicy.divergence(.reference, $0, 0) }
    #expect(Comparison(reverse, forward).worstAbsoluteError > 0.02)
    // k1, log p - log r: its value is KL(p || r), its gradient nothing at all.
    #expect(estimatorGradient { $0 - $1 }.allSatisfy { abs($0) < 1e-9 })
    // k2, (log p - log r)^2 / 2: the gradient of KL(p || r).
    expectEqual(estimatorGradient { ($0 - $1) * ($0 - $1) / 2 }, reverse, within: 1e-8)
    // k3, r/p - 1 - log(r/p): its value is KL(p || r), its gradient that of KL(r || p).
    expectEqual(estimatorGradient { exp($1 - $0) - 1 - ($1 - $0) }, forward, within: 1e-8)
  }
}
