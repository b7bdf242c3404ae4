import Foundation
import Runs

extension WatchedRun.Sight {
  /// running, finished, interrupted, failed, or gone.
  var status: String {
    if isGone { return "gone" }
    return problem == nil ? manifest?.status.rawValue ?? "failed" : "failed"
  }

  /// Whether the run seems to go on: it says so, and has changed within a minute, or ten times what a step takes.
  ///
  /// - Parameter now: seconds since 1970.
  func isLive(at now: Double) -> Bool {
    guard status == RunManifest.Status.running.rawValue else { return false }
    let patience = max(60, 10 * (last?.seconds ?? 0))
    return now - Double(modified) / 1e9 < patience
  }

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

  /// Why the run failed or cannot be read.
  var message: String? { problem ?? manifest?.message }
}

extension WatchedRun {
  /// The run as a member of the list.
  func write(_ sight: Sight, now: Double, to writer: inout JSONWriter) {
    let manifest = sight.manifest
    writer.raw("{")
    writer.member("id", id, first: true)
    writer.member("name", name)
    writer.member("status", sight.status)
    writer.member("message", sight.message)
    writer.member("steps", sight.setting("steps")?.integerValue)
    // A step that was skipped has no metrics; the manifest is a moment behind them.
    writer.member("completed_steps", max(sight.last?.step ?? 0, manifest?.completedSteps ?? 0))
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
    writer.raw("}")
  }
}
