public import Foundation

/// Where a model's files come from: a Hugging Face folder, or files held in memory.
public enum ModelSource: Sendable, CustomStringConvertible {
  /// A folder with `config.json`, `model.safetensors` and tokenizer files.
  case folder(URL)
  /// Files held in memory under their names, such as the model embedded in the program.
  case embedded(name: String, files: [String: MappedBytes])

  /// The folder's path, or the embedded model's name.
  public var description: String {
    switch self {
    case .folder(let url): url.path
    case .embedded(let name, _): name
    }
  }

  /// Where a file is, for messages.
  public func path(of name: String) -> String {
    switch self {
    case .folder(let url): url.appending(path: name).path
    case .embedded(let model, _): "\(model)/\(name)"
    }
  }

  /// The file `name`, relative to the folder, or nil when there is none.
  ///
  /// - Throws: ``CheckpointError`` when the file is there but cannot be read, or `name` leads out of the folder.
  public func file(_ name: String) throws -> MappedBytes? {
    switch self {
    case .folder(let url):
      let parts = name.split(separator: "/", omittingEmptySubsequences: false)
      guard !parts.contains(where: { $0.isEmpty || $0 == ".." }) else {
        throw CheckpointError.io(action: "read", path: name, reason: "the name leads out of the model's folder")
      }
      do {
        return try MappedBytes(file: url.appending(path: name))
      } catch CheckpointError.missingFile {
        return nil
      }
    case .embedded(_, let files):
      return files[name]
    }
  }

  /// The file `name`.
  ///
  /// - Throws: ``CheckpointError`` when it is missing or unreadable. Where weights are kept in a format that is not
  ///   supported, the error says how to convert them.
  public func requiredFile(_ name: String) throws -> MappedBytes {
    if let bytes = try file(name) { return bytes }
    if name == "model.safetensors" { try refuseOtherWeights() }
    throw CheckpointError.missingFile(path: path(of: name), hint: hintForMissingFile)
  }

  /// Decodes a JSON file.
  ///
  /// - Throws: ``CheckpointError`` when the file is missing or does not decode; the error names file and key.
  public func decodeJSON<T: Decodable>(_ type: T.Type, from name: String) throws -> T {
    let bytes = try requiredFile(name)
    do {
      return try JSONDecoder().decode(type, from: bytes.data)
    } catch let error as DecodingError {
      if case .dataCorrupted(let context) = error, context.codingPath.isEmpty {
        try bytes.withUnsafeBytes { try requireJSON($0, file: path(of: name)) }
      }
      throw CheckpointError.malformed(file: path(of: name), offset: nil, reason: reason(error))
    }
  }

  private var hintForMissingFile: String {
    guard case .folder(let url) = self else { return "this is a fault of the program, please report it" }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      return "there is no folder \(oneLine(url.path)); check the path"
    }
    guard isFolder.boolValue else { return "\(oneLine(url.path)) is a file; give the folder that holds the model" }
    return "give a Hugging Face model folder (config.json, model.safetensors, tokenizer files)"
  }

  /// Says how to convert when the weights are there in a format that is not read.
  private func refuseOtherWeights() throws {
    let load = "AutoModelForCausalLM.from_pretrained(folder)"
    if try file("model.safetensors.index.json") != nil {
      throw CheckpointError.unsupported(
        file: path(of: "model.safetensors.index.json"), reason: "weights in several files are not supported yet",
        hint: "write one file with transformers: \(load).save_pretrained(new_folder, max_shard_size=\"100GB\")")
    }
    for name in ["pytorch_model.bin", "pytorch_model.bin.index.json"] where try file(name) != nil {
      throw CheckpointError.unsupported(
        file: path(of: name), reason: "PyTorch's pickle format is not supported",
        hint: "convert with transformers: \(load).save_pretrained(new_folder, safe_serialization=True, "
          + "max_shard_size=\"100GB\")")
    }
  }
}

/// Finds the place where a file stops being JSON.
private func requireJSON(_ bytes: UnsafeRawBufferPointer, file: String) throws {
  var scanner = JSONScanner(bytes, file: file, baseOffset: 0)
  try scanner.skipValue()
  try scanner.finish()
}

/// What a decoding error says about which key, in words.
private func reason(_ error: DecodingError) -> String {
  switch error {
  case .keyNotFound(let key, let context):
    "\(keyPath(context.codingPath + [key])) is missing"
  case .valueNotFound(_, let context):
    "\(keyPath(context.codingPath)) is null"
  case .typeMismatch(let type, let context):
    "\(keyPath(context.codingPath)) should be of type \(type)"
  case .dataCorrupted(let context) where context.codingPath.isEmpty:
    "a number in it has a fraction, or is too large, where a whole number is needed"
  case .dataCorrupted(let context):
    "\(keyPath(context.codingPath)): \(oneLine(context.debugDescription))"
  @unknown default:
    "it does not decode"
  }
}

private func keyPath(_ path: [any CodingKey]) -> String {
  guard !path.isEmpty else { return "the top level" }
  var text = ""
  for key in path {
    if let index = key.intValue {
      text += "[\(index)]"
    } else {
      text += (text.isEmpty ? "" : ".") + key.stringValue
    }
  }
  return "the key " + quoted(text)
}
