import Alignment
import Foundation
import Kernels
import PolicyGradients
import Rewards
import TestSupport
import Testing
import Tokenizers
import Transformers

struct PolicyTrainerTests {
  /// Plain gradient descent, so that an update is the gradient.
  func recipe(_ change: (inout Recipe) -> Void = { _ in }) -> Recipe {
    var recipe = Recipe()
    recipe.prompt = "abca"
    recipe.steps = 5
    recipe.samples = 24
    recipe.maxNewTokens = 5
    recipe.optimizer = .sgd
    recipe.learningRate = 0.5
    recipe.lengthNormalizer = 7
    change(&recipe)
    return recipe
  }

  func trainer(_ recipe: Recipe, reference: (any LanguageModel)? = nil) throws -> PolicyTrainer {
    let model = try letterModel()
    return try PolicyTrainer(
      recipe: recipe, model: model, reference: reference ?? model.model.copy(), reward: LetterReward())
  }

  /// What `steps` updates add to the parameters.
  func update(_ trainer: PolicyTrainer, steps: Int) throws -> [Float] {
    let before = trainer.policy.parameters.array
    for step in 1...steps { _ = try trainer.step(step) }
    return zip(trainer.policy.parameters.array, before).map { $0 - $1 }
  }

  @Test func `parts of any size give the same update`() throws {
    func update(_ microBatch: Int?) throws -> [Float] {
      try self.update(trainer(recipe { $0.microBatch = microBatch }), steps: 2)
    }
    let whole = try update(nil)
    for size in [1, 3, 7, 23, 24, 100] {
      let comparison = Comparison(try update(size), whole)
      #expect(comparison.matches(relative: 1e-5), "parts of \(size): \(comparison)")
    }
  }

  @Test func `parts do not change what is reported`() throws {
    let whole = try trainer(recipe()).step(1)
    let parts = try trainer(recipe { $0.microBatch = 7 }).step(1)
    #expect(parts.texts == whole.texts && parts.rewards == whole.rewards && parts.advantages == whole.advantages)
    #expect(abs(parts.loss - whole.loss) < 1e-6)
    #expect(abs(parts.entropy - whole.entropy) < 1e-5)
    #expect(abs(parts.gradientNorm - whole.gradientNorm) < 1e-5 * whole.gradientNorm)
  }

  /// Two settings of a test of gradients.
  struct Setting: Sendable, CustomStringConvertible {
    var algorithm: Algorithm
    var direction: KLDirection
    var description: String { "\(algorithm), \(direction)" }

    static let all = Algorithm.allCases.flatMap { algorithm in
      KLDirection.allCases.map { Setting(algorithm: algorithm, direction: $0) }
    }
  }

  @Test(arguments: Setting.all, [nil, 5] as [Int?])
  func `a step's gradient is that of its stories one by one`(setting: Setting, microBatch: Int?) throws {
    // A reference of another size, far from the policy: its KL counts.
    let reference = try randomModel(vocabularySize: 7, hiddenSize: 10, endOfTextID: 6, seed: 9)
    let recipe = recipe {
      $0.algorithm = setting.algorithm
      $0.klDirection = setting.direction
      $0.klReduction = .vocabularyMean
      $0.klCoefficient = 3.5
      $0.microBatch = microBatch
    }
    let trainer = try trainer(recipe, reference: reference)
    let frozen = reference.parameters.array
    let start = trainer.policy.copy()
    let step = try trainer.step(1)
    let tokens = step.stories.map(\.tokens)
    #expect(Set(tokens).count > 10 && tokens.contains { $0.count < 5 })
    #expect(step.advantages == setting.algorithm.advantages(rewards: step.rewards))
    let expected = NaiveGradient(
      start, reference: reference, prompt: [0, 1, 2, 0], stories: tokens, advantages: step.advantages,
      lengthNormalizer: 7, klWeight: 0.5, direction: setting.direction)
    let gradient = zip(start.parameters.array, trainer.policy.parameters.array).map { ($0 - $1) / 0.5 }
    let comparison = Comparison(gradient, expected.gradient)
    #expect(comparison.matches(relative: 2e-5), "\(comparison)")
    #expect(abs(step.loss - expected.loss) < 1e-5)
    #expect(abs(step.klForward - expected.klForward) < 1e-5 * expected.klForward)
    #expect(abs(step.klReverse - expected.klReverse) < 1e-5 * expected.klReverse)
    #expect(abs(step.entropy - expected.entropy) < 1e-5 * expected.entropy)
    let norm = expected.gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    #expect(abs(step.gradientNorm - norm) < 1e-5 * norm)
    #expect(reference.parameters.array == frozen)
  }

  @Test func `the gradient without a length normaliser divides by prompt and story`() throws {
    let ten = try update(trainer(recipe { $0.lengthNormalizer = 9 }), steps: 1)
    #expect(try update(trainer(recipe { $0.lengthNormalizer = nil }), steps: 1) == ten)
  }

  @Test func `texts and rewards belong to the stories`() throws {
    let model = try letterModel()
    let step = try trainer(recipe()).step(1)
    #expect(step.stories.count == 24 && step.texts.count == 24 && step.rewards.count == 24)
    #expect(step.texts == step.stories.map { model.tokenizer.decode($0.tokens) })
    #expect(!step.texts.contains { $0.contains("endoftext") })
    #expect(step.rewards == LetterReward().rewards(for: step.texts.map { "abca" + $0 }))
    #expect(step.tokens == step.stories.reduce(0) { $0 + $1.tokens.count })
    #expect(step.nodes >= 4 && step.nodes <= 4 + 24 * 4)
  }

  @Test func `there is no divergence from the start itself, and some after an update`() throws {
    let trainer = try trainer(recipe())
    let first = try trainer.step(1)
    // The reference computes its tree at once, the policy level by level: they differ by rounding.
    #expect(abs(first.klForward) < 1e-7 && abs(first.klReverse) < 1e-7)
    #expect(first.entropy > 0.1)
    let second = try trainer.step(2)
    #expect(second.klForward > 1e-4 && second.klReverse > 1e-4)
    #expect(second.texts != first.texts)
  }

  @Test func `the same recipe gives the same parameters, another seed others`() throws {
    let one = try update(trainer(recipe()), steps: 2)
    #expect(try update(trainer(recipe()), steps: 2) == one)
    #expect(try update(trainer(recipe { $0.seed = 2 }), steps: 2) != one)
  }

  @Test func `training raises the reward`() throws {
    let trainer = try trainer(
      recipe {
        $0.optimizer = .adamw
        $0.learningRate = 0.01
        $0.samples = 64
        $0.steps = 30
        $0.klCoefficient = 0
      })
    var means: [Float] = []
    for step in 1...30 {
      let rewards = try trainer.step(step).rewards
      means.append(rewards.reduce(0, +) / Float(rewards.count))
    }
    let first = means.prefix(3).reduce(0, +) / 3
    let last = means.suffix(3).reduce(0, +) / 3
    #expect(last > first + 0.4, "from \(first) to \(last)")
  }

  @Test func `clipping and the schedule scale the update`() throws {
    let plain = try update(trainer(recipe()), steps: 1)
    let norm = plain.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    let clipped = try update(trainer(recipe { $0.maxGradientNorm = 0.01 }), steps: 1)
    #expect(norm > 0.01)
    #expect(Comparison(clipped, plain.map { Float(Double($0) * 0.005 / norm) }).matches(relative: 1e-3))
    let warm = try trainer(recipe { $0.warmupSteps = 3 })
    #expect(try warm.step(1).learningRate == 0)
    #expect(try abs(warm.step(2).learningRate - 0.5 / 3) < 1e-12)
  }

  @Test(arguments: [Float.nan, .infinity]) func `a reward that is no number is refused`(value: Float) throws {
    let model = try letterModel()
    let reward = BrokenReward(value: value)
    let trainer = try PolicyTrainer(
      recipe: recipe(), model: model, reference: model.model.copy(), reward: reward)
    let before = trainer.policy.parameters.array
    let error = #expect(throws: AlignmentError.self) { try trainer.step(4) }
    #expect(error?.description.hasPrefix("step 4: the reward of story 2 is not finite: ") == true)
    #expect(error?.isUsageError == false)
    #expect(trainer.policy.parameters.array == before)
  }

  @Test func `a gradient that is no number is refused`() throws {
    let trainer = try trainer(recipe())
    trainer.policy.parameters.elements[3] = .nan
    let error = #expect(throws: AlignmentError.self) { try trainer.step(1) }
    #expect(error?.description.hasPrefix("step 1: ") == true)
    #expect(trainer.policy.parameters.array.count { !$0.isFinite } == 1)
    #expect(trainer.updateCount == 0)
  }

  @Test func `models, prompts and recipes that do not fit are refused`() throws {
    func expectError(_ text: String, _ recipe: Recipe, reference: (any LanguageModel)? = nil) {
      let error = #expect(throws: AlignmentError.self) { try trainer(recipe, reference: reference) }
      #expect(error?.description.contains(text) == true, "\(error?.description ?? "nothing")")
    }
    expectError("--prompt is empty", recipe { $0.prompt = "" })
    // No letter of it is in the vocabulary.
    expectError("--prompt is empty", recipe { $0.prompt = "xyz" })
    expectError("too short for a prompt of 44 and 5", recipe { $0.prompt = String(repeating: "a", count: 44) })
    expectError(
      "vocabulary of 8 tokens, the model one of 7", recipe(), reference: try randomModel(vocabularySize: 8))
    expectError(
      "--reference has a context of 8", recipe(), reference: try randomModel(vocabularySize: 7, contextLength: 8))
    expectError("--samples", recipe { $0.samples = 1 })
    _ = try trainer(recipe { $0.prompt = String(repeating: "a", count: 43) }).step(1)
    _ = try trainer(recipe(), reference: randomModel(vocabularySize: 7, contextLength: 9)).step(1)
  }

  @Test func `any number of threads gives the same update`() throws {
    let tokenizer = try wordTokenizer()
    func update(threads: Int) throws -> [Float] {
      let model = try textModel(
        randomModel(vocabularySize: tokenizer.vocabularySize, endOfTextID: 0), tokenizer)
      let trainer = try PolicyTrainer(
        recipe: recipe {
          $0.prompt = "The cat"
          $0.samples = 128
        }, model: model, reference: model.model.copy(), reward: LetterReward())
      let before = Threads.count
      defer { Threads.count = before }
      Threads.count = threads
      return try self.update(trainer, steps: 2)
    }
    let single = try update(threads: 1)
    for threads in [2, 3, 5] {
      let several = try update(threads: threads)
      #if canImport(Accelerate)
        let comparison = Comparison(several, single)
        #expect(comparison.matches(relative: 1e-5), "\(threads) threads: \(comparison)")
      #else
        // Our own products add each element's terms in the same order, wherever a thread's part begins.
        #expect(several == single, "\(threads) threads")
      #endif
    }
  }

  @Test(arguments: [Recipe.OptimizerName.adamw, .sgd])
  func `a step whose advantages are all 0 changes nothing`(optimizer: Recipe.OptimizerName) throws {
    struct Equal: Reward {
      let name = "equal"
      func rewards(for stories: [String]) -> [Float] { stories.map { _ in 0.25 } }
    }
    let model = try letterModel()
    let recipe = recipe {
      $0.optimizer = optimizer
      $0.weightDecay = 0.5
      $0.klCoefficient = 10
    }
    let trainer = try PolicyTrainer(recipe: recipe, model: model, reference: model.model.copy(), reward: Equal())
    let before = trainer.policy.parameters.array
    for number in 1...3 {
      let step = try trainer.step(number)
      #expect(!step.isUpdate && step.learningRate == 0 && step.tiedGroups == 1)
      #expect(step.entropy > 0.1 && step.gradientNorm < 1e-3)
    }
    #expect(trainer.policy.parameters.array == before && trainer.updateCount == 0)
  }
}
