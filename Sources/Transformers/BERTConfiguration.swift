public import Checkpoints

/// The shape of a BERT encoder, as `config.json` of Hugging Face's `BertModel` gives it.
public struct BERTConfiguration: Codable, Equatable, Sendable {
  /// The number of token ids.
  public var vocabularySize: Int
  /// The size of a token's hidden state.
  public var hiddenSize: Int
  /// The number of layers.
  public var layerCount: Int
  /// The number of attention heads of a layer; divides ``hiddenSize``.
  public var headCount: Int
  /// The size of the feed-forward layer between its two matrices.
  public var intermediateSize: Int
  /// The number of tokens that a text can have.
  public var contextLength: Int
  /// The number of token types; texts are all of type 0.
  public var typeCount: Int
  /// What is added to the variance in a layer norm.
  public var layerNormEpsilon: Float

  private var activation: String
  private var positionEmbeddingType: String
  private var isDecoder: Bool

  /// A configuration with every part named.
  public init(
    vocabularySize: Int, hiddenSize: Int, layerCount: Int, headCount: Int, intermediateSize: Int,
    contextLength: Int, typeCount: Int = 2, layerNormEpsilon: Float = 1e-12
  ) {
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.layerCount = layerCount
    self.headCount = headCount
    self.intermediateSize = intermediateSize
    self.contextLength = contextLength
    self.typeCount = typeCount
    self.layerNormEpsilon = layerNormEpsilon
    activation = "gelu"
    positionEmbeddingType = "absolute"
    isDecoder = false
  }

  /// Reads and checks `config.json`.
  ///
  /// - Throws: `CheckpointError` when the file is missing or malformed, when its numbers make no model, or when it
  ///   asks for something that this encoder does not do; the error names key and value.
  public init(source: ModelSource) throws {
    let file = "config.json"
    // Another kind of model lacks keys; that it is another kind is the better thing to say.
    if let kind = try ModelKind(source: source).modelType, kind != "bert" {
      throw CheckpointError.unsupported(
        file: source.path(of: file), reason: "model_type '\(kind)' is not a sentence-embedding model",
        hint: "give a folder with a BERT model, such as all-MiniLM-L6-v2")
    }
    self = try source.decodeJSON(BERTConfiguration.self, from: file)
    try validate(file: source.path(of: file))
  }

  /// Decodes without checking; a key that transformers leaves out takes its default there.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    vocabularySize = try values.decode(Int.self, forKey: .vocabularySize)
    hiddenSize = try values.decode(Int.self, forKey: .hiddenSize)
    layerCount = try values.decode(Int.self, forKey: .layerCount)
    headCount = try values.decode(Int.self, forKey: .headCount)
    intermediateSize = try values.decode(Int.self, forKey: .intermediateSize)
    contextLength = try values.decode(Int.self, forKey: .contextLength)
    typeCount = try values.decodeIfPresent(Int.self, forKey: .typeCount) ?? 2
    layerNormEpsilon = Float(try values.decodeIfPresent(Double.self, forKey: .layerNormEpsilon) ?? 1e-12)
    activation = try values.decodeIfPresent(String.self, forKey: .activation) ?? "gelu"
    positionEmbeddingType = try values.decodeIfPresent(String.self, forKey: .positionEmbeddingType) ?? "absolute"
    isDecoder = try values.decodeIfPresent(Bool.self, forKey: .isDecoder) ?? false
  }

  private enum CodingKeys: String, CodingKey {
    case vocabularySize = "vocab_size"
    case hiddenSize = "hidden_size"
    case layerCount = "num_hidden_layers"
    case headCount = "num_attention_heads"
    case intermediateSize = "intermediate_size"
    case contextLength = "max_position_embeddings"
    case typeCount = "type_vocab_size"
    case layerNormEpsilon = "layer_norm_eps"
    case activation = "hidden_act"
    case positionEmbeddingType = "position_embedding_type"
    case isDecoder = "is_decoder"
  }

  /// Throws where a value makes no model or asks for what is not there; `file` is for the message.
  private func validate(file: String) throws {
    func unsupported(_ key: CodingKeys, _ value: String, _ supported: String) throws -> Never {
      throw CheckpointError.unsupported(
        file: file, reason: "\(key.rawValue) is \(value.debugDescription), which is not supported",
        hint: "use a BERT encoder with \(key.rawValue) \(supported)")
    }
    func malformed(_ reason: String) throws -> Never {
      throw CheckpointError.malformed(file: file, offset: nil, reason: reason)
    }
    if activation != "gelu", activation != "gelu_python" { try unsupported(.activation, activation, "\"gelu\"") }
    if positionEmbeddingType != "absolute" {
      try unsupported(.positionEmbeddingType, positionEmbeddingType, "\"absolute\"")
    }
    if isDecoder { try unsupported(.isDecoder, "true", "false") }
    // Bounds that no BERT comes near, and whose products cannot overflow.
    let sizes: [(CodingKeys, Int, Int)] = [
      (.vocabularySize, vocabularySize, 1 << 24), (.hiddenSize, hiddenSize, 1 << 16),
      (.layerCount, layerCount, 1 << 12), (.headCount, headCount, 1 << 16),
      (.intermediateSize, intermediateSize, 1 << 18), (.contextLength, contextLength, 1 << 20),
      (.typeCount, typeCount, 1 << 16),
    ]
    for (key, size, bound) in sizes where !(1...bound).contains(size) {
      try malformed("\(key.rawValue) is \(size), which is not in 1...\(bound)")
    }
    guard hiddenSize % headCount == 0 else {
      try malformed("hidden_size \(hiddenSize) is not divisible by num_attention_heads \(headCount)")
    }
    guard layerNormEpsilon.isFinite, layerNormEpsilon > 0 else {
      try malformed("layer_norm_eps is \(layerNormEpsilon), which is not a positive number")
    }
  }
}
