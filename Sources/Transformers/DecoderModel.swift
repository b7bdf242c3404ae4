public import Checkpoints
public import Foundation
public import Kernels

/// GPT-Neo (Black et al. 2021), the architecture of the TinyStories models (Eldan and Li 2023).
public typealias GPTNeo = DecoderModel<GPTNeoConfiguration>
/// GPT-2 (Radford et al. 2019).
public typealias GPT2 = DecoderModel<GPT2Configuration>
/// The Llama family (Touvron et al. 2023): Llama, TinyLlama, SmolLM2, and the stories models of llama2.c.
public typealias Llama = DecoderModel<LlamaConfiguration>

/// A decoder-only language model of one architecture.
public final class DecoderModel<Configuration: DecoderConfiguration>: LanguageModel {
  /// Sizes and constants.
  public let configuration: Configuration
  /// The parameters, and what is computed with them.
  public let network: DecoderNetwork
  /// What the files that it was loaded from contradict each other in.
  public let notes: [String]

  private init(configuration: Configuration, network: DecoderNetwork, notes: [String] = []) {
    self.configuration = configuration
    self.network = network
    self.notes = notes
  }

  /// A model without values: the parameters are not set.
  private convenience init(emptyWith configuration: Configuration, _ decoder: DecoderDescription) {
    self.init(
      configuration: configuration,
      network: DecoderNetwork(shape: decoder.shape, layout: decoder.layout, places: decoder.places))
  }

  /// A model with random weights as transformers initialises them: normal with the configured deviation, norms one, biases zero.
  ///
  /// - Throws: ``CheckpointError`` for a configuration that makes no model, or one larger than this computer's memory.
  public convenience init(randomWith configuration: Configuration, seed: UInt64) throws {
    try configuration.validate(file: "config.json")
    let decoder = configuration.decoder
    try decoder.layout.checkMemory(file: "config.json")
    self.init(emptyWith: configuration, decoder)
    let random = KeyedRandom(seed: seed)
    let normWeights = Set(
      decoder.places.layers.flatMap { [$0.norm1.weight, $0.norm2.weight] } + [decoder.places.finalNorm.weight])
    for (index, parameter) in layout.parameters.enumerated() {
      let values = UnsafeMutableBufferPointer(rebasing: parameters.elements[parameter.range])
      if parameter.shape.count == 2 {
        let tensor = random.keyed(index)
        for element in values.indices {
          values[element] = Float(tensor.keyed(element).normal) * configuration.initializerRange
        }
      } else {
        values.update(repeating: normWeights.contains(parameter.range.lowerBound) ? 1 : 0)
      }
    }
  }

  /// The model of a Hugging Face folder, or of anything that is presented as one: `config.json` and weights.
  ///
  /// - Throws: ``CheckpointError`` where a file is missing, damaged, or does not fit the configuration.
  public convenience init(source: ModelSource) throws {
    var configuration = try source.decodeJSON(Configuration.self, from: "config.json")
    try configuration.validate(file: source.path(of: "config.json"))
    let tensors = try source.weights()
    var notes: [String] = []
    if configuration.tiesEmbeddings, try CheckpointNames(configuration.decoder, Configuration.self, tensors).hasOwnHead
    {
      configuration.tiesEmbeddings = false
      notes.append(
        "\(source.path(of: "config.json")) says that the head is the token embedding, and the weights hold a head of "
          + "their own: that one is used")
    }
    let decoder = configuration.decoder
    let names = CheckpointNames(decoder, Configuration.self, tensors)
    // Before memory is taken: a small file may announce a huge model.
    for parameter in decoder.layout.parameters {
      let name = names.stored(parameter)
      guard let shape = tensors.shape(of: name) else {
        guard name == headName else { throw CheckpointError.missingTensor(name: name, file: tensors.name) }
        throw CheckpointError.unsupported(
          file: tensors.name, reason: "it has no tensor \(headName), and tie_word_embeddings is false in config.json",
          hint: "where the head is the token embedding, set that to true")
      }
      guard shape == parameter.shape else {
        throw CheckpointError.shapeMismatch(tensor: name, expected: parameter.shape, found: shape, file: tensors.name)
      }
    }
    try decoder.layout.checkMemory(file: tensors.name)
    // Buffers first: nothing that is refused costs the time to load it.
    let buffers = try names.buffers()
    self.init(
      configuration: configuration,
      network: DecoderNetwork(shape: decoder.shape, layout: decoder.layout, places: decoder.places),
      notes: notes + buffers.notes)
    var loader = TensorLoader(tensors)
    for parameter in layout.parameters {
      try loader.load(
        names.stored(parameter), shape: parameter.shape,
        into: UnsafeMutableBufferPointer(rebasing: parameters.elements[parameter.range]))
    }
    // A head that is the token embedding again is often saved nevertheless.
    try loader.finish { buffers.names.contains($0) || configuration.tiesEmbeddings && $0 == headName }
  }

  // MARK: - LanguageModel

  /// Number of tokens.
  public var vocabularySize: Int { network.shape.vocabularySize }
  /// Longest sequence, in tokens.
  public var contextLength: Int { network.shape.contextLength }
  /// Size of a hidden state.
  public var hiddenSize: Int { network.shape.hiddenSize }
  /// Names, shapes and places of all tensors, named as transformers names them.
  public var layout: ParameterLayout { network.layout }
  /// The parameters, in the order of ``layout``.
  public var parameters: FloatBuffer { network.parameters }
  /// Where the head's weight starts in ``parameters``.
  public var headOffset: Int { network.places.head }
  /// What is trained instead of the parameters, if anything.
  public var adapter: LowRankAdapter? { network.adapter }
  /// The matrices below the head that each token is multiplied with, from first to last.
  public var linearShapes: [LinearShape] { network.linearShapes }

  /// The tokens that end a text, those that the configuration names and the vocabulary has.
  ///
  /// Small models often keep the 50,256 of a larger vocabulary in their configuration: that is no token of theirs.
  public var endOfTextIDs: [Int] {
    configuration.endOfTextIDs.filter { (0..<vocabularySize).contains($0) }
  }

  /// FLOPs of attention in one forward pass.
  public func attentionFlops(_ tree: TokenTree) -> Int { network.attentionFlops(tree) }

  /// An independent copy.
  public func copy() -> any LanguageModel {
    DecoderModel(configuration: configuration, network: network.copy(), notes: notes)
  }

  /// Memory for the nodes of a tree.
  public func makeActivations(capacity: Int, keepsForBackward: Bool) -> Activations {
    network.makeActivations(capacity: capacity, keepsForBackward: keepsForBackward)
  }

  /// Computes `nodes`; all nodes before them must have been computed with the same activations.
  ///
  /// - Precondition: tokens lie in the vocabulary and positions below ``contextLength``.
  public func forward(_ tree: TokenTree, nodes: Range<Int>, activations: Activations) {
    network.forward(tree, nodes: nodes, activations: activations)
  }

  /// Adds the gradients of all trained parameters below the head.
  ///
  /// - Parameters:
  ///   - hiddenGradient: [tree.count, hiddenSize]: the loss's gradient with respect to `activations.hidden`.
  ///   - gradients: as long as ``LanguageModel/trainedParameters``.
  public func backward(
    _ tree: TokenTree, activations: Activations, hiddenGradient: FloatBuffer, gradients: FloatBuffer
  ) {
    network.backward(tree, activations: activations, hiddenGradient: hiddenGradient, gradients: gradients)
  }

  /// The content of `config.json`.
  public func encodedConfiguration() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    return try encoder.encode(configuration)
  }

  // MARK: - Adapters

  /// The same model, with the same parameters in the same memory, that trains a new low-rank adapter in their place.
  ///
  /// - Throws: ``LowRankError`` where the settings do not fit the model.
  public func adapted(_ settings: LowRankSettings, seed: UInt64, maximumRank: Int?) throws -> any LanguageModel {
    DecoderModel(
      configuration: configuration,
      network: DecoderNetwork(
        sharing: network,
        adapter: try network.makeAdapter(settings, seed: seed, maximumRank: maximumRank ?? hiddenSize)), notes: notes)
  }

  /// A model whose parameters have the adapter added to them; itself where there is none.
  public func merged() -> any LanguageModel {
    adapter == nil ? self : DecoderModel(configuration: configuration, network: network.merged(), notes: notes)
  }

  /// The same model, with the same parameters in the same memory, without an adapter.
  public func withoutAdapter() -> any LanguageModel {
    DecoderModel(
      configuration: configuration, network: DecoderNetwork(sharing: network, adapter: nil), notes: notes)
  }
}
