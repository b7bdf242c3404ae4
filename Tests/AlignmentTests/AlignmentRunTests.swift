import Alignment
import Foundation
import Kernels
import PolicyGradients
import Runs
import TestSupport
import Testing
import Tokenizers
import Transformers

struct AlignmentRunTests {
  /// The recipe of a small run whose models are in `folder`.
  func recipe(in folder: URL, _ change: (inout Recipe) -> Void = { _ in }) throws -> Recipe {
    var recipe = Recipe()
    recipe.model = folder.appending(path: "model").path
    recipe.rewardModel = folder.appending(path: "reward").path
    recipe.prompt = "abc"
    recipe.toward = "cab"
    recipe.steps = 3
    recipe.samples = 6
    recipe.learningRate = 0.01
    change(&recipe)
    return recipe
  }

  /// Runs `body` with a folder that holds a language model and a reward model.
  func withModels(_ body: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try save(
        randomModel(vocabularySize: 7, endOfTextID: 6), letterTokenizer(), to: folder.appending(path: "model"))
      try saveRewardModel(to: folder.appending(path: "reward"))
      try body(folder)
    }
  }

  /// The objects of a file of lines.
  func objects(_ file: URL) throws -> [[String: Any]] {
    try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
      try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
  }

  @Test func `a run keeps everything that the contract names`() throws {
    try withModels { folder in
      let run = try AlignmentRun(recipe: recipe(in: folder) { $0.checkpointEvery = 2 })
      let out = folder.appending(path: "runs/one")
      var reported: [StepMetrics] = []
      let outcome = try run.run(in: out, report: { metrics, _ in reported.append(metrics) }, shouldStop: { false })
      #expect(outcome == .finished)
      #expect(reported.map(\.step) == [1, 2, 3])

      let manifest = try #require(try objects(flattened(out.appending(path: "run.json"), in: folder)).first)
      #expect(manifest["status"] as? String == "finished")
      #expect(manifest["completed_steps"] as? Int == 3)
      #expect(manifest["seed"] as? Int == 1)
      #expect(manifest["reference_model"] is NSNull)
      for key in ["model", "reward_model"] {
        let sum = (manifest[key] as? [String: String])?["sha256"] ?? ""
        #expect(sum.count == 64 && sum.allSatisfy { $0.isHexDigit && !$0.isUppercase })
      }
      let settings = try #require(manifest["recipe"] as? [String: Any])
      #expect(settings["toward"] as? String == "cab" && settings["learning_rate"] as? Double == 0.01)
      #expect(settings["kl_coefficient"] as? Double == 0.1194 && settings["algorithm"] as? String == "rloo")

      let metrics = try objects(out.appending(path: "metrics.jsonl"))
      #expect(metrics.map { $0["step"] as? Int } == [1, 2, 3])
      for line in metrics {
        for key in [
          "reward_mean", "reward_std", "reward_max", "kl_forward", "kl_reverse", "loss", "entropy", "tokens", "nodes",
          "distinct_stories", "gradient_norm", "seconds",
        ] { #expect(line[key] is NSNumber, "\(key)") }
        let split = try #require(line["seconds_split"] as? [String: Double])
        #expect(Set(split.keys) == ["rollout", "reward", "reference", "backward", "optimizer"])
      }

      let samples = try objects(out.appending(path: "samples.jsonl"))
      #expect(samples.map { $0["index"] as? Int } == Array(0..<6) + Array(0..<6) + Array(0..<6))
      #expect(samples.map { $0["step"] as? Int } == [1, 2, 3].flatMap { [Int](repeating: $0, count: 6) })
      for sample in samples {
        let ids = try #require(sample["token_ids"] as? [Int])
        let text = try #require(sample["text"] as? String)
        #expect(run.model.tokenizer.decode(ids) == text && sample["prompt"] as? String == "abc")
        #expect(sample["finish_reason"] as? String == (ids.last == 6 ? "stop" : "length"))
        #expect(sample["log_probability"] is NSNumber && sample["advantage"] is NSNumber)
      }
      for (line, step) in zip(metrics, 1...3) {
        let rewards = samples.filter { $0["step"] as? Int == step }.compactMap { $0["reward"] as? Double }
        let mean = rewards.reduce(0, +) / 6
        let deviation = (rewards.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 6).squareRoot()
        #expect(abs((line["reward_mean"] as? Double ?? .nan) - mean) < 1e-6)
        #expect(abs((line["reward_std"] as? Double ?? .nan) - deviation) < 1e-6)
        #expect(abs((line["reward_max"] as? Double ?? .nan) - (rewards.max() ?? .nan)) < 1e-6)
      }
      let pairs = try RunReader(folder: out).storyPairs()
      #expect(pairs.count == 4 && pairs.allSatisfy { $0.prompt == "abc" })
      #expect(pairs.map(\.before) != pairs.map(\.after))

      #expect(RunFolder.checkpointSteps(in: out) == [2, 3])
      let last = try TextModel(named: RunFolder.checkpoint(step: 3, in: out).path)
      #expect(last.model.parameters.array == run.model.model.parameters.array)
      #expect(last.tokenizer.encode("abcdef") == [0, 1, 2, 3, 4, 5] && last.endOfTextID == 6)
      let second = try TextModel(named: RunFolder.checkpoint(step: 2, in: out).path)
      #expect(second.model.parameters.array != last.model.parameters.array)
    }
  }

  /// A copy of a JSON file on one line.
  func flattened(_ file: URL, in folder: URL) throws -> URL {
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
    let copy = folder.appending(path: "flat.json")
    try JSONSerialization.data(withJSONObject: object).write(to: copy)
    return copy
  }

  @Test func `a run that is asked to stop keeps the steps it did`() throws {
    try withModels { folder in
      let run = try AlignmentRun(recipe: recipe(in: folder) { $0.steps = 50 })
      let out = folder.appending(path: "out")
      var steps = 0
      let outcome = try run.run(in: out, report: { _, _ in steps += 1 }, shouldStop: { steps == 2 })
      #expect(outcome == .interrupted(afterStep: 2))
      let reader = try RunReader(folder: out)
      #expect(reader.manifest.status == .interrupted && reader.manifest.completedSteps == 2)
      #expect(try reader.metrics().map(\.step) == [1, 2])
      #expect(try reader.samples(steps: 1...50).count == 12)
      #expect(reader.checkpointSteps == [2])
      let checkpoint = try TextModel(named: reader.checkpointFolder(step: 2).path)
      #expect(checkpoint.model.parameters.array == run.model.model.parameters.array)
      #expect(try reader.storyPairs().count == 4)
    }
  }

  @Test func `a run that is stopped before its first step leaves nothing`() throws {
    try withModels { folder in
      let out = folder.appending(path: "out")
      let outcome = try AlignmentRun(recipe: recipe(in: folder)).run(in: out, report: { _, _ in }, shouldStop: { true })
      #expect(outcome == .interrupted(afterStep: 0))
      #expect(!FileManager.default.fileExists(atPath: out.path))
    }
  }

  /// Puts a file where checkpoints go, so that the next one cannot be written.
  func obstruct(_ out: URL) throws {
    let place = out.appending(path: "checkpoints")
    try? FileManager.default.removeItem(at: place)
    try Data().write(to: place)
  }

  @Test(arguments: [true, false]) func `a run that fails says so and why`(isLastStep: Bool) throws {
    try withModels { folder in
      let run = try AlignmentRun(
        recipe: recipe(in: folder) {
          $0.steps = isLastStep ? 1 : 50
          $0.checkpointEvery = 1
        })
      let out = folder.appending(path: "out")
      #expect(throws: (any Error).self) {
        try run.run(in: out, report: { _, _ in try? obstruct(out) }, shouldStop: { false })
      }
      let reader = try RunReader(folder: out)
      #expect(reader.manifest.status == .failed)
      #expect(reader.manifest.message?.contains("checkpoints") == true)
      #expect(reader.manifest.completedSteps == (isLastStep ? 1 : 2))
    }
  }

  @Test func `a run that diverges keeps the last finite state`() throws {
    try withModels { folder in
      let run = try AlignmentRun(
        recipe: recipe(in: folder) {
          $0.steps = 100
          // With a baseline, completions that are all alike would teach nothing, and nothing would diverge.
          $0.algorithm = .reinforce
          $0.optimizer = .sgd
          $0.learningRate = 1e6
          $0.weightDecay = 1e3
        })
      let out = folder.appending(path: "out")
      let error = #expect(throws: AlignmentError.self) {
        try run.run(in: out, report: { _, _ in }, shouldStop: { false })
      }
      guard case .diverged(let step, _) = error else {
        Issue.record("\(error.map { "\($0)" } ?? "nothing") instead of a divergence")
        return
      }
      let reader = try RunReader(folder: out)
      #expect(reader.manifest.status == .failed && reader.manifest.completedSteps == step - 1)
      #expect(reader.manifest.message?.hasPrefix("step \(step): ") == true)
      #expect(try reader.metrics().count == step - 1)
    }
  }

  @Test func `the same recipe gives the same run`() throws {
    try withModels { folder in
      let files = try ["one", "two"].map { name in
        let out = folder.appending(path: name)
        _ = try AlignmentRun(recipe: recipe(in: folder)).run(in: out, report: { _, _ in }, shouldStop: { false })
        return try Data(contentsOf: out.appending(path: "samples.jsonl"))
      }
      #expect(files[0] == files[1] && !files[0].isEmpty)
    }
  }

  @Test func `a reference of its own is loaded and recorded`() throws {
    try withModels { folder in
      let reference = folder.appending(path: "reference")
      try save(
        randomModel(vocabularySize: 7, hiddenSize: 8, endOfTextID: 6, seed: 8), letterTokenizer(), to: reference)
      let out = folder.appending(path: "out")
      let run = try AlignmentRun(recipe: recipe(in: folder) { $0.reference = reference.path })
      _ = try run.run(in: out, report: { _, _ in }, shouldStop: { false })
      let reader = try RunReader(folder: out)
      #expect(reader.manifest.reference?.name == reference.path)
      #expect(try reader.metrics()[0].klForward > 0.01)
    }
  }

  @Test func `what is missing is named before anything is written`() throws {
    try withModels { folder in
      func expectError(_ text: String, _ change: (inout Recipe) -> Void) {
        let error = #expect(throws: (any Error).self) { try AlignmentRun(recipe: recipe(in: folder, change)) }
        let line = error.map { "\($0)" } ?? "nothing"
        #expect(line.contains(text) && !line.contains("\n"), "\(line)")
      }
      expectError("nowhere") { $0.model = "nowhere" }
      expectError("nowhere") { $0.reference = "nowhere" }
      expectError("nowhere") { $0.rewardModel = folder.appending(path: "nowhere").path }
      expectError("--steps") { $0.steps = 0 }
      // A story of 46 tokens after a prompt of 3.
      expectError("context of 48") { $0.maxNewTokens = 46 }
    }
  }

  @Test func `a folder that holds something is refused and left alone`() throws {
    try withModels { folder in
      let run = try AlignmentRun(recipe: recipe(in: folder))
      let model = folder.appending(path: "model")
      let before = try FileManager.default.contentsOfDirectory(atPath: model.path).sorted()
      #expect(throws: RunError.self) { try run.run(in: model, report: { _, _ in }, shouldStop: { false }) }
      #expect(try FileManager.default.contentsOfDirectory(atPath: model.path).sorted() == before)
    }
  }
}
