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
  /// The network.
  public let model: any LanguageModel
  /// Text to token ids and back.
  public let tokenizer: any Tokenizer

  /// The token that ends a text, if there is one.
  public let endOfTextID: Int?

  /// Loads a model: `tinystories`, the one in the program; a folder or file; or a name of the Hugging Face Hub that is in the cache.
  ///
  /// - Throws: an error that names what is missing, damaged or unsupported.
  public init(named name: String) throws {
    let source = try Self.source(named: name)
    guard try AdapterCheckpoint.isAdapter(source) else {
      try self.init(name: name, source: source)
      return
    }
    let baseName = try AdapterCheckpoint.baseModel(source)
    let baseSource = try Self.source(named: baseName)
    guard try !AdapterCheckpoint.isAdapter(baseSource) else {
      throw AlignmentError.model(
        name: name, reason: "is an adapter of '\(baseName)', which is an adapter itself; merge that first")
    }
    let base = try TextModel(name: baseName, source: baseSource)
    self.init(
      name: name, source: baseSource, model: try AdapterCheckpoint.load(source, onto: base.model).merged(),
      tokenizer: base.tokenizer, endOfTextID: base.endOfTextID, adapter: source)
  }

  /// Loads a model from its files.
  ///
  /// - Throws: an error that names what is missing, damaged or unsupported.
  public init(name: String, source: ModelSource) throws {
    adapter = nil
    self.name = name
    self.source = source
    let (tokenizer, model) = try Self.naming(name) {
      (try loadTokenizer { try source.file($0)?.data }, try loadLanguageModel(source))
    }
    guard tokenizer.vocabularySize <= model.vocabularySize else {
      throw AlignmentError.model(
        name: name,
        reason: "has a tokenizer of \(tokenizer.vocabularySize) tokens for a vocabulary of \(model.vocabularySize)")
    }
    self.tokenizer = tokenizer
    self.model = model
    endOfTextID = [tokenizer.endOfTextID, model.endOfTextID].compactMap(\.self).first { $0 < tokenizer.vocabularySize }
  }

  /// A model whose parts are given.
  init(
    name: String, source: ModelSource, model: any LanguageModel, tokenizer: any Tokenizer, endOfTextID: Int?,
    adapter: ModelSource? = nil
  ) {
    self.adapter = adapter
    self.name = name
    self.source = source
    self.model = model
    self.tokenizer = tokenizer
    self.endOfTextID = endOfTextID
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
    var source = try source(named: name)
    if try AdapterCheckpoint.isAdapter(source) { source = try Self.source(named: AdapterCheckpoint.baseModel(source)) }
    return try naming(name) { try loadTokenizer { try source.file($0)?.data } }
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
    let ids = prompt.isEmpty ? beginningOfTextID.map { [$0] } ?? [] : tokenizer.encode(prompt)
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

  /// Writes a Hugging Face folder, whole or not at all: the network as it is now, the tokenizer as it came.
  public func save(_ model: any LanguageModel, to folder: URL, elementType: ElementType = .float32) throws {
    try writeFolderAtomically(folder) { folder in
      try model.save(to: folder, elementType: elementType)
      try Self.copyTokenizer(from: source, to: folder)
    }
  }

  /// Writes a GGUF file, which llama.cpp and Ollama load.
  ///
  /// - Throws: ``CheckpointError`` for an architecture that the format does not have, an error that names the model where its
  ///   tokenizer cannot be written so, and where the file cannot be written.
  public func saveGGUF(to file: URL, matrices: GGUFMatrixType) throws {
    let vocabulary = try Self.naming(name) {
      guard let tokenizer = try source.file("tokenizer.json")?.data else {
        throw TokenizerError.unsupported(file: "the tokenizer", feature: "anything but a tokenizer.json")
      }
      return try TokenizerVocabulary(
        tokenizerJSON: tokenizer, configuration: source.file("tokenizer_config.json")?.data)
    }
    let title = URL(filePath: name).deletingPathExtension().lastPathComponent
    try model.saveGGUF(to: file, vocabulary: GGUFVocabulary(vocabulary), matrices: matrices, name: title)
  }

  /// Writes a low-rank adapter of this model, whole or not at all, in PEFT's format, with the tokenizer.
  func save(_ adapter: LowRankAdapter, to folder: URL) throws {
    let (adapter, baseModel) = try joinedWithEarlier(adapter)
    try writeFolderAtomically(folder) { folder in
      try AdapterCheckpoint.save(adapter, of: model, baseModel: baseModel, to: folder)
      try Self.copyTokenizer(from: source, to: folder)
    }
  }

  /// The SHA-256 of the weights as they were loaded, an adapter's after those of its model, in lower-case hexadecimal.
  func weightsChecksum() throws -> String {
    try checksum(
      source.weightFiles() + (adapter.map { [try AdapterCheckpoint.weights($0)] } ?? []))
  }

  /// The same with another network.
  func replacing(_ model: any LanguageModel) -> TextModel {
    TextModel(
      name: name, source: source, model: model, tokenizer: tokenizer, endOfTextID: endOfTextID, adapter: adapter)
  }

  /// Copies the tokenizer's files of a model into a folder, byte for byte.
  public static func copyTokenizer(from source: ModelSource, to folder: URL) throws {
    for name in tokenizerFiles {
      guard let bytes = try source.file(name) else { continue }
      try writeAtomically(bytes.data, to: folder.appending(path: name))
    }
  }

  private static let tokenizerFiles = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "vocab.txt",
    "chat_template.jinja",
  ]
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
