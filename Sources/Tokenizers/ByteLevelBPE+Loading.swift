extension ByteLevelBPE {
  /// Reads a tokenizer.json whose model is a byte-level BPE.
  init(_ file: TokenizerFile, _ configuration: TokenizerConfiguration) throws {
    let (root, reader) = (file.root, file.model)
    if root.value("normalizer") != nil { throw root.unsupported("a normalizer before byte-level BPE") }
    if let dropout = reader.value("dropout") {
      switch dropout {
      case .integer(0), .number(0): break
      default: throw root.unsupported("BPE dropout")
      }
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] as [StaticString] {
      if try reader.string(key)?.isEmpty == false { throw root.unsupported("model.\(key)") }
    }
    if try reader.bool("byte_fallback") == true { throw root.unsupported("model.byte_fallback") }
    try Self.checkDecoder(root)

    let table = try file.vocabulary()
    var model = BytePairModel(table: table, merges: try Self.merges(reader, table))
    model.ignoresMerges = try reader.bool("ignore_merges") ?? false
    model.fusesUnknown = try reader.bool("fuse_unk") ?? false
    if let unknown = try reader.string("unk_token") {
      let id = table.id(unknown)
      guard id >= 0 else { throw reader.invalid("model.unk_token \(jsonQuoted(unknown)) is not in the vocabulary") }
      model.unknownID = id
    }
    let added = try file.addedTokens(table)
    let frame = try SpecialTokenFrame(root.object("post_processor"))
    try frame.validate(root) { id in table.contains(id) || added.contains { $0.id == id } }
    self.init(
      model: model, options: try Self.options(root), addedTokens: added, frame: frame,
      endOfTextID: Self.endOfText(configuration, added, table))
  }

  private static func checkDecoder(_ root: JSONReader) throws {
    guard let decoder = try root.object("decoder"), try decoder.type() == "ByteLevel" else {
      throw root.unsupported("another decoder than ByteLevel")
    }
  }

  private static func options(_ root: JSONReader) throws -> Options {
    guard let reader = try root.object("pre_tokenizer") else {
      throw root.unsupported("BPE without the ByteLevel pre-tokenizer")
    }
    var options = Options()
    var parts = [reader]
    if try reader.type() == "Sequence" { parts = try reader.objects("pretokenizers") ?? [] }
    guard let last = parts.popLast(), try last.type() == "ByteLevel" else {
      throw root.unsupported("BPE without the ByteLevel pre-tokenizer")
    }
    options.addsPrefixSpace = try last.bool("add_prefix_space") ?? true
    options.usesPattern = try last.bool("use_regex") ?? true
    for part in parts {
      guard try part.type() == "Digits", try part.bool("individual_digits") == true else {
        throw root.unsupported("the pre-tokenizer \(jsonQuoted(try part.type()))")
      }
      options.isolatesDigits = true
    }
    return options
  }

  /// Merges as "a b" or as ["a", "b"].
  private static func merges(_ reader: JSONReader, _ table: TokenTable) throws -> MergeTable {
    guard let list = try reader.array("merges") else { throw reader.invalid("model.merges is missing") }
    var builder = MergeBuilder(table: table, file: reader.document.file, capacity: list.count)
    let document = reader.document
    for value in list {
      switch value {
      case .string(let line): try document.withContent(line) { try builder.add(line: $0) }
      case .array(let pair):
        guard pair.count == 2, case .string(let left) = pair[0], case .string(let right) = pair[1] else {
          throw builder.malformed
        }
        try document.withContent(left) { left in
          try document.withContent(right) { right in try builder.add(left, right) }
        }
      default: throw builder.malformed
      }
    }
    return builder.merges
  }

  private static func endOfText(
    _ configuration: TokenizerConfiguration, _ added: [AddedToken], _ table: TokenTable
  ) -> Int? {
    let name = Array((configuration.endOfText ?? "<|endoftext|>").utf8)
    if let token = added.first(where: { $0.content == name }) { return Int(token.id) }
    let id = table.id(name)
    return id >= 0 ? Int(id) : nil
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
      frame: SpecialTokenFrame(), endOfTextID: endOfTextID)
  }

  /// Reads GPT-2's older pair of files.
  init(vocabulary: [UInt8], merges: [UInt8], _ configuration: TokenizerConfiguration) throws {
    let document = try JSONDocument(file: "vocab.json", bytes: vocabulary)
    guard case .object(let entries) = document.root else {
      throw TokenizerError.invalid(file: "vocab.json", reason: "it must be an object of tokens and ids")
    }
    let table = try TokenizerFile.vocabulary(entries, document)
    let mergeTable = try Self.merges(text: merges, table)
    // These files name no special tokens: GPT-2's is known, others stand in tokenizer_config.json.
    var added: [AddedToken] = []
    for name in Set(["<|endoftext|>", configuration.endOfText ?? "<|endoftext|>"]).sorted() {
      let id = table.id(name)
      if id >= 0 { added.append(AddedToken(content: Array(name.utf8), id: id)) }
    }
    self.init(
      model: BytePairModel(table: table, merges: mergeTable), options: Options(), addedTokens: added,
      frame: SpecialTokenFrame(), endOfTextID: Self.endOfText(configuration, added, table))
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

/// Turns the spellings of merges into ids.
struct MergeBuilder {
  let table: TokenTable
  let file: String
  private(set) var merges: MergeTable
  private var rank: Int32 = 0

  init(table: TokenTable, file: String, capacity: Int) {
    self.table = table
    self.file = file
    merges = MergeTable(capacity: capacity)
  }

  /// The error of a merge that is not two tokens.
  var malformed: TokenizerError {
    .invalid(file: file, reason: "merge \(rank + 1) must be two tokens with one space between them")
  }

  /// Adds a merge "left right".
  mutating func add(line: UnsafeBufferPointer<UInt8>) throws {
    guard let space = line.firstIndex(of: 0x20), line[(space + 1)...].firstIndex(of: 0x20) == nil else {
      throw malformed
    }
    try add(UnsafeBufferPointer(rebasing: line[..<space]), UnsafeBufferPointer(rebasing: line[(space + 1)...]))
  }

  /// Adds a merge.
  mutating func add(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) throws {
    let (first, second, merged) = (table.id(left), table.id(right), table.id(left, right))
    guard first >= 0 && second >= 0 && merged >= 0 else {
      let missing = first < 0 ? Array(left) : second < 0 ? Array(right) : Array(left) + Array(right)
      let name = jsonQuoted(String(decoding: missing.prefix(80), as: UTF8.self))
      throw TokenizerError.invalid(
        file: file, reason: "merge \(rank + 1) needs the token \(name), which the vocabulary lacks")
    }
    merges.set(first, second, rank: rank, id: merged)
    rank += 1
  }
}
