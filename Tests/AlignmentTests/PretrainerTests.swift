import Alignment
import Foundation
import Kernels
import TestSupport
import Testing
import Tokenizers
import Transformers

struct PretrainerTests {
  /// A few sentences again and again: a model can learn them by heart.
  static let documents = (0..<40).map { index in
    "\(sentences[index % sentences.count]) \(sentences[(index * 3 + 1) % sentences.count])"
  }

  func configuration(_ change: (inout PretrainingConfiguration) -> Void = { _ in }) -> PretrainingConfiguration {
    var configuration = PretrainingConfiguration()
    configuration.vocabularySize = 290
    configuration.hiddenSize = 32
    configuration.layers = 2
    configuration.heads = 2
    configuration.contextLength = 24
    configuration.windowSize = 8
    configuration.batchTokens = 128
    configuration.learningRate = 1e-2
    configuration.warmupSteps = 3
    configuration.passes = 8
    configuration.validationFraction = 0.1
    configuration.validateEvery = 10
    change(&configuration)
    return configuration
  }

  func trainer(_ change: (inout PretrainingConfiguration) -> Void = { _ in }) throws -> Pretrainer {
    try Pretrainer(configuration: configuration(change), documents: Self.documents, tokenizer: wordTokenizer())
  }

  @Test func `a text that repeats itself is learnt in some tens of steps`() throws {
    let trainer = try trainer()
    let start = trainer.validationBitsPerByte()
    var progress: [Pretrainer.Progress] = []
    var saved: [Double] = []
    try trainer.train(
      report: {
        progress.append($0)
        return true
      }, save: { saved.append($0.bitsPerByte) })
    let total = try #require(progress.first?.totalSteps)
    #expect((20...80).contains(total))
    #expect(progress.map(\.step) == Array(1...total))
    #expect(abs((progress.first?.loss ?? 0) - log(290)) < 0.5)
    #expect((progress.last?.loss ?? 9) < 1)
    // Every validation is an improvement here, the last step's among them.
    let validations = progress.compactMap(\.validationBitsPerByte)
    #expect(validations.count == (total + 9) / 10)
    let records = validations.enumerated().filter { $0.element < (validations[..<$0.offset].min() ?? .infinity) }
    #expect(saved == records.map(\.element))
    #expect(start > 2 && (saved.last ?? 9) < start / 2)
    #expect(progress.map(\.tokens) == progress.map(\.tokens).sorted())
    // transformers' warm-up begins at 0, and its schedule would end a step after the last.
    #expect(progress[0].learningRate == 0 && progress.map(\.learningRate).max() == 1e-2)
    let last = progress.last?.learningRate ?? 0
    let least = 0.02 * 1e-2
    #expect(last > least && last < least * 1.5)
  }

  @Test func `the same seed gives the same model, another another`() throws {
    func train(_ seed: UInt64) throws -> [Float] {
      let trainer = try trainer { $0.seed = seed }
      var steps = 0
      try trainer.train(
        report: { _ in
          steps += 1
          return steps < 4
        }, save: { _ in })
      #expect(steps == 4)
      return trainer.model.parameters.array
    }
    let one = try train(1)
    #expect(try train(1) == one)
    #expect(try train(2) != one)
  }

  @Test func `validations without progress end training`() throws {
    // A learning rate that destroys what was learnt.
    let trainer = try trainer {
      $0.learningRate = 0.9
      $0.warmupSteps = 0
      $0.maxGradientNorm = 1e9
      $0.validateEvery = 2
      $0.patience = 3
      $0.passes = 100
    }
    var validations: [Double] = []
    var saved: [Double] = []
    var last = 0
    let returned = try trainer.train(
      report: { progress in
        if let value = progress.validationBitsPerByte { validations.append(value) }
        last = progress.step
        return true
      }, save: { saved.append($0.bitsPerByte) })
    let best = try #require(validations.indices.min { validations[$0] < validations[$1] })
    #expect(validations.count == best + 4 && last == 2 * validations.count)
    #expect(returned == Pretrainer.Validation(step: 2 * (best + 1), bitsPerByte: validations[best]))
    #expect(saved.last == validations[best] && saved == saved.sorted(by: >))
  }

  @Test func `what save throws ends training`() throws {
    struct Full: Error {}
    #expect(throws: Full.self) { try trainer().train(report: { _ in true }, save: { _ in throw Full() }) }
  }

  @Test func `texts and tokenizers that do not serve are refused`() throws {
    func expectError(_ text: String, _ documents: [String], _ change: (inout PretrainingConfiguration) -> Void) {
      let error = #expect(throws: AlignmentError.self) {
        try Pretrainer(configuration: configuration(change), documents: documents, tokenizer: wordTokenizer())
      }
      #expect(error?.description.contains(text) == true, "\(error?.description ?? "nothing")")
    }
    expectError("too few", []) { _ in }
    expectError("1 document is too few", ["The cat sat."]) { _ in }
    expectError("heads", Self.documents) { $0.heads = 5 }
    let bare = try ByteLevelBPE(tokens: ["a", "b"], merges: [], specialTokenIDs: [])
    let error = #expect(throws: AlignmentError.self) {
      try Pretrainer(configuration: configuration(), documents: Self.documents, tokenizer: bare)
    }
    #expect(error?.description.contains("no end-of-text token") == true)
  }

  @Test func `added text is trained on once a pass and never held out`() throws {
    let added = ["The sun saw the dog.", "A mat ran."]
    let configuration = configuration {
      $0.passes = 1
      $0.repeats = 3
    }
    let plain = try trainer()
    let trainer = try Pretrainer(
      configuration: configuration, documents: Self.documents, addedDocuments: added, tokenizer: wordTokenizer())
    let tokenizer = try wordTokenizer()
    let addedTokens = added.reduce(0) { $0 + tokenizer.encode($1).count + 2 }
    #expect(trainer.trainingTokenCount == 3 * plain.trainingTokenCount + addedTokens)
    #expect(trainer.validationBitsPerByte() == plain.validationBitsPerByte())
  }

  @Test func `two documents are enough, and long ones are cut into pieces`() throws {
    let long = String(repeating: "The cat sat on the mat. ", count: 40)
    let trainer = try Pretrainer(
      configuration: configuration {
        $0.batchTokens = 10
        $0.passes = 1
      }, documents: [long, long], tokenizer: wordTokenizer())
    var tokens = 0
    try trainer.train(
      report: {
        tokens = $0.tokens
        return true
      }, save: { _ in })
    // Every token of the one document that is trained on is a target once; the first may go without.
    #expect([trainer.trainingTokenCount - 1, trainer.trainingTokenCount - 2].contains(tokens))
  }
}
