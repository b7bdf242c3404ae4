/// Tokens at which a completion ends, as llama.cpp finds them in a file.
enum GGUFStops {
  /// Places of such tokens beside `eos_token_id`, in the order in which they are filled.
  static let keys = ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"]
  /// All of them, where the places are too few: a key of this program.
  static let ownKey = "tinyalign.stop_token_ids"
  /// Tokens that llama.cpp knows by their text.
  static let names: Set = [
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>",
    "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>",
    "<end_of_utterance>", "<\u{FF5C}end\u{2581}of\u{2581}sentence\u{FF5C}>", "<eos>", "<turn|>",
  ]
}

extension GGUFFile {
  /// The tokens at which a completion ends, the one that ends a text first.
  ///
  /// - Throws: ``CheckpointError`` where the metadata does not hold token numbers.
  func stopTokens() throws -> [Int] {
    let tokens = try strings("tokenizer.ggml.tokens") ?? []
    let numbered = try (["tokenizer.ggml.eos_token_id"] + GGUFStops.keys).compactMap { try identifier($0) }
    let own = try integers(GGUFStops.ownKey) ?? []
    let named = tokens.indices.filter { GGUFStops.names.contains(tokens[$0]) }
    var seen: Set<Int> = []
    return (numbered + own + named).filter { tokens.indices.contains($0) && seen.insert($0).inserted }
  }
}

extension GGUFVocabulary {
  /// The tokens of ``moreStops`` for which llama.cpp has no place and no name.
  public var stopsWithoutPlace: [Int] {
    let unnamed = moreStops.filter { !tokens.indices.contains($0) || !GGUFStops.names.contains(tokens[$0]) }
    return Array(unnamed.dropFirst(GGUFStops.keys.count))
  }

  /// Leaves out the tokens for which an embedding of `size` rows has none: llama.cpp takes a vocabulary for as large as its model.
  public mutating func limit(to size: Int) {
    guard tokens.count > size else { return }
    tokens.removeLast(tokens.count - size)
    scores = scores.map { Array($0.prefix(size)) }
    types = types.map { Array($0.prefix(size)) }
    let known = Set(tokens)
    merges = merges?.filter { merge in
      let parts = merge.split(separator: " ").map(String.init)
      return parts.allSatisfy(known.contains) && known.contains(parts.joined())
    }
    func limited(_ id: Int?) -> Int? { id.flatMap { $0 < size ? $0 : nil } }
    (beginning, end, unknown, padding) = (limited(beginning), limited(end), limited(unknown), limited(padding))
    if beginning == nil { addsBeginning = false }
    if end == nil { addsEnd = false }
  }

  /// Adds the keys of ``moreStops``: those that llama.cpp does not know by name come first.
  func addStops(to metadata: inout GGUFMetadataBytes) throws {
    let isNamed = { (id: Int) in tokens.indices.contains(id) && GGUFStops.names.contains(tokens[id]) }
    let ordered = moreStops.filter { !isNamed($0) } + moreStops.filter(isNamed)
    for (key, id) in zip(GGUFStops.keys, ordered) { try metadata.add(key, id) }
    if !stopsWithoutPlace.isEmpty { try metadata.add(GGUFStops.ownKey, (end.map { [$0] } ?? []) + moreStops) }
  }
}
