import Foundation
import Runs

/// The recipe and the provenance of a report.
enum ReportTables {
  /// Every setting as resolved, nested names joined by dots.
  static func recipe(_ manifest: RunManifest) -> String {
    let rows = flattenedSettings(manifest.recipe).map { name, value in
      "<tr><th scope=\"row\">\(escaped(name))</th><td>\(escaped(shortened(value, to: 4000)))</td></tr>"
    }
    return """
      <h2>The recipe</h2>
      <p class="intro">Every setting as it was used, defaults and flags resolved.</p>
      <table>\(rows.joined(separator: "\n"))</table>
      """
  }

  /// What ran on what.
  static func provenance(_ manifest: RunManifest) -> String {
    var rows: [(String, String, Bool)] = []
    func model(_ name: String, _ model: RunManifest.Model?) {
      guard let model else { return }
      rows.append((name, model.name, false))
      if !model.sha256.isEmpty { rows.append(("\(name), SHA-256", model.sha256, true)) }
    }
    model("Model", manifest.model)
    model("Reference model", manifest.reference)
    model("Reward model", manifest.rewardModel)
    rows.append(("Seed", String(manifest.seed), true))
    rows.append(("Created", Numbers.time(manifest.created), false))
    rows.append(("Program", "TinyAlign \(manifest.programVersion)", false))
    rows.append(("Computer", manifest.platform, false))
    rows.append(("Threads", String(manifest.threadCount), false))
    let cells = rows.map { name, value, mono in
      "<tr><th scope=\"row\">\(escaped(name))</th><td\(mono ? " class=\"mono\"" : "")>\(escaped(value))</td></tr>"
    }
    return "<h2>Where it comes from</h2>\n<table>\(cells.joined(separator: "\n"))</table>"
  }
}
