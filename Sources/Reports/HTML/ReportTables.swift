import Foundation
import Runs

/// The recipe, the provenance and the glossary of a report.
enum ReportTables {
  /// Every setting as resolved, nested names joined by dots.
  static func recipe(_ manifest: RunManifest) -> String {
    let rows = flattened(manifest.recipe).map { name, value in
      "<tr><th scope=\"row\">\(escaped(name))</th><td>\(escaped(value))</td></tr>"
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
    rows.append(("Created", manifest.created.formatted(.iso8601), false))
    rows.append(("Program", "TinyAlign \(manifest.programVersion)", false))
    rows.append(("Computer", manifest.platform, false))
    rows.append(("Threads", String(manifest.threadCount), false))
    let cells = rows.map { name, value, mono in
      "<tr><th scope=\"row\">\(escaped(name))</th><td\(mono ? " class=\"mono\"" : "")>\(escaped(value))</td></tr>"
    }
    return "<h2>Where it comes from</h2>\n<table>\(cells.joined(separator: "\n"))</table>"
  }

  /// Each metric with its key, unit and meaning.
  static func glossary() -> String {
    let terms = entries.map { name, key, text in
      "<div><dt>\(escaped(name))<code>\(escaped(key))</code></dt><dd>\(escaped(text))</dd></div>"
    }
    return """
      <h2>What the words mean</h2>
      <dl class="terms">\(terms.joined(separator: "\n"))</dl>
      """
  }

  private static let entries: [(String, String, String)] = [
    (
      "Reward", "reward_mean, reward_std, reward_max",
      "What a story earns. For a steered run it is the cosine similarity between the story's sentence embedding and the "
        + "target's, from −1 to 1: its mean, standard deviation and best over the stories of a step. No unit."
    ),
    (
      "Forward KL", "kl_forward",
      "KL(reference ‖ policy): how surprised the trained model would be by what the reference writes next. "
        + "Nats per generated token; 0 means no difference."
    ),
    (
      "Reverse KL", "kl_reverse",
      "KL(policy ‖ reference): how surprised the reference would be by what the trained model writes next. "
        + "Nats per generated token; 0 means no difference."
    ),
    (
      "Nat", "",
      "The unit of information with base e: 0.69 nats are one bit. At a forward KL of 0.69 the trained model gives the "
        + "reference's next tokens, on average, half the probability that the reference gives them."
    ),
    (
      "Entropy", "entropy",
      "How much the model leaves to chance at each token, in nats. When it falls toward 0 the stories become alike."
    ),
    ("Loss", "loss", "What the optimizer minimises. Its size says little; reward and KL say how the run goes."),
    (
      "Distinct stories", "distinct_stories",
      "How many different stories a step told. Few out of many means that the model repeats itself."
    ),
    (
      "Gradient norm", "gradient_norm",
      "The length of the gradient before clipping. A sudden rise often comes before trouble. No unit."
    ),
    ("Tokens", "tokens", "Tokens generated in a step, over all its stories."),
    (
      "Nodes", "nodes",
      "Positions computed in a step: stories that begin alike share their beginning in one tree, so there are fewer "
        + "nodes than tokens."
    ),
    ("Mean length", "mean_length", "Generated tokens per story."),
    ("End-of-text rate", "end_of_text_rate", "The share of stories, 0 to 1, that the model ended itself."),
    ("Learning rate", "learning_rate", "The size of the optimizer's step."),
    (
      "Seconds", "seconds, seconds_split",
      "Wall-clock time of a step, and its parts: telling the stories (rollout), scoring them (reward), the reference "
        + "model (reference), the gradient (backward), the update (optimizer)."
    ),
  ]

  private static func flattened(_ value: JSONValue, name: String = "") -> [(String, String)] {
    switch value {
    case .object(let members) where !members.isEmpty:
      members.flatMap { flattened($0.value, name: name.isEmpty ? $0.key : "\(name).\($0.key)") }
    default: [(name.isEmpty ? "recipe" : name, plain(value))]
    }
  }

  private static func plain(_ value: JSONValue) -> String {
    switch value {
    case .null: "none"
    case .bool(let flag): flag ? "yes" : "no"
    case .integer(let number): String(number)
    case .number(let number): number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : "\(number)"
    case .string(let text): text
    case .array(let elements): elements.isEmpty ? "none" : elements.map(plain).joined(separator: ", ")
    case .object(let members):
      members.isEmpty ? "none" : members.map { "\($0.key): \(plain($0.value))" }.joined(separator: ", ")
    }
  }
}
