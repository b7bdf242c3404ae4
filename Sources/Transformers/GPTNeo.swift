public import Checkpoints
public import Foundation
public import Kernels

/// GPT-Neo (Black et al. 2021), the architecture of the TinyStories models (Eldan and Li 2023).
///
/// It differs from GPT-2 in ways that are easy to miss: attention scores are not divided by the root of the head's size,
/// queries, keys and values have no bias, and every other layer sees only the last ``GPTNeoConfiguration/windowSize``
/// tokens. The reference is transformers' `modeling_gpt_neo.py`.
public final class GPTNeo: LanguageModel {
  /// Sizes and constants.
  public let configuration: GPTNeoConfiguration
  /// Names, shapes and places of all tensors, named as transformers names them.
  public let layout: ParameterLayout
  /// The parameters, in the order of ``layout``.
  public let parameters: FloatBuffer
  /// Where the head's weight starts in ``parameters``.
  public let headOffset: Int
  let places: Places

  /// Number of tokens.
  public var vocabularySize: Int { configuration.vocabularySize }
  /// Longest sequence, in tokens.
  public var contextLength: Int { configuration.contextLength }
  /// Size of a hidden state.
  public var hiddenSize: Int { configuration.hiddenSize }
  /// The token that ends a text, where the configuration names one of the vocabulary.
  ///
  /// Small models often keep the 50,256 of a larger vocabulary in their configuration: that is no token of theirs.
  public var endOfTextID: Int? {
    configuration.endOfTextID.flatMap { (0..<vocabularySize).contains($0) ? $0 : nil }
  }

  /// The matrices below the head that each token is multiplied with, from first to last.
  public var linearShapes: [LinearShape] {
    let hidden = configuration.hiddenSize
    let inner = configuration.intermediateSize
    return configuration.attentionLayers.flatMap { _ in
      [
        LinearShape(outputSize: 3 * hidden, inputSize: hidden), LinearShape(outputSize: hidden, inputSize: hidden),
        LinearShape(outputSize: inner, inputSize: hidden), LinearShape(outputSize: hidden, inputSize: inner),
      ]
    }
  }

  /// FLOPs of attention in one forward pass.
  public func attentionFlops(_ tree: TokenTree) -> Int {
    configuration.attentionLayers.reduce(0) { sum, kind in
      let window = kind == .local ? configuration.windowSize : .max
      return sum + tree.positions.reduce(0) { $0 + 4 * configuration.hiddenSize * min(Int($1) + 1, window) }
    }
  }

  /// Where each tensor starts in the parameter buffer.
  struct Places {
    struct Layer {
      var norm1Weight, norm1Bias: Int
      /// Query, key and value lie one after the other, so that one product computes all three.
      var queryKeyValue: Int
      var outputWeight, outputBias: Int
      var norm2Weight, norm2Bias: Int
      var innerWeight, innerBias: Int
      var projectionWeight, projectionBias: Int
    }
    var tokenEmbedding: Int
    var positionEmbedding: Int
    var layers: [Layer]
    var finalNormWeight, finalNormBias: Int
  }

  /// A model without values: the parameters are not set.
  private init(emptyWith configuration: GPTNeoConfiguration) {
    self.configuration = configuration
    (layout, places, headOffset) = Self.arrange(configuration)
    parameters = FloatBuffer(count: layout.count, isZeroed: false)
  }

  /// The order of all tensors; takes no memory for them.
  private static func arrange(
    _ configuration: GPTNeoConfiguration
  ) -> (layout: ParameterLayout, places: Places, headOffset: Int) {
    var layout = ParameterLayout()
    let hidden = configuration.hiddenSize
    let inner = configuration.intermediateSize
    let prefix = "transformer."
    let tokenEmbedding = layout.append(prefix + "wte.weight", [configuration.vocabularySize, hidden])
    let positionEmbedding = layout.append(prefix + "wpe.weight", [configuration.contextLength, hidden])
    let layers = configuration.attentionLayers.indices.map { index in
      let name = "\(prefix)h.\(index)."
      let norm1Weight = layout.append(name + "ln_1.weight", [hidden])
      let norm1Bias = layout.append(name + "ln_1.bias", [hidden])
      let query = layout.append(name + "attn.attention.q_proj.weight", [hidden, hidden])
      _ = layout.append(name + "attn.attention.k_proj.weight", [hidden, hidden])
      _ = layout.append(name + "attn.attention.v_proj.weight", [hidden, hidden])
      return Places.Layer(
        norm1Weight: norm1Weight, norm1Bias: norm1Bias, queryKeyValue: query,
        outputWeight: layout.append(name + "attn.attention.out_proj.weight", [hidden, hidden]),
        outputBias: layout.append(name + "attn.attention.out_proj.bias", [hidden]),
        norm2Weight: layout.append(name + "ln_2.weight", [hidden]),
        norm2Bias: layout.append(name + "ln_2.bias", [hidden]),
        innerWeight: layout.append(name + "mlp.c_fc.weight", [inner, hidden]),
        innerBias: layout.append(name + "mlp.c_fc.bias", [inner]),
        projectionWeight: layout.append(name + "mlp.c_proj.weight", [hidden, inner]),
        projectionBias: layout.append(name + "mlp.c_proj.bias", [hidden]))
    }
    let finalNormWeight = layout.append(prefix + "ln_f.weight", [hidden])
    let finalNormBias = layout.append(prefix + "ln_f.bias", [hidden])
    let headOffset =
      configuration.tiesEmbeddings
      ? tokenEmbedding : layout.append("lm_head.weight", [configuration.vocabularySize, hidden])
    let places = Places(
      tokenEmbedding: tokenEmbedding, positionEmbedding: positionEmbedding, layers: layers,
      finalNormWeight: finalNormWeight, finalNormBias: finalNormBias)
    return (layout, places, headOffset)
  }

  /// A model with random weights as transformers initialises them: normal with the configured deviation, norms one, biases zero.
  ///
  /// - Throws: ``CheckpointError`` for a configuration that makes no model, or one larger than this computer's memory.
  public convenience init(randomWith configuration: GPTNeoConfiguration, seed: UInt64) throws {
    try configuration.validate()
    try Self.arrange(configuration).layout.checkMemory(file: "config.json")
    self.init(emptyWith: configuration)
    let random = KeyedRandom(seed: seed)
    for (index, parameter) in layout.parameters.enumerated() {
      let values = UnsafeMutableBufferPointer(rebasing: parameters.elements[parameter.range])
      if parameter.shape.count == 2 {
        let tensor = random.keyed(index)
        for element in values.indices {
          values[element] = Float(tensor.keyed(element).normal) * configuration.initializerRange
        }
      } else {
        values.update(repeating: parameter.name.contains("ln_") && parameter.name.hasSuffix("weight") ? 1 : 0)
      }
    }
  }

  /// The model of a Hugging Face folder: `config.json` and `model.safetensors`.
  ///
  /// - Throws: ``CheckpointError`` where a file is missing, damaged, or does not fit the configuration.
  public convenience init(source: ModelSource) throws {
    let configuration = try source.decodeJSON(GPTNeoConfiguration.self, from: "config.json")
    try configuration.validate(file: "\(source.description)/config.json")
    let file = "\(source.description)/model.safetensors"
    let tensors = try Safetensors(source.requiredFile("model.safetensors"), name: file)
    let layout = Self.arrange(configuration).layout
    // transformers' base model saves the same tensors without the prefix.
    let prefix = "transformer."
    let names = layout.parameters.map { parameter in
      let bare = String(parameter.name.dropFirst(prefix.count))
      let isBare =
        parameter.name.hasPrefix(prefix) && tensors.shape(of: parameter.name) == nil && tensors.shape(of: bare) != nil
      return isBare ? bare : parameter.name
    }
    // Before memory is taken: a small file may announce a huge model.
    for (name, parameter) in zip(names, layout.parameters) {
      guard let shape = tensors.shape(of: name) else { throw CheckpointError.missingTensor(name: name, file: file) }
      guard shape == parameter.shape else {
        throw CheckpointError.shapeMismatch(tensor: name, expected: parameter.shape, found: shape)
      }
    }
    try layout.checkMemory(file: file)
    self.init(emptyWith: configuration)
    var loader = TensorLoader(tensors)
    for (name, parameter) in zip(names, layout.parameters) {
      try loader.load(
        name, shape: parameter.shape, into: UnsafeMutableBufferPointer(rebasing: parameters.elements[parameter.range]))
    }
    try loader.finish { name in
      // Mask buffers that files of 2021 to 2023 carry, and a head that is the token embedding again.
      name.hasSuffix(".attn.attention.bias") || name.hasSuffix(".attn.attention.masked_bias")
        || name == "lm_head.weight"
    }
  }

  /// An independent copy.
  public func copy() -> any LanguageModel {
    let copy = GPTNeo(emptyWith: configuration)
    copy.parameters.copy(from: parameters)
    return copy
  }

  /// Writes `config.json` and `model.safetensors`, which transformers loads, into an existing folder.
  ///
  /// - Throws: ``CheckpointError`` where the folder cannot be written or a parameter is not finite.
  public func save(to folder: URL, elementType: ElementType) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try writeAtomically(try encoder.encode(configuration), to: folder.appending(path: "config.json"))
    let tensors = layout.parameters.map { parameter in
      TensorToWrite(
        name: parameter.name, shape: parameter.shape,
        values: UnsafeBufferPointer(rebasing: parameters.elements[parameter.range]))
    }
    try writeSafetensors(tensors, elementType: elementType, to: folder.appending(path: "model.safetensors"))
  }
}
