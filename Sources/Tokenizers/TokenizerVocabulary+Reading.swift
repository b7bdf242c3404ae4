public import Foundation

extension TokenizerVocabulary {
  /// The vocabulary of a Hugging Face folder, for writing GGUF.
  ///
  /// Byte-level BPE with a pre-tokenizer that llama.cpp knows becomes "gpt2", SentencePiece's kind "llama", with scores
  /// as the merges order the tokens: 0 for the first, -1 for the next. Where that order says less than the merges do,
  /// ``merges`` are kept too; llama.cpp does not read them for "llama".
  ///
  /// - Parameter files: gives the content of a tokenizer's file by its name, `nil` if there is none.
  /// - Throws: ``TokenizerError`` for a tokenizer that has no form in GGUF, or none at all; what `files` throws.
  public init(files: (String) throws -> Data?) throws {
    let file = try files("tokenizer.json") == nil ? "the tokenizer" : "tokenizer.json"
    let settings = try TokenizerConfiguration(files: files)
    switch try loadTokenizer(files: files) {
    case let tokenizer as ByteLevelBPE: try self.init(tokenizer, settings, file: file)
    case let tokenizer as SentencePieceBPE: try self.init(tokenizer, settings, file: file)
    default: throw TokenizerError.unsupported(file: file, feature: "a GGUF vocabulary for WordPiece")
    }
    chatTemplate = try loadChatTemplate(files: files)?.template
    source = file
  }

  private init(_ tokenizer: ByteLevelBPE, _ settings: TokenizerConfiguration, file: String) throws {
    let options = tokenizer.options
    let name = options.pattern.flatMap {
      PreTokenizer.name(
        pattern: $0, isolatesDigits: options.isolatesDigits, ignoresMerges: tokenizer.model.ignoresMerges)
    }
    guard let name, !options.addsPrefixSpace else {
      throw TokenizerError.unsupported(file: file, feature: "a pre-tokenizer that GGUF has no name for")
    }
    self.init(model: "gpt2", pre: name, tokens: [])
    try read(tokenizer, tokenizer.model, tokenizer.addedTokens, tokenizer.frame, settings, file)
    merges = tokenizer.mergeLines
  }

  private init(_ tokenizer: SentencePieceBPE, _ settings: TokenizerConfiguration, file: String) throws {
    self.init(model: "llama", tokens: [])
    let options = tokenizer.options
    addsSpacePrefix = options.prefix != .never
    guard options.replacesSpaces, !options.splitsWords else {
      throw TokenizerError.unsupported(file: file, feature: "a pre-tokenizer that GGUF has no name for")
    }
    try read(tokenizer, tokenizer.model, tokenizer.addedTokens, tokenizer.frame, settings, file)
    let model = tokenizer.model
    if let unknown = model.unknownID { unknownID = Int(unknown) }
    for id in tokens.indices {
      if id == unknownID {
        types?[id] = TokenType.unknown
      } else if type(of: id) == TokenType.normal, byte(of: Array(tokens[id].utf8)) != nil {
        types?[id] = TokenType.byte
      }
    }
    let ordered = model.merges.ordered
    scores = Self.scores(ordered, table: model.table, types: types ?? [])
    // The scores stand for the merges where deriving merges from them gives the same again.
    var table = TokenTable(capacity: tokens.count)
    for (id, token) in tokens.enumerated() { try table.add(Array(token.utf8), id: id, file: file) }
    let derived = try mergesByScore(table).map { (left: $0.left, right: $0.right, id: $0.merged) }
    if Self.canonical(derived) != Self.canonical(ordered) {
      merges = ordered.map { tokens[Int($0.left)] + " " + tokens[Int($0.right)] }
    }
  }

  /// What both kinds have in common.
  private mutating func read(
    _ tokenizer: any Tokenizer, _ model: BytePairModel, _ added: [AddedToken], _ frame: SpecialTokenFrame,
    _ settings: TokenizerConfiguration, _ file: String
  ) throws {
    let added = Dictionary(added.map { (Int($0.id), $0) }, uniquingKeysWith: { $1 })
    var types: [Int] = []
    guard tokenizer.vocabularySize <= 2 * model.table.count + added.count + 1024 else {
      throw TokenizerError.invalid(file: file, reason: "most of its ids have no token")
    }
    for id in 0..<tokenizer.vocabularySize {
      if let token = added[id] {
        tokens.append(String(decoding: token.content, as: UTF8.self))
        types.append(token.isSpecial ? TokenType.control : TokenType.userDefined)
      } else if let token = model.table.text(of: id) {
        tokens.append(token)
        types.append(TokenType.normal)
      } else {
        tokens.append("[PAD\(id)]")
        types.append(TokenType.unused)
      }
    }
    self.types = types
    func id(_ name: String?) -> Int? {
      guard let name else { return nil }
      let content = Array(name.utf8)
      if let token = added.values.first(where: { $0.content == content }) { return Int(token.id) }
      let id = model.table.id(content)
      return id >= 0 ? Int(id) : nil
    }
    beginningID = tokenizer.beginningOfTextID
    endID = tokenizer.endOfTextID
    unknownID = id(settings.content("unk_token"))
    paddingID = id(settings.content("pad_token"))
    guard frame.before.count <= 1 && frame.after.count <= 1 else {
      throw TokenizerError.unsupported(file: file, feature: "more than one token before or behind a text in GGUF")
    }
    if let first = frame.before.first { beginningID = first }
    if let last = frame.after.first { endID = last }
    addsBeginning = !frame.before.isEmpty
    addsEnd = !frame.after.isEmpty
  }

  /// 0 for the token that merges first, -1 for the next and so on; then the tokens that do not merge, by id.
  private static func scores(
    _ merges: [(left: Int32, right: Int32, id: Int32)], table: TokenTable, types: [Int]
  ) -> [Float] {
    var ranks = [Int](repeating: -1, count: types.count)
    var count = 0
    for merge in merges where ranks[Int(merge.id)] < 0 {
      ranks[Int(merge.id)] = count
      count += 1
    }
    for id in types.indices where ranks[id] < 0 && types[id] == TokenType.normal {
      ranks[id] = count
      count += 1
    }
    return ranks.map { $0 <= 0 ? 0 : -Float($0) }
  }

  /// Merges in order, those in a row that make the same token sorted: in what order they come hardly ever matters.
  private static func canonical(_ merges: [(left: Int32, right: Int32, id: Int32)]) -> [[Int32]] {
    var result: [[Int32]] = []
    result.reserveCapacity(merges.count)
    var start = 0
    while start < merges.count {
      let end = merges[start...].firstIndex { $0.id != merges[start].id } ?? merges.count
      result += merges[start..<end].map { [$0.id, $0.left, $0.right] }.sorted { $0.lexicographicallyPrecedes($1) }
      start = end
    }
    return result
  }
}
