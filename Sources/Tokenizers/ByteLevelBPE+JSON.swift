public import Foundation

extension ByteLevelBPE {
  /// A tokenizer.json that Hugging Face's libraries load, with the same ids for every text.
  public func tokenizerJSON() -> Data {
    var text = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": ["
    text += addedTokens.sorted { $0.id < $1.id }.map(Self.json).joined(separator: ",")
    text += addedTokens.isEmpty ? "],\n" : "\n  ],\n"
    text += "  \"normalizer\": null,\n  \"pre_tokenizer\": \(preTokenizerJSON),\n"
    text += "  \"post_processor\": \(postProcessorJSON),\n"
    text += "  \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true, "
    text += "\"use_regex\": true},\n"
    let unknown = model.unknownID.flatMap { model.table.text(of: Int($0)) }.map(jsonQuoted) ?? "null"
    text += "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": \(unknown),\n"
    text += "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n"
    text += "    \"fuse_unk\": \(model.fusesUnknown),\n    \"byte_fallback\": false,\n"
    text += "    \"ignore_merges\": \(model.ignoresMerges),\n    \"vocab\": {"
    let table = model.table
    text += (0..<table.size).compactMap { id in table.text(of: id).map { "\n      \(jsonQuoted($0)): \(id)" } }
      .joined(separator: ",")
    text += "\n    },\n    \"merges\": ["
    text += mergeLines.map { "\n      \(jsonQuoted($0))" }.joined(separator: ",")
    text += "\n    ]\n  }\n}\n"
    return Data(text.utf8)
  }

  /// The merges in order, each "left right".
  package var mergeLines: [String] {
    model.merges.ordered.map { left, right in
      (model.table.text(of: Int(left)) ?? "") + " " + (model.table.text(of: Int(right)) ?? "")
    }
  }

  /// A tokenizer_config.json beside ``tokenizerJSON()`` for transformers' `AutoTokenizer`.
  public func tokenizerConfigJSON() -> Data {
    var lines = ["\"add_prefix_space\": \(options.addsPrefixSpace)"]
    if let endOfTextID, let end = token(for: endOfTextID) {
      for key in ["bos_token", "eos_token", "unk_token"] { lines.append("\"\(key)\": \(jsonQuoted(end))") }
    }
    lines.append("\"clean_up_tokenization_spaces\": false")
    lines.append("\"tokenizer_class\": \"PreTrainedTokenizerFast\"")
    return Data("{\n  \(lines.joined(separator: ",\n  "))\n}\n".utf8)
  }

  private static func json(_ token: AddedToken) -> String {
    """

        {"id": \(token.id), "content": \(jsonQuoted(String(decoding: token.content, as: UTF8.self))), \
    "single_word": \(token.isWholeWord), "lstrip": \(token.stripsLeft), "rstrip": \(token.stripsRight), \
    "normalized": \(token.isNormalized), "special": \(token.isSpecial)}
    """
  }

  private var preTokenizerJSON: String {
    let byteLevel = """
      {"type": "ByteLevel", "add_prefix_space": \(options.addsPrefixSpace), "trim_offsets": true, \
      "use_regex": \(options.usesPattern)}
      """
    guard options.isolatesDigits else { return byteLevel }
    return """
      {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, \(byteLevel)]}
      """
  }

  private var postProcessorJSON: String {
    guard frame != SpecialTokenFrame() else {
      return "{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": false, \"use_regex\": true}"
    }
    func items(_ ids: [Int]) -> [String] {
      ids.map { "{\"SpecialToken\": {\"id\": \(jsonQuoted(token(for: $0) ?? "")), \"type_id\": 0}}" }
    }
    let text = { (id: String) in "{\"Sequence\": {\"id\": \"\(id)\", \"type_id\": 0}}" }
    let (before, after) = (items(frame.before), items(frame.after))
    let single = (before + [text("A")] + after).joined(separator: ", ")
    let pair = (before + [text("A")] + after + before + [text("B")] + after).joined(separator: ", ")
    let special = Set(frame.before + frame.after).sorted().map { id in
      let name = jsonQuoted(token(for: id) ?? "")
      return "\(name): {\"id\": \(name), \"ids\": [\(id)], \"tokens\": [\(name)]}"
    }
    return "{\"type\": \"TemplateProcessing\", \"single\": [\(single)], \"pair\": [\(pair)], "
      + "\"special_tokens\": {\(special.joined(separator: ", "))}}"
  }
}
