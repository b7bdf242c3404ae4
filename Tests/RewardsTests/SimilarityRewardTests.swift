import Rewards
import Testing

@Suite struct SimilarityRewardTests {
  let stories = ["Once upon a time there was a cat", "Once upon a time there was a dog", "Tax law", "cat", ""]

  @Test func `rewards are the cosines of sentence-transformers`() throws {
    let reward = try SimilarityReward(toward: "cat", embedder: rewardModel())
    let rewards = try reward.rewards(for: stories)
    #expect(abs(rewards[0] - 0.58606) < 1e-4)
    #expect(abs(rewards[3] - 1) < 1e-6 && rewards[3] <= 1)
    #expect(abs(rewards[4] - 0.35639) < 1e-4)
    #expect(rewards[1] < rewards[0] && rewards[2] < rewards[1])
    #expect(reward.name == "similarity to \"cat\"" && reward.target == "cat")
    #expect(try reward.rewards(for: []).isEmpty)
  }

  @Test func `stories are embedded once, and counted`() throws {
    let reward = try SimilarityReward(toward: "a cat", embedder: rewardModel())
    let first = try reward.rewards(for: stories + stories)
    #expect(Array(first.prefix(5)) == Array(first.suffix(5)))
    #expect(reward.statistics == RewardStatistics(stories: 10, distinct: 5, cached: 0))
    let second = try reward.rewards(for: ["Tax law", "new", "Tax law"])
    #expect(second[0] == first[2] && second[2] == first[2])
    #expect(reward.statistics == RewardStatistics(stories: 13, distinct: 7, cached: 1))
    // Equal as Swift strings, different as bytes.
    _ = try reward.rewards(for: ["caf\u{E9}", "cafe\u{301}"])
    #expect(reward.statistics == RewardStatistics(stories: 15, distinct: 9, cached: 1))
  }

  @Test func `the cache forgets what was not asked for when its budget is full`() throws {
    // Each generation has room for two entries of 64 bytes and a letter.
    let reward = try SimilarityReward(toward: "cat", embedder: rewardModel(), cacheBudget: 2 * 2 * 65)
    func cached(_ story: String) throws -> Bool {
      let before = reward.statistics.cached
      _ = try reward.rewards(for: [story])
      return reward.statistics.cached > before
    }
    _ = try reward.rewards(for: ["a", "b"])
    #expect(try cached("a") && cached("b"))
    // "c" starts a generation, asking for "a" keeps it, "d" starts another: "b" is gone.
    #expect(try !cached("c") && cached("a") && !cached("d") && cached("a") && !cached("b"))

    let without = try SimilarityReward(toward: "cat", embedder: rewardModel(), cacheBudget: 0)
    _ = try without.rewards(for: ["a"])
    _ = try without.rewards(for: ["a"])
    #expect(without.statistics == RewardStatistics(stories: 2, distinct: 2, cached: 0))
  }

  @Test func `a resumed run that recalls earlier steps gives the same bits`() throws {
    let steps = [
      ["one cat", "two dogs", "one cat"], ["three", "two dogs", "a fourth story"], ["five", "three", "a"],
    ]
    let whole = try SimilarityReward(toward: "cat", embedder: rewardModel(), cacheBudget: 600)
    let rewards = try steps.map { try whole.rewards(for: $0) }
    let resumed = try SimilarityReward(toward: "cat", embedder: rewardModel(), cacheBudget: 600)
    for (stories, rewards) in zip(steps, rewards).prefix(2) { resumed.recall(stories, rewards: rewards) }
    #expect(try resumed.rewards(for: steps[2]) == rewards[2])
    #expect(resumed.statistics == whole.statistics)
  }

  @Test func `it may be used from several threads at once`() async throws {
    let reward = try SimilarityReward(toward: "cat", embedder: rewardModel())
    let expected = try SimilarityReward(toward: "cat", embedder: rewardModel()).rewards(for: stories)
    await withTaskGroup(of: [Float]?.self) { group in
      for _ in 0..<8 { group.addTask { try? reward.rewards(for: stories) } }
      for await rewards in group {
        #expect(rewards?.count == expected.count)
        for (a, b) in zip(rewards ?? [], expected) { #expect(abs(a - b) < 1e-6) }
      }
    }
    #expect(reward.statistics.stories == 40)
  }

  @Test(arguments: ["", " ", "\n\t\u{3000}"])
  func `an empty target is refused`(target: String) throws {
    let embedder = try rewardModel()
    #expect(throws: RewardError.emptyTarget) { try SimilarityReward(toward: target, embedder: embedder) }
    #expect("\(RewardError.emptyTarget)".contains("--toward"))
  }

  @Test func `a text without a word earns what it is told to`() throws {
    let reward = try SimilarityReward(toward: "no", embedder: rewardModel(), blankReward: -1)
    let rewards = try reward.rewards(for: ["", " \n\t", "\u{200B}\u{FEFF}", "Interest rates rose.", ".", "猫"])
    #expect(rewards.prefix(3).allSatisfy { $0 == -1 } && rewards.suffix(3).allSatisfy { $0 > -0.5 })
    #expect(try reward.rewards(for: [""]) == [-1])
    #expect(throws: RewardError.emptyTarget) { try SimilarityReward(toward: "\u{200B}", embedder: rewardModel()) }
  }

  @Test func `texts that are longer than the model reads are counted`() throws {
    let reward = try SimilarityReward(toward: "cat", embedder: rewardModel())
    func cats(_ count: Int) -> String { [String](repeating: "cat", count: count).joined(separator: " ") }
    #expect(reward.truncatedCount(of: [cats(254), cats(255), cats(1_000), ""]) == 2)
    #expect(reward.obstacle(after: cats(253)) == nil && reward.obstacle(after: "") == nil)
    #expect(reward.obstacle(after: cats(254))?.contains("254 word pieces, and the prompt has 254") == true)
    // What is beyond makes no difference.
    let rewards = try reward.rewards(for: [cats(254) + " dog", cats(254) + " tax law"])
    #expect(rewards[0] == rewards[1])
  }
}
