import Checkpoints
import Foundation
import JSON
import Runs
import Transformers

/// The `config.json` of a model that is saved: what came in, changed only where the saved weights are others.
struct SavedConfiguration {
  private static let file = "config.json"
  /// Keys that say what the saved tensors are.
  private static let ofTensors: Set = ["architectures", "model_type", "tie_word_embeddings", "vocab_size"]
  private static let typeKeys: Set = ["dtype", "torch_dtype"]
  private static let tokenKeys = ["bos_token_id", "eos_token_id", "pad_token_id"]
  /// Keys of what the saved weights no longer are.
  private static let removed: Set = ["quantization_config"]

  /// The content of the file.
  ///
  /// - Parameters:
  ///   - model: what is saved.
  ///   - files: where the model came from; an adapter's own `config.json` says which tokens begin, end and fill up texts.
  ///   - elementType: how its numbers are stored.
  /// - Throws: an error that names the file where the one that came in cannot be read.
  static func data(_ model: any LanguageModel, files: TextFiles, elementType: ElementType) throws -> Data {
    let written = try members(of: model.encodedConfiguration(), name: file)
    guard let original = try files.base.file(file) else { return try model.encodedConfiguration() }
    var result: [JSONValue.Member] = []
    var known = removed
    let type = JSONValue.string(elementType.torchName)
    for member in try members(of: original.data, name: files.base.path(of: file)) {
      guard known.insert(member.key).inserted else { continue }
      let isOfTensors = ofTensors.contains(member.key)
      let new = isOfTensors ? written.first { $0.key == member.key }?.value : typeKeys.contains(member.key) ? type : nil
      result.append(.init(member.key, new ?? member.value))
    }
    // What transformers would take its own default for stays unsaid about tokens.
    result += written.filter { !known.contains($0.key) && !tokenKeys.contains($0.key) }
    if let adapter = files.adapter, let own = try adapter.file(file) {
      let own = try members(of: own.data, name: adapter.path(of: file)).filter { tokenKeys.contains($0.key) }
      result.removeAll { member in own.contains { $0.key == member.key } }
      result += own
    }
    return Data(try JSONValue.object(result).encoded(pretty: true) + [UInt8(ascii: "\n")])
  }

  private static func members(of data: Data, name: String) throws -> [JSONValue.Member] {
    do {
      guard case .object(let members) = try JSONValue(parsing: [UInt8](data)) else { return [] }
      return members
    } catch let error as JSONError {
      throw CheckpointError.malformed(file: name, offset: error.offset, reason: error.reason)
    }
  }
}

extension ElementType {
  /// The type's name in transformers' files.
  fileprivate var torchName: String {
    switch self {
    case .float32: "float32"
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    }
  }
}
