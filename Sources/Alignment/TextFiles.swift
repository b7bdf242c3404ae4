import Checkpoints
import Foundation
import Tokenizers
import Transformers

/// The files that say how a model reads, continues and ends texts: tokenizer, chat template, generation settings.
///
/// An adapter's folder may hold its own, which then come before those of its model.
struct TextFiles: Sendable {
  /// The folder of an adapter, if the model has one.
  let adapter: ModelSource?
  /// The model's own files.
  let base: ModelSource

  /// What `generation_config.json` says about the end of a text.
  private struct GenerationFile: Decodable {
    var ends: TokenIDs?

    enum CodingKeys: String, CodingKey {
      case ends = "eos_token_id"
    }
  }

  /// Each of these is a tokenizer's vocabulary by itself: an adapter's folder that has one has a tokenizer of its own.
  private static let vocabularies = ["tokenizer.json", "vocab.json", "vocab.txt"]
  private static let generationFile = "generation_config.json"
  private static let templateFile = "chat_template.jinja"

  /// The adapter's folder, where it has a whole tokenizer.
  private var ownTokenizer: ModelSource? {
    get throws {
      guard let adapter, try Self.vocabularies.contains(where: { try adapter.file($0) != nil }) else { return nil }
      return adapter
    }
  }

  /// A file of the tokenizer.
  func tokenizerFile(_ name: String) throws -> Data? {
    if let own = try ownTokenizer { return try own.file(name)?.data }
    return try (adapter?.file(name) ?? base.file(name))?.data
  }

  /// The tokenizer.
  func tokenizer() throws -> any Tokenizer { try loadTokenizer(files: tokenizerFile) }

  /// The chat template, the model's where the adapter's folder has none; nil where there is none at all.
  func chatTemplate() throws -> ChatTemplateSource? {
    for source in [adapter, base].compactMap(\.self) {
      let template = try loadChatTemplate(files: { try source.file($0)?.data }, tokenizerFiles: tokenizerFile)
      if let template { return template }
    }
    return nil
  }

  /// The tokens that end a text by `generation_config.json` and by the `config.json` in an adapter's folder, none where they say
  /// nothing.
  func endsOfText() throws -> [Int] {
    var ends: [Int] = []
    if let source = try [adapter, base].compactMap(\.self).first(where: { try $0.file(Self.generationFile) != nil }) {
      ends = try source.decodeJSON(GenerationFile.self, from: Self.generationFile).ends?.ids ?? []
    }
    if let adapter, try adapter.file("config.json") != nil {
      ends += try adapter.decodeJSON(GenerationFile.self, from: "config.json").ends?.ids ?? []
    }
    return ends
  }

  /// Writes all of them into a folder, byte for byte.
  func copy(to folder: URL) throws {
    try copyTokenizer(to: folder)
    let source = try [adapter, base].compactMap(\.self).first { try $0.file(Self.generationFile) != nil }
    if let source { try copy(Self.generationFile, of: source, to: folder) }
  }

  /// Writes tokenizer and chat template into a folder, byte for byte.
  func copyTokenizer(to folder: URL) throws {
    let own = try ownTokenizer
    var written: Set<String> = []
    for source in own.map({ [$0] }) ?? [adapter, base].compactMap(\.self) {
      for name in source.fileNames where Self.isTokenizerFile(name) && written.insert(name).inserted {
        try copy(name, of: source, to: folder)
      }
    }
    // A tokenizer of the adapter without a template has the model's.
    guard let own, try loadChatTemplate(files: { try own.file($0)?.data }) == nil, let template = try chatTemplate()
    else { return }
    try writeAtomically(Data(template.template.utf8), to: folder.appending(path: Self.templateFile))
  }

  private func copy(_ name: String, of source: ModelSource, to folder: URL) throws {
    guard let bytes = try source.file(name) else { return }
    try writeAtomically(bytes.data, to: folder.appending(path: name))
  }

  /// Whether a file of a model's folder belongs to its tokenizer, by its name; none of them holds weights.
  static func isTokenizerFile(_ name: String) -> Bool {
    let exact: Set = ["merges.txt", "special_tokens_map.json", "added_tokens.json"]
    let beginnings = ["tokenizer", "vocab", "chat_template", "spiece", "sentencepiece", "spm", "tekken"]
    let endings = [".json", ".jinja", ".txt", ".model", ".tiktoken", ".vocab"]
    return exact.contains(name)
      || beginnings.contains { name.hasPrefix($0) } && endings.contains { name.hasSuffix($0) }
  }
}
