extension Reference {
  /// A linear head over hidden states.
  public struct Head: Sendable {
    /// [rows, hiddenSize].
    public var hidden: [Double]
    /// [vocabularySize, hiddenSize].
    public var weight: [Double]
    /// Size of a hidden state.
    public var hiddenSize: Int

    /// Hidden states and the matrix that they meet.
    public init(hidden: [Double], weight: [Double], hiddenSize: Int) {
      self.hidden = hidden
      self.weight = weight
      self.hiddenSize = hiddenSize
    }

    /// Number of tokens.
    public var vocabularySize: Int { weight.count / hiddenSize }
    /// Number of rows.
    public var rows: Int { hidden.count / hiddenSize }

    /// [rows, vocabularySize].
    public var logits: [Double] {
      Reference.linear(
        hidden, weight: weight, bias: nil, rows: rows, inputSize: hiddenSize, outputSize: vocabularySize)
    }
  }

  /// What is asked of one row of logits.
  public struct RowLoss: Sendable {
    /// Tokens whose -weight * log p counts.
    public var targets: [(token: Int, weight: Double)]
    /// Weight of KL(reference || p).
    public var forwardKLWeight: Double
    /// Weight of KL(p || reference).
    public var reverseKLWeight: Double

    /// Targets and KL weights of a row.
    public init(targets: [(token: Int, weight: Double)], forwardKLWeight: Double = 0, reverseKLWeight: Double = 0) {
      self.targets = targets
      self.forwardKLWeight = forwardKLWeight
      self.reverseKLWeight = reverseKLWeight
    }
  }

  /// Values and gradients of a loss on logits.
  public struct HeadValues: Sendable {
    /// The loss.
    public var value = 0.0
    /// log p of each target, row after row.
    public var logProbabilities: [Double] = []
    /// log of the reference's probability of each target, row after row; zeros without a reference.
    public var referenceLogProbabilities: [Double] = []
    /// Entropy of each row.
    public var entropies: [Double] = []
    /// KL(reference || p) of each row.
    public var forwardKLs: [Double] = []
    /// KL(p || reference) of each row.
    public var reverseKLs: [Double] = []
    /// [rows, hiddenSize].
    public var hiddenGradient: [Double] = []
    /// [vocabularySize, hiddenSize].
    public var weightGradient: [Double] = []
  }

  /// The loss of each row, summed, and its gradients.
  public static func evaluate(_ rowLosses: [RowLoss], head: Head, reference: Head?) -> HeadValues {
    let size = head.vocabularySize
    let logits = head.logits
    let referenceLogits = reference?.logits
    var result = HeadValues()
    var logitGradient: [Double] = []
    for (row, loss) in rowLosses.enumerated() {
      let logP = logSoftmax(Array(logits[row * size..<(row + 1) * size]))
      // The gradient of the loss with respect to each log p, as if they were free; then through the softmax.
      var gradient = [Double](repeating: 0, count: size)
      for target in loss.targets {
        result.logProbabilities.append(logP[target.token])
        result.value -= target.weight * logP[target.token]
        gradient[target.token] -= target.weight
      }
      result.entropies.append(logP.map { -exponential($0) * $0 }.reduce(0, +))
      result.referenceLogProbabilities += loss.targets.map { _ in 0 }
      var forward = 0.0
      var reverse = 0.0
      if let referenceLogits {
        let logR = logSoftmax(Array(referenceLogits[row * size..<(row + 1) * size]))
        result.referenceLogProbabilities.removeLast(loss.targets.count)
        result.referenceLogProbabilities += loss.targets.map { logR[$0.token] }
        for token in 0..<size {
          forward += exponential(logR[token]) * (logR[token] - logP[token])
          reverse += exponential(logP[token]) * (logP[token] - logR[token])
          gradient[token] -= loss.forwardKLWeight * exponential(logR[token])
          gradient[token] += loss.reverseKLWeight * exponential(logP[token]) * (logP[token] - logR[token] + 1)
        }
      }
      result.forwardKLs.append(forward)
      result.reverseKLs.append(reverse)
      result.value += loss.forwardKLWeight * forward + loss.reverseKLWeight * reverse
      let sum = gradient.reduce(0, +)
      for token in 0..<size { logitGradient.append(gradient[token] - exponential(logP[token]) * sum) }
    }
    let backward = linearBackward(
      head.hidden, weight: head.weight, outputGradient: logitGradient, rows: head.rows, inputSize: head.hiddenSize,
      outputSize: size)
    result.hiddenGradient = backward.input
    result.weightGradient = backward.weight
    return result
  }

  private static func logSoftmax(_ logits: [Double]) -> [Double] {
    let normalizer = logSumExp(logits)
    return logits.map { $0 - normalizer }
  }
}
