import Alignment
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

/// Whatever memory a trainer is given, it learns the same.
extension PolicyTrainerTests {
  /// Stories that could have 1,999 tokens, so that each asks for megabytes, but end after a few.
  private func longRecipe(_ memory: MemorySize?) -> Recipe {
    recipe {
      $0.maxNewTokens = 1_999
      $0.lengthNormalizer = 20
      $0.klCoefficient = 0.5
      $0.learningRate = 0.2
      $0.memory = memory
    }
  }

  private func longTrainer(_ memory: MemorySize?) throws -> PolicyTrainer {
    let model = try letterModel(contextLength: 2_003)
    return try PolicyTrainer(
      recipe: longRecipe(memory), model: model,
      reference: randomModel(vocabularySize: 7, contextLength: 2_003, seed: 2),
      reward: LetterReward())
  }

  /// What a single story at a time needs, in MiB, as the refusal of too small a budget names it.
  private func leastMemory() throws -> Int {
    let error = #expect(throws: AlignmentError.self) { try longTrainer(MemorySize("1MB")) }
    let message = error?.description ?? ""
    #expect(message.hasPrefix("--memory is 1MB, too little for this model: a single story at a time needs "))
    return try #require(Int(message.split(separator: " ").dropLast().last ?? ""), "\(message)")
  }

  /// A trainer with so much memory beyond the least; the process may grow meanwhile, beside other tests.
  private func longTrainer(beyondLeast mebibytes: Int) throws -> PolicyTrainer {
    for _ in 0..<20 {
      let memory = try MemorySize("\(leastMemory() + 1 + mebibytes) MiB")
      if let trainer = try? longTrainer(memory) { return trainer }
    }
    return try longTrainer(MemorySize("\(leastMemory() + 1 + mebibytes) MiB"))
  }

  @Test func `any budget of memory gives the same update`() throws {
    let plain = try longTrainer(nil)
    let start = plain.policy.parameters.array
    let steps = try (1...3).map { try plain.step($0) }
    let expected = zip(plain.policy.parameters.array, start).map { $0 - $1 }
    // From one story at a time to all at once; then with room for caches.
    var partsSeen = 0
    for mebibytes in [0, 4, 16, 40, 400] {
      let trainer = try longTrainer(beyondLeast: mebibytes)
      for (index, expected) in steps.enumerated() {
        let step = try trainer.step(index + 1)
        #expect(step.stories.map(\.tokens) == expected.stories.map(\.tokens))
        #expect(abs(step.klForward - expected.klForward) < 1e-5 * abs(expected.klForward) + 1e-7)
        #expect(abs(step.loss - expected.loss) < 1e-5)
        // Parts share no nodes with each other.
        #expect(step.nodes >= expected.nodes)
        partsSeen += step.nodes > expected.nodes ? 1 : 0
        if mebibytes == 0 { #expect(step.nodes > expected.nodes) }
        if mebibytes >= 400 { #expect(step.nodes == expected.nodes) }
      }
      let update = zip(trainer.policy.parameters.array, start).map { $0 - $1 }
      let comparison = Comparison(update, expected)
      #expect(comparison.matches(relative: 2e-5), "\(mebibytes) MiB beyond the least: \(comparison)")
    }
    #expect(partsSeen >= 6, "budgets that force parts")
  }

  @Test func `too little memory is refused before anything is computed`() throws {
    let least = try leastMemory()
    #expect(least >= 1)
    let error = #expect(throws: AlignmentError.self) { try longTrainer(MemorySize("1KB")) }
    #expect(error?.isUsageError == true)
  }
}
