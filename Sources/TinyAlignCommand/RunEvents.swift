import Alignment
import Runs

/// The lines that a run's events are worth: of what may happen again and again, the first time only.
struct RunEvents {
  private var hasSkipped = false
  private var hasStood = false

  /// The line of an event; nil where it has been said.
  mutating func line(of event: RunEvent) -> String? {
    switch event {
    case .resumed(let finished, let state):
      let again = finished > state ? ", of which those after step \(state) are done again to get there" : ""
      return "Resuming after \(counted(finished, "step"))\(again)."
    case .differs(let step):
      return
        "Step \(step) comes out otherwise than it was recorded, as on another processor or by another version: it and what "
        + "follows is written again."
    case .skipped(let step):
      defer { hasSkipped = true }
      return hasSkipped
        ? nil : "Step \(step.step) is skipped: \(step.reason). How many are skipped is said at the end."
    case .unmoved(let step):
      defer { hasStood = true }
      return hasStood
        ? nil
        : "Step \(step) changes nothing: all its advantages are 0, so that there is nothing to learn from. The same holds for other "
          + "steps like it."
    }
  }
}
