public import Foundation
import JSON

/// Where a model's files come from: a Hugging Face folder, files held in memory, or a model of another format.
public enum ModelSource: Sendable, CustomStringConvertible {
  /// A folder with `config.json`, weights (see ``weights()``) and tokenizer files.
  case folder(URL)
  /// Files held in memory under their names, such as the model embedded in the program.
  case embedded(name: String, files: [String: MappedBytes])
  /// A model of another format, such as a GGUF file, presented as a folder.
  case converted(ConvertedModel)

  /// The path of the folder or file, or the embedded model's name.
  public var description: String {
    switch self {
    case .folder(let url): url.path
    case .embedded(let name, _): name
    case .converted(let model): model.name
    }
  }

  /// Where a file is, for messages.
  public func path(of name: String) -> String {
    switch self {
    case .folder(let url): url.appending(path: name).path
    case .embedded(let model, _): "\(model)/\(name)"
    case .converted(let model): "\(model.name)/\(name)"
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
        return try MappedBytes(file: url.appending(path: name), limit: Self.limit(of: name))
      } catch CheckpointError.missingFile {
        return nil
      }
    case .embedded(_, let files):
      return files[name]
    case .converted(let model):
      return model.files[name].map { MappedBytes($0) }
    }
  }

  /// The folder of a part of the model, such as the encoder of a sentence-embedding model.
  public func part(_ name: String) -> ModelSource {
    switch self {
    case _ where name.isEmpty: self
    case .folder(let url): .folder(url.appending(path: name, directoryHint: .isDirectory))
    case .embedded(let model, let files):
      .embedded(
        name: "\(model)/\(name)",
        files: Dictionary(
          uniqueKeysWithValues: files.filter { $0.key.hasPrefix(name + "/") }
            .map { (String($0.key.dropFirst(name.count + 1)), $0.value) }))
    case .converted: self
    }
  }

  /// The most bytes that a file may have: three times the largest tokenizer there is, far more than any other text, and no limit for
  /// weights, which are never held as a whole.
  private static func limit(of name: String) -> Int {
    switch (name as NSString).pathExtension {
    case _ where name.hasSuffix("tokenizer.json"): 128 << 20
    case "json", "jinja", "txt": 16 << 20
    default: .max
    }
  }

  /// The file `name`.
  ///
  /// - Throws: ``CheckpointError`` when it is missing or unreadable.
  public func requiredFile(_ name: String) throws -> MappedBytes {
    if let bytes = try file(name) { return bytes }
    throw CheckpointError.missingFile(path: path(of: name), hint: hintForMissingFile)
  }

  /// Decodes a JSON file.
  ///
  /// - Throws: ``CheckpointError`` when the file is missing or does not decode, or where decoding throws an
  ///   ``UnsupportedValue``; the error names file and key.
  public func decodeJSON<T: Decodable>(_ type: T.Type, from name: String) throws -> T {
    let bytes = try requiredFile(name)
    do {
      return try JSONDecoder().decode(type, from: bytes.data)
    } catch let error as UnsupportedValue {
      throw CheckpointError.unsupported(file: path(of: name), reason: error.reason, hint: error.hint)
    } catch let error as DecodingError {
      if case .dataCorrupted(let context) = error, context.codingPath.isEmpty {
        // Finds the place where the file stops being JSON.
        try withJSON(bytes, file: path(of: name)) { scanner in
          try scanner.skipValue()
          try scanner.expectEnd()
        }
      }
      throw CheckpointError.malformed(file: path(of: name), offset: nil, reason: reason(error))
    }
  }

  /// The names of the files directly in the folder, sorted; hidden ones are left out.
  public var fileNames: [String] {
    switch self {
    case .folder(let url):
      let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
      return names.filter { !$0.hasPrefix(".") }.sorted()
    case .embedded(_, let files): return files.keys.sorted()
    case .converted(let model): return model.files.keys.sorted()
    }
  }

  private var hintForMissingFile: String {
    if case .converted = self { return "the file says nothing that it could be made of" }
    guard case .folder(let url) = self else { return "this is a fault of the program, please report it" }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      return "there is no folder \(oneLine(url.path)); check the path"
    }
    guard isFolder.boolValue else { return "\(oneLine(url.path)) is a file; give the folder that holds the model" }
    return "give a Hugging Face model folder: config.json; tokenizer files; weights as model.safetensors, "
      + "model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json, or a single .bin or .pt file"
  }
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
