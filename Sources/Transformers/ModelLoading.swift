public import Checkpoints

/// The part of `config.json` that says what kind of model it is.
struct ModelKind: Decodable {
  /// How the weights were quantized.
  struct Quantization: Decodable {
    var method: String?

    enum CodingKeys: String, CodingKey {
      case method = "quant_method"
    }
  }

  var modelType: String?
  var quantization: Quantization?

  enum CodingKeys: String, CodingKey {
    case modelType = "model_type"
    case quantization = "quantization_config"
  }

  /// The kind of the model of a folder.
  ///
  /// - Throws: ``CheckpointError`` where `config.json` cannot be read, or tells of quantized weights.
  init(source: ModelSource) throws {
    self = try source.decodeJSON(ModelKind.self, from: "config.json")
    guard let quantization else { return }
    throw CheckpointError.unsupported(
      file: source.path(of: "config.json"),
      reason: "by its quantization_config the weights are quantized by \(quantization.method ?? "an unknown method")",
      hint: "use the model without quantization, or a GGUF file of it; if the weights are plain floats, take "
        + "quantization_config out")
  }
}

/// The values of `model_type` that can be loaded.
public let supportedModelTypes = ["gpt_neo", "gpt2", "llama"]

/// The language model of a Hugging Face folder.
///
/// - Throws: ``CheckpointError`` where the architecture is unknown or a file is missing or damaged.
public func loadLanguageModel(_ source: ModelSource) throws -> any LanguageModel {
  let kind = try ModelKind(source: source)
  switch kind.modelType {
  case "gpt_neo": return try GPTNeo(source: source)
  case "gpt2": return try GPT2(source: source)
  case "llama": return try Llama(source: source)
  case let other:
    throw CheckpointError.unsupported(
      file: "\(source.description)/config.json",
      reason: other.map { "model_type '\($0)' is not supported" } ?? "it names no model_type",
      hint: "supported: \(supportedModelTypes.joined(separator: ", "))")
  }
}
