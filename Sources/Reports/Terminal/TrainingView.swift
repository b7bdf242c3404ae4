import Foundation
package import Runs

/// How a training run stands, drawn in a few lines of text.
package struct TrainingView: Sendable {
  /// Steps done.
  package private(set) var step = 0
  private let steps: Int
  private let samples: Int
  private var seconds = 0.0
  /// Steps that took ``seconds``.
  private var timed = 0
  private var last: StepMetrics?
  private var rewards = CurveHistory()
  private var divergences = CurveHistory()
  private var best: (prompt: String, text: String, reward: Float)?
  private let labels: PromptLabels

  /// A run of `steps` steps with `samples` stories each, before its first or after those that were done `before`.
  ///
  /// - Parameter labels: What prompts are called that a chat template wrote.
  package init(steps: Int, samples: Int, before: [StepMetrics] = [], labels: PromptLabels = PromptLabels()) {
    self.steps = steps
    self.samples = samples
    self.labels = labels
    for metrics in before { extend(metrics) }
  }

  /// Takes in a step.
  package mutating func add(_ metrics: StepMetrics, _ stories: [SampleRecord]) {
    extend(metrics)
    if metrics.seconds.isFinite { seconds += max(0, metrics.seconds) }
    timed += 1
    let story = stories.max { $0.reward < $1.reward }
    best = story.map { ($0.prompt, $0.text, $0.reward) }
  }

  private mutating func extend(_ metrics: StepMetrics) {
    step = metrics.step
    last = metrics
    rewards.append(metrics.rewardMean)
    divergences.append(metrics.klForward)
  }

  /// One line: how far it is, reward, KL, speed and time left.
  package var statusLine: String {
    pieces(bar: 24, unit: " nats/token").joined(separator: "  ")
  }

  /// All of it, in at most `rows` lines of at most `columns` columns: status, curves, the step's best story.
  package func lines(columns: Int, rows: Int) -> [String] {
    guard columns > 0, rows > 0, last != nil else { return [] }
    let status = status(columns: columns)
    let story = bestLines(columns: columns)
    let curves = curves(columns: columns, rows: min(rows, 12) - status.count - 1)
    return Array((status + curves + story).prefix(rows))
  }

  /// The curves of reward and KL, beside each other where there is room, in at most `rows` lines; none before two steps.
  package func curves(columns: Int, rows: Int) -> [String] {
    guard rewards.entries.count > 1 else { return [] }
    let (reward, divergence) = (TerminalCurve("reward", rewards), TerminalCurve("KL", divergences))
    if columns >= 100 {
      let width = (columns - 3) / 2
      let left = reward.lines(columns: width, rows: min(4, rows))
      let right = divergence.lines(columns: width, rows: min(4, rows))
      return zip(left, right).map { left, right in
        left + String(repeating: " ", count: width - left.count + 3) + right
      }
    }
    if rows < 4 { return reward.lines(columns: columns, rows: min(3, rows)) }
    let each = min(4, rows / 2)
    let labelWidth = max(reward.labelWidth(rows: each), divergence.labelWidth(rows: each))
    return [reward, divergence].flatMap { $0.lines(columns: columns, rows: each, labelWidth: labelWidth) }
  }

  /// The status in one line, shortened where it must be, or else in several.
  private func status(columns: Int) -> [String] {
    for (bar, unit) in [(24, " nats/token"), (12, " nats/token"), (12, "")] {
      let line = pieces(bar: bar, unit: unit).joined(separator: "  ")
      if line.count <= columns { return [line] }
    }
    var lines: [String] = []
    var pieces = pieces(bar: 12, unit: "")
    // How long it takes goes beside how far it is.
    if let left = pieces.popLast() { pieces.insert(left, at: min(1, pieces.count)) }
    for piece in pieces {
      if let last = lines.last, last.count + 2 + piece.count <= columns {
        lines[lines.count - 1] = "\(last)  \(piece)"
      } else {
        lines.append(TerminalText.cut(piece, to: columns))
      }
    }
    return lines
  }

  private func pieces(bar: Int, unit: String) -> [String] {
    guard let last else { return [] }
    let fraction = Double(step) / Double(max(1, steps))
    let speed = Double(samples) * Double(timed) / seconds
    let left = timed > 0 ? seconds / Double(timed) * Double(max(0, steps - step)) : 0
    return [
      "\(TerminalText.bar(fraction, width: bar)) step \(step)/\(steps)",
      "reward \(fixed(last.rewardMean))", "KL \(fixed(last.klForward))\(unit)",
      "\(speed.isFinite && speed < 1e15 ? Int(speed) : 0) stories/s",
      "\(TerminalText.duration(left)) left",
    ]
  }

  /// The most lines that the best completion takes.
  private static let bestLineCount = 4

  /// The best completion of the step with its reward; after a short text the prompt is there, too, if all fits into a line.
  private func bestLines(columns: Int) -> [String] {
    guard let best else { return [] }
    let label = "best \(fixed(Double(best.reward)))  "
    let room = columns - label.count
    guard room > 0 else { return [TerminalText.cut(label, to: columns)] }
    // A code point may take no column, but a few for each column are enough to look at.
    let limit = columns * 8
    if labels.words(of: best.prompt) == nil {
      let whole = TerminalText.harmless(best.prompt + best.text, limit: limit)
      if TerminalText.columns(of: whole) <= room { return [label + whole] }
    }
    let isAnswer = best.prompt.isEmpty || labels.words(of: best.prompt) != nil
    let text = TerminalText.harmless(best.text, limit: limit * Self.bestLineCount)
    let said = isAnswer ? text.drop { $0 == " " } : "…" + text
    return TerminalText.wrapped(String(said), label: label, columns: columns, lines: Self.bestLineCount)
  }

  /// Three decimals, never "-0.000".
  private func fixed(_ value: Double) -> String {
    let text = String(format: "%.3f", value)
    return text.hasPrefix("-") && !text.contains { "123456789".contains($0) } ? String(text.dropFirst()) : text
  }
}
