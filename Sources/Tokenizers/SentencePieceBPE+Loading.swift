extension TokenizerFile {
  /// Whether a BPE model is of SentencePiece's kind: its decoder turns "▁" into spaces.
  func isSentencePiece() throws -> Bool {
    switch try root.object("decoder")?.type() {
    case "Sequence", "Metaspace": true
    default: false
    }
  }
}

extension SentencePieceBPE {
  /// Reads a tokenizer.json whose model is a BPE over "▁" and scalars.
  init(_ file: TokenizerFile, _ configuration: TokenizerConfiguration) throws {
    let (root, reader) = (file.root, file.model)
    let table = try file.vocabulary()
    let fallsBack = try reader.bool("byte_fallback") ?? false
    let model = try BytePairModel(reader, table: table, alphabet: .scalars(fallsBack: fallsBack))
    var options = Options()
    if let normalizer = try root.object("normalizer") { try Self.read(normalizer, root, &options) }
    if let splitter = try root.object("pre_tokenizer") { try Self.readMetaspace(splitter, root, &options) }
    let added = try file.addedTokens(table, configuration)
    var frame = try SpecialTokenFrame(root.object("post_processor"))
    try frame.validate(root) { id in table.contains(id) || added.contains { $0.id == id } }
    frame = configuration.frame(frame, added: added, table: table)
    var decoding = try Self.decoding(root)
    if configuration.kind == .llama, let addsSpace = configuration.addsPrefixSpace {
      if !addsSpace {
        options.prefix = .never
      } else if options.prefix == .never {
        options.prefix = configuration.isLegacy == true ? .always : .first
      }
      decoding.stripped = addsSpace ? max(1, decoding.stripped) : 0
      decoding.dropsFirstSpaces = decoding.dropsFirstSpaces && addsSpace
    }
    self.init(
      model: model, options: options, decoding: decoding, addedTokens: added, frame: frame,
      bounds: TextBounds(configuration, added: added, table: table, frame: frame))
  }

  /// Prepend "▁" and Replace " " by "▁", each or both.
  private static func read(_ normalizer: JSONReader, _ root: JSONReader, _ options: inout Options) throws {
    let isSequence = try normalizer.type() == "Sequence"
    for part in isSequence ? try normalizer.objects("normalizers") ?? [] : [normalizer] {
      switch try part.type() {
      case "Prepend":
        guard try isSpace(part.string("prepend")) else { throw root.unsupported("a normalizer that prepends text") }
        options.prefix = .normalizer
      case "Replace":
        guard try replaces(part, Array(" ".utf8), by: space) else {
          throw root.unsupported("a normalizer that replaces more than spaces")
        }
        options.replacesSpaces = true
      case let other: throw root.unsupported("the normalizer \(jsonQuoted(other))")
      }
    }
  }

  private static func readMetaspace(_ splitter: JSONReader, _ root: JSONReader, _ options: inout Options) throws {
    guard try splitter.type() == "Metaspace" else {
      throw root.unsupported("the pre-tokenizer \(jsonQuoted(try splitter.type())) with a SentencePiece vocabulary")
    }
    guard options == Options() else { throw root.unsupported("Metaspace together with a normalizer") }
    try checkReplacement(splitter, root)
    options.replacesSpaces = true
    options.splitsWords = try splitter.bool("split") ?? true
    options.prefix = try prefix(splitter, root)
  }

  private static func checkReplacement(_ metaspace: JSONReader, _ root: JSONReader) throws {
    guard try metaspace.string("replacement").map({ isSpace($0) }) ?? true else {
      throw root.unsupported("Metaspace with another character than U+2581")
    }
  }

  /// Metaspace's `prepend_scheme`, or the `add_prefix_space` of older files.
  private static func prefix(_ metaspace: JSONReader, _ root: JSONReader) throws -> Options.Prefix {
    if try metaspace.bool("add_prefix_space") == false { return .never }
    switch try metaspace.string("prepend_scheme") ?? "always" {
    case "always": return .always
    case "first": return .first
    case "never": return .never
    case let other: throw root.unsupported("the prepend_scheme \(jsonQuoted(other))")
    }
  }

  /// Metaspace, or a sequence of Replace "▁" by " ", ByteFallback, Fuse and Strip.
  private static func decoding(_ root: JSONReader) throws -> SentencePieceText.Options {
    var options = SentencePieceText.Options(replacesSpaces: false, resolvesBytes: false)
    guard let decoder = try root.object("decoder") else { return options }
    if try decoder.type() == "Metaspace" {
      try checkReplacement(decoder, root)
      options.replacesSpaces = true
      options.dropsFirstSpaces = try prefix(decoder, root) != .never
      return options
    }
    var isFused = false
    for part in try decoder.objects("decoders") ?? [] {
      let type = try part.type()
      switch type {
      case "Replace" where !isFused && !options.resolvesBytes:
        guard try replaces(part, space, by: Array(" ".utf8)) else {
          throw root.unsupported("a decoder that replaces more than U+2581")
        }
        options.replacesSpaces = true
      case "ByteFallback" where !isFused: options.resolvesBytes = true
      case "Fuse": isFused = true
      case "Strip" where isFused && options.stripped == 0:
        let start = try part.integer("start") ?? 0
        guard try part.string("content") == " ", try part.integer("stop") ?? 0 == 0, start >= 0 else {
          throw root.unsupported("a Strip decoder of more than leading spaces")
        }
        options.stripped = start
      default: throw root.unsupported("the decoder \(jsonQuoted(type)) at this place")
      }
    }
    return options
  }

  private static func replaces(_ reader: JSONReader, _ from: [UInt8], by to: [UInt8]) throws -> Bool {
    guard let pattern = try reader.object("pattern")?.string("String"), let content = try reader.string("content")
    else { return false }
    return Array(pattern.utf8) == from && Array(content.utf8) == to
  }

  private static func isSpace(_ text: String?) -> Bool { text.map { Array($0.utf8) == space } ?? false }
}
