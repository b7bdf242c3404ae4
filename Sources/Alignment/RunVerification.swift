public import Foundation
import JSON
import Kernels
public import Runs
import Transformers

/// Does a step of a run once more, from what its folder tells, and compares.
public struct RunVerification: Sendable, Equatable {
  /// How well a step agrees with what was recorded.
  public enum Verdict: Sendable, Equatable {
    /// Every sample and every metric but the seconds is the same to the last bit.
    case exact
    /// The same tokens were sampled, and no log-probability, reward or advantage differs by more than this.
    case close(Double)
    /// Another story was sampled, or a number differs by more than rounding explains.
    case different(String)
  }

  /// The step.
  public let step: Int
  /// How it agrees.
  public let verdict: Verdict

  /// Numbers that differ by less agree within rounding: in nats, or of a reward.
  public static let tolerance = 1e-3

  /// The steps of a run that can be verified: the first, and each one that follows a checkpoint.
  ///
  /// A low-rank adapter that was merged into its checkpoints cannot be taken out of them.
  public static func verifiableSteps(of run: RunReader) throws -> [Int] {
    let metrics = Set(try run.metrics().map(\.step))
    let isLowRank = (run.manifest.recipe["lora_rank"] ?? .null) != .null
    return ([1] + (isLowRank ? [] : run.checkpointSteps.map { $0 + 1 })).filter { metrics.contains($0) }
  }

  /// Verifies a step of the run in `folder`.
  ///
  /// - Throws: `RunError` where the folder cannot be read; one clear error where what the run used is missing or has changed, or
  ///   where nothing leads to the step.
  public init(of folder: URL, step: Int) throws {
    self.step = step
    let reader = try RunReader(folder: folder)
    let verifiable = try Self.verifiableSteps(of: reader)
    guard verifiable.contains(step) else {
      let list = verifiable.map(String.init).joined(separator: ", ")
      throw AlignmentError.setting(
        name: "--step",
        reason:
          "is \(step): a step can be done again from the beginning or from the checkpoint before it, which here are "
          + (list.isEmpty ? "none" : "the steps \(list)"))
    }
    let run = try AlignmentRun(repeating: folder)
    if step > 1 {
      let checkpoint = reader.checkpointFolder(step: step - 1)
      let parameters = try TextModel(named: checkpoint.path).model.parameters
      guard parameters.count == run.model.model.parameters.count else {
        throw AlignmentError.model(name: checkpoint.path, reason: "is not a checkpoint of this run")
      }
      run.model.model.parameters.copy(from: parameters)
    }
    let (metrics, samples) = try run.repeated(step)
    let recorded = try RecordedSteps(in: folder, step: step)
    verdict =
      try recorded.agree(samples: samples, metrics: metrics)
      ? .exact : Self.compare(samples, try reader.samples(steps: [step]))
  }

  private static func compare(_ samples: [SampleRecord], _ recorded: [SampleRecord]) -> Verdict {
    guard samples.count == recorded.count else {
      return .different("there are \(samples.count) samples, \(recorded.count) were recorded")
    }
    var worst = 0.0
    for (now, then) in zip(samples, recorded) {
      guard now.prompt == then.prompt, now.tokenIDs == then.tokenIDs else {
        return .different("story \(now.index) is “\(now.prompt)\(now.text)”, recorded was “\(then.prompt)\(then.text)”")
      }
      for (one, other) in [
        (now.reward, then.reward), (now.advantage, then.advantage), (now.logProbability, then.logProbability),
      ] {
        let difference = abs(Double(one) - Double(other))
        // What is no number compares as if it were far away.
        worst = max(worst, difference.isFinite ? difference : .infinity)
      }
    }
    return worst <= tolerance ? .close(worst) : .different("a reward, advantage or log-probability differs by \(worst)")
  }
}
