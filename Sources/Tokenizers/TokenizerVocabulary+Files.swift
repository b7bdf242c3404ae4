public import Foundation

extension TokenizerVocabulary {
  /// tokenizer.json and tokenizer_config.json, by name, as Hugging Face's tokenizers and transformers load them.
  ///
  /// The ids of a text are those of SentencePiece for "llama" (but see ``mergesByScore(_:)``), and of the tokenizer
  /// that the file was made from for "gpt2". Spelled-out special tokens become their ids.
  ///
  /// - Throws: ``TokenizerError`` for a vocabulary that is inconsistent, and for kinds and pre-tokenizers that are not
  ///   supported.
  public func tokenizerFiles() throws -> [String: Data] {
    let table = try checkedTable()
    let json =
      switch model {
      case "gpt2": try byteLevelJSON(table)
      case "llama": try sentencePieceJSON(table)
      default: throw unsupported("the tokenizer kind \(jsonQuoted(model)) (\"gpt2\" and \"llama\" are known)")
      }
    return ["tokenizer.json": json, "tokenizer_config.json": try configurationJSON()]
  }

  /// The token table, once all lists agree in length and all ids are there.
  private func checkedTable() throws -> TokenTable {
    guard !tokens.isEmpty else { throw invalid("it has no tokens") }
    guard scores == nil || scores?.count == tokens.count else {
      throw invalid("it has \(tokens.count) tokens and \(scores?.count ?? 0) scores")
    }
    guard types == nil || types?.count == tokens.count else {
      throw invalid("it has \(tokens.count) tokens and \(types?.count ?? 0) token types")
    }
    for (name, id) in [("beginning", beginningID), ("end", endID), ("unknown", unknownID), ("padding", paddingID)] {
      guard let id, !tokens.indices.contains(id) else { continue }
      throw invalid("its \(name) token has the id \(id), and there are \(tokens.count) tokens")
    }
    var table = TokenTable(capacity: tokens.count)
    for (id, token) in tokens.enumerated() {
      var token = token
      try token.withUTF8 { try table.add($0, id: id, file: source) }
    }
    return table
  }

  // MARK: Byte-level BPE

  private func byteLevelJSON(_ table: TokenTable) throws -> Data {
    let name = pre ?? "default"
    guard let splitter = PreTokenizer.named(name) else {
      throw unsupported(
        "the pre-tokenizer \(jsonQuoted(name)) (known: \(PreTokenizer.names.joined(separator: ", ")))")
    }
    guard let merges else { throw invalid("it has no merges") }
    var builder = MergeBuilder(table: table, file: source, capacity: merges.count)
    for merge in merges {
      var merge = merge
      try merge.withUTF8 { try builder.add(line: $0) }
    }
    var model = BytePairModel(table: table, merges: builder.merges)
    model.ignoresMerges = splitter.isLlama3
    var options = ByteLevelBPE.Options()
    options.pattern = splitter.pattern
    options.isolatesDigits = splitter.isolatesDigits
    let tokenizer = ByteLevelBPE(
      model: model, options: options, addedTokens: addedTokens, frame: try frame, bounds: TextBounds(end: endID))
    return tokenizer.tokenizerJSON()
  }

  /// The tokens that are recognised in text, special ones first.
  var addedTokens: [AddedToken] {
    let special = tokens.indices.filter { isSpecial($0) }
    let others = tokens.indices.filter { type(of: $0) == TokenType.userDefined }
    return (special + others).filter { !tokens[$0].isEmpty }.map { id in
      AddedToken(
        content: Array(tokens[id].utf8), id: Int32(truncatingIfNeeded: id),
        isSpecial: type(of: id) != TokenType.userDefined)
    }
  }

  private func isSpecial(_ id: Int) -> Bool {
    switch type(of: id) {
    case TokenType.control, TokenType.unknown: true
    // Files without types: what begins and ends a text is special nevertheless.
    case TokenType.normal where types == nil: [beginningID, endID, unknownID, paddingID].contains(id)
    default: false
    }
  }

  /// Whether the token that begins a text is put before it.
  var addsBeginningToken: Bool {
    let standard = model == "llama" || PreTokenizer.named(pre ?? "default")?.isLlama3 == true
    return addsBeginning ?? (standard && beginningID != nil)
  }

  private var frame: SpecialTokenFrame {
    get throws {
      var frame = SpecialTokenFrame()
      if addsBeginningToken {
        guard let beginningID else { throw invalid("it asks for a token that begins a text and names none") }
        frame.before = [beginningID]
      }
      if addsEnd {
        guard let endID else { throw invalid("it asks for a token that ends a text and names none") }
        frame.after = [endID]
      }
      return frame
    }
  }

  // MARK: SentencePiece

  private func sentencePieceJSON(_ table: TokenTable) throws -> Data {
    var builder = MergeBuilder(table: table, file: source, capacity: 2 * tokens.count)
    if let merges {
      for merge in merges {
        var merge = merge
        try merge.withUTF8 { try builder.add(line: $0) }
      }
    } else {
      for merge in try mergesByScore(table) { builder.add(merge) }
    }
    var model = BytePairModel(table: table, merges: builder.merges, alphabet: .scalars(fallsBack: true))
    model.fusesUnknown = true
    model.unknownID = unknownID.map { Int32(truncatingIfNeeded: $0) }
    var options = SentencePieceBPE.Options()
    options.replacesSpaces = true
    options.prefix = addsSpacePrefix ? .normalizer : .never
    let tokenizer = SentencePieceBPE(
      model: model, options: options, decoding: SentencePieceText.Options(stripped: addsSpacePrefix ? 1 : 0),
      addedTokens: addedTokens, frame: try frame, bounds: TextBounds(end: endID))
    return tokenizer.tokenizerJSON()
  }

  // MARK: Configuration

  private func configurationJSON() throws -> Data {
    func token(_ id: Int?) -> String { id.map { jsonQuoted(tokens[$0]) } ?? "null" }
    var lines = [
      "\"add_bos_token\": \(addsBeginningToken)", "\"add_eos_token\": \(addsEnd)",
      "\"bos_token\": \(token(beginningID))",
    ]
    if let chatTemplate { lines.append("\"chat_template\": \(jsonQuoted(chatTemplate))") }
    lines += [
      "\"clean_up_tokenization_spaces\": false", "\"eos_token\": \(token(endID))", "\"pad_token\": \(token(paddingID))",
      "\"tokenizer_class\": \"PreTrainedTokenizerFast\"", "\"unk_token\": \(token(unknownID))",
    ]
    return Data("{\n  \(lines.joined(separator: ",\n  "))\n}\n".utf8)
  }
}
