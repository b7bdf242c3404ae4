/// What all kinds of tokenizer.json have in common.
struct TokenizerFile {
  let root: JSONReader
  let model: JSONReader

  init(_ bytes: [UInt8], file: String) throws {
    root = try JSONReader(JSONDocument(file: file, bytes: bytes))
    guard let model = try root.object("model") else { throw root.invalid("it has no model") }
    self.model = model
  }

  /// The model's `type`; old files have none.
  func modelType() throws -> String {
    let type = try model.type()
    if !type.isEmpty { return type }
    return model.value("merges") != nil ? "BPE" : "WordPiece"
  }

  /// The model's `vocab`.
  func vocabulary() throws -> TokenTable {
    guard let entries = try model.entries("vocab") else { throw model.invalid("model.vocab is missing") }
    return try Self.vocabulary(entries, root.document)
  }

  static func vocabulary(_ entries: [JSONMember], _ document: JSONDocument) throws -> TokenTable {
    var table = TokenTable(capacity: entries.count)
    // The memory for ids without tokens must not grow beyond what the file's size explains.
    let limit = 16 * entries.count + 4096
    for entry in entries {
      guard case .integer(let id) = entry.value else {
        let name = jsonQuoted(String(decoding: document.content(entry.name).prefix(80), as: UTF8.self))
        throw TokenizerError.invalid(file: document.file, reason: "the id of \(name) must be a whole number")
      }
      if id >= limit && id < TokenTable.idLimit {
        throw TokenizerError.invalid(
          file: document.file, reason: "it has \(entries.count) tokens and the id \(id); most ids have no token")
      }
      try document.withContent(entry.name) { try table.add($0, id: id, file: document.file) }
    }
    guard table.count > 0 else { throw TokenizerError.invalid(file: document.file, reason: "the vocabulary is empty") }
    return table
  }

  /// The added tokens, special ones first, as they are looked for: those of this file, then those of the files beside it.
  ///
  /// The reference gives a token that the vocabulary lacks the next free id, whatever the file says; a file that says
  /// something else would get wrong ids silently and is refused.
  func addedTokens(_ table: TokenTable, _ configuration: TokenizerConfiguration) throws -> [AddedToken] {
    var list = AddedTokenList(table) { [root] in root.invalid($0) }
    for reader in try root.objects("added_tokens") ?? [] {
      try list.add(AddedTokenEntry(reader), id: reader.integer("id"), path: reader.path)
    }
    try configuration.add(to: &list)
    return list.ordered
  }
}
