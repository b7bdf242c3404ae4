import Runs

/// Groups of completions that all earned the same: they are compared only with each other, so nothing is learned from them.
func tiedGroups(_ metrics: [StepMetrics], of groups: Int?) -> Observation? {
  guard let groups, groups > 0, metrics.count >= 3 else { return nil }
  if metrics.suffix(3).allSatisfy({ ($0.tiedGroups ?? 0) >= groups }) {
    return Observation(
      kind: .warning, title: "Every advantage is 0",
      text: "In the last steps the completions of each prompt all earned the same, so none is better than another and "
        + "nothing is learned from them, although prompts differ.",
      cause: "The completions of a prompt have become one, or the reward does not tell them apart.",
      remedy:
        "Look at the completions: if they differ, check the reward; if not, raise the KL coefficient or go back to "
        + "an earlier checkpoint.")
  }
  let recent = metrics.suffix(10).compactMap(\.tiedGroups)
  let share = Double(recent.reduce(0, +)) / Double(max(1, recent.count * groups))
  guard recent.count >= 3, share > 0.5 else { return nil }
  return Observation(
    kind: .note, title: "Most groups tie",
    text:
      "In the last \(recent.count) steps the completions of \(Numbers.fixed(100 * share, 0))% of the prompts all earned "
      + "the same: nothing is learned from them.",
    cause: "The prompts are too easy or too hard for the model, or the reward knows few values.",
    remedy: "Sample more completions a prompt, or take prompts whose completions differ in what they earn.")
}
