import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

@Suite struct NeoCheckpointTests {
  private func bits(_ model: any LanguageModel) -> [UInt32] { model.parameters.array.map(\.bitPattern) }

  private func save(_ model: any LanguageModel, _ type: ElementType, then body: (ModelSource) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try model.save(to: folder, elementType: type)
      try body(.folder(folder))
    }
  }

  @Test(arguments: ["bare", "old"])
  func `old spellings of a model load to the same bits`(name: String) throws {
    let tied = try loadLanguageModel(neoSource("tied"))
    #expect(bits(try loadLanguageModel(neoSource(name))) == bits(tied))
    let sequence = try NeoFacts.load().variantSequence
    let comparison = Comparison(tied.logProbabilities(sequence), try NeoTensors("variants").values("tied"))
    #expect(comparison.matches(absolute: 2e-5), "\(comparison)")
  }

  @Test(arguments: [(ElementType.float16, "f16", Float(0x1p-11)), (.bfloat16, "bf16", 0x1p-8)])
  func `16-bit weights are PyTorch's, read and written`(type: ElementType, name: String, rounding: Float) throws {
    let tied = try loadLanguageModel(neoSource("tied"))
    let golden = try loadLanguageModel(neoSource(name))
    #expect(bits(golden) != bits(tied))
    for (rounded, exact) in zip(golden.parameters.array, tied.parameters.array) {
      #expect(abs(rounded - exact) <= abs(exact) * rounding + 0x1p-25)
    }
    try save(tied, type) { source in
      let saved = try loadLanguageModel(source)
      #expect(bits(saved) == bits(golden))
    }
  }

  @Test(arguments: ["policy", "reference", "tied", "untied"])
  func `saving and loading keeps every bit and the whole configuration`(name: String) throws {
    let model = try #require(try loadLanguageModel(neoSource(name)) as? GPTNeo)
    try save(model, .float32) { source in
      let again = try #require(try loadLanguageModel(source) as? GPTNeo)
      #expect(bits(again) == bits(model))
      #expect(again.configuration == model.configuration)
    }
  }

  @Test func `the configuration is what transformers wrote`() throws {
    let configuration = try #require(try loadLanguageModel(neoSource("policy")) as? GPTNeo).configuration
    var expected = GPTNeoConfiguration(
      vocabularySize: 61, hiddenSize: 24, layerCount: 4, headCount: 3, contextLength: 64, windowSize: 8,
      endOfTextID: 60)
    expected.intermediateSize = 32
    #expect(configuration == expected)
    #expect(configuration.attentionLayers == [.global, .local, .global, .local])
  }

  @Test(arguments: [
    [GPTNeoConfiguration.AttentionKind.global], [.local], [.local, .global], [.global, .local, .global],
    [.global, .global, .local, .local],
  ])
  func `every pattern of layers survives saving`(layers: [GPTNeoConfiguration.AttentionKind]) throws {
    var configuration = GPTNeoConfiguration(
      vocabularySize: 9, hiddenSize: 6, layerCount: 1, headCount: 2, contextLength: 8, windowSize: 3, endOfTextID: nil)
    configuration.attentionLayers = layers
    configuration.layerNormEpsilon = 1e-6
    configuration.beginningOfTextID = 4
    try save(try GPTNeo(randomWith: configuration, seed: 1), .float32) { source in
      let saved = try #require(try loadLanguageModel(source) as? GPTNeo)
      #expect(saved.configuration == configuration)
    }
  }

  @Test func `a model that is not finite is not saved`() throws {
    let model = try loadLanguageModel(neoSource("tied"))
    model.parameters.pointer[100] = .nan
    #expect(throws: CheckpointError.self) { try save(model, .float32) { _ in } }
    model.parameters.pointer[100] = 1e6
    #expect(throws: CheckpointError.self) { try save(model, .float16) { _ in } }
  }

  /// For hands: `VERIFY_FOLDER=F swift test`, then `gptneo.py --verify F` loads what was saved with transformers.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["VERIFY_FOLDER"] != nil))
  func `what is saved can be checked with transformers`() throws {
    let path = try #require(ProcessInfo.processInfo.environment["VERIFY_FOLDER"])
    let sequences = try NeoFacts.load().sequences
    for name in ["policy", "untied"] {
      let folder = URL(filePath: path).appending(path: name)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let model = try loadLanguageModel(neoSource(name))
      try model.save(to: folder, elementType: .float32)
      let buffers = sequences.filter { $0.count <= model.contextLength }.map { sequence in
        let tokens = sequence.map { $0 % model.vocabularySize }
        return (tokens: FloatBuffer(tokens.map(Float.init)), result: FloatBuffer(model.logProbabilities(tokens)))
      }
      let tensors = buffers.enumerated().flatMap { index, item in
        let rows = item.tokens.count
        return [
          TensorToWrite(name: "ids.\(index)", shape: [rows], values: UnsafeBufferPointer(item.tokens.elements)),
          TensorToWrite(
            name: "log_probabilities.\(index)", shape: [rows, model.vocabularySize],
            values: UnsafeBufferPointer(item.result.elements)),
        ]
      }
      // An array may be freed after its last use, and the buffers with it.
      try withExtendedLifetime(buffers) {
        try writeSafetensors(tensors, elementType: .float32, to: folder.appending(path: "expected.safetensors"))
      }
    }
  }
}
