public import Checkpoints
public import Foundation
import Kernels

/// A folder with a low-rank adapter in PEFT's format: `adapter_config.json`, and `adapter_model.safetensors` or
/// `adapter_model.bin`.
public enum AdapterCheckpoint {
  /// The file that tells such a folder.
  public static let configurationFile = "adapter_config.json"
  /// The file that its matrices are written to.
  public static let weightsFile = "adapter_model.safetensors"
  /// The files that its matrices may be in, the first that is there counts.
  private static let weightFiles = [weightsFile, "adapter_model.bin"]

  /// Writes the adapter of `model` into an existing folder; PEFT loads it.
  ///
  /// - Parameter baseModel: the name or folder of the model that the adapter belongs to.
  /// - Throws: ``CheckpointError`` where the folder cannot be written or a number is not finite.
  public static func save(_ adapter: LowRankAdapter, of model: any LanguageModel, baseModel: String, to folder: URL)
    throws
  {
    let configuration = WrittenAdapterConfiguration(
      baseModel: baseModel, rank: adapter.settings.rank, alpha: adapter.settings.alpha,
      targets: adapter.settings.targets ?? [], isTransposed: model is GPT2)
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

  /// Whether a folder holds an adapter; a `config.json` beside it says nothing, but one without the adapter's matrices is a model's.
  ///
  /// - Throws: ``CheckpointError`` when a file is there but cannot be read.
  public static func isAdapter(_ source: ModelSource) throws -> Bool {
    guard try source.file(configurationFile) != nil else { return false }
    return try source.file("config.json") == nil || weightFiles.contains { try source.file($0) != nil }
  }

  /// The name or folder of the model that an adapter belongs to.
  ///
  /// - Throws: ``CheckpointError`` where the folder holds no adapter, or it names no model.
  public static func baseModel(_ source: ModelSource) throws -> String {
    let configuration = try source.decodeJSON(AdapterKind.self, from: configurationFile)
    guard let name = configuration.baseModel, !name.isEmpty else {
      throw CheckpointError.malformed(
        file: source.path(of: configurationFile), offset: nil, reason: "it names no base_model_name_or_path")
    }
    return name
  }

  /// The file that the matrices are in.
  ///
  /// - Throws: ``CheckpointError`` where there is none.
  public static func weights(_ source: ModelSource) throws -> MappedBytes {
    try source.requiredFile(try weightFileName(source))
  }

  private static func weightFileName(_ source: ModelSource) throws -> String {
    try weightFiles.first { try source.file($0) != nil } ?? weightsFile
  }

  /// `model`, with its parameters in the same memory, and the adapter of a folder.
  ///
  /// Matrices that the file leaves out, such as those of other layers, stay as they are.
  /// - Throws: ``CheckpointError`` or ``LowRankError`` where the adapter is damaged, of a kind that is not supported, or
  ///   does not fit the model.
  public static func load(_ source: ModelSource, onto model: any LanguageModel) throws -> any LanguageModel {
    let file = source.path(of: configurationFile)
    func unsupported(_ what: String) -> CheckpointError {
      .unsupported(
        file: file, reason: what,
        hint: "merge it into its model where it was trained: PEFT's merge_and_unload(), then save_pretrained()")
    }
    let kind = try source.decodeJSON(AdapterKind.self, from: configurationFile).kind
    guard kind == "LORA" else {
      throw unsupported("an adapter of type \(kind ?? "unknown") is not supported, only LORA is")
    }
    let settings = try source.decodeJSON(AdapterSettings.self, from: configurationFile)
    if let obstacle = settings.obstacle { throw unsupported(obstacle) }
    guard (1...1 << 16).contains(settings.rank) else {
      throw LowRankError.rank(settings.rank, maximum: model.hiddenSize)
    }
    let tensors = try source.tensors(inFile: weightFileName(source))
    let modules = try modules(of: tensors, rank: settings.rank)
    let targets = Set(modules.map(lastPart(of:))).sorted()
    let adapted = try model.adapted(
      LowRankSettings(rank: settings.rank, alpha: settings.alpha, targets: targets), seed: 0,
      maximumRank: settings.rank)
    guard let adapter = adapted.adapter else { return adapted }
    var loader = TensorLoader(tensors)
    for parameter in adapter.layout.parameters {
      let values = UnsafeMutableBufferPointer(rebasing: adapter.parameters.elements[parameter.range])
      guard let shape = tensors.shape(of: parameter.name) else {
        values.update(repeating: 0)
        continue
      }
      guard shape == parameter.shape else {
        throw CheckpointError.unsupported(
          file: tensors.name,
          reason: "\(parameter.name) has shape \(shape), and the model needs \(parameter.shape)",
          hint: hintForOtherModel)
      }
      try loader.load(parameter.name, shape: parameter.shape, into: values)
    }
    do {
      try loader.finish()
    } catch CheckpointError.unexpectedTensors(let names, let file) {
      throw CheckpointError.unsupported(
        file: file, reason: "it adapts \(names[0]), which the model does not have", hint: hintForOtherModel)
    }
    return adapted
  }

  private static let hintForOtherModel = "check that base_model_name_or_path names the model that it was trained on"

  /// The names of the matrices that have both parts of an update in the file, of this rank.
  private static func modules(of tensors: any TensorSource, rank: Int) throws -> [String] {
    let (prefix, down, up) = ("base_model.model.", ".lora_A.weight", ".lora_B.weight")
    var modules: [String] = []
    for name in tensors.tensorNames {
      guard name.hasPrefix(prefix), let suffix = [down, up].first(where: name.hasSuffix) else {
        throw CheckpointError.unsupported(
          file: tensors.name, reason: "\(name) is no low-rank matrix of a linear layer",
          hint: "merge the adapter into its model with PEFT")
      }
      let stem = String(name.dropLast(suffix.count))
      guard let shape = tensors.shape(of: stem + down), tensors.shape(of: stem + up) != nil else {
        throw CheckpointError.missingTensor(name: stem + (suffix == down ? up : down), file: tensors.name)
      }
      guard shape.first == rank else {
        throw CheckpointError.unsupported(
          file: tensors.name, reason: "\(stem + down) has shape \(shape), and \(configurationFile) a rank of \(rank)",
          hint: "check that the two belong together")
      }
      if suffix == down { modules.append(String(stem.dropFirst(prefix.count))) }
    }
    guard !modules.isEmpty else {
      throw CheckpointError.unsupported(
        file: tensors.name, reason: "it holds no low-rank matrices", hint: "check that it is an adapter of PEFT")
    }
    return modules
  }
}
