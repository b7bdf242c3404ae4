public import Runs

/// What the metrics of a run call for saying, the gravest first.
///
/// - Parameters:
///   - clip: The norm that gradients were clipped to, where they were.
///   - samePrompts: Whether all steps have the same prompts.
///   - rewards: The rewards of each prompt, where a run has several.
///   - groups: How many groups of completions a step compares among themselves, where it compares any.
public func observations(
  of metrics: [StepMetrics], clip: Double? = nil, samePrompts: Bool = true, rewards: PromptRewards? = nil,
  groups: Int? = nil
) -> [Observation] {
  guard !metrics.isEmpty else { return [] }
  if let broken = notFinite(metrics) { return [broken] }
  let found = [
    tooLargeUpdates(metrics, samePrompts: samePrompts), divergence(metrics), collapse(metrics) ?? certainty(metrics),
    equalRewards(metrics) ?? tiedGroups(metrics, of: groups), rewardTrend(metrics, rewards),
    clipping(metrics, clip: clip), growingTime(metrics),
  ]
  let all = found.compactMap { $0 }
  return all.filter { $0.kind == .warning } + all.filter { $0.kind == .note }
}

/// What a run calls for saying: why it failed, where it did, which steps it skipped, and what its metrics tell.
package func observations(
  of manifest: RunManifest, metrics: [StepMetrics], skipped: [SkippedStep] = [], rewards: PromptRewards? = nil
) -> [Observation] {
  var all: [Observation] = []
  if manifest.status == .failed {
    all.append(
      Observation(
        kind: .warning, title: "The run failed", text: manifest.message.map(isolated) ?? "It did not say why.",
        remedy: "What was done until then is kept: read on below, mend what the message names, and start again."))
  }
  if let last = skipped.last {
    all.append(
      Observation(
        kind: .warning, title: "Steps were skipped",
        text: "\(Numbers.counted(skipped.count, "step was", "steps were")) not applied, the last of them step "
          + "\(last.step): \(isolated(last.reason))",
        cause: "A number was infinite or none at all, usually after updates that were too large.",
        remedy: "The model is as it was before each of them. If it happens again and again, lower the learning rate."))
  }
  return all
    + observations(
      of: metrics, clip: manifest.clip, samePrompts: manifest.hasSamePromptsAtEachStep, rewards: rewards,
      groups: manifest.comparedGroups)
}

/// A number that is infinite or none at all.
private func notFinite(_ metrics: [StepMetrics]) -> Observation? {
  guard let broken = metrics.first(where: { !$0.isFinite }) else { return nil }
  return Observation(
    kind: .warning, title: "A number is not finite",
    text: "At step \(broken.step) a metric is infinite or not a number: what follows is worthless.",
    cause: "Usually an update that was far too large; sometimes a reward that is not a number.",
    remedy: "Lower the learning rate and start again from a checkpoint before that step.")
}

/// KL that has gone far, or is on its way there faster and faster.
private func divergence(_ metrics: [StepMetrics]) -> Observation? {
  guard let last = metrics.last else { return nil }
  let cause = "Nothing, or too little, holds the model to its reference while the reward pulls."
  let remedy =
    "Read the last stories. If they have become repetitive, raise the KL coefficient, take fewer steps, or go back to "
    + "an earlier checkpoint."
  if last.klForward > 1 {
    let left = metrics.first { $0.klForward > 1 }.map { " It passed 1 at step \($0.step)." } ?? ""
    return Observation(
      kind: .warning, title: "The model is far from its reference",
      text: "KL has reached \(Numbers.significant(last.klForward, 2)) nats per token; beyond about 1, language usually "
        + "suffers for the reward.\(left)",
      cause: cause, remedy: remedy)
  }
  // Under a penalty KL slows down as it rises; one that gains speed is not held.
  let stretch = max(4, metrics.count / 4)
  guard metrics.count >= 3 * stretch, last.klForward > 0.25 else { return nil }
  let now = mean(metrics.suffix(stretch), \.klForward)
  let before = mean(metrics.dropLast(stretch).suffix(stretch), \.klForward)
  let earlier = mean(metrics.dropLast(2 * stretch).suffix(stretch), \.klForward)
  guard now - before > 0.1, now - before > 1.5 * (before - earlier) else { return nil }
  return Observation(
    kind: .warning, title: "KL is running away",
    text: "It rose by \(Numbers.significant(now - before, 2)) nats per token over the last \(stretch) steps, after "
      + "\(Numbers.significant(max(0, before - earlier), 2)) over the \(stretch) before, and stands at "
      + "\(Numbers.significant(last.klForward, 2)).",
    cause: cause, remedy: remedy)
}

/// Few stories told over and over.
private func collapse(_ metrics: [StepMetrics]) -> Observation? {
  guard let first = metrics.first, let last = metrics.last, metrics.count > 1 else { return nil }
  let firstShare = Double(first.distinctStories) / Double(max(1, ReportData.stories(first)))
  let lastShare = Double(last.distinctStories) / Double(max(1, ReportData.stories(last)))
  guard lastShare < 0.25, lastShare < firstShare / 2 else { return nil }
  return Observation(
    kind: .warning,
    title: last.distinctStories == 1 ? "The stories have become one" : "The stories are collapsing into few",
    text: "Of \(Numbers.grouped(ReportData.stories(last))) stories at the last step only "
      + "\(Numbers.grouped(last.distinctStories)) \(last.distinctStories == 1 ? "is" : "are") distinct, after "
      + "\(Numbers.grouped(first.distinctStories)) at the first.",
    cause: "The model repeats what earned most: nothing rewards variety, and the KL penalty is too weak to keep it.",
    remedy: "Raise the KL coefficient, lower the learning rate, or go back to a checkpoint whose stories still varied.")
}

/// Entropy that is nearly gone.
private func certainty(_ metrics: [StepMetrics]) -> Observation? {
  guard let first = metrics.first, let last = metrics.last, metrics.count > 1 else { return nil }
  guard first.entropy > 0.2, last.entropy < first.entropy * 0.2 else { return nil }
  return Observation(
    kind: .warning, title: "The model has become nearly certain of every word",
    text: "Entropy fell from \(Numbers.significant(first.entropy)) to \(Numbers.significant(last.entropy)) nats per "
      + "token: the stories leave less and less to chance.",
    cause: "Each update makes what earned most more probable, until little else is ever tried.",
    remedy: "Raise the KL coefficient, lower the learning rate, or stop earlier.")
}

/// Rewards without any difference to learn from.
private func equalRewards(_ metrics: [StepMetrics]) -> Observation? {
  guard metrics.count >= 3, metrics.suffix(3).allSatisfy({ $0.rewardStd == 0 }) else { return nil }
  return Observation(
    kind: .warning, title: "All stories earn the same",
    text: "In the last steps every story of a step earned the same reward, so there is nothing left to prefer.",
    cause: "The stories have become one, or the reward does not tell them apart.",
    remedy: "Look at the stories: if they differ, check the reward; if not, go back to an earlier checkpoint.")
}

/// A reward that is flat, falls, or still rises at the end.
///
/// Steps with different prompts are compared within prompts only.
private func rewardTrend(_ metrics: [StepMetrics], _ rewards: PromptRewards?) -> Observation? {
  guard let first = metrics.first, metrics.count >= 10 else { return nil }
  let tenth = metrics.count / 10
  let isUniform = rewards?.isUniform ?? true
  let within = isUniform ? nil : rewards?.change(share: 0.1)
  guard isUniform || within != nil else { return nil }
  let start = within?.before ?? mean(metrics.prefix(tenth), \.rewardMean)
  let end = within?.after ?? mean(metrics.suffix(tenth), \.rewardMean)
  let same =
    within.flatMap(\.promptCount).map { " over \(Numbers.counted($0, "prompt", "prompts")) at both times" } ?? ""
  let change = "Its mean\(same) went from \(Numbers.significant(start)) to \(Numbers.significant(end))."
  if abs(end - start) < max(0.02, 0.1 * first.rewardStd) {
    return Observation(
      kind: .warning, title: "The reward has hardly changed", text: change,
      cause: "The updates are too small or too noisy, the KL penalty outweighs the reward, or no story that is told "
        + "earns more than another.",
      remedy: "Try a higher learning rate, more stories a step, a weaker KL penalty or more steps.")
  }
  if end < start {
    return Observation(
      kind: .warning, title: "The reward has fallen", text: change,
      cause: "Updates are probably too large; the policy oscillates.",
      remedy: "Lower the learning rate, or sample more completions a step.")
  }
  guard isUniform, metrics.count >= 20,
    end - mean(metrics.suffix(2 * tenth).prefix(tenth), \.rewardMean) > 0.1 * (end - start)
  else { return nil }
  return Observation(
    kind: .note, title: "The reward was still rising at the end",
    text: "Its mean was \(Numbers.significant(end)), up from \(Numbers.significant(start)).",
    cause: "The run ended before it had learned what it could.", remedy: "More steps would probably earn more.")
}

/// Clipping at nearly every step.
private func clipping(_ metrics: [StepMetrics], clip: Double?) -> Observation? {
  guard let clip, clip > 0, metrics.count >= 5 else { return nil }
  let clipped = metrics.filter { $0.gradientNorm > clip }.count
  guard Double(clipped) > 0.9 * Double(metrics.count) else { return nil }
  return Observation(
    kind: .note, title: "The gradient was clipped almost always",
    text: "It was longer than \(Numbers.significant(clip)) at \(clipped) of \(metrics.count) steps.",
    cause: "The limit is below the usual size of the gradient, so that it, and not the learning rate, sets the size of "
      + "the updates.",
    remedy: "Raise the limit above the usual gradient norm, or keep it and know that it acts as a second learning rate."
  )
}

/// Steps that take longer and longer.
private func growingTime(_ metrics: [StepMetrics]) -> Observation? {
  guard metrics.count >= 20 else { return nil }
  let tenth = metrics.count / 10
  // The first steps warm up: memory is taken and caches are empty.
  let early = metrics.dropFirst(tenth).prefix(tenth)
  let late = metrics.suffix(tenth)
  let before = mean(early, \.seconds)
  let now = mean(late, \.seconds)
  guard before > 0, now > 1.5 * before else { return nil }
  let longer = mean(late) { Double($0.tokens) } > 1.3 * mean(early) { Double($0.tokens) }
  return Observation(
    kind: .note, title: "Steps take longer and longer",
    text: "A step took \(Numbers.duration(before)) at first and takes \(Numbers.duration(now)) now.",
    cause: longer
      ? "The stories have become longer, so that there are more tokens to compute."
      : "The stories have as many tokens as before, so something else needs the computer or its memory is short.",
    remedy: longer
      ? "Lower the limit of new tokens if you do not want longer stories."
      : "Look for other programs that are busy, and at memory; the time split shows which part has grown.")
}

private func mean(_ slice: ArraySlice<StepMetrics>, _ value: (StepMetrics) -> Double) -> Double {
  slice.isEmpty ? .nan : slice.reduce(0) { $0 + value($1) } / Double(slice.count)
}

extension StepMetrics {
  fileprivate var isFinite: Bool {
    [rewardMean, rewardStd, rewardMax, klForward, klReverse, loss, entropy, gradientNorm].allSatisfy(\.isFinite)
  }
}
