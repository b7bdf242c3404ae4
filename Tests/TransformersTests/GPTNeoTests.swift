import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

@Suite struct GPTNeoTests {
  @Test func `a head of its own gets its own gradient, and equals transformers'`() throws {
    let facts = try Architecture.neo.facts()
    let model = try Architecture.neo.model("untied")
    let expected = try Architecture.neo.tensors("variants")
    let sequence = facts.variantSequence
    let comparison = Comparison(model.logProbabilities(sequence), try expected.values("untied"))
    #expect(comparison.matches(absolute: 2e-5), "\(comparison)")

    var tree = TokenTree()
    tree.appendChain(sequence)
    let activations = model.makeActivations(capacity: tree.count, keepsForBackward: true)
    model.forward(tree, activations: activations)
    var loss = crossEntropy([sequence])
    let gradients = lossGradients(of: &loss, tree, model, activations)
    #expect(model.layout.parameters.last?.name == "lm_head.weight")
    try expectTensors(gradients, of: model) { try expected.values("gradient." + $0.name, of: $0) }
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
    expectInitialized(model, deviation: 0.1)
    #expect(model.parameterCount == 50 * 32 + 40 * 32 + 3 * (12 * 32 * 32 + 10 * 32) + 2 * 32)
  }
}
