import Foundation
import JSON
import Runs

/// The top of a report: what was done and what came of it, in plain words and in a few figures.
struct ReportHeadline {
  let data: ReportData

  /// The title of the page.
  var title: String {
    data.manifest.target.map { "Steered toward “\(isolated($0))”" } ?? "A run of \(isolated(data.manifest.model.name))"
  }

  var html: String {
    let manifest = data.manifest
    let date = Numbers.time(manifest.created)
    let state =
      switch manifest.status {
      case .running:
        switch data.isBeingWritten {
        case true?: "running"
        case false?: "killed; it can be resumed"
        case nil: "running, or killed"
        }
      case .finished: "finished"
      case .interrupted: "interrupted; it can be resumed"
      case .failed: "failed"
      }
    return """
      <p class="over">TinyAlign · \(escaped(isolated(manifest.model.name))) · \(date) · \(state)</p>
      <h1>\(escaped(title))</h1>
      \(summary)
      \(tiles)
      \(said)
      """
  }

  private var summary: String {
    guard let last = data.metrics.last else {
      return "<p class=\"lead\">No step is done yet. Open this report again when there is one.</p>"
    }
    let stories = data.metrics.map(ReportData.stories).reduce(0, +)
    let seconds = data.metrics.map(\.seconds).reduce(0, +)
    let steps = Numbers.counted(data.metrics.count, "step", "steps")
    let measure = data.manifest.target.map { ", the similarity to “\(escaped(isolated($0)))”," } ?? ""
    let change = rewardChange(last)
    return """
      <p class="lead">In \(steps) the model <b>\(escaped(isolated(data.manifest.model.name)))</b> told \
      \(Numbers.counted(stories, "story", "stories"))\(beginnings), and learned from what each of them earned. Their mean \
      reward\(measure) \(change), while the model moved <b>\(Numbers.significant(last.klForward, 2))</b> nats per token \
      away from its reference. It took \(Numbers.duration(seconds)).</p>
      """
  }

  /// What became of the mean reward, over the same prompts.
  private func rewardChange(_ last: StepMetrics) -> String {
    let now = "<b>\(Numbers.fixed(last.rewardMean, 3))</b>"
    guard data.metrics.count > 1 else { return "was \(now)" }
    guard let change = RewardChange(data.metrics, data.rewards) else {
      return "was \(now) at the last step (each step had other prompts, so steps do not compare)"
    }
    let same = change.promptCount.map {
      " (over \(Numbers.counted($0, "prompt", "prompts")), the first and the last time that each came)"
    }
    return
      "went from <b>\(Numbers.fixed(change.before, 3))</b> to <b>\(Numbers.fixed(change.after, 3))</b>\(same ?? "")"
  }

  /// What the stories continue. Only some steps' stories are read, so the recipe knows better how many prompts there are.
  private var beginnings: String {
    if let file = data.manifest.setting("prompts")?.stringValue {
      return " continuing the prompts of \(escaped(isolated(file)))"
    }
    if case .array(let texts)? = data.manifest.setting("prompt"), texts.count > 1 {
      return " continuing \(Numbers.grouped(texts.count)) prompts"
    }
    let prompts = data.prompts
    return switch prompts.count {
    case 0: ""
    case 1:
      data.labels.words(of: prompts[0]).map { " answering “\(escaped(isolated(shortened($0, to: 300))))”" }
        ?? " continuing “\(escaped(isolated(PictureText.tail(prompts[0].trimmingCharacters(in: .whitespacesAndNewlines), 240))))”"
    default: " continuing \(Numbers.grouped(prompts.count)) prompts"
    }
  }

  private var tiles: String {
    let list = runTiles(data.metrics, rewards: data.rewards)
    guard !list.isEmpty else { return "" }
    let cells = list.map { name, value, note in
      // The arrow is quieter than the numbers at its sides.
      let value = escaped(value).replacing(" → ", with: " <span class=\"arrow\">→</span> ")
      return "<div class=\"tile\"><dt>\(escaped(name))</dt><dd>\(value)<small>\(escaped(note))</small></dd></div>"
    }
    return "<dl class=\"tiles\">\(cells.joined(separator: "\n"))</dl>"
  }

  /// What the numbers and the stories call for saying.
  private var said: String {
    var all = observations(
      of: data.manifest, metrics: data.metrics, skipped: data.skipped, rewards: data.rewards)
    if let step = data.steps.last, let story = step.mostTold, step.total >= 20, story.count * 3 > step.total {
      let share = Numbers.fixed(100 * Double(story.count) / Double(step.total), 0)
      all.append(
        Observation(
          kind: .warning, title: "One story takes over",
          text: "\(share)% of the stories of step \(step.step) are the same: "
            + "“\(isolated(shortened(story.sample.text, to: 600)))”.",
          cause: "The model repeats what earned most.",
          remedy: "Raise the KL coefficient, lower the learning rate, or stop earlier."))
    }
    return observationsHTML(all)
  }
}
