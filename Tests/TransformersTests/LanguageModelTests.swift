import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

/// What holds of every architecture, held against transformers' numbers.
@Suite struct LanguageModelTests {
  @Test(arguments: Architecture.allCases)
  func `log-probabilities equal transformers', beyond the window too`(architecture: Architecture) throws {
    let facts = try architecture.facts()
    let model = try architecture.model("policy")
    let expected = try architecture.tensors("log-probabilities")
    #expect(facts.sequences.map(\.count) == [50, 17, 3, 1])
    for sequence in facts.sequences {
      let comparison = Comparison(model.logProbabilities(sequence), try expected.values("\(sequence.count)"))
      #expect(comparison.matches(absolute: 2e-5), "\(sequence.count) tokens: \(comparison)")
    }
  }

  @Test(arguments: Architecture.allCases, [true, false])
  func `gradients of the published loss equal PyTorch's, tensor by tensor`(
    architecture: Architecture, isShared: Bool
  ) throws {
    let facts = try architecture.facts()
    let model = try architecture.model("policy")
    let reference = try architecture.model("reference")
    let samples = isShared ? SampleTree(shared: facts) : SampleTree(unshared: facts)
    let activations = model.makeActivations(capacity: samples.tree.count, keepsForBackward: true)
    model.forward(samples.tree, activations: activations)
    #expect(facts.losses.map(\.name) == ["none", "forward", "reverse"])
    for kind in facts.losses {
      var loss = samples.loss(facts, kind, vocabularySize: model.vocabularySize)
      let gradients = lossGradients(
        of: &loss, samples.tree, model, activations, reference: kind.weight == 0 ? nil : reference)
      #expect(abs(loss.value - kind.value) <= 1e-6 * abs(kind.value), "\(kind.name): \(loss.value) for \(kind.value)")
      let expected = try architecture.tensors("gradient-\(kind.name)")
      #expect(expected.file.tensorNames.count == model.layout.parameters.count)
      try expectTensors(gradients, of: model, kind.name) { try expected.values($0.name, of: $0) }
    }
  }

  @Test(arguments: Architecture.allCases)
  func `rows without targets still get entropy and divergences`(architecture: Architecture) throws {
    let facts = try architecture.facts()
    let model = try architecture.model("policy")
    let reference = try architecture.model("reference")
    let sequence = facts.sequences[1]
    var tree = TokenTree()
    tree.appendChain(sequence)
    let activations = model.makeActivations(capacity: tree.count, keepsForBackward: false)
    model.forward(tree, activations: activations)
    let referenceActivations = reference.makeActivations(capacity: tree.count, keepsForBackward: false)
    reference.forward(tree, activations: referenceActivations)
    var loss = HeadLoss(
      targetStarts: [Int](repeating: 0, count: tree.count + 1), targetTokens: [], targetWeights: [])
    model.head.evaluate(
      &loss, hidden: activations.hidden.pointer,
      reference: ReferenceLogits(hidden: referenceActivations.hidden.pointer, head: reference.head))
    let ours = model.logProbabilities(sequence).map(Double.init)
    let theirs = reference.logProbabilities(sequence).map(Double.init)
    for row in 0..<tree.count {
      let columns = row * model.vocabularySize..<(row + 1) * model.vocabularySize
      let entropy = columns.reduce(0) { $0 - exp(ours[$1]) * ours[$1] }
      let forward = columns.reduce(0) { $0 + exp(theirs[$1]) * (theirs[$1] - ours[$1]) }
      let reverse = columns.reduce(0) { $0 + exp(ours[$1]) * (ours[$1] - theirs[$1]) }
      #expect(abs(Double(loss.entropies[row]) - entropy) < 1e-5)
      #expect(abs(Double(loss.forwardKLs[row]) - forward) < 1e-5 * max(1, forward))
      #expect(abs(Double(loss.reverseKLs[row]) - reverse) < 1e-5 * max(1, reverse))
      #expect(loss.entropies[row] > 0 && loss.forwardKLs[row] > 0)
    }
  }

  @Test(arguments: Architecture.allCases)
  func `a copy has memory of its own`(architecture: Architecture) throws {
    let model = try architecture.model("tied")
    let before = model.parameters.array
    let copy = model.copy()
    #expect(copy.parameters.array == before)
    model.parameters.pointer[5] += 1
    #expect(copy.parameters.array == before)
    #expect(model.parameters.array != before)
  }
}
