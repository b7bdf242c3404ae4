import Alignment
import Foundation
import Kernels
import Runs
import TestSupport
import Testing
import Transformers

/// Runs that are stopped, in any way, and gone on with.
extension AlignmentRunTests {
  /// What must be the same of a resumed run and of one that was never stopped.
  private struct Result: Equatable {
    var metrics: [StepMetrics]
    var files: [String: Data]
    var parameters: [[Float]]

    init(_ folder: URL) throws {
      let reader = try RunReader(folder: folder)
      metrics = try reader.metrics().map { line in
        var line = line
        line.seconds = 0
        line.secondsSplit = .init()
        return line
      }
      files = [:]
      for name in [RunFolder.samples, RunFolder.followedStories, RunFolder.storyTrees] {
        files[name] = try Data(contentsOf: folder.appending(path: name))
      }
      let last = reader.checkpointFolder(step: reader.manifest.completedSteps)
      parameters = [try TextModel(named: last.path).model.parameters.array]
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.hasSuffix(".tmp") })
    }
  }

  /// Runs and recipes that each exercise another part of what is resumed.
  private static let kinds: [(name: String, change: @Sendable (inout Recipe) -> Void)] = [
    ("adamw", { $0.checkpointEvery = 2 }),
    (
      "sgd, linear",
      {
        $0.optimizer = .sgd
        $0.learningRateSchedule = .linear
      }
    ),
    ("parts", { $0.microBatch = 2 }),
    ("low rank", { $0.loraRank = 2 }),
    ("long stories", { $0.maxNewTokens = 14 }),
    (
      "two prompts",
      {
        $0.promptTexts = TextList(["abc", "bd", "fa"])
        $0.samplesPerPrompt = 2
      }
    ),
  ]

  private func recipe(_ kind: Int, in folder: URL) throws -> Recipe {
    try recipe(in: folder) {
      $0.steps = 9
      $0.maxNewTokens = 5
      Self.kinds[kind].change(&$0)
    }
  }

  private func whole(_ kind: Int, in folder: URL) throws -> Result {
    let out = folder.appending(path: "whole")
    _ = try AlignmentRun(recipe: recipe(kind, in: folder)).run(in: out, report: { _, _ in }, shouldStop: { false })
    return try Result(out)
  }

  @Test(arguments: 0..<6)
  func `a run that was interrupted goes on as if it had never stopped`(kind: Int) throws {
    try withModels { folder in
      let whole = try whole(kind, in: folder)
      for stops in [[1], [4], [8], [2, 3, 7]] {
        let out = folder.appending(path: "parts-\(stops)")
        var outcome: AlignmentRun.Outcome?
        for stop in stops + [100] {
          var done = 0
          if outcome == nil {
            outcome = try AlignmentRun(recipe: recipe(kind, in: folder)).run(
              in: out, report: { metrics, _ in done = metrics.step }, shouldStop: { done == stop })
          } else {
            done = try RunReader(folder: out).manifest.completedSteps
            var events: [RunEvent] = []
            let finished = done
            outcome = try AlignmentRun(resuming: out).resume(
              in: out, notice: { events.append($0) }, report: { metrics, _ in done = metrics.step },
              shouldStop: { done == stop })
            #expect(events == [.resumed(finished: finished, state: finished)])
          }
        }
        #expect(outcome == .finished)
        #expect(try Result(out) == whole, "\(Self.kinds[kind].name), stopped after \(stops)")
        // A run that is made longer goes on from it.
        #expect(FileManager.default.fileExists(atPath: out.appending(path: RunFolder.trainingState).path))
      }
    }
  }

  /// The run folder as it is when a process is killed: a copy of it, some of its files cut anywhere.
  private func killed(_ folder: URL, to copy: URL, random: inout some RandomNumberGenerator) throws {
    try FileManager.default.copyItem(at: folder, to: copy)
    // What is appended after a step's samples may be missing in part, the last first.
    let names = [RunFolder.samples, RunFolder.metrics, RunFolder.followedStories, RunFolder.storyTrees]
    let whole = Int.random(in: 0...names.count, using: &random)
    let lastStep = try RunReader(folder: copy).metrics().last?.step ?? 0
    for (place, name) in names.enumerated() where place >= whole {
      let file = copy.appending(path: name)
      var data = try Data(contentsOf: file)
      let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      // Only lines of the last step can be missing.
      let kept = lines.dropLast().filter { line in !line.starts(with: Data("{\"step\":\(lastStep),".utf8)) }
      let least = kept.reduce(0) { $0 + $1.count + 1 }
      data = data.prefix(place == whole ? Int.random(in: least...data.count, using: &random) : least)
      try data.write(to: file)
    }
    let left = copy.appending(path: "checkpoints/.tinyalign-0123456789abcdef.tmp")
    try FileManager.default.createDirectory(at: left, withIntermediateDirectories: true)
  }

  @Test(arguments: [0, 3, 5], [0.0, 1000])
  func `a run that was killed anywhere goes on as if it had never stopped`(kind: Int, stateInterval: Double) throws {
    try withModels { folder in
      let whole = try whole(kind, in: folder)
      var random = SystemRandomNumberGenerator()
      let out = folder.appending(path: "out")
      var copies: [URL] = []
      _ = try AlignmentRun(recipe: recipe(kind, in: folder)).run(
        in: out, stateInterval: stateInterval,
        report: { metrics, _ in
          let copy = folder.appending(path: "killed-\(metrics.step)")
          try? killed(out, to: copy, random: &random)
          copies.append(copy)
        }, shouldStop: { false })
      #expect(copies.count == 9)
      for copy in copies {
        var events: [RunEvent] = []
        let outcome = try AlignmentRun(resuming: copy).resume(
          in: copy, stateInterval: stateInterval, notice: { events.append($0) }, report: { _, _ in },
          shouldStop: { false })
        #expect(outcome == .finished)
        #expect(events.count == 1, "\(events)")
        #expect(try Result(copy) == whole, "\(copy.lastPathComponent), \(events)")
      }
    }
  }

  @Test func `a step that comes out otherwise than recorded is said, and written again`() throws {
    try withModels { folder in
      let whole = try whole(0, in: folder)
      let out = folder.appending(path: "out")
      var done = 0
      _ = try AlignmentRun(recipe: recipe(0, in: folder)).run(
        in: out, report: { metrics, _ in done = metrics.step }, shouldStop: { done == 6 })
      try FileManager.default.removeItem(at: out.appending(path: RunFolder.trainingState))
      let file = out.appending(path: RunFolder.samples)
      var text = try String(contentsOf: file, encoding: .utf8)
      let place = try #require(text.range(of: "{\"step\":4,\"index\":2,\"prompt\":\"a"))
      text.replaceSubrange(place, with: "{\"step\":4,\"index\":2,\"prompt\":\"A")
      try Data(text.utf8).write(to: file)
      var events: [RunEvent] = []
      var reported: [Int] = []
      _ = try AlignmentRun(resuming: out).resume(
        in: out, notice: { events.append($0) }, report: { metrics, _ in reported.append(metrics.step) },
        shouldStop: { false })
      #expect(events == [.resumed(finished: 6, state: 0), .differs(step: 4)])
      #expect(reported == Array(4...9))
      #expect(try Result(out) == whole)
    }
  }

  @Test func `a run that is stopped again before it came to where it was loses nothing`() throws {
    try withModels { folder in
      let whole = try whole(0, in: folder)
      let out = folder.appending(path: "out")
      var done = 0
      _ = try AlignmentRun(recipe: recipe(0, in: folder)).run(
        in: out, report: { metrics, _ in done = metrics.step }, shouldStop: { done == 7 })
      // As after a kill long after the last state.
      try FileManager.default.removeItem(at: out.appending(path: RunFolder.trainingState))
      let before = try Result(out)
      for stop in [2, 3] {
        let asked = Asked(limit: stop)
        let outcome = try AlignmentRun(resuming: out).resume(
          in: out, report: { _, _ in }, shouldStop: { asked.isOver() })
        #expect(outcome == .interrupted(afterStep: 7))
        // But what was told of the step where it stopped, which a run that is not stopped does not tell.
        let now = try Result(out)
        #expect(now.metrics == before.metrics && now.files[RunFolder.samples] == before.files[RunFolder.samples])
      }
      #expect(try AlignmentRun(resuming: out).resume(in: out, report: { _, _ in }, shouldStop: { false }) == .finished)
      #expect(try Result(out) == whole)
    }
  }

  /// Says yes when it has been asked more often than `limit`.
  private final class Asked {
    private var left: Int

    init(limit: Int) { left = limit }

    func isOver() -> Bool {
      left -= 1
      return left < 0
    }
  }

  @Test func `a file of prompts that has changed is noticed`() throws {
    try withModels { folder in
      let prompts = folder.appending(path: "prompts.txt")
      try Data("abc\nbd\n".utf8).write(to: prompts)
      let out = folder.appending(path: "out")
      var done = 0
      let recipe = try recipe(in: folder) {
        $0.steps = 4
        $0.promptFile = prompts.path
        $0.samplesPerPrompt = 3
      }
      _ = try AlignmentRun(recipe: recipe).run(
        in: out, report: { metrics, _ in done = metrics.step }, shouldStop: { done == 2 })
      try Data("abc\nbe\n".utf8).write(to: prompts)
      #expect { try AlignmentRun(resuming: out) } throws: { "\($0)".contains("prompts.txt has changed since the run") }
      try Data("abc\nbd\n".utf8).write(to: prompts)
      let outcome = try AlignmentRun(resuming: out).resume(in: out, report: { _, _ in }, shouldStop: { false })
      #expect(outcome == .finished)
    }
  }

  @Test func `what cannot be resumed says why`() throws {
    try withModels { folder in
      let out = folder.appending(path: "out")
      var done = 0
      _ = try AlignmentRun(recipe: recipe(0, in: folder)).run(
        in: out, report: { metrics, _ in done = metrics.step }, shouldStop: { done == 3 })
      #expect(throws: RunError.notARun(path: folder.path)) { try AlignmentRun(resuming: folder) }
      let state = out.appending(path: RunFolder.trainingState)
      let good = try Data(contentsOf: state)
      func message() -> String {
        do {
          _ = try AlignmentRun(resuming: out).resume(in: out, report: { _, _ in }, shouldStop: { true })
          return ""
        } catch {
          return "\(error)"
        }
      }
      for count in [0, 7, 8, 100, good.count / 2, good.count - 1] {
        try good.prefix(count).write(to: state)
        #expect(message().contains("training_state.safetensors"), "\(count) bytes: \(message())")
      }
      try Data(contentsOf: out.appending(path: "checkpoints/step-000003/model.safetensors")).write(to: state)
      #expect(message().contains("no training state"))
      try good.write(to: state)
      // Other weights under the same name.
      try save(
        randomModel(vocabularySize: 7, endOfTextID: 6, seed: 99), letterTokenizer(),
        to: folder.appending(path: "model"))
      #expect(message().contains("has other weights than when the run"))
    }
    try withModels { folder in
      let out = folder.appending(path: "out")
      _ = try AlignmentRun(recipe: recipe(0, in: folder)).run(in: out, report: { _, _ in }, shouldStop: { false })
      #expect { try AlignmentRun(resuming: out) } throws: { "\($0)".contains("is finished") }
    }
  }
}
