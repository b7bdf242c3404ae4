import Alignment
import Foundation
import Kernels
import PolicyGradients
import Runs
import TestSupport
import Testing
import Transformers

/// Counts calls from 0.
private final class Counter {
  private var count = -1

  func next() -> Int {
    count += 1
    return count
  }
}

/// What a run keeps, skips, and can be held to.
extension AlignmentRunTests {
  private func diverging(in folder: URL, steps: Int = 12) throws -> Recipe {
    try recipe(in: folder) {
      $0.steps = steps
      $0.optimizer = .sgd
      // Its advantages are not 0 where all completions are the same.
      $0.algorithm = .reinforce
      // Each update makes all parameters a thousand times larger, until products of them are infinite.
      $0.learningRate = 1e3
      $0.weightDecay = 1
      $0.nonFinite = .skip
    }
  }

  /// What is left of a run some of whose steps are skipped.
  private struct Skipping: Equatable {
    var skipped: [SkippedStep]
    var done: [Int]
    var samples: Data
    var parameters: [Float]

    init(_ folder: URL) throws {
      let reader = try RunReader(folder: folder)
      skipped = try reader.skippedSteps()
      done = try reader.metrics().map(\.step)
      samples = try Data(contentsOf: folder.appending(path: RunFolder.samples))
      parameters = try TextModel(named: reader.checkpointFolder(step: reader.manifest.completedSteps).path).model
        .parameters.array
    }
  }

  /// The same run, stopped after a step and gone on with.
  private func resumed(after stop: Int, of steps: Int, hasState: Bool, in folder: URL) throws -> Skipping {
    let out = folder.appending(path: "parts-\(stop)-\(hasState)")
    let asked = Counter()
    _ = try AlignmentRun(recipe: diverging(in: folder, steps: steps)).run(
      in: out, report: { _, _ in }, shouldStop: { asked.next() == stop })
    let completed = try RunReader(folder: out).manifest.completedSteps
    #expect(completed == stop)
    if !hasState { try FileManager.default.removeItem(at: out.appending(path: RunFolder.trainingState)) }
    _ = try AlignmentRun(resuming: out).resume(in: out, report: { _, _ in }, shouldStop: { false })
    return try Skipping(out)
  }

  /// A run that diverges for good stops after five steps that cannot be applied, and says so from the first on.
  private func checkStop(in folder: URL) throws -> Int {
    let out = folder.appending(path: "stopped")
    var events: [RunEvent] = []
    let error = #expect(throws: AlignmentError.self) {
      try AlignmentRun(recipe: diverging(in: folder)).run(
        in: out, notice: { events.append($0) }, report: { _, _ in }, shouldStop: { false })
    }
    #expect(error?.description.contains("5 steps in a row could not be applied, the last since") == true)
    let reader = try RunReader(folder: out)
    let skipped = try reader.skippedSteps()
    let first = try #require(skipped.first?.step)
    #expect(skipped.map(\.step) == Array(first..<first + 5))
    #expect(events == skipped.map { .skipped($0) })
    #expect(reader.manifest.status == .failed && reader.manifest.completedSteps == first + 4)
    // Gone on with, it stops again at once.
    #expect(throws: AlignmentError.self) {
      try AlignmentRun(resuming: out).resume(in: out, report: { _, _ in }, shouldStop: { false })
    }
    #expect(try RunReader(folder: out).manifest.completedSteps == first + 5)
    return first
  }

  private func checkSkipping(in folder: URL) throws {
    let first = try checkStop(in: folder)
    let steps = first + 2
    let out = folder.appending(path: "whole")
    let outcome = try AlignmentRun(recipe: diverging(in: folder, steps: steps)).run(
      in: out, report: { _, _ in }, shouldStop: { false })
    #expect(outcome == .finished)
    let whole = try Skipping(out)
    let reasons = whole.skipped.map(\.reason)
    #expect(whole.skipped.map(\.step) == Array(first...steps) && whole.done == Array(1..<first))
    for reason in reasons { #expect(reason.contains("is not finite")) }
    #expect(reasons.joined().contains("seen first in story"))
    let manifest = try RunReader(folder: out).manifest
    #expect(manifest.completedSteps == steps && manifest.status == .finished && manifest.finalModel == nil)
    let infinite = whole.parameters.filter { !$0.isFinite }
    #expect(infinite.isEmpty)
    for stop in [1, first, first + 1] {
      for hasState in [true, false] {
        let other = try resumed(after: stop, of: steps, hasState: hasState, in: folder)
        #expect(other == whole, "stopped after \(stop), \(hasState ? "with" : "without") its state")
      }
    }
  }

  @Test func `steps that are not finite are skipped where the recipe says so, and a resumed run skips them, too`()
    throws
  {
    try withModels { try checkSkipping(in: $0) }
  }

  /// The checkpoints that a run of eleven steps leaves, and its folder.
  private func checkpoints(
    _ name: String, in folder: URL, _ change: (inout Recipe) -> Void = { _ in }
  ) throws -> (steps: [Int], reader: RunReader) {
    let out = folder.appending(path: name)
    let recipe = try recipe(in: folder) {
      $0.steps = 11
      $0.checkpointEvery = 2
      change(&$0)
    }
    _ = try AlignmentRun(recipe: recipe).run(in: out, report: { _, _ in }, shouldStop: { false })
    return (RunFolder.checkpointSteps(in: out), try RunReader(folder: out))
  }

  @Test func `the newest checkpoints are kept, and the best below a KL`() throws {
    try withModels { folder in
      let all = try checkpoints("all", in: folder)
      #expect(all.steps == [2, 4, 6, 8, 10, 11])
      let two = try checkpoints("two", in: folder) { $0.keep = 2 }
      #expect(two.steps == [10, 11])
      // A checkpoint's own numbers are those of the next step, which comes before that step's update.
      let metrics = try all.reader.metrics()
      let final = try #require(all.reader.manifest.finalModel)
      let longer = try checkpoints("longer", in: folder) { $0.steps = 12 }.reader.metrics()
      #expect(final.step == 11 && final.rewardMean == longer[11].rewardMean && final.klForward == longer[11].klForward)
      #expect(final.klReverse == longer[11].klReverse && final.entropy == longer[11].entropy)
      #expect(Array(longer.prefix(11)).map(\.klForward) == metrics.map(\.klForward))
      let own = [2, 4, 6, 8, 10, 11].map { (step: $0, kl: longer[$0].klForward, reward: longer[$0].rewardMean) }
      for limit in own.map({ $0.kl * 1.0001 }) {
        let best = own.filter { $0.kl < limit }.max { $0.reward < $1.reward }?.step
        let kept = try checkpoints("best-\(limit)", in: folder) {
          $0.keep = 1
          $0.keepBestBelowKL = limit
        }.steps
        #expect(kept == Set([best, 11].compactMap(\.self)).sorted(), "below \(limit)")
      }
    }
  }

  /// What is said of step 3 where a sample of it was recorded otherwise.
  private func verdict(_ folder: URL, _ change: (inout SampleRecord) -> Void) throws -> RunVerification.Verdict {
    let file = folder.appending(path: RunFolder.samples)
    let before = try Data(contentsOf: file)
    var samples = try RunReader(folder: folder).samples(steps: 1...5)
    change(&samples[13])
    var lines = Data()
    for sample in samples {
      lines += try JSONEncoder().encode(sample)
      lines.append(UInt8(ascii: "\n"))
    }
    try lines.write(to: file)
    let verdict = try RunVerification(of: folder, step: 3).verdict
    try before.write(to: file)
    return verdict
  }

  @Test func `a step that is done again agrees with the folder, or says what differs`() throws {
    try withModels { folder in
      let out = folder.appending(path: "out")
      let run = try AlignmentRun(
        recipe: recipe(in: folder) {
          $0.steps = 5
          $0.checkpointEvery = 2
        })
      _ = try run.run(in: out, report: { _, _ in }, shouldStop: { false })
      let reader = try RunReader(folder: out)
      let verifiable = try RunVerification.verifiableSteps(of: reader)
      #expect(verifiable == [1, 3, 5])
      for step in verifiable { #expect(try RunVerification(of: out, step: step).verdict == .exact, "step \(step)") }
      #expect { try RunVerification(of: out, step: 4) } throws: { "\($0)".contains("the steps 1, 3, 5") }

      guard case .close(let worst) = try verdict(out, { $0.reward += 1e-4 }) else {
        Issue.record("a small difference")
        return
      }
      #expect(abs(worst - 1e-4) < 1e-6)
      guard case .different = try verdict(out, { $0.reward += 0.01 }),
        case .different = try verdict(out, { $0.tokenIDs[0] ^= 1 })
      else {
        Issue.record("a large difference")
        return
      }
    }
  }
}
