extension ByteLevelBPE {
  /// Reads a tokenizer.json whose model is a byte-level BPE.
  init(_ file: TokenizerFile, _ configuration: TokenizerConfiguration) throws {
    let (root, reader) = (file.root, file.model)
    if try reader.bool("byte_fallback") == true { throw root.unsupported("model.byte_fallback") }
    try Self.checkDecoder(root)

    let table = try file.vocabulary()
    let model = try BytePairModel(reader, table: table, alphabet: .bytes)
    let added = try file.addedTokens(table, configuration)
    var frame = try SpecialTokenFrame(root.object("post_processor"))
    try frame.validate(root) { id in table.contains(id) || added.contains { $0.id == id } }
    frame = configuration.frame(frame, added: added, table: table)
    var options = try Self.options(root)
    if configuration.kind == .gpt2 || configuration.kind == .qwen2 {
      options.addsPrefixSpace = configuration.addsPrefixSpace ?? false
      if options.addsPrefixSpace, let pattern = options.pattern, pattern != .gpt2 {
        throw root.unsupported("add_prefix_space of tokenizer_config.json after its pre-tokenizer")
      }
    }
    self.init(
      model: model, options: options, addedTokens: added, frame: frame,
      bounds: TextBounds(configuration, added: added, table: table, frame: frame))
  }

  private static func checkDecoder(_ root: JSONReader) throws {
    guard let decoder = try root.object("decoder"), try decoder.type() == "ByteLevel" else {
      throw root.unsupported("another decoder than ByteLevel")
    }
  }

  /// Whether the normalizer is NFC; there may be none.
  private static func composes(_ root: JSONReader) throws -> Bool {
    guard let normalizer = try root.object("normalizer") else { return false }
    let isSequence = try normalizer.type() == "Sequence"
    let parts = isSequence ? try normalizer.objects("normalizers") ?? [] : [normalizer]
    for part in parts where try part.type() != "NFC" {
      throw root.unsupported("the normalizer \(jsonQuoted(try part.type())) before byte-level BPE")
    }
    return !parts.isEmpty
  }

  private static func options(_ root: JSONReader) throws -> Options {
    guard let reader = try root.object("pre_tokenizer") else {
      throw root.unsupported("BPE without the ByteLevel pre-tokenizer")
    }
    var options = Options()
    options.composes = try composes(root)
    var parts = [reader]
    if try reader.type() == "Sequence" { parts = try reader.objects("pretokenizers") ?? [] }
    guard let last = parts.popLast(), try last.type() == "ByteLevel" else {
      throw root.unsupported("BPE without the ByteLevel pre-tokenizer")
    }
    options.addsPrefixSpace = try last.bool("add_prefix_space") ?? true
    if try last.bool("use_regex") == false { options.pattern = nil }
    for part in parts {
      switch try part.type() {
      case "Digits":
        guard try part.bool("individual_digits") == true else {
          throw root.unsupported("the pre-tokenizer \"Digits\" without individual_digits")
        }
        options.isolatesDigits = true
      case "Split" where options.pattern == nil && !options.addsPrefixSpace && parts.count == 1:
        options.pattern = try splitPattern(part)
      case let other: throw root.unsupported("the pre-tokenizer \(jsonQuoted(other)) at this place")
      }
    }
    return options
  }

  /// The pattern of `{"type": "Split", "pattern": {"Regex": ...}, "behavior": "Isolated", "invert": false}`.
  private static func splitPattern(_ reader: JSONReader) throws -> SplitPattern {
    guard let pattern = try reader.object("pattern") else {
      throw reader.invalid("\(reader.name("pattern")) is missing")
    }
    guard let expression = try pattern.string("Regex"), try reader.string("behavior") == "Isolated",
      try reader.bool("invert") != true
    else { throw reader.unsupported("a Split other than by an isolated regular expression") }
    guard let known = SplitPattern(expression: expression) else {
      throw reader.unsupported("the split pattern \(jsonQuoted(expression))")
    }
    return known
  }

  /// A tokenizer from lists, as GGUF files hold them.
  ///
  /// - Parameters:
  ///   - tokens: spellings by id, in the byte-level alphabet ("Ġcat").
  ///   - merges: "left right", the first merging first.
  ///   - specialTokenIDs: tokens recognised in text and left out in decoding.
  ///   - isolatesDigits: whether each digit stands alone, as in SmolLM2.
  ///   - endOfTextID: the id that ends a text.
  ///   - source: what errors call the file.
  /// - Throws: ``TokenizerError`` if a merge or an id names a token that is not there, or a spelling comes twice.
  public init(
    tokens: [String], merges: [String], specialTokenIDs: [Int], isolatesDigits: Bool = false, endOfTextID: Int? = nil,
    source: String = "the token list"
  ) throws {
    var table = TokenTable(capacity: tokens.count)
    for (id, token) in tokens.enumerated() {
      var token = token
      try token.withUTF8 { try table.add($0, id: id, file: source) }
    }
    for id in specialTokenIDs + (endOfTextID.map { [$0] } ?? []) where !table.contains(id) {
      throw TokenizerError.invalid(file: source, reason: "there is no token with the id \(id)")
    }
    var builder = MergeBuilder(table: table, file: source, capacity: merges.count)
    for merge in merges {
      var merge = merge
      try merge.withUTF8 { try builder.add(line: $0) }
    }
    var options = Options()
    options.isolatesDigits = isolatesDigits
    let added = Set(specialTokenIDs).sorted().map { AddedToken(content: Array(table.bytes(of: $0)), id: Int32($0)) }
    self.init(
      model: BytePairModel(table: table, merges: builder.merges), options: options, addedTokens: added,
      frame: SpecialTokenFrame(), bounds: TextBounds(end: endOfTextID))
  }

  /// Reads GPT-2's older pair of files.
  init(vocabulary: [UInt8], merges: [UInt8], _ configuration: TokenizerConfiguration) throws {
    let document = try JSONDocument(file: "vocab.json", bytes: vocabulary)
    guard case .object(let entries) = document.root else {
      throw TokenizerError.invalid(file: "vocab.json", reason: "it must be an object of tokens and ids")
    }
    let table = try TokenizerFile.vocabulary(entries, document)
    let mergeTable = try Self.merges(text: merges, table)
    // These files name no special tokens: GPT-2's is known, others stand in the files beside them.
    var list = AddedTokenList(table) { .invalid(file: "the tokenizer", reason: $0) }
    let end = AddedTokenEntry(content: Array("<|endoftext|>".utf8), isSpecial: true)
    if table.id(end.content) >= 0 { try list.add(end) }
    try configuration.add(to: &list)
    let added = list.ordered
    let frame = configuration.frame(nil, added: added, table: table)
    var options = Options()
    if configuration.kind == .qwen2 {
      options.pattern = .qwen2
      options.composes = true
    }
    options.addsPrefixSpace = configuration.addsPrefixSpace ?? false
    if options.addsPrefixSpace, options.pattern != .gpt2 {
      throw TokenizerError.unsupported(file: "tokenizer_config.json", feature: "add_prefix_space with Qwen 2's pattern")
    }
    self.init(
      model: BytePairModel(table: table, merges: mergeTable), options: options, addedTokens: added, frame: frame,
      bounds: TextBounds(configuration, added: added, table: table, frame: frame))
  }

  /// A merge a line, after a line with the version of the format.
  private static func merges(text: [UInt8], _ table: TokenTable) throws -> MergeTable {
    var builder = MergeBuilder(table: table, file: "merges.txt", capacity: text.count / 8)
    try text.withUnsafeBufferPointer { bytes in
      var start = 0
      while start < bytes.count {
        let next = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
        let end = next > start && bytes[next - 1] == 0x0D ? next - 1 : next
        let line = UnsafeBufferPointer(rebasing: bytes[start..<end])
        if !line.starts(with: "#version".utf8) { try builder.add(line: line) }
        start = next + 1
      }
    }
    return builder.merges
  }
}
