public import Checkpoints

/// The part of `config.json` that says what kind of model it is.
struct ModelKind: Decodable {
  var modelType: String?

  enum CodingKeys: String, CodingKey {
    case modelType = "model_type"
  }
}

/// The values of `model_type` that can be loaded.
public let supportedModelTypes = ["gpt_neo", "gpt2", "llama"]

/// The language model of a Hugging Face folder.
///
/// - Throws: ``CheckpointError`` where the architecture is unknown or a file is missing or damaged.
public func loadLanguageModel(_ source: ModelSource) throws -> any LanguageModel {
  let kind = try source.decodeJSON(ModelKind.self, from: "config.json")
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
