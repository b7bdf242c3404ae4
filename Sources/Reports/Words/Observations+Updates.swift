import Runs

/// An update that moved the model further than the completions of one step can justify.
///
/// The metrics of a step are measured before its update, so what update k did is the difference of steps k and k + 1. A
/// rise of KL above half a nat per token is too much by itself; one above a quarter is where the next update took most of
/// it back, or where the reward fell after it.
///
/// - Parameter samePrompts: Whether all steps have the same prompts. KL differs between prompts, so where they change,
///   a rise must stand out from what is usual between two steps.
func tooLargeUpdates(_ metrics: [StepMetrics], samePrompts: Bool) -> Observation? {
  let jumps = zip(metrics, metrics.dropFirst()).enumerated().filter { $0.element.1.step == $0.element.0.step + 1 }
    .map { Jump(at: $0.offset, of: metrics) }
  let usual = samePrompts ? 0 : median(jumps.map { abs($0.rise) })
  let tooLarge = jumps.filter { jump in
    // From the reference itself a rise is one at any prompt.
    guard jump.rise > 4 * usual || jump.before.klForward < 0.001 else { return false }
    return jump.rise > 0.5 || (jump.rise > 0.25 && (jump.isTakenBack || jump.rewardFell))
  }
  guard let worst = tooLarge.max(by: { $0.rise < $1.rise }) else {
    return samePrompts ? thrownBack(metrics).map(warning) : nil
  }
  var text =
    "Update \(worst.before.step) alone moved the model by \(Numbers.significant(worst.rise, 2)) nats per token: KL to the "
    + "reference went from \(Numbers.significant(worst.before.klForward, 2)) to "
    + "\(Numbers.significant(worst.after.klForward, 2))."
  if worst.rewardFell {
    text +=
      " The mean reward fell from \(Numbers.significant(worst.before.rewardMean)) to "
      + "\(Numbers.significant(worst.lowestReward)) after it."
  }
  if tooLarge.count > 1 { text += " \(Numbers.grouped(tooLarge.count)) updates went that far." }
  return warning(text)
}

/// A mean reward that fell well below its beginning and came back: what was seen, in words.
///
/// Means of a twentieth of the steps, three at least, are compared, since single steps vary by chance.
private func thrownBack(_ metrics: [StepMetrics]) -> String? {
  let width = max(3, metrics.count / 20)
  guard let first = metrics.first, metrics.count >= 3 * width else { return nil }
  func mean(from start: Int) -> Double {
    metrics[start..<start + width].reduce(0) { $0 + $1.rewardMean } / Double(width)
  }
  let starts = 0...metrics.count - width
  guard let lowest = starts.min(by: { mean(from: $0) < mean(from: $1) }) else { return nil }
  let (beginning, low, end) = (mean(from: 0), mean(from: lowest), mean(from: metrics.count - width))
  guard beginning - low > max(0.03, 0.5 * first.rewardStd), end - low > 0.5 * (beginning - low) else { return nil }
  return "The mean reward was thrown back first: it fell from \(Numbers.significant(beginning)) to "
    + "\(Numbers.significant(low)) at about step \(metrics[lowest + width / 2].step), and ended at "
    + "\(Numbers.significant(end))."
}

private func warning(_ text: String) -> Observation {
  Observation(
    kind: .warning, title: "Updates are probably too large", text: text,
    cause: "The learning rate is too high for this model: an update changes more than the completions of one step can "
      + "tell about, and the policy oscillates.",
    remedy: "Lower the learning rate to a third or a tenth, let it warm up (warmup_steps), or clip the gradient "
      + "(max_gradient_norm).")
}

/// What one update did, as far as the steps around it tell.
private struct Jump {
  let before: StepMetrics
  let after: StepMetrics
  /// How much KL rose, nats per token.
  let rise: Double
  /// Whether the update after it took back half of the rise or more.
  let isTakenBack: Bool
  /// The lowest mean reward of the three steps that follow the update.
  let lowestReward: Double

  init(at index: Int, of metrics: [StepMetrics]) {
    before = metrics[index]
    after = metrics[index + 1]
    rise = after.klForward - before.klForward
    isTakenBack = index + 2 < metrics.count && after.klForward - metrics[index + 2].klForward > rise / 2
    lowestReward = metrics[(index + 1)...].prefix(3).map(\.rewardMean).min() ?? after.rewardMean
  }

  /// Whether the reward was thrown back: by more than the mean of a step varies by chance.
  var rewardFell: Bool { before.rewardMean - lowestReward > max(0.02, 0.3 * before.rewardStd) }
}

/// The middle value; 0 of none.
private func median(_ values: [Double]) -> Double {
  values.isEmpty ? 0 : values.sorted()[values.count / 2]
}
