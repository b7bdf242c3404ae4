import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

@Suite struct CheckpointTests {
  private func bits(_ model: any LanguageModel) -> [UInt32] { model.parameters.array.map(\.bitPattern) }

  private func save(_ model: any LanguageModel, _ type: ElementType, then body: (ModelSource) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try model.save(to: folder, elementType: type)
      try body(.folder(folder))
    }
  }

  @Test(arguments: Architecture.allCases, ["bare", "old"])
  func `old spellings of a model load to the same bits`(architecture: Architecture, name: String) throws {
    let tied = try architecture.model("tied")
    #expect(bits(try architecture.model(name)) == bits(tied))
    let sequence = try architecture.facts().variantSequence
    let expected =
      architecture == .neo
      ? try architecture.tensors("variants").values("tied")
      : try architecture.tensors("tied").values("log-probabilities")
    let comparison = Comparison(tied.logProbabilities(sequence), expected)
    #expect(comparison.matches(absolute: 2e-5), "\(comparison)")
  }

  @Test(arguments: Architecture.allCases, [(ElementType.float16, "f16", Float(0x1p-11)), (.bfloat16, "bf16", 0x1p-8)])
  func `16-bit weights are PyTorch's, read and written`(
    architecture: Architecture, sixteen: (type: ElementType, name: String, rounding: Float)
  ) throws {
    let (type, name, rounding) = sixteen
    let tied = try architecture.model("tied")
    let golden = try architecture.model(name)
    #expect(bits(golden) != bits(tied))
    for (rounded, exact) in zip(golden.parameters.array, tied.parameters.array) {
      #expect(abs(rounded - exact) <= abs(exact) * rounding + 0x1p-25)
    }
    try save(tied, type) { source in
      let saved = try loadLanguageModel(source)
      #expect(bits(saved) == bits(golden))
    }
  }

  @Test(arguments: Architecture.allCases, ["policy", "reference", "tied", "untied"])
  func `saving and loading keeps every bit and the whole configuration`(
    architecture: Architecture, name: String
  ) throws {
    try expectRoundTrip(try architecture.model(name))
  }

  @Test(arguments: ["bias", "head-size", "linear", "llama3"])
  func `saving and loading keeps what Llamas may have`(name: String) throws {
    try expectRoundTrip(try Architecture.llama.model(name))
  }

  /// Fails unless `model`, saved and loaded, has its bits and its configuration.
  private func expectRoundTrip(_ model: any LanguageModel) throws {
    try save(model, .float32) { source in
      let again = try loadLanguageModel(source)
      #expect(bits(again) == bits(model))
      switch model {
      case let model as GPTNeo: #expect((again as? GPTNeo)?.configuration == model.configuration)
      case let model as Llama: #expect((again as? Llama)?.configuration == model.configuration)
      case let model as GPT2: #expect((again as? GPT2)?.configuration == model.configuration)
      default: Issue.record("\(type(of: model)) is not compared")
      }
    }
  }

  @Test func `the configuration of a GPT-Neo is what transformers wrote`() throws {
    let configuration = try #require(try Architecture.neo.model("policy") as? GPTNeo).configuration
    var expected = GPTNeoConfiguration(
      vocabularySize: 61, hiddenSize: 24, layerCount: 4, headCount: 3, contextLength: 64, windowSize: 8,
      endOfTextID: 60)
    expected.intermediateSize = 32
    #expect(configuration == expected)
    #expect(configuration.attentionLayers == [.global, .local, .global, .local])
  }

  @Test func `the configuration of a Llama is what transformers wrote`() throws {
    func configuration(_ name: String) throws -> LlamaConfiguration {
      try #require(try Architecture.llama.model(name) as? Llama).configuration
    }
    var expected = LlamaConfiguration(
      vocabularySize: 61, hiddenSize: 16, intermediateSize: 14, layerCount: 2, headCount: 4, keyValueHeadCount: 2,
      contextLength: 64, endOfTextID: 60)
    expected.headDimension = 6
    expected.rmsNormEpsilon = 1e-6
    expected.beginningOfTextID = 1
    #expect(try configuration("policy") == expected)

    expected = LlamaConfiguration(
      vocabularySize: 11, hiddenSize: 8, intermediateSize: 12, layerCount: 1, headCount: 4, keyValueHeadCount: 2,
      contextLength: 64, rotaryBase: 100, endOfTextID: 10)
    expected.beginningOfTextID = 1
    #expect(try configuration("tied") == expected)
    expected.rotaryScaling = .linear(factor: 2.5)
    #expect(try configuration("linear") == expected)
    expected.rotaryScaling = nil
    expected.keyValueHeadCount = 4
    expected.tiesEmbeddings = false
    #expect(try configuration("untied") == expected)
    let bias = try configuration("bias")
    #expect(bias.hasAttentionBias && bias.hasFeedForwardBias && bias.keyValueHeadCount == 1)
    guard case .llama3(let scaling) = try configuration("llama3").rotaryScaling else {
      Issue.record("no scaling as in Llama 3")
      return
    }
    #expect(scaling.factor == 8 && scaling.lowFrequencyFactor == 1 && scaling.highFrequencyFactor == 4)
    #expect(scaling.originalContextLength == 32)
  }

  @Test func `the configuration of a GPT-2 is what transformers wrote`() throws {
    var expected = GPT2Configuration(
      vocabularySize: 61, hiddenSize: 12, layerCount: 2, headCount: 3, contextLength: 52, endOfTextID: 60)
    expected.intermediateSize = 16
    expected.layerNormEpsilon = 1e-3
    #expect(try #require(try Architecture.gpt2.model("policy") as? GPT2).configuration == expected)
    expected = GPT2Configuration(
      vocabularySize: 11, hiddenSize: 8, layerCount: 1, headCount: 2, contextLength: 16, endOfTextID: 10)
    #expect(try #require(try Architecture.gpt2.model("tied") as? GPT2).configuration == expected)
  }

  @Test(arguments: ["tied", "linear", "llama3"])
  func `the configuration of transformers 4 is that of transformers 5`(name: String) throws {
    let source = Architecture.llama.source(name)
    let model = try #require(try loadLanguageModel(source) as? Llama)
    let old = try #require(try source.file("config-4.json")).data
    #expect(!old.contains(Data("rope_parameters".utf8)) && old.contains(Data("rope_theta".utf8)))
    try withModel(source, configuration: old) { source in
      let again = try #require(try loadLanguageModel(source) as? Llama)
      #expect(again.configuration == model.configuration)
      #expect(bits(again) == bits(model))
    }
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

  @Test(arguments: Architecture.allCases)
  func `a model that is not finite is not saved`(architecture: Architecture) throws {
    let model = try architecture.model("tied")
    model.parameters.pointer[100] = .nan
    #expect(throws: CheckpointError.self) { try save(model, .float32) { _ in } }
    model.parameters.pointer[100] = 1e6
    #expect(throws: CheckpointError.self) { try save(model, .float16) { _ in } }
  }

  /// For hands: `VERIFY_FOLDER=F swift test`, then `llama.py --verify F` loads what was saved with transformers.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["VERIFY_FOLDER"] != nil))
  func `what is saved can be checked with transformers`() throws {
    let path = try #require(ProcessInfo.processInfo.environment["VERIFY_FOLDER"])
    let names =
      Architecture.allCases.flatMap { [($0, "policy"), ($0, "untied")] }
      + ["bias", "head-size", "linear", "llama3"].map { (Architecture.llama, $0) }
    for (architecture, name) in names {
      let sequences = try architecture.facts().sequences
      let folder = URL(filePath: path).appending(path: "\(architecture)-\(name)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let model = try architecture.model(name)
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
