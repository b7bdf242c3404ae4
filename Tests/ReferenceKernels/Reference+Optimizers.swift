extension Reference {
  /// AdamW as the documentation of `torch.optim.AdamW` writes it (no AMSGrad, minimising).
  public struct AdamW: Sendable {
    /// The parameters.
    public var parameters: [Double]
    /// The running mean of the gradients.
    public var firstMoments: [Double]
    /// The running mean of the squared gradients.
    public var secondMoments: [Double]
    /// Updates so far.
    public var steps = 0
    /// Step size.
    public var learningRate: Double
    /// Decay of the first moments.
    public var beta1: Double
    /// Decay of the second moments.
    public var beta2: Double
    /// Added to the denominator.
    public var epsilon: Double
    /// Decoupled weight decay.
    public var weightDecay: Double

    /// An optimizer that has taken no step.
    public init(
      parameters: [Double], learningRate: Double, beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double
    ) {
      self.parameters = parameters
      firstMoments = parameters.map { _ in 0 }
      secondMoments = firstMoments
      self.learningRate = learningRate
      self.beta1 = beta1
      self.beta2 = beta2
      self.epsilon = epsilon
      self.weightDecay = weightDecay
    }

    /// 1 - beta1^t of the latest update.
    public var bias1: Double { 1 - power(beta1, steps) }
    /// 1 - beta2^t of the latest update.
    public var bias2: Double { 1 - power(beta2, steps) }

    /// One update.
    public mutating func step(_ gradients: [Double]) {
      steps += 1
      for (index, g) in gradients.enumerated() {
        parameters[index] -= learningRate * weightDecay * parameters[index]
        firstMoments[index] = beta1 * firstMoments[index] + (1 - beta1) * g
        secondMoments[index] = beta2 * secondMoments[index] + (1 - beta2) * g * g
        let first = firstMoments[index] / bias1
        let second = secondMoments[index] / bias2
        parameters[index] -= learningRate * first / (second.squareRoot() + epsilon)
      }
    }
  }
}
