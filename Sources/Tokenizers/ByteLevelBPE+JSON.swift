public import Foundation

extension ByteLevelBPE {
  /// A tokenizer.json that Hugging Face's libraries load, with the same ids for every text.
  public func tokenizerJSON() -> Data {
    var writer = TokenizerWriter(model: model, addedTokens: addedTokens, frame: frame)
    if options.composes { writer.normalizer = "{\"type\": \"NFC\"}" }
    writer.preTokenizer = preTokenizerJSON
    writer.bareProcessor =
      "{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": false, \"use_regex\": true}"
    writer.decoder =
      "{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true, \"use_regex\": true}"
    return writer.data()
  }

  /// The merges in order, each "left right".
  package var mergeLines: [String] {
    model.merges.ordered.map { left, right, _ in
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

  private var preTokenizerJSON: String {
    if let pattern = options.pattern, pattern != .gpt2 { return pattern.preTokenizerJSON }
    let byteLevel = """
      {"type": "ByteLevel", "add_prefix_space": \(options.addsPrefixSpace), "trim_offsets": true, \
      "use_regex": \(options.pattern != nil)}
      """
    guard options.isolatesDigits else { return byteLevel }
    return """
      {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, \(byteLevel)]}
      """
  }
}
