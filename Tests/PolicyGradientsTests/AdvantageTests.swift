import PolicyGradients
import Testing

struct AdvantageTests {
  @Test func `leave-one-out subtracts the mean of the others`() {
    #expect(leaveOneOut([1, 2, 6]) == [-3, -1.5, 4.5])
    #expect(leaveOneOut([0.25, 0.75]) == [-0.5, 0.5])
    #expect(leaveOneOut([4, 0, 0, 0, 0]) == [4, -1, -1, -1, -1])
  }

  @Test func `leave-one-out sums to zero`() {
    for count in [2, 3, 10, 257, 1_024] {
      let rewards = (0..<count).map { Float(($0 * 7_919) % 1_000) / 1_000 - 0.3 }
      let sum = leaveOneOut(rewards).reduce(0.0) { $0 + Double($1) }
      #expect(abs(sum) < 1e-4, "\(count) rewards")
    }
  }

  @Test func `leave-one-out does not change when all rewards are shifted`() {
    // Eighths, so that the shift itself is exact.
    let rewards: [Float] = [0.125, -0.5, 0.875, 0.25, 0.25]
    #expect(zip(leaveOneOut(rewards), leaveOneOut(rewards.map { $0 + 64 })).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  @Test func `leave-one-out scales what the whole mean leaves by count over count less one`() {
    let rewards: [Float] = [0.1, 0.4, -0.3, 0.9, 0.2, 0.0]
    let mean = rewards.reduce(0, +) / 6
    for (advantage, reward) in zip(leaveOneOut(rewards), rewards) {
      #expect(abs(advantage - (reward - mean) * 6 / 5) < 1e-6)
    }
  }

  @Test func `equal rewards are no advantage`() {
    #expect(leaveOneOut([Float](repeating: 0.1, count: 100)).allSatisfy { abs($0) < 1e-7 })
  }

  @Test func `each algorithm has its advantages`() {
    let rewards: [Float] = [1, 2, 6]
    #expect(Algorithm.reinforce.advantages(rewards: rewards) == rewards)
    #expect(Algorithm.reinforce.advantages(rewards: [0.5]) == [0.5])
    #expect(Algorithm.rloo.advantages(rewards: rewards) == [-3, -1.5, 4.5])
  }

  @Test func `groups are compared among their own`() {
    let rewards: [Float] = [1, 2, 6, 0, 0, 3]
    #expect(Algorithm.rloo.advantages(rewards: rewards, groupSize: 3) == [-3, -1.5, 4.5, -1.5, -1.5, 3])
    #expect(Algorithm.rloo.advantages(rewards: rewards, groupSize: 2) == [-1, 1, 6, -6, -3, 3])
    #expect(Algorithm.rloo.advantages(rewards: rewards, groupSize: 6) == leaveOneOut(rewards))
    #expect(Algorithm.reinforce.advantages(rewards: rewards, groupSize: 1) == rewards)
  }

  @Test func `groups whose stories all earned the same are counted`() {
    let rewards: [Float] = [1, 1, 2, 2, 2, 2, 0.5, 0.25]
    #expect(tiedGroupCount(rewards: rewards, groupSize: 2) == 3)
    #expect(tiedGroupCount(rewards: rewards, groupSize: 4) == 0)
    #expect(tiedGroupCount(rewards: Array(rewards[2..<6]), groupSize: 4) == 1)
    #expect(tiedGroupCount(rewards: rewards, groupSize: 1) == 0)
  }

  @Test func `the weight of a nat follows the reduction`() {
    func weight(_ coefficient: Float, _ reduction: KLReduction, _ size: Int) -> Float {
      KLPenalty(coefficient: coefficient, direction: .forward, reduction: reduction)
        .weightPerNat(vocabularySize: size)
    }
    #expect(weight(0.1194, .sum, 50_257) == 0.1194)
    #expect(weight(0.1194, .sum, 3) == 0.1194)
    #expect(abs(weight(6_000, .vocabularyMean, 50_257) - 0.119_386) < 1e-6)
    #expect(weight(6, .vocabularyMean, 3) == 2)
    #expect(weight(0, .vocabularyMean, 3) == 0)
  }

  @Test func `names in recipes are those of the contract`() {
    #expect(Algorithm.allCases.map(\.rawValue) == ["reinforce", "rloo"])
    #expect(KLDirection.allCases.map(\.rawValue) == ["forward", "reverse"])
    #expect(KLReduction.allCases.map(\.rawValue) == ["sum", "vocabulary-mean"])
  }
}
