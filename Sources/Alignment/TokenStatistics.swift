import Kernels
import PolicyGradients

/// What the policy and its reference thought of each token of a sampled story, before the update that it led to.
public struct TokenStatistics: Sendable, Equatable {
  /// log-probability of each token under the policy, nats.
  public var logProbabilities: [Float] = []
  /// log-probability of each token under the reference, nats.
  public var referenceLogProbabilities: [Float] = []
  /// Entropy of the policy where each token was drawn, nats.
  public var entropies: [Float] = []

  /// Whether no number is infinite or none at all.
  var isFinite: Bool {
    [logProbabilities, referenceLogProbabilities, entropies].allSatisfy { $0.allSatisfy(\.isFinite) }
  }

  /// Of one path, from the loss over the rows of all paths.
  ///
  /// - Parameter firstRow: the node of the first row; rows and nodes run side by side.
  init(_ path: SampledPath, rows: PolicyLossRows, firstRow: Int, loss: HeadLoss) {
    for (token, node) in zip(path.tokens, path.nodes) {
      let row = node - firstRow
      var (low, high) = (rows.targetStarts[row], rows.targetStarts[row + 1])
      while high - low > 1 {
        let middle = (low + high) / 2
        if Int(rows.targetTokens[middle]) > token { high = middle } else { low = middle }
      }
      precondition(Int(rows.targetTokens[low]) == token, "token \(token) was not drawn at row \(row)")
      logProbabilities.append(loss.targetLogProbabilities[low])
      referenceLogProbabilities.append(loss.targetReferenceLogProbabilities[low])
      entropies.append(loss.entropies[row])
    }
  }
}
