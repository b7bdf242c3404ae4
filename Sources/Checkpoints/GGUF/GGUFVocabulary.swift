/// The tokenizer of a GGUF file as plain values.
public struct GGUFVocabulary: Sendable, Equatable {
  /// The kind of tokenizer: `gpt2` for byte-level BPE, `llama` for SentencePiece.
  public var model: String
  /// The name of the rule that splits text into words, for byte-level BPE: `gpt-2`, `smollm`, …
  public var pre: String?
  /// The tokens by their number.
  public var tokens: [String]
  /// The tokens' scores, for SentencePiece: the higher, the earlier a pair is merged.
  public var scores: [Float]?
  /// The tokens' kinds: 1 normal, 2 unknown, 3 control, 4 added by a user, 5 unused, 6 a byte.
  public var types: [Int]?
  /// The merges of byte-level BPE in order, each two tokens with a space between.
  public var merges: [String]?
  /// The token that texts begin with.
  public var beginning: Int?
  /// The token that texts end with.
  public var end: Int?
  /// More tokens at which a completion ends. llama.cpp has places for two of them, the end of a turn and of a message, and knows
  /// others by their names.
  public var moreStops: [Int] = []
  /// The token for what has none.
  public var unknown: Int?
  /// The token that fills up batches.
  public var padding: Int?
  /// Whether texts are to begin with ``beginning``; nil where the file does not say.
  public var addsBeginning: Bool?
  /// Whether texts are to end with ``end``; nil where the file does not say.
  public var addsEnd: Bool?
  /// Whether a space is put before a text; nil where the file does not say.
  public var addsSpacePrefix: Bool?
  /// The chat template in Jinja.
  public var chatTemplate: String?

  /// A vocabulary of `tokens` for a tokenizer of kind `model`; the rest is nil.
  public init(model: String, tokens: [String]) {
    self.model = model
    self.tokens = tokens
  }
}

extension GGUFFile {
  /// The tokenizer that the file holds.
  ///
  /// - Throws: ``CheckpointError`` where it holds none, or one of another kind than `gpt2` and `llama`, and where the
  ///   values do not fit together.
  public func vocabulary() throws -> GGUFVocabulary {
    let prefix = "tokenizer.ggml."
    guard let model = try string(prefix + "model"), let tokens = try strings(prefix + "tokens") else {
      throw CheckpointError.unsupported(
        file: name, reason: "it holds no tokenizer", hint: "use a file of a whole model, not of an adapter or a part")
    }
    guard model == "gpt2" || model == "llama" else {
      throw CheckpointError.unsupported(
        file: name, reason: "a tokenizer of kind \(quoted(model)) is not supported",
        hint: "supported are gpt2 (byte-level BPE) and llama (SentencePiece)")
    }
    var vocabulary = GGUFVocabulary(model: model, tokens: tokens)
    vocabulary.pre = try string(prefix + "pre")
    vocabulary.scores = try floats(prefix + "scores")
    vocabulary.types = try integers(prefix + "token_type")
    vocabulary.merges = try strings(prefix + "merges")
    for (key, count) in [("scores", vocabulary.scores?.count), ("token_type", vocabulary.types?.count)] {
      guard let count, count != tokens.count else { continue }
      throw malformed("\"\(prefix)\(key)\" has \(count) elements for \(tokens.count) tokens", fields[prefix + key])
    }
    vocabulary.beginning = try token(prefix + "bos_token_id", of: tokens)
    vocabulary.end = try token(prefix + "eos_token_id", of: tokens)
    vocabulary.unknown = try token(prefix + "unknown_token_id", of: tokens)
    vocabulary.padding = try token(prefix + "padding_token_id", of: tokens)
    vocabulary.addsBeginning = try flag(prefix + "add_bos_token")
    vocabulary.addsEnd = try flag(prefix + "add_eos_token")
    vocabulary.addsSpacePrefix = try flag(prefix + "add_space_prefix")
    vocabulary.chatTemplate = try string("tokenizer.chat_template")
    return vocabulary
  }

  private func token(_ key: String, of tokens: [String]) throws -> Int? {
    guard let number = try identifier(key) else { return nil }
    guard tokens.indices.contains(number) else {
      throw malformed("\(quoted(key)) is \(number), and there are \(tokens.count) tokens", fields[key])
    }
    return number
  }
}
