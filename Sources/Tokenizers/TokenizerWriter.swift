import Foundation

/// Writes a tokenizer.json whose model is a BPE, a few milliseconds for a vocabulary of 50,000.
struct TokenizerWriter {
  let model: BytePairModel
  let addedTokens: [AddedToken]
  let frame: SpecialTokenFrame
  /// Parts of the file in JSON.
  var normalizer = "null"
  var preTokenizer = "null"
  /// What stands where no special tokens are put around a text.
  var bareProcessor = "null"
  var decoder = "null"
  var fallsBackToBytes = false

  private var bytes: [UInt8] = []

  init(model: BytePairModel, addedTokens: [AddedToken], frame: SpecialTokenFrame) {
    self.model = model
    self.addedTokens = addedTokens
    self.frame = frame
  }

  /// The file.
  consuming func data() -> Data {
    bytes.reserveCapacity(64 * model.table.size + 4096)
    write("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [")
    for (i, token) in addedTokens.sorted(by: { $0.id < $1.id }).enumerated() {
      write(i == 0 ? "\n    {\"id\": \(token.id), \"content\": " : ",\n    {\"id\": \(token.id), \"content\": ")
      writeQuoted(token.content[...])
      write(", \"single_word\": \(token.isWholeWord), \"lstrip\": \(token.stripsLeft), ")
      write("\"rstrip\": \(token.stripsRight), \"normalized\": \(token.isNormalized), \"special\": \(token.isSpecial)}")
    }
    write(addedTokens.isEmpty ? "],\n" : "\n  ],\n")
    write("  \"normalizer\": \(normalizer),\n  \"pre_tokenizer\": \(preTokenizer),\n")
    write("  \"post_processor\": \(processor),\n  \"decoder\": \(decoder),\n")
    let unknown = model.unknownID.flatMap { model.table.text(of: Int($0)) }.map(jsonQuoted) ?? "null"
    write("  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": \(unknown),\n")
    write("    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n")
    write("    \"fuse_unk\": \(model.fusesUnknown),\n    \"byte_fallback\": \(fallsBackToBytes),\n")
    write("    \"ignore_merges\": \(model.ignoresMerges),\n    \"vocab\": {")
    writeVocabulary()
    write("\n    },\n    \"merges\": [")
    writeMerges()
    write("\n    ]\n  }\n}\n")
    return Data(bytes)
  }

  private mutating func writeVocabulary() {
    var isFirst = true
    for id in 0..<model.table.size where model.table.contains(id) {
      write(isFirst ? "\n      " : ",\n      ")
      writeQuoted(model.table.bytes(of: id))
      write(": \(id)")
      isFirst = false
    }
  }

  private mutating func writeMerges() {
    for (i, merge) in model.merges.ordered.enumerated() {
      write(i == 0 ? "\n      \"" : ",\n      \"")
      writeEscaped(model.table.bytes(of: Int(merge.left)))
      write(" ")
      writeEscaped(model.table.bytes(of: Int(merge.right)))
      write("\"")
    }
  }

  private var processor: String {
    guard frame != SpecialTokenFrame() else { return bareProcessor }
    func name(_ id: Int) -> String {
      let added = addedTokens.first { $0.id == id }
      return jsonQuoted(added.map { String(decoding: $0.content, as: UTF8.self) } ?? model.table.text(of: id) ?? "")
    }
    func items(_ ids: [Int]) -> [String] { ids.map { "{\"SpecialToken\": {\"id\": \(name($0)), \"type_id\": 0}}" } }
    let text = { (id: String) in "{\"Sequence\": {\"id\": \"\(id)\", \"type_id\": 0}}" }
    let (before, after) = (items(frame.before), items(frame.after))
    let single = (before + [text("A")] + after).joined(separator: ", ")
    let pair = (before + [text("A")] + after + before + [text("B")] + after).joined(separator: ", ")
    let special = Set(frame.before + frame.after).sorted().map { id in
      "\(name(id)): {\"id\": \(name(id)), \"ids\": [\(id)], \"tokens\": [\(name(id))]}"
    }
    return "{\"type\": \"TemplateProcessing\", \"single\": [\(single)], \"pair\": [\(pair)], "
      + "\"special_tokens\": {\(special.joined(separator: ", "))}}"
  }

  private mutating func write(_ text: String) { bytes.append(contentsOf: text.utf8) }

  private mutating func writeQuoted(_ text: ArraySlice<UInt8>) {
    bytes.append(UInt8(ascii: "\""))
    writeEscaped(text)
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func writeEscaped(_ text: ArraySlice<UInt8>) { appendEscaped(text, to: &bytes) }
}
