import Alignment
import Checkpoints
import Foundation
import TestSupport
import Testing
import Transformers

struct PretrainingConfigurationTests {
  func configuration(_ yaml: String) throws -> PretrainingConfiguration {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "pretraining.yaml")
      try Data(yaml.utf8).write(to: file)
      return try PretrainingConfiguration(file: file)
    }
  }

  func expectError(_ parts: [String], _ yaml: String) {
    let error = #expect(throws: AlignmentError.self) { try configuration(yaml) }
    for part in parts { #expect(error?.description.contains(part) == true, "\(error?.description ?? "nothing")") }
    #expect(error?.description.contains("\n") == false)
    #expect(error?.isUsageError == true)
  }

  @Test func `every setting can be set`() throws {
    var expected = PretrainingConfiguration()
    expected.tokenizer = "t"
    expected.vocabularySize = 300
    expected.hiddenSize = 60
    expected.layers = 3
    expected.heads = 4
    expected.contextLength = 128
    expected.windowSize = 32
    expected.passes = 1.5
    expected.repeats = 3
    expected.batchTokens = 512
    expected.learningRate = 0.25
    expected.learningRateSchedule = .linear
    expected.warmupSteps = 7
    expected.finalLearningRateFraction = 0.5
    expected.weightDecay = 0.75
    expected.beta2 = 0.875
    expected.maxGradientNorm = 2
    expected.validationFraction = 0.125
    expected.validateEvery = 11
    expected.patience = 6
    expected.elementType = .bfloat16
    expected.seed = .max
    let yaml = """
      tokenizer: t
      vocabulary_size: 300
      hidden_size: 60
      layers: 3
      heads: 4
      context_length: 128
      window_size: 32
      passes: 1.5
      repeats: 3
      batch_tokens: 512
      learning_rate: 0.25
      learning_rate_schedule: linear
      warmup_steps: 7
      final_learning_rate_fraction: 0.5
      weight_decay: 0.75
      beta2: 0.875
      max_gradient_norm: 2
      validation_fraction: 0.125
      validate_every: 11
      patience: 6
      element_type: BF16
      seed: 18446744073709551615
      """
    #expect(try configuration(yaml) == expected)
    // What is left out keeps its default.
    #expect(try configuration("seed: 1") == PretrainingConfiguration())
    for line in yaml.split(separator: "\n") {
      #expect(try configuration(String(line)) != PretrainingConfiguration(), "\(line)")
    }
  }

  @Test func `unknown keys are named with their line and the nearest known one`() {
    expectError(["pretraining.yaml", "line 2", "'hidden'", "known keys: tokenizer"], "layers: 2\nhidden: 3\n")
    expectError(["line 1", "did you mean 'hidden_size'?"], "hidden-size: 3\n")
    expectError(["layers"], "layers: 2\nlayers: 3\n")
  }

  @Test(arguments: [
    "vocabulary_size: 257", "hidden_size: 0", "layers: 0", "layers: 257", "heads: 0", "heads: 7", "heads: -6",
    "context_length: 1", "window_size: 0", "passes: 0", "passes: .nan", "batch_tokens: 0", "repeats: 0",
    "repeats: 1001", "learning_rate: 0",
    "learning_rate: 1", "learning_rate: .nan", "warmup_steps: -1", "final_learning_rate_fraction: 1.5",
    "weight_decay: -1", "weight_decay: .inf", "beta2: 0", "beta2: 1", "max_gradient_norm: 0",
    "max_gradient_norm: .nan", "validation_fraction: 0", "validation_fraction: 1", "validate_every: 0", "patience: 0",
    "element_type: F64", "learning_rate_schedule: steps", "layers: two", "seed: -1", "layers: 2.5",
  ])
  func `bad values name their key`(line: String) {
    expectError([String(line.prefix { $0 != ":" })], line)
  }

  @Test func `files that are no configuration are refused`() {
    expectError(["empty"], "")
    expectError(["keys and values"], "- 1\n")
    let error = #expect(throws: AlignmentError.self) {
      try PretrainingConfiguration(file: URL(filePath: "/no/such/file.yaml"))
    }
    #expect(error?.description == "/no/such/file.yaml: cannot be read: No such file or directory")
  }
}
