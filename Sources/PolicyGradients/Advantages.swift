/// How rewards become the weights of log-probabilities.
public enum Algorithm: String, Codable, Sendable, CaseIterable {
  /// Williams 1992, without a baseline: a story's advantage is its reward.
  case reinforce
  /// Leave-one-out (Kool et al. 2019, Ahmadian et al. 2024): the reward less the mean of the other stories' rewards.
  case rloo

  /// The advantage of each story.
  ///
  /// Nothing is divided by a standard deviation: it would weigh prompts by how easy they are (arXiv 2503.20783).
  ///
  /// - Parameter rewards: rewards of the stories of one prompt.
  /// - Precondition: leave-one-out needs at least two stories.
  public func advantages(rewards: [Float]) -> [Float] {
    switch self {
    case .reinforce: return rewards
    case .rloo: return leaveOneOut(rewards)
    }
  }

  /// The advantages of a step's stories, each group of `groupSize` in a row among its own: the stories of one prompt.
  ///
  /// - Precondition: `groupSize` divides the number of rewards.
  public func advantages(rewards: [Float], groupSize: Int) -> [Float] {
    groups(of: rewards, size: groupSize).flatMap { advantages(rewards: Array($0)) }
  }
}

/// Each number less the mean of all others; they sum to zero.
///
/// A baseline that included the number itself would shrink the gradient by (count - 1) / count.
public func leaveOneOut(_ rewards: [Float]) -> [Float] {
  precondition(rewards.count > 1, "leave-one-out needs at least 2 rewards, not \(rewards.count)")
  let sum = rewards.reduce(0.0) { $0 + Double($1) }
  return rewards.map { Float(Double($0) - (sum - Double($0)) / Double(rewards.count - 1)) }
}

/// The number of groups of `groupSize` in a row whose stories all have the same reward, so that leave-one-out learns nothing from
/// them; a single story has none to be compared with and makes no tie.
///
/// - Precondition: `groupSize` divides the number of rewards.
public func tiedGroupCount(rewards: [Float], groupSize: Int) -> Int {
  groups(of: rewards, size: groupSize).count { group in group.count > 1 && group.allSatisfy { $0 == group.first } }
}

private func groups(of rewards: [Float], size: Int) -> [ArraySlice<Float>] {
  precondition(
    size > 0 && rewards.count.isMultiple(of: size), "\(rewards.count) rewards in groups of \(size)")
  return stride(from: 0, to: rewards.count, by: size).map { rewards[$0..<$0 + size] }
}
