import Alignment
import Foundation
import Kernels
import PolicyGradients
import Rewards
import TestSupport
import Testing
import Transformers

/// Roll-outs and updates whose stories begin in different ways.
struct SeveralPromptsTests {
  /// Prompts of different lengths: two share a beginning, one is the beginning of another and of its stories.
  private let prompts = [[0, 1, 2, 0], [0, 1, 3], [5], [0, 1, 2], [4, 4, 4, 4, 4, 4]]

  private func rollout(
    _ model: any LanguageModel, _ groups: PromptGroups, _ indices: Range<Int>, maxNewTokens: Int = 5
  ) -> Rollout {
    let activations = model.makeActivations(capacity: 2_000, keepsForBackward: false)
    return Rollout(
      model, groups: groups, indices: indices, maxNewTokens: maxNewTokens, stopTokens: [6],
      random: KeyedRandom(seed: 3), activations: activations)
  }

  @Test func `each story is that of its own prompt alone`() throws {
    let model = try randomModel(vocabularySize: 7)
    let groups = PromptGroups(prompts, groupSize: 12)
    let all = rollout(model, groups, 0..<60)
    #expect(Set(all.stories.map(\.tokens)).count > 30)
    for index in 0..<60 {
      let alone = rollout(model, PromptGroups(prompts[index / 12]), index..<index + 1).stories[0]
      #expect(alone.tokens == all.stories[index].tokens && alone.isFinished == all.stories[index].isFinished)
      #expect(abs(alone.logProbability - all.stories[index].logProbability) < 1e-5)
    }
    // Any part of them, wherever it begins, and equal prompts in different groups.
    for indices in [0..<1, 5..<30, 11..<13, 47..<60] {
      #expect(rollout(model, groups, indices).stories.map(\.tokens) == all.stories[indices].map(\.tokens))
    }
    let twice = rollout(model, PromptGroups([[1, 2], [3], [1, 2]], groupSize: 5), 0..<15)
    let once = rollout(model, PromptGroups([1, 2]), 10..<15)
    #expect(twice.stories[10...].map(\.tokens) == once.stories.map(\.tokens))
  }

  @Test func `the forest has the prompts first, and a row for each node from their last tokens on`() throws {
    let model = try randomModel(vocabularySize: 7)
    let groups = PromptGroups(prompts + [[0, 1, 3]], groupSize: 10)
    let rollout = rollout(model, groups, 0..<60)
    let tree = rollout.tree
    // Leads 0 1 2, then 4 4 4 4 4: the lead 0 1 is shared by all four prompts that begin so.
    #expect(rollout.firstRow == 3 + 5)
    #expect(tree.tokens.prefix(8).map(Int.init) == [0, 1, 2, 4, 4, 4, 4, 4])
    // Five distinct prompts.
    #expect(tree.tokens[8..<13].map(Int.init) == [0, 3, 5, 2, 4])
    #expect((0..<tree.count).allSatisfy { Int(tree.parents[$0]) < $0 })
    var visits = [Int](repeating: 0, count: tree.count)
    for (index, story) in rollout.stories.enumerated() {
      // Through the tree by its own tokens, from the last token of its prompt.
      var node = (8..<13).first { tree.path(to: $0).map { Int(tree.tokens[$0]) } == groups.prompt(ofStory: index) }
      for token in story.tokens {
        let here = try #require(node)
        visits[here] += 1
        node = (0..<tree.count).first { Int(tree.parents[$0]) == here && Int(tree.tokens[$0]) == token && $0 >= 13 }
      }
    }
    #expect((8..<tree.count).allSatisfy { visits[$0] == Int(tree.sampleCounts[$0]) && visits[$0] > 0 })
    #expect(tree.sampleCounts.prefix(8) == [40, 40, 10, 10, 10, 10, 10, 10])
  }

  private func recipe(_ change: (inout Recipe) -> Void = { _ in }) -> Recipe {
    var recipe = PolicyTrainerTests().recipe()
    recipe.promptTexts = TextList(["abca", "abd", "f", "abc", "eeeeee"])
    recipe.samples = 30
    change(&recipe)
    return recipe
  }

  private func trainer(_ recipe: Recipe, reference: (any LanguageModel)? = nil) throws -> PolicyTrainer {
    try PolicyTrainerTests().trainer(recipe, reference: reference)
  }

  @Test(arguments: PolicyTrainerTests.Setting.all, [nil, 1, 4, 7, 12] as [Int?])
  func `a step's gradient is that of its stories one by one`(
    setting: PolicyTrainerTests.Setting, microBatch: Int?
  ) throws {
    let reference = try randomModel(vocabularySize: 7, hiddenSize: 10, endOfTextID: 6, seed: 9)
    let trainer = try trainer(
      recipe {
        $0.algorithm = setting.algorithm
        $0.klDirection = setting.direction
        $0.klReduction = .vocabularyMean
        $0.klCoefficient = 3.5
        $0.microBatch = microBatch
      }, reference: reference)
    #expect(trainer.groupSize == 6)
    // The second step has what the frozen model said in the first.
    for number in 1...3 {
      let start = trainer.policy.copy()
      let step = try trainer.step(number)
      #expect(Set(step.prompts.map(\.text)).count == 5)
      let expectedAdvantages = stride(from: 0, to: 30, by: 6).flatMap {
        setting.algorithm.advantages(rewards: Array(step.rewards[$0..<$0 + 6]))
      }
      #expect(step.advantages == expectedAdvantages)
      let expected = NaiveGradient(
        start, reference: reference, prompts: step.prompts.map(\.ids), stories: step.stories.map(\.tokens),
        advantages: step.advantages, lengthNormalizer: 7, klWeight: 0.5, direction: setting.direction)
      let gradient = zip(start.parameters.array, trainer.policy.parameters.array).map { ($0 - $1) / 0.5 }
      let comparison = Comparison(gradient, expected.gradient)
      #expect(comparison.matches(relative: 2e-5), "step \(number): \(comparison)")
      #expect(abs(step.loss - expected.loss) < 1e-5)
      #expect(abs(step.klForward - expected.klForward) < 1e-5 * expected.klForward)
      #expect(abs(step.klReverse - expected.klReverse) < 1e-5 * expected.klReverse)
      #expect(abs(step.entropy - expected.entropy) < 1e-5 * expected.entropy)
    }
  }

  @Test func `one prompt in several groups has the gradient of its groups`() throws {
    let reference = try randomModel(vocabularySize: 7, hiddenSize: 10, endOfTextID: 6, seed: 9)
    let trainer = try trainer(
      recipe {
        $0.prompt = "abca"
        $0.samples = 24
        $0.samplesPerPrompt = 3
        $0.klCoefficient = 0.5
      }, reference: reference)
    let plain = try self.trainer(
      recipe {
        $0.prompt = "abca"
        $0.samples = 24
        $0.klCoefficient = 0.5
      }, reference: reference)
    let start = trainer.policy.copy()
    let step = try trainer.step(1)
    let whole = try plain.step(1)
    // The same stories; only what each is compared with differs.
    #expect(step.stories == whole.stories && step.rewards == whole.rewards && step.advantages != whole.advantages)
    #expect(step.advantages == Algorithm.rloo.advantages(rewards: step.rewards, groupSize: 3))
    let expected = NaiveGradient(
      start, reference: reference, prompt: [0, 1, 2, 0], stories: step.stories.map(\.tokens),
      advantages: step.advantages, lengthNormalizer: 7, klWeight: 0.5, direction: .forward)
    let gradient = zip(start.parameters.array, trainer.policy.parameters.array).map { ($0 - $1) / 0.5 }
    #expect(Comparison(gradient, expected.gradient).matches(relative: 2e-5))
  }

  @Test func `a single prompt's step is the same however it is given`() throws {
    func parameters(_ change: (inout Recipe) -> Void) throws -> [Float] {
      let trainer = try trainer(
        recipe {
          $0.prompt = "abca"
          change(&$0)
        })
      for step in 1...2 { _ = try trainer.step(step) }
      return trainer.policy.parameters.array
    }
    let plain = try parameters { _ in }
    #expect(try parameters { $0.promptTexts = TextList(["abca"]) } == plain)
    #expect(try parameters { $0.samplesPerPrompt = 30 } == plain)
    #expect(try parameters { $0.lengthNormalizer = nil } != plain)
  }

  @Test func `the length normaliser is the mean prompt's length and that of a story`() throws {
    // 4, 3, 1, 3 and 6 tokens: 3.4 in the mean, and 5 new ones.
    func update(_ normalizer: Double?) throws -> [Float] {
      let trainer = try trainer(recipe { $0.lengthNormalizer = normalizer })
      _ = try trainer.step(1)
      return trainer.policy.parameters.array
    }
    #expect(try update(nil) == update(8.4))
    #expect(try update(nil) != update(8))
  }

  @Test func `texts, rewards and prompts belong to the stories`() throws {
    let trainer = try trainer(recipe())
    var seen: [[String]] = []
    for number in 1...4 {
      let step = try trainer.step(number)
      #expect(step.rewards == LetterReward().rewards(for: zip(step.prompts, step.texts).map { $0.text + $1 }))
      let order = stride(from: 0, to: 30, by: 6).map { step.prompts[$0].text }
      #expect(step.prompts.map(\.text) == order.flatMap { [String](repeating: $0, count: 6) })
      #expect(order.sorted() == ["abc", "abca", "abd", "eeeeee", "f"])
      seen.append(order)
    }
    #expect(Set(seen).count > 1)
  }

  @Test func `groups share the stories out`() throws {
    func groupSize(
      _ samples: Int, prompts: Int, _ size: Int? = nil, algorithm: Algorithm = .rloo
    ) throws -> Int {
      try trainer(
        recipe {
          $0.algorithm = algorithm
          $0.promptTexts = TextList([String](repeating: "ab", count: prompts))
          $0.samples = samples
          $0.samplesPerPrompt = size
        }
      ).groupSize
    }
    #expect(try groupSize(30, prompts: 1) == 30)
    #expect(try groupSize(30, prompts: 3) == 10)
    #expect(try groupSize(30, prompts: 15) == 2)
    #expect(try groupSize(30, prompts: 30) == 6)
    #expect(try groupSize(128, prompts: 1_000) == 8)
    #expect(try groupSize(30, prompts: 4) == 6)
    #expect(try groupSize(30, prompts: 4, 15) == 15)
    // Without a baseline a group can be a single story.
    #expect(try groupSize(31, prompts: 4, algorithm: .reinforce) == 1)
    #expect(try groupSize(30, prompts: 30, algorithm: .reinforce) == 1)
    #expect(try groupSize(1, prompts: 4, algorithm: .reinforce) == 1)
    let error = #expect(throws: AlignmentError.self) { try groupSize(31, prompts: 4) }
    #expect(error?.description.contains("--samples-per-prompt") == true)
    let indivisible = #expect(throws: AlignmentError.self) { try groupSize(30, prompts: 4, 7) }
    #expect(indivisible?.description.hasPrefix("--samples-per-prompt is 7; it must divide --samples") == true)
    #expect(throws: AlignmentError.self) { try groupSize(30, prompts: 4, 1) }
  }

  @Test func `ties are counted by group`() throws {
    struct FirstLetter: Reward {
      var name: String { "first letter" }
      func rewards(for stories: [String]) -> [Float] { stories.map { $0.hasPrefix("ab") ? Float($0.count) : 1 } }
    }
    let model = try letterModel()
    let trainer = try PolicyTrainer(
      recipe: recipe { $0.klCoefficient = 0 }, model: model, reference: model.model.copy(), reward: FirstLetter())
    let step = try trainer.step(1)
    // The two prompts that do not begin with ab earn 1, whatever the story.
    #expect(step.tiedGroups >= 2)
    for start in stride(from: 0, to: 30, by: 6) where !step.prompts[start].text.hasPrefix("ab") {
      #expect(step.advantages[start..<start + 6].allSatisfy { $0 == 0 })
    }
  }

  @Test func `a storyteller tells the same stories for each prompt, alone or with others`() throws {
    let model = try letterModel()
    let teller = Storyteller(model)
    let settings = Storyteller.Settings(maxNewTokens: 6, seed: 4)
    let prompts = try model.read(PromptSet(texts: ["abc", "f", "abc"]), newTokens: 6)
    var reported = [[Int]](repeating: [], count: 12)
    let stories = teller.tell(prompts: prompts, count: 4, settings: settings) { reported[$0].append($1) }
    #expect(reported == stories.map(\.tokens) && stories.count == 12)
    let first = stories.prefix(4).map(\.tokens)
    #expect(teller.tell(prompts: [prompts[0]], count: 4, settings: settings).map(\.tokens) == first)
    #expect(try teller.tell(prompt: "abc", count: 4, settings: settings).map(\.tokens) == first)
    // Equal prompts have stories of their own.
    #expect(stories[0..<4].map(\.tokens) != stories[8..<12].map(\.tokens))
    #expect(teller.tell(prompts: prompts, count: 0, settings: settings).isEmpty)
    #expect(teller.tell(prompts: [], count: 3, settings: settings).isEmpty)
  }
}
