import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

@Suite struct OptimizerTests {
  static let trainings: [(architecture: Architecture, name: String)] =
    ["adamw", "adamw-clipped", "sgd", "sgd-clipped"].map { (.neo, $0) }
    + [Architecture.llama, .gpt2].flatMap { [($0, "adamw-clipped"), ($0, "sgd")] }

  @Test(arguments: trainings)
  func `ten steps equal PyTorch's`(architecture: Architecture, name: String) throws {
    let facts = try architecture.facts()
    #expect(facts.training.map(\.name) == Self.trainings.filter { $0.architecture == architecture }.map(\.name))
    let training = try #require(facts.training.first { $0.name == name })
    let model = try architecture.model("reference")
    let optimizer = Optimizer(
      training.name.hasPrefix("adamw") ? .adamW() : .sgd, weightDecay: 0.01, parameterCount: model.parameterCount)
    var tree = TokenTree()
    for sequence in facts.trainingSequences { tree.appendChain(sequence) }
    let activations = model.makeActivations(capacity: tree.count, keepsForBackward: true)
    let start = model.parameters.array
    for (step, (expectedLoss, expectedNorm)) in zip(training.losses, training.norms).enumerated() {
      model.forward(tree, activations: activations)
      var loss = crossEntropy(facts.trainingSequences)
      let gradients = lossGradients(of: &loss, tree, model, activations)
      #expect(abs(loss.value - expectedLoss) < 1e-5, "step \(step): \(loss.value) for \(expectedLoss)")
      let norm = gradientNorm(gradients)
      #expect(abs(norm - expectedNorm) < 1e-5 * expectedNorm, "step \(step): norm \(norm) for \(expectedNorm)")
      optimizer.step(
        model.parameters, gradients: gradients, learningRate: training.rate,
        gradientScale: clippingScale(norm: norm, maximum: training.maximumNorm))
    }
    #expect(optimizer.stepCount == 10)
    let expected = try architecture.tensors("trained-\(training.name)")
    let end = model.parameters.array
    for parameter in model.layout.parameters {
      // The change is compared, not the parameter: ten steps are little beside it.
      let before = start[parameter.range].map(Double.init)
      var change = zip(end[parameter.range], before).map { Double($0) - $1 }
      var expectedChange = zip(try expected.values(parameter.name, of: parameter), before).map { Double($0) - $1 }
      if parameter.name.hasSuffix("c_attn.bias") {
        // A key's bias moves all scores of a query alike, so its gradient is zero but for rounding, which AdamW makes large.
        let key = before.count / 3..<before.count / 3 * 2
        #expect(change[key].allSatisfy { abs($0) <= 10 * Double(training.rate) })
        change.removeSubrange(key)
        expectedChange.removeSubrange(key)
      }
      let comparison = Comparison(change, expectedChange)
      #expect(comparison.matches(absolute: 2e-6, relative: 1e-3), "\(parameter.name): \(comparison)")
    }
  }

  @Test func `the norm of gradients is that of all elements together`() {
    let gradients = FloatBuffer((0..<100_003).map { Float($0 % 17) - 8 })
    let expected = (0..<100_003).reduce(0.0) { $0 + pow(Double($1 % 17) - 8, 2) }.squareRoot()
    #expect(abs(gradientNorm(gradients) - expected) < 1e-6 * expected)
    gradients.pointer[77] = .nan
    #expect(gradientNorm(gradients).isNaN)
    gradients.pointer[77] = .infinity
    #expect(gradientNorm(gradients) == .infinity)
  }

  @Test func `gradients within the maximum are left alone`() {
    #expect(clippingScale(norm: 3, maximum: nil) == 1)
    #expect(clippingScale(norm: 0.5, maximum: 1) == 1)
    #expect(clippingScale(norm: 0, maximum: 1) == 1)
    #expect(abs(clippingScale(norm: 4, maximum: 1) - 0.25) < 1e-6)
  }

  @Test func `schedules equal transformers'`() throws {
    let cases = try #require(try Architecture.neo.facts().schedules)
    #expect(cases.count == 24)
    for item in cases {
      let shape = try #require(LearningRateSchedule.Shape(rawValue: item.shape))
      let schedule = LearningRateSchedule(
        shape: shape, warmupSteps: item.warmup, totalSteps: item.total, finalFraction: item.final)
      let factors = (1...item.total).map(schedule.factor(step:))
      let comparison = Comparison(factors, item.factors)
      #expect(comparison.matches(absolute: 1e-12), "\(item.shape) \(item.warmup) of \(item.total): \(comparison)")
    }
  }

  @Test func `no update after a warm-up has a learning rate of 0`() {
    for shape in LearningRateSchedule.Shape.allCases {
      for (warmup, total) in [(0, 1), (0, 30), (5, 30), (29, 30)] {
        let schedule = LearningRateSchedule(shape: shape, warmupSteps: warmup, totalSteps: total)
        #expect((warmup + 1...total).allSatisfy { schedule.factor(step: $0) > 0 }, "\(shape), \(warmup) of \(total)")
        #expect(schedule.factor(step: warmup + 1) == 1)
      }
    }
  }

  @Test func `after its end a schedule stays at its final fraction`() {
    for shape in [LearningRateSchedule.Shape.linear, .cosine] {
      let schedule = LearningRateSchedule(shape: shape, warmupSteps: 4, totalSteps: 20, finalFraction: 0.1)
      #expect(schedule.factor(step: 1) == 0 && abs(schedule.factor(step: 2) - 0.25) < 1e-12)
      for step in [21, 22, 500] { #expect(abs(schedule.factor(step: step) - 0.1) < 1e-12) }
      let factors = (5...21).map(schedule.factor(step:))
      #expect(zip(factors, factors.dropFirst()).allSatisfy { $0 > $1 })
    }
  }

  @Test func `the schedules of version 0.1.0 end at the last step`() {
    func factors(_ shape: LearningRateSchedule.Shape, warmup: Int, total: Int) -> [Double] {
      let schedule = LearningRateSchedule(shape: shape, warmupSteps: warmup, totalSteps: total, end: .atLastStep)
      return (1...total).map(schedule.factor(step:))
    }
    #expect(factors(.linear, warmup: 0, total: 5) == [1, 0.75, 0.5, 0.25, 0])
    #expect(factors(.linear, warmup: 1, total: 6) == [0.5, 1, 0.75, 0.5, 0.25, 0])
    let cosine = Comparison(factors(.cosine, warmup: 1, total: 4), [0.5, 1, 0.5, 0])
    #expect(cosine.matches(absolute: 1e-12), "\(cosine)")
    #expect(factors(.constant, warmup: 3, total: 5) == [0.25, 0.5, 0.75, 1, 1])
  }
}
