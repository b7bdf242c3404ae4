package import JSON
package import Runs

extension RunManifest {
  /// A setting of the recipe by any of its names, at whatever depth.
  package func setting(_ names: String...) -> JSONValue? {
    func find(_ name: String, in value: JSONValue) -> JSONValue? {
      guard case .object(let members) = value else { return nil }
      if let own = value[name], own != .null { return own }
      return members.lazy.compactMap { find(name, in: $0.value) }.first
    }
    return names.lazy.compactMap { find($0, in: recipe) }.first
  }

  /// What the stories were steered toward, where the recipe tells.
  package var target: String? { setting("toward", "target", "target_text")?.stringValue }

  /// The norm that gradients were clipped to, where the recipe tells.
  package var clip: Double? {
    setting("clip_norm", "gradient_clip", "max_gradient_norm", "max_grad_norm")?.doubleValue
  }

  /// The recipe with the defaults that version 0.1.0 did not write out.
  var settingsInForce: JSONValue {
    guard case .object(var members) = recipe, let optimizer = recipe["optimizer"]?.stringValue else { return recipe }
    func add(_ key: String, _ value: JSONValue) {
      guard recipe[key] ?? .null == .null else { return }
      members.removeAll { $0.key == key }
      members.append(.init(key, value))
    }
    add("weight_decay", .number(optimizer == "sgd" ? 0 : 0.01))
    if let rank = recipe["lora_rank"]?.integerValue { add("lora_alpha", .number(2 * Double(rank))) }
    return .object(members.sorted { $0.key < $1.key })
  }

  /// How many prompts' completions a step compares among themselves; nil where nothing is compared, or the recipe does not
  /// tell.
  var comparedGroups: Int? {
    guard let samples = setting("samples")?.integerValue, setting("algorithm")?.stringValue != "reinforce" else {
      return nil
    }
    let each = setting("samples_per_prompt")?.integerValue ?? samples
    return each > 1 ? samples / each : nil
  }

  /// Whether each step has all prompts, as far as the recipe tells.
  var hasSamePromptsAtEachStep: Bool {
    guard case .array(let prompts)? = setting("prompt"), prompts.count > 1 else { return setting("prompts") == nil }
    guard let samples = setting("samples")?.integerValue, let each = setting("samples_per_prompt")?.integerValue else {
      return false
    }
    return each > 0 && samples / each >= prompts.count
  }
}

/// Every setting of a recipe as resolved, nested names joined by dots.
func flattenedSettings(_ value: JSONValue, name: String = "") -> [(key: String, value: String)] {
  switch value {
  case .object(let members) where !members.isEmpty:
    members.flatMap { flattenedSettings($0.value, name: name.isEmpty ? $0.key : "\(name).\($0.key)") }
  default: [(name.isEmpty ? "recipe" : name, plainText(value))]
  }
}

/// A setting as a reader likes it.
func plainText(_ value: JSONValue) -> String {
  switch value {
  case .null: "none"
  case .bool(let flag): flag ? "yes" : "no"
  case .integer(let number): String(number)
  case .unsigned(let number): String(number)
  case .number(let number): number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : "\(number)"
  case .string(let text): text
  case .array(let elements): elements.isEmpty ? "none" : elements.map(plainText).joined(separator: ", ")
  case .object(let members):
    members.isEmpty ? "none" : members.map { "\($0.key): \(plainText($0.value))" }.joined(separator: ", ")
  }
}
