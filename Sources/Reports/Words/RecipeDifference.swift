import JSON
package import Runs

/// A setting in which runs differ.
package struct RecipeDifference: Sendable, Equatable {
  /// The setting's name; nested names are joined by dots.
  package let key: String
  /// Its value in each run; "–" where a run does not have it.
  package let values: [String]

  /// A setting with its value in each run.
  package init(key: String, values: [String]) {
    self.key = key
    self.values = values
  }
}

/// The settings in which runs differ, in the order of the recipes: first the recipe's, then models and seed, then what
/// the runs ran on.
package func recipeDifferences(_ manifests: [RunManifest]) -> [RecipeDifference] {
  guard manifests.count > 1 else { return [] }
  let all = manifests.map { (recipe: recipe(of: $0), rest: circumstances(of: $0)) }
  let tables = all.map { Dictionary(($0.recipe + $0.rest).map { ($0.key, $0.value) }) { first, _ in first } }
  var seen: Set<String> = []
  let keys = (all.flatMap(\.recipe) + all.flatMap(\.rest)).map(\.key).filter { seen.insert($0).inserted }
  return keys.compactMap { key in
    let values = tables.map { $0[key] }
    guard Set(values).count > 1 else { return nil }
    // Lists of prompts can be very long.
    return RecipeDifference(key: key, values: values.map { $0.map { shortened($0, to: 160) } ?? "–" })
  }
}

private func recipe(of manifest: RunManifest) -> [(key: String, value: String)] {
  guard case .object(let members) = manifest.recipe, !members.isEmpty else { return [] }
  return flattenedSettings(manifest.recipe)
}

/// What else may explain why one run went otherwise than another.
private func circumstances(of manifest: RunManifest) -> [(key: String, value: String)] {
  var list: [(key: String, value: String)] = []
  func model(_ name: String, _ model: RunManifest.Model?) {
    guard let model else { return }
    list.append((name, model.name))
    if !model.sha256.isEmpty { list.append(("\(name), SHA-256", String(model.sha256.prefix(12)))) }
  }
  model("model", manifest.model)
  model("reference model", manifest.reference)
  model("reward model", manifest.rewardModel)
  list.append(("seed", String(manifest.seed)))
  list.append(("program", manifest.programVersion))
  list.append(("computer", manifest.platform))
  list.append(("threads", String(manifest.threadCount)))
  return list
}
