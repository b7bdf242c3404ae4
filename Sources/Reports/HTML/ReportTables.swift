import Foundation
package import Runs

/// The recipe and the provenance of a run as HTML, for reports and the live page.
package enum ReportTables {
  /// Every setting in force, nested names joined by dots, and the same as a YAML file to copy.
  package static func recipe(_ manifest: RunManifest) -> String {
    var settings = flattenedSettings(manifest.settingsInForce)
    // What a recipe leaves out is off.
    if settings.contains(where: { $0.key == "algorithm" }) {
      for (name, meaning) in [
        ("lora_rank", "none: all parameters are trained"), ("max_gradient_norm", "none: gradients are not clipped"),
      ] where settings.allSatisfy({ $0.key != name || $0.value == "none" }) {
        settings.removeAll { $0.key == name }
        settings.append((name, meaning))
      }
    }
    settings.sort { $0.key < $1.key }
    let yaml = recipeYAML(manifest)
    let file =
      yaml.utf8.count > 64 << 10
      ? """
      <p class="intro">As a YAML file the recipe has \(Numbers.grouped(yaml.utf8.count)) bytes, too many for this place; \
      the live page has it to download.</p>
      """
      : """
      <details class="recipe-yaml">
      <summary>As a YAML file</summary>
      <pre tabindex="0" aria-label="The recipe as a YAML file">\(escaped(yaml))</pre>
      </details>
      """
    return """
      \(table(settings.map { ($0.key, shortened($0.value, to: 4000), false) }, label: "Every setting"))
      \(file)
      """
  }

  /// What ran on what.
  package static func provenance(_ manifest: RunManifest) -> String {
    var rows: [(String, String, Bool)] = []
    func model(_ name: String, _ model: RunManifest.Model?) {
      guard let model else { return }
      rows.append((name, model.name, false))
      if !model.sha256.isEmpty { rows.append(("\(name), SHA-256", model.sha256, true)) }
    }
    model("Model", manifest.model)
    model("Reference model", manifest.reference)
    model("Reward model", manifest.rewardModel)
    model("File of prompts", manifest.promptFile)
    rows.append(("Seed", String(manifest.seed), true))
    rows.append(("Created", Numbers.time(manifest.created), false))
    rows.append(("Program", "TinyAlign \(manifest.programVersion)", false))
    rows.append(("Computer", manifest.platform, false))
    rows.append(("Threads", String(manifest.threadCount), false))
    return table(rows, label: "Where it comes from")
  }

  /// A table that scrolls sideways where it does not fit.
  private static func table(_ rows: [(name: String, value: String, isMono: Bool)], label: String) -> String {
    let cells = rows.map { name, value, mono in
      "<tr><th scope=\"row\">\(escaped(name))</th><td\(mono ? " class=\"mono\"" : "")>\(escaped(value))</td></tr>"
    }
    return """
      <table class="facts-table" aria-label="\(label)">\(cells.joined(separator: "\n"))</table>
      """
  }
}
