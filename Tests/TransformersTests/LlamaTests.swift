import Kernels
import TestSupport
import Testing
import Transformers

@Suite struct LlamaTests {
  @Test func `FLOPs are those of the matrices and of what each token sees`() throws {
    var configuration = LlamaConfiguration(
      vocabularySize: 11, hiddenSize: 4, intermediateSize: 10, layerCount: 2, headCount: 2, keyValueHeadCount: 1,
      contextLength: 8, endOfTextID: nil)
    configuration.headDimension = 6
    let model = try Llama(randomWith: configuration, seed: 1)
    var tree = TokenTree()
    tree.appendChain([1, 2, 3])
    tree.append(token: 4, parent: 1)
    // A layer: queries 12 x 4, keys and values 6 x 4 each, output 4 x 12, gate, up and down 10 x 4 each.
    let products = 2 * 2 * (48 + 24 + 24 + 48 + 3 * 40)
    // Scores and values are 4 FLOPs for each element of a query: 1, 2, 3, 3 keys in each of two layers.
    #expect(model.attentionFlops(tree) == 2 * 4 * 12 * 9)
    #expect(model.forwardFlops(tree) == 4 * products + 2 * 4 * 12 * 9)
    #expect(model.head.flops == 2 * 11 * 4)
  }

  @Test func `a random model follows its seed and its configuration`() throws {
    var configuration = LlamaConfiguration(
      vocabularySize: 50, hiddenSize: 32, intermediateSize: 44, layerCount: 3, headCount: 4, keyValueHeadCount: 2,
      contextLength: 40, endOfTextID: 49)
    configuration.initializerRange = 0.1
    configuration.hasAttentionBias = true
    configuration.hasFeedForwardBias = true
    configuration.tiesEmbeddings = false
    let model = try Llama(randomWith: configuration, seed: 3)
    #expect(model.parameters.array == (try Llama(randomWith: configuration, seed: 3)).parameters.array)
    #expect(model.parameters.array != (try Llama(randomWith: configuration, seed: 4)).parameters.array)
    expectInitialized(model, deviation: 0.1)
    let layer = 2 * 32 * 32 + 2 * 16 * 32 + 3 * 44 * 32 + 2 * 32 + (32 + 16 + 16 + 32) + (44 + 44 + 32)
    #expect(model.parameterCount == 2 * 50 * 32 + 3 * layer + 32)
  }

  @Test func `a token repeated says the same at every position, as no position is learned`() throws {
    let model = try Architecture.llama.model("tied")
    let alone = model.logProbabilities([3])
    // All values are equal, so whatever attention's weights are, their sum is the same.
    let rows = model.logProbabilities([Int](repeating: 3, count: 50))
    for position in 0..<50 {
      let row = Array(rows[position * alone.count..<(position + 1) * alone.count])
      let comparison = Comparison(row, alone)
      #expect(comparison.matches(absolute: 2e-6), "\(position): \(comparison)")
    }
  }
}

@Suite struct GPT2Tests {
  @Test func `FLOPs are those of the matrices and of what each token sees`() throws {
    let configuration = GPT2Configuration(
      vocabularySize: 11, hiddenSize: 4, layerCount: 2, headCount: 2, contextLength: 8, endOfTextID: nil)
    let model = try GPT2(randomWith: configuration, seed: 1)
    var tree = TokenTree()
    tree.appendChain([1, 2, 3])
    tree.append(token: 4, parent: 1)
    let products = 2 * 2 * (48 + 16 + 64 + 64)
    #expect(model.attentionFlops(tree) == 2 * 4 * 4 * 9)
    #expect(model.forwardFlops(tree) == 4 * products + 2 * 4 * 4 * 9)
  }

  @Test func `a random model follows its seed and its configuration`() throws {
    var configuration = GPT2Configuration(
      vocabularySize: 50, hiddenSize: 32, layerCount: 3, headCount: 4, contextLength: 40, endOfTextID: 49)
    configuration.initializerRange = 0.1
    let model = try GPT2(randomWith: configuration, seed: 3)
    #expect(model.parameters.array == (try GPT2(randomWith: configuration, seed: 3)).parameters.array)
    #expect(model.parameters.array != (try GPT2(randomWith: configuration, seed: 4)).parameters.array)
    expectInitialized(model, deviation: 0.1)
    #expect(model.parameterCount == 50 * 32 + 40 * 32 + 3 * (12 * 32 * 32 + 13 * 32) + 2 * 32)
  }
}
