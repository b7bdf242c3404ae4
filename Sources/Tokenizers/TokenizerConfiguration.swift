import Foundation

/// What the files beside tokenizer.json say that it does not, and where they override it.
struct TokenizerConfiguration {
  /// The class that transformers takes, if it is one that overrides.
  private(set) var kind: TokenizerClass?
  /// Special tokens by their keys in the files, such as `bos_token`.
  private(set) var special: [String: AddedTokenEntry] = [:]
  /// Keys of special tokens that are said to be none.
  private var absent: Set<String> = []
  /// Keys whose tokens are only names: they are not recognised in text unless something else says so.
  private(set) var onlyNames: Set<String> = []
  /// Special tokens without a key of their own.
  private(set) var extra: [AddedTokenEntry] = []
  /// Those that added_tokens.json may hold without being special there.
  private var unmarked: Set<[UInt8]> = []
  /// Tokens with the ids that a file states, by these.
  private(set) var stated: [(id: Int, token: AddedTokenEntry)] = []
  private(set) var addsBeginning: Bool?
  private(set) var addsEnd: Bool?
  private(set) var addsPrefixSpace: Bool?
  private(set) var isLegacy: Bool?
  private(set) var lowercases: Bool?
  private(set) var stripsAccents: Bool?
  private(set) var handlesChinese: Bool?

  /// Keys of special tokens, in the order in which they are added.
  static let keys = [
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
  ]

  init() {}

  /// Reads tokenizer_config.json, special_tokens_map.json, added_tokens.json and what config.json says about the class, where there
  /// are any, as transformers 5 does.
  init(files: (String) throws -> Data?) throws {
    func reader(_ name: String) throws -> JSONReader? {
      try files(name).map { try JSONReader(JSONDocument(file: name, bytes: [UInt8]($0))) }
    }
    let configuration = try reader("tokenizer_config.json")
    var className: String?
    if let configuration {
      try readSettings(configuration)
      className = try configuration.string("tokenizer_class")
    }
    if let className {
      kind = TokenizerClass(name: className)
    } else if let model = try reader("config.json") {
      kind =
        try model.string("tokenizer_class").map { TokenizerClass(name: $0) }
        ?? model.string("model_type").flatMap { TokenizerClass(modelType: $0) }
    }
    // What a newer file says about all tokens makes the older ones void, but for what it does not name.
    let isNew = configuration?.value("added_tokens_decoder") != nil
    if let map = try reader("special_tokens_map.json") { try readSpecialTokens(map, isMap: true, isVoid: isNew) }
    if let configuration, isNew {
      try readDecoder(configuration)
    } else if let added = try reader("added_tokens.json") {
      try readAddedTokens(added)
    }
    stated.sort { $0.id < $1.id }
  }

  /// The spelling of a special token, as a file names it.
  func content(_ key: String) -> String? { special[key].map { String(decoding: $0.content, as: UTF8.self) } }

  /// The spelling of the token that begins a text.
  var beginningOfText: String? { content("bos_token") }
  /// The spelling of the token that ends a text.
  var endOfText: String? { content("eos_token") }

  /// Special tokens that the class has where no file names them.
  var standardTokens: [(key: String, content: String)] {
    (kind?.specialTokens ?? []).filter { token in
      (special[token.key] == nil || onlyNames.contains(token.key)) && !absent.contains(token.key)
    }
  }

  // MARK: - Reading

  private mutating func readSettings(_ reader: JSONReader) throws {
    try readSpecialTokens(reader)
    addsBeginning = try reader.bool("add_bos_token")
    addsEnd = try reader.bool("add_eos_token")
    addsPrefixSpace = try reader.bool("add_prefix_space")
    isLegacy = try reader.bool("legacy")
    lowercases = try reader.bool("do_lower_case")
    stripsAccents = try reader.bool("strip_accents")
    handlesChinese = try reader.bool("tokenize_chinese_chars")
    if try reader.bool("split_special_tokens") == true { throw reader.unsupported("split_special_tokens") }
  }

  /// Reads each `..._token`, and the lists of tokens that have no key; of a map that is void, names that are missing.
  private mutating func readSpecialTokens(
    _ reader: JSONReader, isMap: Bool = false, isVoid: Bool = false
  ) throws {
    for member in reader.members {
      let key = reader.document.text(member.name)
      guard key.hasSuffix("_token"), !isVoid || special[key] == nil else { continue }
      if isVoid { onlyNames.insert(key) }
      switch member.value {
      case .null where Self.keys.contains(key):
        special[key] = nil
        absent.insert(key)
      case .object(let members)
      where !Self.keys.contains(key) && !members.contains { reader.document.matches($0.name, "content") }:
        break
      case .string, .object:
        special[key] = try AddedTokenEntry(reader.document, member.value, path: key)
        absent.remove(key)
      case _ where Self.keys.contains(key): throw reader.invalid("\(key) must be a token")
      default: break
      }
    }
    if isVoid { return }
    for key in ["extra_special_tokens", "additional_special_tokens"] as [StaticString] {
      switch reader.value(key) {
      case .array(let list):
        for (index, value) in list.enumerated() {
          let token = try AddedTokenEntry(reader.document, value, path: "\(key)[\(index)]")
          guard !extra.contains(where: { $0.content == token.content }) else { continue }
          extra.append(token)
          if isMap, key.description == "additional_special_tokens" { unmarked.insert(token.content) }
        }
      case .object(let members):
        for member in members {
          let name = reader.document.text(member.name)
          special[name] = try AddedTokenEntry(reader.document, member.value, path: "\(key).\(name)")
        }
      case nil: break
      default: throw reader.invalid("\(key) must be a list of tokens")
      }
    }
  }

  /// `added_tokens_decoder`: an object of ids and tokens.
  private mutating func readDecoder(_ reader: JSONReader) throws {
    let key: StaticString = "added_tokens_decoder"
    for member in try reader.entries(key) ?? [] {
      let name = reader.document.text(member.name)
      guard let id = Int(name), (0..<TokenTable.idLimit).contains(id) else {
        throw reader.invalid("\(key) has the key \(jsonQuoted(name)), which is no id")
      }
      stated.append((id, try AddedTokenEntry(reader.document, member.value, path: "\(key).\(name)")))
    }
  }

  /// added_tokens.json: an object of tokens and ids, which says nothing more about them.
  private mutating func readAddedTokens(_ reader: JSONReader) throws {
    for member in reader.members {
      let content = reader.document.content(member.name)
      guard case .integer(let id) = member.value, (0..<TokenTable.idLimit).contains(id) else {
        let name = jsonQuoted(String(decoding: content.prefix(80), as: UTF8.self))
        throw reader.invalid("the id of \(name) must be a whole number below \(TokenTable.idLimit)")
      }
      let isSpecial =
        special.values.contains { $0.content == content }
        || !unmarked.contains(content) && extra.contains { $0.content == content }
      stated.append((id, AddedTokenEntry(content: content, isSpecial: isSpecial)))
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
