import Foundation
import Runs

/// The top of a report: what was done and what came of it, in plain words and in a few figures.
struct ReportHeadline {
  let data: ReportData

  /// The title of the page.
  var title: String {
    data.target.map { "Steered toward “\($0)”" } ?? "A run of \(data.manifest.model.name)"
  }

  var html: String {
    let manifest = data.manifest
    let date = manifest.created.formatted(.iso8601.year().month().day())
    let state =
      switch manifest.status {
      case .running: "under way, or stopped without a word"
      case .finished: "finished"
      case .interrupted: "interrupted; it can be resumed"
      case .failed: "failed"
      }
    return """
      <p class="over">TinyAlign · \(escaped(manifest.model.name)) · \(date) · \(state)</p>
      <h1>\(escaped(title))</h1>
      \(summary)
      \(tiles)
      \(said)
      """
  }

  private var summary: String {
    guard let first = data.metrics.first, let last = data.metrics.last else {
      return "<p class=\"lead\">No step is done yet. Open this report again when there is one.</p>"
    }
    let stories = data.metrics.map(ReportData.stories).reduce(0, +)
    let seconds = data.metrics.map(\.seconds).reduce(0, +)
    let steps = Numbers.counted(data.metrics.count, "step", "steps")
    let measure = data.target.map { ", the similarity to “\(escaped($0))”," } ?? ""
    let change =
      data.metrics.count == 1
      ? "was <b>\(Numbers.fixed(first.rewardMean, 3))</b>"
      : "went from <b>\(Numbers.fixed(first.rewardMean, 3))</b> to <b>\(Numbers.fixed(last.rewardMean, 3))</b>"
    return """
      <p class="lead">In \(steps) the model <b>\(escaped(data.manifest.model.name))</b> told \
      \(Numbers.counted(stories, "story", "stories"))\(beginnings), and learned from what each of them earned. Their mean \
      reward\(measure) \(change), while the model moved <b>\(Numbers.significant(last.klForward, 2))</b> nats per token \
      away from its reference. It took \(Numbers.duration(seconds)).</p>
      """
  }

  /// What the stories continue. Only some steps' stories are read, so the recipe knows better how many prompts there are.
  private var beginnings: String {
    if let file = data.setting("prompts")?.stringValue { return " continuing the prompts of \(escaped(file))" }
    if case .array(let texts)? = data.setting("prompt"), texts.count > 1 {
      return " continuing \(Numbers.grouped(texts.count)) prompts"
    }
    let prompts = data.prompts
    return switch prompts.count {
    case 0: ""
    case 1: " continuing “\(escaped(prompts[0].trimmingCharacters(in: .whitespacesAndNewlines)))”"
    default: " continuing \(Numbers.grouped(prompts.count)) prompts"
    }
  }

  private var tiles: String {
    guard let first = data.metrics.first, let last = data.metrics.last else { return "" }
    let stories = data.metrics.map(ReportData.stories).reduce(0, +)
    let seconds = data.metrics.map(\.seconds).reduce(0, +)
    let tokens = Double(data.metrics.map(\.tokens).reduce(0, +))
    let each = seconds / Double(data.metrics.count)
    let speed = seconds > 0 ? Numbers.grouped(tokens / seconds) : "–"
    let perStory = Numbers.significant(Double(stories) / max(seconds, 1e-9))
    func change(_ from: String, _ to: String) -> String {
      data.metrics.count == 1 ? to : "\(from) <span class=\"arrow\">→</span> \(to)"
    }
    let list = [
      (
        "Mean reward", change(Numbers.fixed(first.rewardMean, 3), Numbers.fixed(last.rewardMean, 3)),
        "best story of the last step \(Numbers.fixed(last.rewardMax, 3))"
      ),
      ("KL to the reference", Numbers.significant(last.klForward, 2), "nats per token, at the last step"),
      (
        "Entropy", change(Numbers.significant(first.entropy), Numbers.significant(last.entropy)), "nats per token"
      ),
      (
        "Stories told", Numbers.grouped(stories),
        "\(Numbers.grouped(ReportData.stories(last))) a step, \(Numbers.grouped(last.distinctStories)) distinct at the end"
      ),
      ("Time", Numbers.duration(seconds), "\(Numbers.duration(each)) a step"),
      ("Speed", "\(speed)", "generated tokens a second; \(perStory) stories"),
    ]
    let cells = list.map { "<div class=\"tile\"><dt>\($0)</dt><dd>\($1)<small>\($2)</small></dd></div>" }
    return "<dl class=\"tiles\">\(cells.joined(separator: "\n"))</dl>"
  }

  /// What the numbers call for saying.
  private var said: String {
    var all: [Observation] = []
    if data.manifest.status == .failed {
      let message = data.manifest.message ?? "It did not say why."
      all.append(.init(kind: .warning, title: "The run failed", text: message))
    }
    let clip = data.setting("clip_norm", "gradient_clip", "max_gradient_norm", "max_grad_norm")
    all += observations(of: data.metrics, clip: clip?.doubleValue)
    if let step = data.steps.last, let story = step.mostTold, step.total >= 20, story.count * 3 > step.total {
      let share = Numbers.fixed(100 * Double(story.count) / Double(step.total), 0)
      all.append(
        .init(
          kind: .warning, title: "One story takes over",
          text:
            "\(share)% of the stories of step \(step.step) are the same: “\(story.sample.prompt)\(story.sample.text)”.")
      )
    }
    return all.map {
      "<div class=\"said \($0.kind.rawValue)\" role=\"note\"><b>\(escaped($0.title))</b><p>\(escaped($0.text))</p></div>"
    }.joined(separator: "\n")
  }
}
