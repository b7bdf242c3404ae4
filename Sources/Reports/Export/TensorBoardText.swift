import JSON
import Runs

/// The texts of an event file: tables in Markdown, which TensorBoard shows as such.
package enum TensorBoardText {
  /// Longer cells are cut here.
  static let longestCell = 2_000

  /// The best and the worst completion of a step, and the first three: which come first says nothing about them.
  ///
  /// Completions come first and whole; a prompt that all of them have stands once above the table.
  static func stories(_ samples: [SampleRecord], labels: PromptLabels) -> String {
    let shared = Set(samples.lazy.map(\.prompt)).count == 1 ? samples.first.map(\.prompt) : nil
    let best = samples.enumerated().max { $0.element.reward < $1.element.reward }
    let worst = samples.enumerated().min { $0.element.reward < $1.element.reward }
    var rows: [[String]] = []
    func row(_ name: String, _ sample: SampleRecord) -> [String] {
      [
        name, cell(sample.text), Numbers.fixed(Double(sample.reward), 4), Numbers.fixed(Double(sample.advantage), 4),
        String(sample.index),
      ] + (shared == nil ? [prompt(sample.prompt, labels)] : [])
    }
    if let best { rows.append(row("best", best.element)) }
    if let worst { rows.append(row("worst", worst.element)) }
    for sample in samples.prefix(3) { rows.append(row("any", sample)) }
    let header = ["", "completion", "reward", "advantage", "index"]
    guard let shared else { return table(header + ["prompt"], rows) }
    return "Prompt: \(prompt(shared, labels))\n\n" + table(header, rows)
  }

  /// A prompt in a few words: the last of people's in a conversation, of a long text the beginning and the end.
  private static func prompt(_ prompt: String, _ labels: PromptLabels) -> String {
    cell(shortened(labels[prompt], to: 300, keepsEnd: true))
  }

  /// The recipe, the models and the seed.
  static func recipe(_ manifest: RunManifest) -> String {
    var rows = [["program", "tinyalign \(manifest.programVersion)"], ["seed", String(manifest.seed)]]
    let models = [
      ("model", manifest.model), ("reference model", manifest.reference), ("reward model", manifest.rewardModel),
    ]
    for (name, model) in models {
      if let model { rows.append([name, "\(model.name) (SHA-256 \(model.sha256))"]) }
    }
    rows.append(["platform", "\(manifest.platform); \(manifest.threadCount) threads"])
    rows += settings(manifest.recipe, path: "recipe")
    return table(["setting", "value"], rows.map { $0.map(cell) })
  }

  /// Settings with the path that leads to them; lists in one line.
  private static func settings(_ value: JSONValue, path: String) -> [[String]] {
    switch value {
    case .object(let members): members.flatMap { settings($0.value, path: "\(path).\($0.key)") }
    case .string(let text): [[path, text]]
    default: [[path, (try? value.encoded()).map { String(decoding: $0, as: UTF8.self) } ?? ""]]
    }
  }

  private static func table(_ header: [String], _ rows: [[String]]) -> String {
    func line(_ cells: [String]) -> String { "| \(cells.joined(separator: " | ")) |\n" }
    return line(header) + line(header.map { _ in "---" }) + rows.map(line).joined()
  }

  /// Text as one cell of a table: whatever means something to Markdown or HTML is written as a character reference,
  /// the end of a line as a pilcrow; control characters and those that turn the direction of writing are replaced.
  package static func cell(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var marks = 0
    for (position, scalar) in text.unicodeScalars.enumerated() {
      if position == longestCell {
        result.append("…")
        break
      }
      marks = scalar.isMark ? marks + 1 : 0
      if marks > mostMarks { continue }
      switch scalar {
      case "\n", "\u{2028}", "\u{2029}": result.append("¶")
      case "\u{0}"..<" ", "\u{7F}"..."\u{9F}", "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}", "\u{FFFE}", "\u{FFFF}":
        result.append("\u{FFFD}")
      case "!", "\"", "#", "$", "&", "'", "*", "<", ">", "[", "\\", "]", "^", "_", "`", "{", "|", "}", "~":
        result.append(contentsOf: "&#\(scalar.value);".unicodeScalars)
      default: result.append(scalar)
      }
    }
    return String(result)
  }
}
