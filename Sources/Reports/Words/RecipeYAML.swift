import Foundation
import JSON
package import Runs

/// The recipe of a run as a YAML file that `align --recipe` takes: every setting in force, with what it ran on in comments.
package func recipeYAML(_ manifest: RunManifest) -> String {
  var lines = [
    "TinyAlign \(manifest.programVersion), \(manifest.created.formatted(.iso8601)), "
      + "\(manifest.platform), \(Numbers.counted(manifest.threadCount, "thread", "threads"))"
  ]
  let models = [
    ("model", manifest.model), ("reference model", manifest.reference), ("reward model", manifest.rewardModel),
    ("prompts", manifest.promptFile),
  ]
  for (name, model) in models {
    guard let model else { continue }
    lines.append("\(name) \(model.name)\(model.sha256.isEmpty ? "" : ", SHA-256 \(model.sha256)")")
  }
  var text = lines.map { "# \(oneLine($0))\n" }.joined()
  guard case .object(let members) = manifest.settingsInForce else { return text }
  // What is off goes without saying.
  for member in members where member.value != .null {
    text += "\(scalar(member.key)):\(value(member.value, indent: "  "))\n"
  }
  return text
}

/// What stands behind a key or a dash.
private func value(_ value: JSONValue, indent: String) -> String {
  switch value {
  case .null: return " null"
  case .bool(let flag): return flag ? " true" : " false"
  case .integer(let number): return " \(number)"
  case .unsigned(let number): return " \(number)"
  case .number(let number): return " \(number)"
  case .string(let text): return " \(scalar(text))"
  case .array(let elements):
    guard !elements.isEmpty else { return " []" }
    return elements.map { "\n\(indent)-\(nested($0, indent: indent))" }.joined()
  case .object(let members):
    guard !members.isEmpty else { return " {}" }
    return members.map { "\n\(indent)\(scalar($0.key)):\(nested($0.value, indent: indent))" }.joined()
  }
}

private func nested(_ element: JSONValue, indent: String) -> String { value(element, indent: indent + "  ") }

/// A text as YAML reads it back: in quotes with escapes, unless it is a plain word.
private func scalar(_ text: String) -> String {
  let words: Set<String> = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
  let isPlain = text.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "."):
      true
    default: false
    }
  }
  if isPlain, let first = text.unicodeScalars.first, first.properties.isAlphabetic, !words.contains(text.lowercased()) {
    return text
  }
  return "\"\(text.unicodeScalars.map(escape).joined())\""
}

/// A character inside quotes; what is invisible, ends a line or turns the direction of writing is written as its number.
private func escape(_ scalar: Unicode.Scalar) -> String {
  switch scalar {
  case "\\": return "\\\\"
  case "\"": return "\\\""
  case "\n": return "\\n"
  case "\t": return "\\t"
  default:
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse:
      let digits = String(scalar.value, radix: 16)
      let (letter, width) = scalar.value > 0xFFFF ? ("U", 8) : ("u", 4)
      return "\\\(letter)\(String(repeating: "0", count: width - digits.count))\(digits)"
    default: return String(scalar)
    }
  }
}

/// A text in which nothing ends a comment.
private func oneLine(_ text: String) -> String {
  text.unicodeScalars.map { scalar in
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse: "\u{FFFD}"
    default: String(scalar)
    }
  }.joined()
}
