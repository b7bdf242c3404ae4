import Alignment
import Foundation
import Runs

/// What `align` says while it trains, and at the end.
struct AlignmentProgress {
  private let recipe: Recipe
  private var first: StepMetrics?
  private var last: StepMetrics?
  private var seconds = 0.0

  /// Nothing has been said yet.
  init(recipe: Recipe) { self.recipe = recipe }

  /// Renews the progress line; about ten lines of a run stay.
  mutating func report(_ metrics: StepMetrics) {
    first = first ?? metrics
    last = metrics
    seconds += metrics.seconds
    let fraction = Double(metrics.step) / Double(recipe.steps)
    let line =
      "\(Terminal.bar(fraction)) step \(metrics.step)/\(recipe.steps)  reward \(fixed(metrics.rewardMean, 3))  "
      + "KL \(fixed(metrics.klForward, 3)) nats/token  "
      + "\(Int(Double(recipe.samples) * Double(metrics.step) / seconds)) stories/s  "
      + "\(Terminal.duration(seconds / fraction * (1 - fraction))) left"
    if metrics.step == 1 || metrics.step == recipe.steps || metrics.step % max(1, recipe.steps / 10) == 0 {
      Terminal.endProgress()
      Terminal.note(line)
    } else {
      Terminal.progress(line)
    }
  }

  /// Stories before and after, and where the report is.
  func summarize(folder: URL, report: URL) throws {
    let pairs = try RunReader(folder: folder).storyPairs()
    if !pairs.isEmpty {
      Terminal.note("\nThe same beginnings, before and after:")
      for pair in pairs.prefix(4) {
        Terminal.note("  before \(fixed(Double(pair.rewardBefore), 2))  \(oneLine(pair.prompt + pair.before))")
        Terminal.note("  after  \(fixed(Double(pair.rewardAfter), 2))  \(oneLine(pair.prompt + pair.after))\n")
      }
    }
    if let first, let last {
      Terminal.note(
        "Mean reward \(fixed(first.rewardMean, 3)) → \(fixed(last.rewardMean, 3)), "
          + "KL \(fixed(last.klForward, 3)) nats per token, \(fixed(seconds, 1)) s of training.")
    }
    Terminal.note("Report: \(report.path)")
  }

  private func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ¶ ")
  }
}
