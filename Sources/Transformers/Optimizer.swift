import Foundation
public import Kernels

/// An optimiser and its constants; the learning rate comes with each step.
public enum OptimizerKind: Sendable, Equatable {
  /// Decoupled weight decay and PyTorch's defaults: beta1 0.9, beta2 0.999, epsilon 1e-8.
  case adamW(beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8)
  /// Plain stochastic gradient descent, no momentum.
  case sgd
}

/// Updates a parameter buffer from a gradient buffer.
public final class Optimizer {
  /// Which optimiser.
  public let kind: OptimizerKind
  /// Decoupled weight decay; it applies to every parameter, as `torch.optim` applies it to `model.parameters()`.
  public let weightDecay: Float
  /// Updates so far.
  public private(set) var stepCount = 0
  /// The running mean of each parameter's gradient; nil where the optimiser needs none.
  public let firstMoments: FloatBuffer?
  /// The running mean of its square; nil where the optimiser needs none.
  public let secondMoments: FloatBuffer?

  /// An optimiser of `parameterCount` parameters.
  public init(_ kind: OptimizerKind, weightDecay: Float, parameterCount: Int) {
    self.kind = kind
    self.weightDecay = weightDecay
    if case .adamW = kind {
      firstMoments = FloatBuffer(count: parameterCount)
      secondMoments = FloatBuffer(count: parameterCount)
    } else {
      firstMoments = nil
      secondMoments = nil
    }
  }

  /// Takes up where an optimiser was after `stepCount` updates, whose moments have been copied into these.
  public func resume(afterStep stepCount: Int) { self.stepCount = stepCount }

  /// One update.
  ///
  /// - Parameter gradientScale: what gradients are multiplied by first; see ``clippingScale(norm:maximum:)``.
  public func step(_ parameters: FloatBuffer, gradients: FloatBuffer, learningRate: Float, gradientScale: Float = 1) {
    precondition(parameters.count == gradients.count, "\(gradients.count) gradients of \(parameters.count) parameters")
    stepCount += 1
    switch kind {
    case .adamW(let beta1, let beta2, let epsilon):
      guard let firstMoments, let secondMoments else { return }
      adamW(
        parameters.pointer, gradients: gradients.pointer, firstMoments: firstMoments.pointer,
        secondMoments: secondMoments.pointer, count: parameters.count,
        step: AdamWStep(
          learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay,
          bias1: Float(1 - pow(Double(beta1), Double(stepCount))),
          bias2: Float(1 - pow(Double(beta2), Double(stepCount))), gradientScale: gradientScale))
    case .sgd:
      gradientDescent(
        parameters.pointer, gradients: gradients.pointer, count: parameters.count, learningRate: learningRate,
        weightDecay: weightDecay, gradientScale: gradientScale)
    }
  }
}

/// The Euclidean norm of all gradients together; NaN or infinite if any of them is.
public func gradientNorm(_ gradients: FloatBuffer) -> Double {
  sumOfSquares(gradients.pointer, count: gradients.count).squareRoot()
}

/// What gradients are multiplied by so that their norm is at most `maximum`, as `torch.nn.utils.clip_grad_norm_` has it.
public func clippingScale(norm: Double, maximum: Double?) -> Float {
  guard let maximum else { return 1 }
  return Float(min(1, maximum / (norm + 1e-6)))
}

/// The learning rate's factor over a run, the same as that of transformers' schedules with warm-up.
public struct LearningRateSchedule: Sendable, Equatable {
  /// What follows the warm-up.
  public enum Shape: String, Codable, Sendable, CaseIterable {
    /// The full rate to the end.
    case constant
    /// Down to ``LearningRateSchedule/finalFraction`` along a line.
    case linear
    /// Down to ``LearningRateSchedule/finalFraction`` along half a cosine (Loshchilov and Hutter 2017).
    case cosine
  }

  /// Which step the end of the schedule falls on.
  public enum End: Sendable, Equatable {
    /// The one after the last: the k-th step of n, counted from 0, has the factor of k / n, as in transformers.
    case afterLastStep
    /// The last one, whose rate is then ``LearningRateSchedule/finalFraction`` of the full one: the schedule of version 0.1.0, whose
    /// warm-up is a step longer, too.
    case atLastStep
  }

  /// The shape after the warm-up.
  public var shape: Shape
  /// Steps during which the rate rises from 0 to its full value.
  public var warmupSteps: Int
  /// All steps, warm-up included.
  public var totalSteps: Int
  /// What is left of the rate at the end.
  public var finalFraction: Double
  /// Which step the end falls on.
  public var end: End

  /// A schedule over `totalSteps`.
  public init(
    shape: Shape, warmupSteps: Int = 0, totalSteps: Int, finalFraction: Double = 0, end: End = .afterLastStep
  ) {
    self.shape = shape
    self.warmupSteps = warmupSteps
    self.totalSteps = totalSteps
    self.finalFraction = finalFraction
    self.end = end
  }

  /// The factor of the learning rate at a step, counted from 1.
  public func factor(step: Int) -> Double {
    // In floating point, where no number of steps overflows.
    let warmup = Double(warmupSteps)
    let done = Double(step) - 1
    let length: Double
    switch end {
    case .afterLastStep:
      if step <= warmupSteps { return done / warmup }
      length = Double(totalSteps) - warmup
    case .atLastStep:
      if step <= warmupSteps { return Double(step) / (warmup + 1) }
      length = Double(totalSteps) - 1 - warmup
    }
    let progress = min(1, (done - warmup) / max(1, length))
    return switch shape {
    case .constant: 1
    case .linear: 1 - (1 - finalFraction) * progress
    case .cosine: finalFraction + (1 - finalFraction) * (1 + cos(.pi * progress)) / 2
    }
  }
}
