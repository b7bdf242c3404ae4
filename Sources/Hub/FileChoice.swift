/// A file that a repository lists.
struct RemoteFile: Sendable, Equatable {
  /// Its path in the repository.
  let path: String
  /// Its size in bytes, where listed.
  var bytes: Int?
  /// The SHA-256 of its bytes, in lower-case hexadecimal, where listed: of files in large file storage.
  var sha256: String?
  /// The SHA-1 of its git blob, in lower-case hexadecimal, where listed.
  var gitSHA1: String?

  /// What the blob is called in the cache, as far as the listing says.
  var blobName: String? { sha256 ?? gitSHA1 }
}

/// Which files of a repository make a model: what this program reads, and one set of weights.
enum FileChoice {
  /// Files beside the weights.
  static let settings: Set = [
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "vocab.json", "merges.txt", "vocab.txt", "tokenizer.model", "added_tokens.json", "chat_template.jinja",
    "1_Pooling/config.json", "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json",
  ]

  /// Weights of a Hugging Face folder, the best first; after an index come the files that it names.
  static let weights = [
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
  ]

  /// A low-rank adapter in PEFT's format: its settings, and its weights, the best first. A model of its own beside it comes first.
  static let adapterSettings = "adapter_config.json"
  static let adapterWeights = ["adapter_model.safetensors", "adapter_model.bin"]

  /// What is to be fetched.
  struct Files {
    var files: [RemoteFile]
    /// The one of `files` that names the parts of the weights, to be fetched too.
    var index: RemoteFile?
  }

  /// Chooses among the files of a repository.
  ///
  /// - Throws: ``HubError`` where a choice is needed, the file that was named is not there, or there are no weights.
  static func files(of listing: [RemoteFile], name: HubName) throws -> Files {
    let safe = listing.filter { HubName.isSafePath($0.path) }
    let byPath = Dictionary(safe.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    let names = byPath.keys.sorted()
    if let wanted = name.file {
      guard let path = match(wanted, in: names), let file = byPath[path] else {
        throw HubError.notFound(
          what: "file \(wanted) in \(name.repository)", hint: "it holds " + list(modelFiles(names), else: names))
      }
      return Files(files: try [refusingSplit(file, name)] + companions(of: path, names).compactMap { byPath[$0] })
    }
    if let weight = weights.first(where: { byPath[$0] != nil }), let file = byPath[weight] {
      let chosen = names.filter(settings.contains).compactMap { byPath[$0] }
      return Files(files: chosen + [file], index: weight.hasSuffix(".index.json") ? file : nil)
    }
    if let settings = byPath[adapterSettings], let file = adapterWeights.lazy.compactMap({ byPath[$0] }).first {
      // Its config.json, where there is one, is a copy of its model's.
      let chosen = names.filter { Self.settings.contains($0) && $0 != "config.json" }.compactMap { byPath[$0] }
      return Files(files: chosen + [settings, file])
    }
    let models = names.filter(isGGUF)
    if models.count > 1 { throw HubError.choiceNeeded(name: name.repository, files: models) }
    if let model = models.first, let file = byPath[model] { return Files(files: [try refusingSplit(file, name)]) }
    if modelFiles(names).count > 1 { throw HubError.choiceNeeded(name: name.repository, files: modelFiles(names)) }
    throw HubError.noWeights(
      name: name.repository,
      reason: "it has no model.safetensors, pytorch_model.bin or GGUF file; it holds " + list([], else: names))
  }

  /// The file that a user means: its path, its path without `.gguf`, or the one GGUF file whose name holds the text,
  /// such as `Q4_K_M`.
  static func match(_ wanted: String, in names: [String]) -> String? {
    for candidate in [wanted, wanted + ".gguf"] where names.contains(candidate) { return candidate }
    let matches = names.filter { isGGUF($0) && $0.lowercased().contains(wanted.lowercased()) }
    return matches.count == 1 ? matches[0] : nil
  }

  /// The parts that an index names, each once.
  ///
  /// - Throws: ``HubError/noWeights(name:reason:)`` where one is not listed or its name leads elsewhere.
  static func parts(namedBy weightMap: [String: String], listing: [RemoteFile], name: HubName) throws -> [RemoteFile] {
    let byPath = Dictionary(listing.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    return try Set(weightMap.values).sorted().map { part in
      guard HubName.isSafePath(part), let file = byPath[part] else {
        throw HubError.noWeights(
          name: name.repository, reason: "its index of weights names a file '\(part)' that it has not")
      }
      return file
    }
  }

  static func isGGUF(_ name: String) -> Bool { name.lowercased().hasSuffix(".gguf") }

  /// Whether weights of a Hugging Face folder, a model's or an adapter's, are among the files.
  static func hasFolderWeights(_ names: [String]) -> Bool {
    names.contains { weights.contains($0) || adapterWeights.contains($0) }
  }

  static func format(_ names: [String]) -> HubCache.Format {
    if names.contains(where: { $0.hasSuffix(".safetensors") }) { return .safetensors }
    if names.contains(where: {
      ($0.hasPrefix("pytorch_model") || $0.hasPrefix("adapter_model")) && $0.hasSuffix(".bin")
    }) {
      return .pytorch
    }
    return names.contains(where: isGGUF) ? .gguf : .unknown
  }

  /// GGUF files, and those of llama2.c.
  private static func modelFiles(_ names: [String]) -> [String] {
    names.filter { isGGUF($0) || $0.hasSuffix(".bin") && !isTokenizer($0) }
  }

  /// The tokenizers beside a model of llama2.c, which holds none.
  private static func companions(of path: String, _ names: [String]) -> [String] {
    guard path.hasSuffix(".bin") else { return [] }
    let folder = path.lastIndex(of: "/").map { path[...$0] } ?? ""
    return names.filter { $0.hasPrefix(folder) && !$0.dropFirst(folder.count).contains("/") && isTokenizer($0) }
      .filter { $0 != path }
  }

  private static func isTokenizer(_ path: String) -> Bool {
    let name = path.split(separator: "/").last ?? ""
    return name.hasPrefix("tok") && name.hasSuffix(".bin")
  }

  private static func refusingSplit(_ file: RemoteFile, _ name: HubName) throws -> RemoteFile {
    let stem = file.path.dropLast(isGGUF(file.path) ? 5 : 0)
    let digits = stem.suffix(15)
    if digits.count == 15, digits.dropFirst(6).hasPrefix("-of-"), digits.first == "-", digits.suffix(5) != "00001",
      digits.suffix(5).allSatisfy(\.isNumber)
    {
      throw HubError.noWeights(
        name: name.repository, reason: "\(file.path) is one of several parts; choose a GGUF in one file")
    }
    return file
  }

  private static func list(_ names: [String], else others: [String]) -> String {
    let shown = names.isEmpty ? others : names
    if shown.isEmpty { return "no files" }
    return shown.prefix(12).joined(separator: ", ") + (shown.count > 12 ? ", …" : "")
  }
}
