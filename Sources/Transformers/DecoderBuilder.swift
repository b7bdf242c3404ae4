import Kernels

/// Collects the tensors of a decoder in order, and where they are.
struct DecoderBuilder {
  private(set) var layout = ParameterLayout()

  /// A table of rows, such as an embedding.
  mutating func table(_ name: String, _ rows: Int, _ columns: Int) -> Int {
    layout.append(name + ".weight", [rows, columns])
  }

  /// A normalisation.
  mutating func norm(_ name: String, size: Int, hasBias: Bool) -> DecoderPlaces.Norm {
    DecoderPlaces.Norm(
      weight: layout.append(name + ".weight", [size]), bias: hasBias ? layout.append(name + ".bias", [size]) : nil)
  }

  /// A product with the matrices called `names`, of `sizes` outputs each.
  mutating func linear(
    _ modules: [(name: String, outputSize: Int)], inputSize: Int, hasBias: Bool, order: WeightOrder = .outputMajor
  ) -> DecoderPlaces.Linear {
    precondition(order == .outputMajor || modules.count == 1, "matrices [in, out] do not lie side by side")
    let start = layout.count
    var parts: [DecoderPlaces.Linear.Part] = []
    var outputSize = 0
    for module in modules {
      let shape = order == .outputMajor ? [module.outputSize, inputSize] : [inputSize, module.outputSize]
      _ = layout.append(module.name + ".weight", shape)
      parts.append(.init(name: module.name, firstOutput: outputSize, outputCount: module.outputSize))
      outputSize += module.outputSize
    }
    let biasStart = layout.count
    if hasBias { for module in modules { _ = layout.append(module.name + ".bias", [module.outputSize]) } }
    return DecoderPlaces.Linear(
      parts: parts, weight: start, bias: hasBias ? biasStart : nil, inputSize: inputSize, outputSize: outputSize,
      order: order)
  }
}

/// A decoder's sizes and tensors, as its configuration describes them; takes no memory for the tensors.
public struct DecoderDescription: Sendable {
  let shape: DecoderShape
  let layout: ParameterLayout
  let places: DecoderPlaces
  /// The rotary frequencies without scaling.
  var unscaledFrequencies: [Float] = []
}

/// A configuration that describes a decoder: one type for each architecture.
public protocol DecoderConfiguration: Codable, Sendable, Equatable {
  /// What transformers' full models put before the names of their base models' tensors.
  static var basePrefix: String { get }
  /// The tokens that end a text, as far as it names any.
  var endOfTextIDs: [Int] { get }
  /// Whether the head is the token embedding.
  var tiesEmbeddings: Bool { get set }
  /// Standard deviation of freshly initialised weights.
  var initializerRange: Float { get }
  /// Sizes and tensors; the configuration must be valid.
  var decoder: DecoderDescription { get }

  /// Refuses sizes that make no model, so that nothing behind this check can trap on a file's content.
  ///
  /// - Throws: ``CheckpointError`` that names the key of `config.json`.
  func validate(file: String) throws

  /// The constant that a checkpoint's tensor of this name is, if it is one that old files carry.
  static func buffer(_ tensor: String) -> CheckpointBuffer?
}
