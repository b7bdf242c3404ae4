import Alignment
import Foundation
import Reports
import Runs

/// What `align` says while it trains, and at the end.
///
/// On a terminal a few lines are drawn again and again, with the curves so far and the best story of the step; elsewhere
/// about ten lines of a run are written, and the curves once at the end.
struct AlignmentProgress {
  private let recipe: Recipe
  private let folder: URL
  private var view: TrainingView
  private var hasBegun = false

  /// Nothing has been said yet of the run in `folder`.
  init(recipe: Recipe, folder: URL) {
    self.recipe = recipe
    self.folder = folder
    view = TrainingView(steps: recipe.steps, samples: recipe.samples)
  }

  /// Shows a step.
  mutating func report(_ metrics: StepMetrics, _ samples: [SampleRecord]) {
    if !hasBegun, metrics.step > 1 {
      // A resumed run: its curves begin where it began.
      let before = (try? RunReader(folder: folder).metrics())?.filter { $0.step < metrics.step } ?? []
      view = TrainingView(steps: recipe.steps, samples: recipe.samples, before: before)
    }
    hasBegun = true
    view.add(metrics, samples)
    if Terminal.canDraw {
      Terminal.live.draw { [view] in view.lines(columns: $0, rows: $1) }
    } else if metrics.step == 1 || metrics.step == recipe.steps || metrics.step % max(1, recipe.steps / 10) == 0 {
      Terminal.endProgress()
      Terminal.note(view.statusLine)
    } else {
      Terminal.progress(view.statusLine)
    }
  }

  /// Leaves the last state on the screen: all of it on a terminal, the curves where lines were written.
  func finish() {
    Terminal.endProgress()
    if Terminal.canDraw {
      Terminal.live.settle()
    } else {
      for line in view.curves(columns: 79, rows: 8) { Terminal.note(line) }
    }
  }

  /// Stories before and after, and where the report is.
  func summarize(report: URL) throws {
    let run = try RunReader(folder: folder)
    let pairs = try run.storyPairs()
    if !pairs.isEmpty {
      Terminal.note("\nThe same beginnings, before and after:")
      for pair in pairs.prefix(4) {
        let (before, after) = (pair.prompt + pair.before, pair.prompt + pair.after)
        Terminal.note("  before \(fixed(Double(pair.rewardBefore), 2))  \(TerminalText.harmless(before))")
        Terminal.note("  after  \(fixed(Double(pair.rewardAfter), 2))  \(TerminalText.harmless(after))\n")
      }
    }
    // All of the run, also where it was resumed.
    let metrics = try run.metrics()
    if let last = metrics.last, let change = try rewardChangeWords(run) {
      let seconds = metrics.reduce(0) { $0 + $1.seconds }
      Terminal.note(
        "\(change), "
          + "KL \(fixed(last.klForward, 3)) nats per token, \(fixed(seconds, 1)) s of training.")
    }
    Terminal.note("Report: \(report.path)")
  }
}
