/// A tokenizer as plain values, as a GGUF file holds it.
///
/// GGUF and llama2.c files become a Hugging Face folder through ``tokenizerFiles()``, and a folder becomes GGUF through
/// ``init(tokenizerJSON:configuration:)``. The names follow the keys `tokenizer.ggml.*`.
public struct TokenizerVocabulary: Sendable, Equatable {
  /// The kind of a token, `token_type` of llama.cpp.
  public enum TokenType {
    /// Text.
    public static let normal = 1
    /// What stands for text that has no token.
    public static let unknown = 2
    /// A special token: recognised in text, left out in decoding.
    public static let control = 3
    /// An added token that is text: recognised first, and decoded.
    public static let userDefined = 4
    /// An id without a use.
    public static let unused = 5
    /// A byte, spelled "<0x0A>".
    public static let byte = 6
  }

  /// "gpt2" for byte-level BPE, "llama" for SentencePiece's BPE.
  public var model: String
  /// What cuts the text into pieces, by llama.cpp's name; for "gpt2" only.
  public var pre: String?
  /// The spellings by id: in the byte-level alphabet ("Ġcat") or with "▁" for spaces.
  public var tokens: [String]
  /// For "llama": the tokens with the highest score merge first.
  public var scores: [Float]?
  /// The kinds of the tokens, by ``TokenType``.
  public var types: [Int]?
  /// "left right", the first merging first. For "llama" they come from the scores where there are none.
  public var merges: [String]?
  /// The id that begins a text.
  public var beginningID: Int?
  /// The id that ends a text.
  public var endID: Int?
  /// The id for text that has no token.
  public var unknownID: Int?
  /// The id that fills up batches.
  public var paddingID: Int?
  /// Whether the token that begins a text is put before it; `nil` is llama.cpp's default: yes for "llama" and Llama 3.
  public var addsBeginning: Bool?
  /// Whether the token that ends a text is put behind it.
  public var addsEnd: Bool
  /// For "llama": whether a text gets a space before it.
  public var addsSpacePrefix: Bool
  /// The template that turns a conversation into text.
  public var chatTemplate: String?
  /// What errors call the file.
  public var source = "the vocabulary"

  /// A vocabulary from its parts; what is checked is checked in ``tokenizerFiles()``.
  public init(
    model: String, pre: String? = nil, tokens: [String], scores: [Float]? = nil, types: [Int]? = nil,
    merges: [String]? = nil, beginningID: Int? = nil, endID: Int? = nil, unknownID: Int? = nil,
    paddingID: Int? = nil, addsBeginning: Bool? = nil, addsEnd: Bool = false, addsSpacePrefix: Bool = true,
    chatTemplate: String? = nil, source: String = "the vocabulary"
  ) {
    self.model = model
    self.pre = pre
    self.tokens = tokens
    self.scores = scores
    self.types = types
    self.merges = merges
    self.beginningID = beginningID
    self.endID = endID
    self.unknownID = unknownID
    self.paddingID = paddingID
    self.addsBeginning = addsBeginning
    self.addsEnd = addsEnd
    self.addsSpacePrefix = addsSpacePrefix
    self.chatTemplate = chatTemplate
    self.source = source
  }

  func invalid(_ reason: String) -> TokenizerError { .invalid(file: source, reason: reason) }

  func unsupported(_ feature: String) -> TokenizerError { .unsupported(file: source, feature: feature) }

  /// The type of a token, normal where the file says nothing.
  func type(of id: Int) -> Int { types?[id] ?? TokenType.normal }
}

/// What is cut out of text before byte pairs merge, by the names of llama.cpp.
struct PreTokenizer: Sendable {
  var pattern: SplitPattern
  var isolatesDigits = false
  /// Whether pieces that are tokens are not merged, and texts begin with a token by default: Llama 3.
  var isLlama3 = false

  /// Names that mean the same, the one that is written first.
  private static let groups: [(names: [String], splitter: PreTokenizer)] = [
    (["gpt-2", "default", "phi-2", "roberta-bpe", "mpt", "olmo", "jais"], PreTokenizer(pattern: .gpt2)),
    (["smollm", "starcoder", "refact", "codeshell"], PreTokenizer(pattern: .gpt2, isolatesDigits: true)),
    (
      ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
      PreTokenizer(pattern: .llama3, isLlama3: true)
    ),
    (["dbrx", "smaug-bpe"], PreTokenizer(pattern: .llama3)),
    (["qwen2", "deepseek-r1-qwen", "kormo", "megrez"], PreTokenizer(pattern: .qwen2)),
  ]

  /// All names.
  static var names: [String] { groups.flatMap(\.names) }

  /// The pre-tokenizer of a name.
  static func named(_ name: String) -> PreTokenizer? { groups.first { $0.names.contains(name) }?.splitter }

  /// The name of a pre-tokenizer.
  static func name(pattern: SplitPattern, isolatesDigits: Bool, ignoresMerges: Bool) -> String? {
    groups.first { _, splitter in
      splitter.pattern == pattern && splitter.isolatesDigits == isolatesDigits
        && (pattern != .llama3 || splitter.isLlama3 == ignoresMerges)
    }?.names.first
  }
}
