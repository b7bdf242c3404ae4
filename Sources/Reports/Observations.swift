public import Runs

/// Something that the numbers of a run call for saying, in plain words.
public struct Observation: Sendable, Equatable {
  /// How much it matters.
  public enum Kind: String, Sendable {
    /// The run went wrong, or its language did.
    case warning
    /// Worth knowing.
    case note
  }

  /// How much it matters.
  public let kind: Kind
  /// In a few words.
  public let title: String
  /// What was seen, what it means and what to do.
  public let text: String
}

/// What the metrics of a run call for saying, the gravest first.
///
/// - Parameter clip: The norm that gradients were clipped to, where they were.
public func observations(of metrics: [StepMetrics], clip: Double? = nil) -> [Observation] {
  guard let first = metrics.first, let last = metrics.last else { return [] }
  var found: [Observation] = []
  func warn(_ title: String, _ text: String) { found.append(.init(kind: .warning, title: title, text: text)) }
  func note(_ title: String, _ text: String) { found.append(.init(kind: .note, title: title, text: text)) }

  if let broken = metrics.first(where: { !$0.isFinite }) {
    warn(
      "A number is not finite",
      "At step \(broken.step) a metric is infinite or not a number: what follows is worthless. Lower the learning rate, "
        + "and start again from a checkpoint before that step.")
    return found
  }
  if last.klForward > 1 {
    let left = metrics.first { $0.klForward > 1 }.map { " It passed 1 at step \($0.step)." } ?? ""
    warn(
      "The model is far from its reference",
      "KL has reached \(Numbers.significant(last.klForward, 2)) nats per token; beyond about 1, language usually "
        + "suffers for the reward.\(left) Read the last stories below; if they have become repetitive, raise the KL "
        + "coefficient, take fewer steps, or go back to an earlier checkpoint.")
  }
  let firstShare = Double(first.distinctStories) / Double(max(1, ReportData.stories(first)))
  let lastShare = Double(last.distinctStories) / Double(max(1, ReportData.stories(last)))
  if metrics.count > 1, lastShare < 0.25, lastShare < firstShare / 2 {
    warn(
      "The stories are collapsing into few",
      "Of \(Numbers.grouped(ReportData.stories(last))) stories at the last step only "
        + "\(Numbers.grouped(last.distinctStories)) \(last.distinctStories == 1 ? "is" : "are") distinct, after \(Numbers.grouped(first.distinctStories)) at "
        + "the first. The model repeats what earned most. Raise the KL coefficient or stop earlier.")
  } else if metrics.count > 1, first.entropy > 0.2, last.entropy < first.entropy * 0.2 {
    warn(
      "The model has become nearly certain of every word",
      "Entropy fell from \(Numbers.significant(first.entropy)) to \(Numbers.significant(last.entropy)) nats per token: "
        + "the stories leave less and less to chance. Raise the KL coefficient or stop earlier.")
  }
  if metrics.count >= 3, metrics.suffix(3).allSatisfy({ $0.rewardStd == 0 }) {
    warn(
      "All stories earn the same",
      "In the last steps every story of a step earned the same reward, so there is nothing left to prefer. "
        + "Check the reward, or stop here.")
  }
  let tenth = max(1, metrics.count / 10)
  func mean(_ slice: ArraySlice<StepMetrics>) -> Double { slice.map(\.rewardMean).reduce(0, +) / Double(slice.count) }
  let start = mean(metrics.prefix(tenth))
  let end = mean(metrics.suffix(tenth))
  if metrics.count >= 10 {
    if abs(end - start) < max(0.02, 0.1 * first.rewardStd) {
      warn(
        "The reward has hardly changed",
        "Its mean went from \(Numbers.significant(start)) to \(Numbers.significant(end)). A higher learning rate, more "
          + "stories a step, a weaker KL penalty or more steps may be needed.")
    } else if end < start {
      warn(
        "The reward has fallen",
        "Its mean went from \(Numbers.significant(start)) to \(Numbers.significant(end)). The learning rate is probably "
          + "too high.")
    } else if metrics.count >= 20, end - mean(metrics.suffix(2 * tenth).prefix(tenth)) > 0.1 * (end - start) {
      note("The reward was still rising at the end", "More steps would probably earn more.")
    }
  }
  if let clip, clip > 0, metrics.count >= 5 {
    let clipped = metrics.filter { $0.gradientNorm > clip }.count
    if Double(clipped) > 0.9 * Double(metrics.count) {
      note(
        "The gradient was clipped almost always",
        "It was longer than \(Numbers.significant(clip)) at \(clipped) of \(metrics.count) steps, so the clipping, not "
          + "the learning rate, set the size of the updates.")
    }
  }
  return found
}

extension StepMetrics {
  fileprivate var isFinite: Bool {
    [rewardMean, rewardStd, rewardMax, klForward, klReverse, loss, entropy, gradientNorm].allSatisfy(\.isFinite)
  }
}
