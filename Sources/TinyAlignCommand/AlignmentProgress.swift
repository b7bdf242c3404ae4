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
  private var labels = PromptLabels()
  private var hasBegun = false
  /// When a line was written last, where no lines are drawn again and again.
  private var written = ContinuousClock.now
  /// Lines about steps that take long are at least so far apart.
  private static let patience = Duration.seconds(30)

  /// Nothing has been said yet of the run in `folder`.
  init(recipe: Recipe, folder: URL) {
    self.recipe = recipe
    self.folder = folder
    view = TrainingView(steps: recipe.steps, samples: recipe.samples)
  }

  /// Shows a step.
  mutating func report(_ metrics: StepMetrics, _ samples: [SampleRecord]) {
    if !hasBegun {
      let run = try? RunReader(folder: folder)
      labels = (try? run?.promptLabels()) ?? labels
      // A resumed run: its curves begin where it began.
      let before = metrics.step > 1 ? (try? run?.metrics())?.filter { $0.step < metrics.step } ?? [] : []
      view = TrainingView(steps: recipe.steps, samples: recipe.samples, before: before, labels: labels)
    }
    hasBegun = true
    written = .now
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

  /// Shows how far a step is that takes long.
  mutating func show(_ progress: RunProgress) {
    let words = progress.description.prefix(1).uppercased() + progress.description.dropFirst()
    if Terminal.canDraw {
      Terminal.live.draw { [view] columns, rows in
        view.lines(columns: columns, rows: rows - 1) + [TerminalText.cut(words, to: columns)]
      }
    } else if Terminal.isInteractive {
      Terminal.progress(words)
    } else if .now - written >= Self.patience {
      written = .now
      Terminal.note(words)
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
    for line in beforeAndAfter(try run.storyPairs(), try run.promptLabels()) { Terminal.note(line) }
    for line in try closingLines(run) { Terminal.note(line) }
    Terminal.note("Report: \(report.path)")
  }

  /// The first completions before and after; each prompt stands once above its own.
  private func beforeAndAfter(_ pairs: [StoryPair], _ labels: PromptLabels) -> [String] {
    guard !pairs.isEmpty else { return [] }
    var lines = ["", "The same prompts, before and after:"]
    var prompt: String?
    for pair in pairs.prefix(4) {
      if pair.prompt != prompt {
        let name = TerminalText.harmless(promptName(pair.prompt, labels, count: 60))
        lines.append("  prompt: \(TerminalText.cut(name, to: Self.columns - 10))")
      }
      prompt = pair.prompt
      for (name, reward, text) in [
        ("before", pair.rewardBefore, pair.before), ("after ", pair.rewardAfter, pair.after),
      ] {
        let said = TerminalText.harmless(text).drop { $0 == " " }
        lines += TerminalText.wrapped(
          said.isEmpty ? "(nothing)" : String(said), label: "  \(name) \(fixed(Double(reward), 2))  ",
          columns: Self.columns, lines: 8)
      }
      lines.append("")
    }
    return lines
  }

  /// The width of what stays.
  private static let columns = 79

  /// What is said of the whole run, also where it was resumed.
  private func closingLines(_ run: RunReader) throws -> [String] {
    var lines: [String] = []
    let metrics = try run.metrics()
    let seconds = "\(fixed(metrics.reduce(0) { $0 + $1.seconds }, 1)) s of training"
    if let last = metrics.last, let change = try rewardChangeWords(run) {
      if let final = run.manifest.finalModel {
        lines.append("\(change), \(seconds).")
        lines.append(
          "The model after the last update: mean reward \(fixed(final.rewardMean, 3)), "
            + "KL \(fixed(final.klForward, 3)) nats per token.")
      } else {
        lines.append("\(change), KL \(fixed(last.klForward, 3)) nats per token before the last update, \(seconds).")
      }
    }
    let skipped = try run.skippedSteps()
    if !skipped.isEmpty {
      lines.append(
        "\(skipped.count) of \(counted(run.manifest.completedSteps, "step")) \(skipped.count == 1 ? "was" : "were") skipped, since "
          + "a number was not finite: \(RunFolder.skippedSteps) says why.")
    }
    let truncated = metrics.reduce(0) { $0 + ($1.truncatedTexts ?? 0) }
    if truncated > 0 {
      lines.append(
        "The reward model read \(truncated) of \(metrics.count * recipe.samples) texts in part only: they are longer than its limit."
      )
    }
    return lines
  }
}
