public import Checkpoints
public import Foundation
import Kernels

/// `adapter_config.json` as PEFT writes and reads it.
private struct AdapterConfiguration: Codable {
  var kind: String
  var task: String?
  var baseModel: String?
  var rank: Int
  var alpha: Float
  var targets: [String]
  var isTransposed: Bool?
  var bias: String?
  var dropout: Float?
  var isForInference: Bool?
  var usesDoRA: Bool?
  var usesRankStabilization: Bool?
  var savedModules: [String]?
  var alphas: [String: Float]?

  enum CodingKeys: String, CodingKey {
    case kind = "peft_type"
    case task = "task_type"
    case baseModel = "base_model_name_or_path"
    case rank = "r"
    case alpha = "lora_alpha"
    case targets = "target_modules"
    case isTransposed = "fan_in_fan_out"
    case bias
    case dropout = "lora_dropout"
    case isForInference = "inference_mode"
    case usesDoRA = "use_dora"
    case usesRankStabilization = "use_rslora"
    case savedModules = "modules_to_save"
    case alphas = "alpha_pattern"
  }
}

/// A folder with a low-rank adapter in PEFT's format: `adapter_config.json` and `adapter_model.safetensors`.
public enum AdapterCheckpoint {
  /// The file that tells such a folder.
  public static let configurationFile = "adapter_config.json"
  /// The file with its matrices.
  public static let weightsFile = "adapter_model.safetensors"

  /// Writes the adapter of `model` into an existing folder; PEFT loads it.
  ///
  /// - Parameter baseModel: the name or folder of the model that the adapter belongs to.
  /// - Throws: ``CheckpointError`` where the folder cannot be written or a number is not finite.
  public static func save(_ adapter: LowRankAdapter, of model: any LanguageModel, baseModel: String, to folder: URL)
    throws
  {
    let configuration = AdapterConfiguration(
      kind: "LORA", task: "CAUSAL_LM", baseModel: baseModel, rank: adapter.settings.rank,
      alpha: adapter.settings.alpha, targets: adapter.settings.targets ?? [], isTransposed: model is GPT2,
      bias: "none", dropout: 0, isForInference: true)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try writeAtomically(try encoder.encode(configuration), to: folder.appending(path: configurationFile))
    let tensors = adapter.layout.parameters.map { parameter in
      TensorToWrite(
        name: parameter.name, shape: parameter.shape,
        values: UnsafeBufferPointer(rebasing: adapter.parameters.elements[parameter.range]))
    }
    try writeSafetensors(tensors, elementType: .float32, to: folder.appending(path: weightsFile))
  }

  /// Whether a folder holds an adapter instead of a model.
  ///
  /// - Throws: ``CheckpointError`` when a file is there but cannot be read.
  public static func isAdapter(_ source: ModelSource) throws -> Bool {
    try source.file("config.json") == nil && source.file(configurationFile) != nil
  }

  /// The name or folder of the model that an adapter belongs to.
  ///
  /// - Throws: ``CheckpointError`` where the folder holds no adapter, or it names no model.
  public static func baseModel(_ source: ModelSource) throws -> String {
    let configuration = try source.decodeJSON(AdapterConfiguration.self, from: configurationFile)
    guard let name = configuration.baseModel, !name.isEmpty else {
      throw CheckpointError.malformed(
        file: source.path(of: configurationFile), offset: nil, reason: "it names no base_model_name_or_path")
    }
    return name
  }

  /// `model`, with its parameters in the same memory, and the adapter of a folder.
  ///
  /// - Throws: ``CheckpointError`` or ``LowRankError`` where the adapter is damaged, of a kind that is not supported, or
  ///   does not fit the model.
  public static func load(_ source: ModelSource, onto model: any LanguageModel) throws -> any LanguageModel {
    let configuration = try source.decodeJSON(AdapterConfiguration.self, from: configurationFile)
    let file = source.path(of: configurationFile)
    func require(_ isSupported: Bool, _ what: String) throws {
      guard !isSupported else { return }
      throw CheckpointError.unsupported(file: file, reason: what, hint: "merge it into its model with PEFT")
    }
    try require(configuration.kind == "LORA", "an adapter of type \(configuration.kind), only LORA is supported")
    try require(configuration.bias ?? "none" == "none", "it trains biases")
    try require(configuration.usesDoRA != true, "it uses DoRA")
    try require(configuration.savedModules?.isEmpty ?? true, "it holds whole modules beside the adapter")
    try require(configuration.alphas?.isEmpty ?? true, "its matrices have different alphas")
    guard (1...1 << 16).contains(configuration.rank) else {
      throw LowRankError.rank(configuration.rank, maximum: model.hiddenSize)
    }
    let scaling =
      configuration.usesRankStabilization == true ? Float(configuration.rank).squareRoot() : 1
    let adapted = try model.adapted(
      LowRankSettings(
        rank: configuration.rank, alpha: configuration.alpha * scaling, targets: configuration.targets), seed: 0)
    guard let adapter = adapted.adapter else { return adapted }
    let tensors = try Safetensors(source.requiredFile(weightsFile), name: source.path(of: weightsFile))
    var loader = TensorLoader(tensors)
    for parameter in adapter.layout.parameters {
      try loader.load(
        parameter.name, shape: parameter.shape,
        into: UnsafeMutableBufferPointer(rebasing: adapter.parameters.elements[parameter.range]))
    }
    try loader.finish()
    return adapted
  }
}
