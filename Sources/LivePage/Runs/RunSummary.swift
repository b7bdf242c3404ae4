import Foundation
import JSON
import Runs

extension WatchedRun.Sight {
  /// running, finished, interrupted, failed, or gone.
  var status: String {
    if isGone { return "gone" }
    return problem == nil ? manifest?.status.rawValue ?? "failed" : "failed"
  }

  /// Whether the run goes on: it says so, and a program holds the lock of its folder.
  ///
  /// Where no lock can be seen, since the file system has none or another computer holds it, a run goes on that has
  /// changed within a minute, or ten times what a step takes.
  ///
  /// - Parameter now: seconds since 1970.
  func isLive(at now: Double) -> Bool {
    guard status == RunManifest.Status.running.rawValue else { return false }
    if isLocked { return true }
    if isDead { return false }
    let patience = max(60, 10 * (last?.seconds ?? 0))
    // The clocks of two computers differ, and a file may come from a day that is still to come.
    return abs(now - Double(modified) / 1e9) < patience
  }

  /// Whether the run says that it is running, and the program that did so is no more.
  var isDead: Bool {
    guard status == RunManifest.Status.running.rawValue, !isLocked, let progress else { return false }
    return progress.isLocked && progress.host == runHostName()
  }

  /// How far the run is within the step after the last finished one; nil where that is not known.
  var doing: String? {
    guard let progress = progress?.progress, isLocked || !isDead, progress.step >= completedSteps else { return nil }
    if progress.step == completedSteps, progress.phase != .following { return nil }
    return progress.description
  }

  /// A step that was skipped has no metrics; the manifest is a moment behind them.
  var completedSteps: Int { max(last?.step ?? 0, manifest?.completedSteps ?? 0) }

  /// A setting of the recipe.
  func setting(_ name: String) -> JSONValue? { manifest?.recipe[name] }

  /// How many prompts the run has; nil where they are in a file of their own.
  var promptCount: Int? {
    switch setting("prompt") {
    case .array(let prompts): prompts.count
    case .string: 1
    default: nil
    }
  }

  /// Why the run failed, ended without a word, or cannot be read.
  var message: String? {
    if let text = problem ?? manifest?.message { return text }
    return isDead
      ? "The program that trained this run is gone without a word, as when it is killed; tinyalign align --resume goes on."
      : nil
  }
}

extension WatchedRun {
  /// The run as a member of the list.
  func write(_ sight: Sight, now: Double, to writer: inout JSONWriter) {
    let manifest = sight.manifest
    writer.raw("{")
    writer.member("id", id, first: true)
    writer.member("name", name)
    writer.member("status", sight.status)
    writer.member("folder", place.path)
    writer.member(
      "message",
      sight.isGone ? "Its folder was deleted or moved; what was read of it is still shown." : sight.message)
    writer.member("steps", sight.setting("steps")?.integerValue)
    writer.member("completed_steps", sight.completedSteps)
    writer.member("samples", sight.setting("samples")?.integerValue)
    writer.member("model", manifest?.model.name)
    writer.member("toward", sight.setting("toward")?.stringValue)
    writer.member("prompts", sight.promptCount)
    writer.member("created", manifest?.created.formatted(.iso8601))
    // JavaScript reads larger numbers inexactly: they go in quotes.
    if let seed = manifest?.seed, seed > 1 << 53 {
      writer.member("seed", String(seed))
    } else {
      writer.member("seed", manifest.map { Int($0.seed) })
    }
    writer.member("last_reward", sight.last?.rewardMean)
    writer.member("last_kl", sight.last?.klForward)
    writer.member("is_live", sight.isLive(at: now))
    writer.member("is_dead", sight.isDead)
    writer.member("doing", sight.doing)
    writer.raw("}")
  }
}
