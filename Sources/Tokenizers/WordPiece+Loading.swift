extension WordPiece {
  /// Reads a tokenizer.json whose model is WordPiece.
  init(_ file: TokenizerFile, _ configuration: TokenizerConfiguration) throws {
    let (root, reader) = (file.root, file.model)
    let table = try file.vocabulary()
    let unknown = try reader.string("unk_token") ?? "[UNK]"
    let unknownID = table.id(unknown)
    guard unknownID >= 0 else {
      throw reader.invalid("model.unk_token \(jsonQuoted(unknown)) is not in the vocabulary")
    }
    var options = Options(unknownID: unknownID)
    if let prefix = try reader.string("continuing_subword_prefix") { options.continuation = Array(prefix.utf8) }
    if let limit = try reader.integer("max_input_chars_per_word") {
      guard limit >= 0 else { throw reader.invalid("model.max_input_chars_per_word is negative") }
      options.longestWord = limit
    }
    try Self.readDecoder(root, &options)
    guard try root.object("pre_tokenizer")?.type() == "BertPreTokenizer" else {
      throw root.unsupported("WordPiece without the BertPreTokenizer")
    }
    let added = try file.addedTokens(table, configuration)
    var frame = try SpecialTokenFrame(root.object("post_processor"))
    try frame.validate(root) { id in table.contains(id) || added.contains { $0.id == id } }
    frame = configuration.frame(frame, added: added, table: table)
    let normalizer = try configuration.kind == .bert ? configuration.bertNormalizer : Self.normalizer(root)
    self.init(
      table: table, options: options, normalizer: normalizer, addedTokens: added, frame: frame,
      endOfTextID: configuration.endOfText.flatMap { name in
        let content = Array(name.utf8)
        let id = added.first { $0.content == content }?.id ?? table.id(content)
        return id >= 0 ? Int(id) : nil
      })
  }

  private static func readDecoder(_ root: JSONReader, _ options: inout Options) throws {
    guard let decoder = try root.object("decoder") else {
      options.joinsPieces = false
      return
    }
    guard try decoder.type() == "WordPiece" else { throw root.unsupported("another decoder than WordPiece") }
    options.decodedContinuation = Array((try decoder.string("prefix") ?? "##").utf8)
    options.cleansUp = try decoder.bool("cleanup") ?? true
  }

  private static func normalizer(_ root: JSONReader) throws -> BertNormalizer {
    guard let reader = try root.object("normalizer") else { return .identity }
    guard try reader.type() == "BertNormalizer" else {
      throw root.unsupported("the normalizer \(jsonQuoted(try reader.type()))")
    }
    return BertNormalizer(
      cleansText: try reader.bool("clean_text") ?? true,
      handlesChinese: try reader.bool("handle_chinese_chars") ?? true,
      stripsAccents: try reader.bool("strip_accents"),
      lowercases: try reader.bool("lowercase") ?? true)
  }

  /// Reads BERT's older vocab.txt: one token a line, ids from 0.
  init(vocabulary: [UInt8], _ configuration: TokenizerConfiguration) throws {
    let file = "vocab.txt"
    let isText = vocabulary.withUnsafeBufferPointer { bytes in
      var i = 0
      while i < bytes.count {
        guard let length = utf8Length(in: bytes, at: i) else { return false }
        i += length
      }
      return true
    }
    guard isText else { throw TokenizerError.invalid(file: file, reason: "its bytes are not UTF-8") }
    var lines = vocabulary.split(separator: 0x0A, omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    var table = TokenTable(capacity: lines.count)
    for (id, line) in lines.enumerated() {
      let end = line.lastIndex { $0 != 0x20 && $0 != 0x0D && $0 != 0x09 }.map { $0 + 1 } ?? line.startIndex
      try line[..<end].withUnsafeBufferPointer { try table.add($0, id: id, file: file) }
    }
    var list = AddedTokenList(table) { .invalid(file: file, reason: $0) }
    for (key, content) in TokenizerClass.bert.specialTokens where configuration.content(key) == nil {
      let entry = AddedTokenEntry(content: Array(content.utf8), isSpecial: true)
      if table.id(entry.content) >= 0 { try list.add(entry) }
    }
    try configuration.add(to: &list)
    let added = list.ordered
    func id(_ key: String, _ standard: String) -> Int? {
      let content = Array((configuration.content(key) ?? standard).utf8)
      return added.first { $0.content == content }.map { Int($0.id) }
    }
    guard let unknown = id("unk_token", "[UNK]"), let first = id("cls_token", "[CLS]"),
      let last = id("sep_token", "[SEP]")
    else {
      throw TokenizerError.invalid(file: file, reason: "it lacks [UNK], [CLS] or [SEP]")
    }
    var frame = SpecialTokenFrame()
    frame.before = [first]
    frame.after = [last]
    self.init(
      table: table, options: Options(unknownID: Int32(unknown)), normalizer: configuration.bertNormalizer,
      addedTokens: added, frame: frame, endOfTextID: nil)
  }
}

extension TokenizerConfiguration {
  /// BERT's clean-up with what the file says about it; what it does not say is as in the class.
  fileprivate var bertNormalizer: BertNormalizer {
    BertNormalizer(
      handlesChinese: handlesChinese ?? true, stripsAccents: stripsAccents, lowercases: lowercases ?? true)
  }
}
