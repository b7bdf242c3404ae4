public import Checkpoints
import Crypto
public import Foundation
import Hub
public import Tokenizers
public import Transformers

/// A language model with its tokenizer, and where both came from.
public struct TextModel: Sendable {
  /// What the user called it.
  public let name: String
  /// Its files.
  public let source: ModelSource
  /// A low-rank adapter's files, whose matrices have been added to the model's.
  let adapter: ModelSource?
  /// The files that say how it reads and ends texts.
  let textFiles: TextFiles
  /// The network.
  public let model: any LanguageModel
  /// Text to token ids and back.
  public let tokenizer: any Tokenizer

  /// The token that ends a text, if there is one: what stands between texts where several are put into a row.
  public let endOfTextID: Int?

  /// The tokens at which a completion ends: those that the tokenizer, `generation_config.json` and `config.json` name.
  public let stopTokens: Set<Int>

  /// Loads a model: `tinystories`, the one in the program; a folder or file; or a name of the Hugging Face Hub that is in the cache.
  ///
  /// - Throws: an error that names what is missing, damaged or unsupported.
  public init(named name: String) throws {
    let source = try Self.source(named: name)
    guard try AdapterCheckpoint.isAdapter(source) else {
      try self.init(name: name, source: source)
      return
    }
    let base = try Self.baseSource(ofAdapter: source, name: name)
    let model = try loadLanguageModel(base)
    try self.init(
      name: name, source: base, model: AdapterCheckpoint.load(source, onto: model).merged(), adapter: source)
  }

  /// Loads a model from its files.
  ///
  /// - Throws: an error that names what is missing, damaged or unsupported.
  public init(name: String, source: ModelSource) throws {
    try self.init(name: name, source: source, model: loadLanguageModel(source), adapter: nil)
  }

  private init(name: String, source: ModelSource, model: any LanguageModel, adapter: ModelSource?) throws {
    self.name = name
    self.source = source
    self.adapter = adapter
    self.model = model
    let files = TextFiles(adapter: adapter, base: source)
    textFiles = files
    tokenizer = try Self.naming(name) { try files.tokenizer() }
    let ends = try ([tokenizer.endOfTextID].compactMap(\.self) + files.endsOfText() + model.endOfTextIDs)
      .filter { (0..<model.vocabularySize).contains($0) }
    endOfTextID = ends.first { [tokenizer] in $0 < tokenizer.vocabularySize }
    stopTokens = Set(ends)
  }

  /// A model whose parts are given.
  init(
    name: String, source: ModelSource, model: any LanguageModel, tokenizer: any Tokenizer, stopTokens: [Int],
    adapter: ModelSource? = nil
  ) {
    self.adapter = adapter
    self.name = name
    self.source = source
    textFiles = TextFiles(adapter: adapter, base: source)
    self.model = model
    self.tokenizer = tokenizer
    endOfTextID = stopTokens.first
    self.stopTokens = Set(stopTokens)
  }

  private init(replacing model: any LanguageModel, in other: TextModel) {
    name = other.name
    source = other.source
    adapter = other.adapter
    textFiles = other.textFiles
    self.model = model
    tokenizer = other.tokenizer
    endOfTextID = other.endOfTextID
    stopTokens = other.stopTokens
  }

  /// The files of the model that an adapter belongs to.
  private static func baseSource(ofAdapter adapter: ModelSource, name: String) throws -> ModelSource {
    let baseName = try baseName(ofAdapter: adapter)
    let base = try source(named: baseName)
    // The folder of a whole model may hold an adapter beside it.
    guard try !AdapterCheckpoint.isAdapter(base) || base.hasWeights else {
      throw AlignmentError.model(
        name: name, reason: "is an adapter of '\(baseName)', which is an adapter itself; merge that first")
    }
    return base
  }

  /// What an adapter's model is called; a relative path is seen from the adapter's folder where there is nothing seen from here.
  static func baseName(ofAdapter adapter: ModelSource) throws -> String {
    let name = try AdapterCheckpoint.baseModel(adapter)
    guard case .folder(let folder) = adapter, !name.hasPrefix("/"), !FileManager.default.fileExists(atPath: name) else {
      return name
    }
    let path = folder.appending(path: name).standardizedFileURL.path
    return FileManager.default.fileExists(atPath: path) ? path : name
  }

  /// Says of which model the errors are that name only a file.
  private static func naming<Result>(_ name: String, _ load: () throws -> Result) throws -> Result {
    do {
      return try load()
    } catch let error as TokenizerError {
      throw AlignmentError.model(name: name, reason: "cannot be used: \(error)")
    }
  }

  /// The tokenizer of a model alone.
  ///
  /// - Throws: an error that names the model.
  public static func tokenizer(of name: String) throws -> any Tokenizer {
    let files = try textFiles(of: name)
    return try naming(name) { try files.tokenizer() }
  }

  /// The tokenizer's files of a model by name.
  private static func textFiles(of name: String) throws -> TextFiles {
    let source = try source(named: name)
    guard try AdapterCheckpoint.isAdapter(source) else { return TextFiles(adapter: nil, base: source) }
    return TextFiles(adapter: source, base: try baseSource(ofAdapter: source, name: name))
  }

  /// Writes the tokenizer's files of a model by name into a folder, byte for byte.
  ///
  /// - Throws: an error that names the model or the file.
  public static func copyTokenizer(of name: String, to folder: URL) throws {
    try textFiles(of: name).copyTokenizer(to: folder)
  }

  /// The files of a model by name.
  ///
  /// - Throws: ``AlignmentError/model(name:reason:)`` where there is no such model.
  public static func source(named name: String) throws -> ModelSource {
    if name == EmbeddedModel.name { return EmbeddedModel.source }
    if let source = try source(at: URL(filePath: name)) { return source }
    do {
      if let cached = try HubCache.snapshot(of: name), let source = try source(at: cached) { return source }
    } catch HubError.invalidName {
      // Then it can only have been meant as a path.
      throw AlignmentError.model(
        name: name, reason: "is neither a file or folder here nor '\(EmbeddedModel.name)', the model in this program")
    }
    throw AlignmentError.model(
      name: name,
      reason:
        "is neither a file or folder here, nor in the cache of downloaded models, nor '\(EmbeddedModel.name)', the "
        + "model in this program; to download it from the Hugging Face Hub: tinyalign pull \(name)")
  }

  /// The files of a model at a path; nil where there is nothing.
  private static func source(at url: URL) throws -> ModelSource? {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { return nil }
    guard isFolder.boolValue else {
      if let source = try ModelFormats.source(of: url) { return source }
      // A file that is no model by itself may be the weights of its folder.
      let folder = url.deletingLastPathComponent()
      guard FileManager.default.fileExists(atPath: folder.appending(path: "config.json").path) else {
        // Says what is wrong with a damaged file of llama2.c.
        if url.pathExtension == "bin" { _ = try Llama2CFile(MappedBytes(file: url), name: url.path) }
        throw AlignmentError.model(
          name: url.path,
          reason:
            "is a file in no format of whole models; give a GGUF file, a .bin file of llama2.c, or the folder of a model"
        )
      }
      return .folder(folder)
    }
    let folder = URL(filePath: url.path, directoryHint: .isDirectory)
    let hasConfiguration = FileManager.default.fileExists(atPath: folder.appending(path: "config.json").path)
    if !hasConfiguration, let file = ModelFormats.onlyModelFile(in: folder) {
      return try ModelFormats.source(of: file)
    }
    return .folder(folder)
  }

  /// The token that a text begins with, if there is one: many models have one token that ends a text and begins the next.
  public var beginningOfTextID: Int? {
    tokenizer.beginningOfTextID.flatMap { $0 < model.vocabularySize ? $0 : nil } ?? endOfTextID
  }

  /// What `tokens` say after a prompt.
  public func text(of tokens: [Int], after prompt: ModelPrompt) -> String {
    tokenizer.decode(tokens, isContinuation: !prompt.lead.isEmpty)
  }

  /// What each of `tokens` adds to what they say after a prompt: together, ``text(of:after:)``.
  ///
  /// A token that ends within a character adds nothing; the one that completes the character adds it.
  public func pieces(of tokens: [Int], after prompt: ModelPrompt) -> [String] {
    var decoder = StreamingDecoder(tokenizer: tokenizer, isContinuation: !prompt.lead.isEmpty)
    var pieces = tokens.map { decoder.append($0) }
    let rest = decoder.finish()
    if !pieces.isEmpty { pieces[pieces.count - 1] += rest }
    return pieces
  }

  /// The ids of a prompt, after the beginning-of-text token where the tokenizer puts one there; of an empty prompt that token alone.
  ///
  /// - Throws: ``AlignmentError`` for an empty prompt of a model without such a token, and for a prompt that leaves no room for
  ///   `newTokens` in the context.
  public func encode(prompt: String, newTokens: Int) throws -> [Int] {
    let ids = prompt.isEmpty ? beginningOfTextID.map { [$0] } ?? [] : tokenizer.encode(beginning: prompt)
    try requireRows(for: ids)
    guard !ids.isEmpty else {
      throw AlignmentError.setting(name: "--prompt", reason: "is empty; give a text to continue")
    }
    try checkRoom(for: newTokens, after: ids)
    return ids
  }

  /// Refuses a prompt that leaves no room in the context.
  ///
  /// - Throws: ``AlignmentError/longPrompt(reason:)``.
  func checkRoom(for newTokens: Int, after prompt: [Int]) throws {
    guard prompt.count + newTokens <= model.contextLength else {
      throw AlignmentError.longPrompt(
        reason:
          "model '\(name)' has a context of \(model.contextLength) tokens, too short for a prompt of \(prompt.count) "
          + "and \(newTokens) new tokens")
    }
  }

  /// Refuses ids that the embedding has no row for: a tokenizer may have more tokens than its model.
  ///
  /// - Throws: ``AlignmentError/model(name:reason:)`` that names the token.
  public func requireRows(for ids: [Int]) throws {
    guard let id = ids.first(where: { $0 >= model.vocabularySize }) else { return }
    throw AlignmentError.model(
      name: name,
      reason: "has a vocabulary of \(model.vocabularySize), and the text has the token \(id) "
        + "('\(tokenizer.token(for: id) ?? "")'): leave that out, or use the tokenizer that belongs to the model")
  }

  /// Refuses a reference some of whose tokens are spelled in another way: KL would compare what has nothing to do with each other.
  /// What only one of the two has is no such token.
  ///
  /// - Throws: ``AlignmentError/setting(name:reason:)`` that names the first of them.
  func requireTokens(of reference: TextModel) throws {
    for id in 0..<min(tokenizer.vocabularySize, reference.tokenizer.vocabularySize) {
      guard let own = tokenizer.token(for: id), let other = reference.tokenizer.token(for: id), own != other else {
        continue
      }
      throw AlignmentError.setting(
        name: "--reference",
        reason: "has another tokenizer: its token \(id) is '\(other)', that of the model is '\(own)'; KL needs the same"
      )
    }
  }

  /// Writes a Hugging Face folder, whole or not at all: the network as it is now, the tokenizer as it came.
  public func save(_ model: any LanguageModel, to folder: URL, elementType: ElementType = .float32) throws {
    try writeFolderAtomically(folder) { folder in
      try model.save(to: folder, elementType: elementType)
      let configuration = try SavedConfiguration.data(model, files: textFiles, elementType: elementType)
      try writeAtomically(configuration, to: folder.appending(path: "config.json"))
      try textFiles.copy(to: folder)
    }
  }

  /// Writes a GGUF file, which llama.cpp and Ollama load.
  ///
  /// - Returns: the tokens of ``stopTokens`` at which llama.cpp does not stop, since the format has no place for them.
  /// - Throws: ``CheckpointError`` for an architecture that the format does not have, an error that names the model where its
  ///   tokenizer cannot be written so, and where the file cannot be written.
  @discardableResult
  public func saveGGUF(to file: URL, matrices: GGUFMatrixType) throws -> [Int] {
    var vocabulary = try Self.naming(name) {
      GGUFVocabulary(try TokenizerVocabulary(files: textFiles.tokenizerFile))
    }
    vocabulary.chatTemplate = try Self.naming(name) { try textFiles.chatTemplate()?.template }
    vocabulary.end = vocabulary.end ?? endOfTextID
    vocabulary.limit(to: model.vocabularySize)
    vocabulary.moreStops = stopTokens.filter { $0 != vocabulary.end }.sorted()
    let title = URL(filePath: name).deletingPathExtension().lastPathComponent
    try model.saveGGUF(to: file, vocabulary: vocabulary, matrices: matrices, name: title)
    return vocabulary.stopsWithoutPlace
  }

  /// Writes a low-rank adapter of this model, whole or not at all, in PEFT's format, with the tokenizer.
  func save(_ adapter: LowRankAdapter, to folder: URL) throws {
    let (adapter, baseModel) = try joinedWithEarlier(adapter)
    try writeFolderAtomically(folder) { folder in
      try AdapterCheckpoint.save(adapter, of: model, baseModel: baseModel, to: folder)
      try textFiles.copy(to: folder)
    }
  }

  /// The SHA-256 of the weights as they were loaded, an adapter's after those of its model, in lower-case hexadecimal.
  func weightsChecksum() throws -> String {
    try checksum(
      source.weightFiles() + (adapter.map { [try AdapterCheckpoint.weights($0)] } ?? []))
  }

  /// The same with another network.
  func replacing(_ model: any LanguageModel) -> TextModel {
    TextModel(replacing: model, in: self)
  }
}

/// The SHA-256 of a model's weights, of several files one after the other, in lower-case hexadecimal.
public func weightsChecksum(_ source: ModelSource) throws -> String { try checksum(source.weightFiles()) }

/// The SHA-256 of files one after the other, in lower-case hexadecimal.
func checksum(_ files: [MappedBytes]) -> String {
  var hash = SHA256()
  for file in files { file.forEachPart { hash.update(bufferPointer: $0) } }
  return hash.finalize().map { byte in
    let digits = String(byte, radix: 16)
    return digits.count == 1 ? "0" + digits : digits
  }.joined()
}
