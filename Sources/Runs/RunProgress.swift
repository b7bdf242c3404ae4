package import JSON

/// How far a run is within a step: `progress.json`, written now and then while a step takes long.
///
/// It is there as long as the program that trains the run, and longer where that is killed; nothing depends on it.
public struct RunProgress: Sendable, Equatable {
  /// A part of a step.
  public enum Phase: String, Sendable {
    /// Sampling completions.
    case generating
    /// Scoring them.
    case scoring
    /// The reference, the gradient and the update.
    case updating
    /// Looking at the model after the step: followed completions and trees.
    case following
  }

  /// The step, from 1; 0 is before the first one.
  public var step: Int
  /// The part of it.
  public var phase: Phase
  /// How much of the part is done, of ``total``: tokens of the completions, or parts of the step's completions.
  public var done: Int
  /// 0 where ``done`` means nothing.
  public var total: Int

  /// So much of a part of a step.
  public init(step: Int, phase: Phase, done: Int = 0, total: Int = 0) {
    self.step = step
    self.phase = phase
    self.done = done
    self.total = total
  }

  /// In words, such as `step 1: generating, 37%`.
  public var description: String {
    switch phase {
    case .generating: "step \(step): generating, \(100 * done / max(1, total))%"
    case .scoring: "step \(step): computing rewards"
    case .updating: "step \(step): updating" + (total > 1 ? ", part \(done) of \(total)" : "")
    case .following:
      step == 0 ? "before step 1: looking at the untrained model" : "after step \(step): looking at the model"
    }
  }
}

/// Who writes a run folder and how far it is, as `progress.json` tells it.
package struct ProgressRecord: Sendable, Equatable {
  /// The computer that trains the run.
  package var host: String
  /// Whether the folder is locked as long as that program lives; some file systems have no locks.
  package var isLocked: Bool
  /// Nil before the first step has taken a while.
  package var progress: RunProgress?

  init(host: String, isLocked: Bool, progress: RunProgress?) {
    self.host = host
    self.isLocked = isLocked
    self.progress = progress
  }

  /// Reads what ``json`` wrote; nil for anything else.
  package init?(json: JSONValue) {
    guard let host = json["host"]?.stringValue, case .bool(let isLocked)? = json["locked"] else { return nil }
    self.init(host: host, isLocked: isLocked, progress: nil)
    if let step = json["step"]?.integerValue,
      let phase = json["phase"]?.stringValue.flatMap(RunProgress.Phase.init(rawValue:)),
      let done = json["done"]?.integerValue, let total = json["total"]?.integerValue
    {
      progress = RunProgress(step: step, phase: phase, done: done, total: total)
    }
  }

  var json: JSONValue {
    var members: [JSONValue.Member] = [.init("host", .string(host)), .init("locked", .bool(isLocked))]
    if let progress {
      members += [
        .init("step", .integer(progress.step)), .init("phase", .string(progress.phase.rawValue)),
        .init("done", .integer(progress.done)), .init("total", .integer(progress.total)),
      ]
    }
    return .object(members)
  }
}
