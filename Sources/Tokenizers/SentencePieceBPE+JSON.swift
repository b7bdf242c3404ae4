package import Foundation

extension SentencePieceBPE {
  /// A tokenizer.json that Hugging Face's libraries load, with the same ids for every text.
  ///
  /// Only what a ``TokenizerVocabulary`` can ask for is written: no Metaspace.
  package func tokenizerJSON() -> Data {
    var writer = TokenizerWriter(model: model, addedTokens: addedTokens, frame: frame)
    let replace = { (from: String, to: String) in
      "{\"type\": \"Replace\", \"pattern\": {\"String\": \"\(from)\"}, \"content\": \"\(to)\"}"
    }
    var normalizers = options.prefix == .normalizer ? ["{\"type\": \"Prepend\", \"prepend\": \"▁\"}"] : []
    if options.replacesSpaces { normalizers.append(replace(" ", "▁")) }
    var decoders = [replace("▁", " "), "{\"type\": \"ByteFallback\"}", "{\"type\": \"Fuse\"}"]
    if decoding.stripped > 0 {
      decoders.append("{\"type\": \"Strip\", \"content\": \" \", \"start\": \(decoding.stripped), \"stop\": 0}")
    }
    writer.normalizer = "{\"type\": \"Sequence\", \"normalizers\": [\(normalizers.joined(separator: ", "))]}"
    writer.decoder = "{\"type\": \"Sequence\", \"decoders\": [\(decoders.joined(separator: ", "))]}"
    writer.fallsBackToBytes = true
    return writer.data()
  }
}
