/// What tokenizer_config.json says that tokenizer.json does not.
struct TokenizerConfiguration {
  var beginningOfText: String?
  var endOfText: String?
  var unknown: String?
  var padding: String?
  var addsBeginning: Bool?
  var addsEnd: Bool?
  var lowercases: Bool?
  var stripsAccents: Bool?
  var handlesChinese: Bool?

  init() {}

  init(_ bytes: [UInt8], file: String) throws {
    let reader = try JSONReader(JSONDocument(file: file, bytes: bytes))
    try readSpecialTokens(reader)
    addsBeginning = try reader.bool("add_bos_token")
    addsEnd = try reader.bool("add_eos_token")
    lowercases = try reader.bool("do_lower_case")
    stripsAccents = try reader.bool("strip_accents")
    handlesChinese = try reader.bool("tokenize_chinese_chars")
  }

  /// Fills in the special tokens that are still unknown from special_tokens_map.json, where older folders have them.
  mutating func addSpecialTokens(_ bytes: [UInt8], file: String) throws {
    try readSpecialTokens(JSONReader(JSONDocument(file: file, bytes: bytes)))
  }

  private mutating func readSpecialTokens(_ reader: JSONReader) throws {
    if beginningOfText == nil { beginningOfText = try Self.specialToken(reader, "bos_token") }
    if endOfText == nil { endOfText = try Self.specialToken(reader, "eos_token") }
    if unknown == nil { unknown = try Self.specialToken(reader, "unk_token") }
    if padding == nil { padding = try Self.specialToken(reader, "pad_token") }
  }

  /// A special token's spelling, given as a string or as `{"content": ...}`.
  private static func specialToken(_ reader: JSONReader, _ key: StaticString) throws -> String? {
    switch reader.value(key) {
    case .object: try reader.object(key)?.string("content")
    default: try reader.string(key)
    }
  }
}

/// The tokens that begin and end a text.
struct TextBounds: Sendable {
  var beginning: Int?
  var end: Int?

  /// Ends of text of well-known models, for folders that do not name theirs.
  private static let knownEnds = [
    "<|endoftext|>", "</s>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<eos>",
  ]
  private static let knownBeginnings = ["<s>", "<|begin_of_text|>", "<bos>"]

  init(end: Int? = nil) { self.end = end }

  /// What `configuration` names; where it names nothing, the token that the frame puts first, else a well-known name.
  init(
    _ configuration: TokenizerConfiguration, added: [AddedToken], table: TokenTable, frame: SpecialTokenFrame
  ) {
    func id(_ name: String) -> Int? {
      let content = Array(name.utf8)
      if let token = added.first(where: { $0.content == content }) { return Int(token.id) }
      let id = table.id(content)
      return id >= 0 ? Int(id) : nil
    }
    // Only GPT-2's name is unlikely enough to be an ordinary token; the others must be added tokens.
    func known(_ names: [String]) -> Int? {
      names.lazy.compactMap { name in
        let content = Array(name.utf8)
        return name == "<|endoftext|>" ? id(name) : added.first { $0.content == content }.map { Int($0.id) }
      }.first
    }
    end = configuration.endOfText.map(id) ?? known(Self.knownEnds)
    beginning = configuration.beginningOfText.map(id) ?? frame.before.first ?? known(Self.knownBeginnings)
  }
}
