import Alignment
import Foundation
import JSON
import Kernels
import Runs
import TestSupport
import Testing
import Transformers

/// Runs that are made longer, and runs that go on by the rules of version 0.1.0.
extension AlignmentRunTests {
  /// What must be the same of two runs: the numbers, the samples and the last model.
  private struct Content: Equatable {
    var metrics: [StepMetrics]
    var files: [Data]
    var parameters: [Float]
    var final: RunManifest.FinalModel?

    init(_ folder: URL) throws {
      let reader = try RunReader(folder: folder)
      metrics = try reader.metrics().map { line in
        var line = line
        line.seconds = 0
        line.secondsSplit = .init()
        return line
      }
      files = try [RunFolder.samples, RunFolder.followedStories, RunFolder.storyTrees].map {
        try Data(contentsOf: folder.appending(path: $0))
      }
      parameters = try TextModel(named: reader.checkpointFolder(step: metrics.count).path).model.parameters.array
      final = reader.manifest.finalModel
    }
  }

  /// A run of `steps` steps in `folder`/`name` that is stopped after `stop`.
  private func start(
    _ name: String, in folder: URL, steps: Int, stop: Int = .max, history: TrainingHistory = TrainingHistory(),
    _ change: (inout Recipe) -> Void = { _ in }
  ) throws -> URL {
    let out = folder.appending(path: name)
    var done = 0
    let recipe = try recipe(in: folder) {
      $0.steps = steps
      $0.checkpointEvery = 1
      change(&$0)
    }
    _ = try AlignmentRun(recipe: recipe, history: history).run(
      in: out, stateInterval: 1_000, report: { metrics, _ in done = metrics.step }, shouldStop: { done == stop })
    return out
  }

  private func goOn(_ out: URL, steps: Int? = nil, stop: Int = .max) throws -> [RunEvent] {
    var done = 0
    var events: [RunEvent] = []
    _ = try AlignmentRun(resuming: out, steps: steps).resume(
      in: out, stateInterval: 1_000, notice: { events.append($0) }, report: { metrics, _ in done = metrics.step },
      shouldStop: { done == stop })
    return events
  }

  @Test(arguments: [0, 2], [true, false])
  func `a finished run that is made longer is the run that was longer from the start`(warmup: Int, hasState: Bool)
    throws
  {
    try withModels { folder in
      let change = { (recipe: inout Recipe) in recipe.warmupSteps = warmup }
      let whole = try start("whole", in: folder, steps: 9, change)
      let out = try start("out", in: folder, steps: 5, change)
      if !hasState { try FileManager.default.removeItem(at: out.appending(path: RunFolder.trainingState)) }
      #expect(try goOn(out, steps: 9) == [.resumed(finished: 5, state: hasState ? 5 : 0)])
      #expect(try Content(out) == Content(whole))
      let manifest = try RunReader(folder: out).manifest
      #expect(manifest.status == .finished && manifest.recipe["steps"] == 9)
      #expect(manifest.earlierPlans == [.init(afterStep: 5, steps: 5)])
      // Also a second time, and after an interruption.
      #expect(try goOn(out, steps: 12, stop: 10) == [.resumed(finished: 9, state: 9)])
      _ = try goOn(out)
      #expect(try Content(out) == Content(start("twelve", in: folder, steps: 12, change)))
    }
  }

  @Test func `a schedule is stretched for the steps to come, and those before keep theirs`() throws {
    try withModels { folder in
      let change = { (recipe: inout Recipe) in
        recipe.learningRateSchedule = .linear
        recipe.learningRate = 0.1
      }
      let out = try start("out", in: folder, steps: 4, change)
      _ = try goOn(out, steps: 8)
      let rates = try RunReader(folder: out).metrics().map(\.learningRate)
      let expected = [1, 0.75, 0.5, 0.25, 0.5, 0.375, 0.25, 0.125].map { $0 * 0.1 }
      #expect(Comparison(rates, expected).matches(absolute: 1e-12), "\(rates)")
      for step in 1...8 { #expect(try RunVerification(of: out, step: step).verdict == .exact, "step \(step)") }
      // Whatever is done once more comes out the same.
      let other = try start("other", in: folder, steps: 4, change)
      _ = try goOn(other, steps: 8, stop: 6)
      try FileManager.default.removeItem(at: other.appending(path: RunFolder.trainingState))
      #expect(try goOn(other) == [.resumed(finished: 6, state: 0)])
      #expect(try Content(other) == Content(out))
      // An interrupted run can be made longer, too, or shorter.
      let short = try start("short", in: folder, steps: 8, stop: 3, change)
      _ = try goOn(short, steps: 5)
      let shortRates = try RunReader(folder: short).metrics().map { $0.learningRate * 10 }
      #expect(Comparison(shortRates, [1, 0.875, 0.75, 0.4, 0.2]).matches(absolute: 1e-12), "\(shortRates)")
    }
  }

  @Test func `a number of steps that is done already is refused, and a finished run says how it is made longer`() throws
  {
    try withModels { folder in
      let out = try start("out", in: folder, steps: 3)
      for steps in [1, 3] {
        #expect { try AlignmentRun(resuming: out, steps: steps) } throws: {
          "\($0)".hasPrefix("--steps is \(steps), and the run in ") && "\($0)".hasSuffix("has done 3; give more")
        }
      }
      #expect { try AlignmentRun(resuming: out) } throws: { "\($0)".contains("is finished; to make it longer") }
      #expect(try RunReader(folder: out).manifest.status == .finished)
    }
  }

  /// Takes away what version 0.1.0 did not write.
  private func makeOld(_ out: URL) throws {
    let file = out.appending(path: RunFolder.manifest)
    var object = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    for key in ["training_rules", "earlier_plans", "final_model"] {
      #expect(object.removeValue(forKey: key) != nil, "\(key)")
    }
    try JSONSerialization.data(withJSONObject: object).write(to: file)
    let lines = out.appending(path: RunFolder.metrics)
    let text = try String(contentsOf: lines, encoding: .utf8)
    let shortened = text.replacing(/,"tied_groups":\d+,"truncated_texts":\d+/, with: "")
    #expect(shortened != text)
    try Data(shortened.utf8).write(to: lines)
  }

  @Test(arguments: LearningRateSchedule.Shape.allCases)
  func `a run of version 0.1.0 keeps its schedule`(shape: LearningRateSchedule.Shape) throws {
    try withModels { folder in
      var history = TrainingHistory()
      history.rules = .first
      let change = { (recipe: inout Recipe) in
        recipe.learningRateSchedule = shape
        recipe.warmupSteps = 2
      }
      let whole = try start("whole", in: folder, steps: 6, history: history, change)
      let out = try start("out", in: folder, steps: 6, stop: 4, history: history, change)
      try makeOld(out)
      // From the beginning, so that every step is compared.
      try FileManager.default.removeItem(at: out.appending(path: RunFolder.trainingState))
      #expect(try goOn(out) == [.resumed(finished: 4, state: 0)])
      let rates = try RunReader(folder: out).metrics().map { $0.learningRate / 0.01 }
      let expected: [Double] =
        switch shape {
        case .constant: [1 / 3.0, 2 / 3.0, 1, 1, 1, 1]
        case .linear: [1 / 3.0, 2 / 3.0, 1, 2 / 3.0, 1 / 3.0, 0]
        case .cosine: [1 / 3.0, 2 / 3.0, 1, 0.75, 0.25, 0]
        }
      #expect(Comparison(rates, expected).matches(absolute: 1e-12), "\(rates)")
      #expect(try Content(out).parameters == Content(whole).parameters)
      #expect(try Content(out).files == Content(whole).files)
      try makeOld(whole)
      for step in 1...6 { #expect(try RunVerification(of: whole, step: step).verdict == .exact, "step \(step)") }
    }
  }

  @Test func `rules of a newer version are refused`() throws {
    try withModels { folder in
      let out = try start("out", in: folder, steps: 2, stop: 1)
      let file = out.appending(path: RunFolder.manifest)
      let text = try String(contentsOf: file, encoding: .utf8)
      try Data(text.replacing(/"training_rules": ?2/, with: "\"training_rules\": 3").utf8).write(to: file)
      #expect { try AlignmentRun(resuming: out) } throws: { "\($0)".contains("update the program") }
    }
  }

  @Test func `a larger model takes a smaller learning rate, unless one is chosen`() throws {
    try withModels { folder in
      let large = folder.appending(path: "large")
      try save(
        randomModel(vocabularySize: 7, hiddenSize: 640, endOfTextID: 6), letterTokenizer(), to: large)
      func learningRate(_ recipe: String, _ model: URL, _ rate: Double? = nil, rank: Int? = nil) throws -> Double {
        var layers = try RecipeLayers(recipe)
        layers.set(.model, model.path)
        layers.set(.rewardModel, folder.appending(path: "reward").path)
        layers.set(prompts: ["abc"])
        layers.set(.toward, "cab")
        layers.set(.samples, 4)
        layers.set(.learningRate, rate)
        layers.set(.loraRank, rank)
        let run = try AlignmentRun(recipe: layers.resolved())
        #expect(
          run.notes.contains { $0.hasPrefix("Learning rate ") }
            == (run.recipe.learningRate < 4e-4 && rate == nil && recipe == "default"))
        return run.recipe.learningRate
      }
      let small = folder.appending(path: "model")
      let count = try Double(TextModel(named: large.path).model.parameterCount)
      #expect(count > 9e6)
      #expect(try learningRate("default", small) == 4e-4)
      let fitted = try learningRate("default", large)
      #expect(abs(fitted - 4e-4 * pow(2_269_056 / count, 0.75)) < 0.03 * fitted)
      #expect(try learningRate("default", large, 4.0e-4) == 4e-4)
      #expect(try learningRate("tinycatstories", large) == 3e-5)
      // An adapter of few parameters.
      #expect(try learningRate("default", large, rank: 2) == 4e-4)
    }
  }
}
