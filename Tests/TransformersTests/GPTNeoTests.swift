import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

@Suite struct GPTNeoTests {
  @Test func `log-probabilities equal transformers', beyond the window too`() throws {
    let facts = try NeoFacts.load()
    let model = try loadLanguageModel(neoSource("policy"))
    let expected = try NeoTensors("log-probabilities")
    #expect(facts.sequences.map(\.count) == [50, 17, 3, 1])
    for sequence in facts.sequences {
      let comparison = Comparison(model.logProbabilities(sequence), try expected.values("\(sequence.count)"))
      #expect(comparison.matches(absolute: 2e-5), "\(sequence.count) tokens: \(comparison)")
    }
  }

  @Test(arguments: [true, false])
  func `gradients of the published loss equal PyTorch's, tensor by tensor`(isShared: Bool) throws {
    let facts = try NeoFacts.load()
    let model = try loadLanguageModel(neoSource("policy"))
    let reference = try loadLanguageModel(neoSource("reference"))
    let samples = isShared ? SampleTree(shared: facts) : SampleTree(unshared: facts)
    let activations = model.makeActivations(capacity: samples.tree.count, keepsForBackward: true)
    model.forward(samples.tree, activations: activations)
    #expect(facts.losses.map(\.name) == ["none", "forward", "reverse"])
    for kind in facts.losses {
      var loss = samples.loss(facts, kind, vocabularySize: model.vocabularySize)
      let gradients = neoGradients(
        of: &loss, samples.tree, model, activations, reference: kind.weight == 0 ? nil : reference)
      #expect(abs(loss.value - kind.value) <= 1e-6 * abs(kind.value), "\(kind.name): \(loss.value) for \(kind.value)")
      let expected = try NeoTensors("gradient-\(kind.name)")
      #expect(expected.file.entries.count == model.layout.parameters.count)
      for parameter in model.layout.parameters {
        let comparison = Comparison(Array(gradients.elements[parameter.range]), try expected.values(parameter.name))
        #expect(comparison.matches(relative: 1e-5), "\(kind.name), \(parameter.name): \(comparison)")
      }
    }
  }

  @Test func `a head of its own gets its own gradient, and equals transformers'`() throws {
    let facts = try NeoFacts.load()
    let model = try loadLanguageModel(neoSource("untied"))
    let expected = try NeoTensors("variants")
    let sequence = facts.variantSequence
    let comparison = Comparison(model.logProbabilities(sequence), try expected.values("untied"))
    #expect(comparison.matches(absolute: 2e-5), "\(comparison)")

    var tree = TokenTree()
    tree.appendChain(sequence)
    let activations = model.makeActivations(capacity: tree.count, keepsForBackward: true)
    model.forward(tree, activations: activations)
    var loss = crossEntropy([sequence])
    let gradients = neoGradients(of: &loss, tree, model, activations)
    #expect(model.layout.parameters.last?.name == "lm_head.weight")
    for parameter in model.layout.parameters {
      let comparison = Comparison(
        Array(gradients.elements[parameter.range]), try expected.values("gradient." + parameter.name))
      #expect(comparison.matches(relative: 1e-5), "\(parameter.name): \(comparison)")
    }
  }

  @Test func `rows without targets still get entropy and divergences`() throws {
    let facts = try NeoFacts.load()
    let model = try loadLanguageModel(neoSource("policy"))
    let reference = try loadLanguageModel(neoSource("reference"))
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

  @Test func `FLOPs are those of the matrices and of what each token sees`() throws {
    let configuration = GPTNeoConfiguration(
      vocabularySize: 11, hiddenSize: 4, layerCount: 2, headCount: 2, contextLength: 8, windowSize: 2, endOfTextID: nil)
    let model = try GPTNeo(randomWith: configuration, seed: 1)
    var tree = TokenTree()
    tree.appendChain([1, 2, 3])
    tree.append(token: 4, parent: 1)
    // A layer: 4 x 12 + 4 x 4 + 4 x 16 + 16 x 4 weights, a multiplication and an addition each.
    let products = 2 * 2 * (48 + 16 + 64 + 64)
    // Scores and values are 4 FLOPs for each element of a key: 1, 2, 3, 3 keys in the global layer, 1, 2, 2, 2 in the local.
    #expect(model.attentionFlops(tree) == 4 * 4 * (9 + 7))
    #expect(model.forwardFlops(tree) == 4 * products + 4 * 4 * (9 + 7))
    #expect(model.head.flops == 2 * 11 * 4)
  }

  @Test func `a random model follows its seed and its configuration`() throws {
    var configuration = GPTNeoConfiguration(
      vocabularySize: 50, hiddenSize: 32, layerCount: 3, headCount: 4, contextLength: 40, windowSize: 8,
      endOfTextID: 49)
    configuration.initializerRange = 0.1
    let model = try GPTNeo(randomWith: configuration, seed: 3)
    #expect(model.parameters.array == (try GPTNeo(randomWith: configuration, seed: 3)).parameters.array)
    #expect(model.parameters.array != (try GPTNeo(randomWith: configuration, seed: 4)).parameters.array)
    for parameter in model.layout.parameters {
      let values = model.parameters.elements[parameter.range].map(Double.init)
      switch parameter.shape.count {
      case 2:
        let deviation = (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
        #expect(abs(deviation - 0.1) < 0.01, "\(parameter.name): \(deviation)")
        #expect(Set(values).count > values.count * 9 / 10)
      default:
        #expect(values.allSatisfy { $0 == (parameter.name.hasSuffix("weight") ? 1 : 0) }, "\(parameter.name)")
      }
    }
    #expect(model.parameterCount == 50 * 32 + 40 * 32 + 3 * (12 * 32 * 32 + 10 * 32) + 2 * 32)
  }

  @Test func `a copy has memory of its own`() throws {
    let model = try loadLanguageModel(neoSource("tied"))
    let before = model.parameters.array
    let copy = model.copy()
    #expect(copy.parameters.array == before)
    model.parameters.pointer[5] += 1
    #expect(copy.parameters.array == before)
    #expect(model.parameters.array != before)
  }
}
