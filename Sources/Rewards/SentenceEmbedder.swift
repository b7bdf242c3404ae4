public import Checkpoints
import Foundation
import Tokenizers
import Transformers

/// Turns texts into vectors whose angles say how alike the texts are, as sentence-transformers does
/// (Reimers and Gurevych 2019): the model's prompt before the text, tokenizer, BERT encoder, mean over the tokens, length 1.
public final class SentenceEmbedder: Sendable {
  /// The size of an embedding.
  public let dimension: Int
  /// The most tokens that a text keeps, [CLS] and [SEP] included; what is beyond is cut off.
  public let tokenLimit: Int
  private let tokenizer: any Tokenizer
  private let encoder: BERTEncoder
  private let isNormalized: Bool
  /// What the model's files put before each text.
  private let prompt: String
  /// Tokens at the start of a text that the mean leaves out.
  private let skippedTokens: Int

  /// The embedder of a sentence-transformers folder: `modules.json`, `1_Pooling/config.json`,
  /// `sentence_bert_config.json`, `config_sentence_transformers.json`, the encoder and its tokenizer.
  ///
  /// - Throws: `CheckpointError` or `TokenizerError` where a file is missing, damaged or not supported.
  public init(source: ModelSource) throws {
    let settings = try PoolingSettings(source: source)
    let source = source.part(settings.encoderFolder)
    encoder = try BERTEncoder(source: source)
    tokenizer = try loadTokenizer { try source.file($0)?.data }
    isNormalized = settings.isNormalized
    prompt = settings.prompt
    // The prompt's own ids and [CLS].
    skippedTokens =
      settings.includesPrompt || prompt.isEmpty
      ? 0 : tokenizer.idsBeforeText.count + tokenizer.encode(prompt, addingSpecialTokens: false).count
    dimension = min(settings.dimension ?? .max, encoder.configuration.hiddenSize)
    tokenLimit = min(settings.tokenLimit ?? .max, encoder.configuration.contextLength)
    // Cutting a text relies on exactly one token before and one behind it.
    guard tokenizer.encode("").count == 2, tokenLimit >= 2 else {
      throw CheckpointError.unsupported(
        file: source.path(of: "tokenizer.json"), reason: "it does not put one token before and one behind a text",
        hint: "use a BERT tokenizer (WordPiece with [CLS] and [SEP])")
    }
  }

  /// The files of the encoder and its tokenizer in a sentence-transformers folder.
  ///
  /// - Throws: as ``init(source:)``.
  public static func encoder(of source: ModelSource) throws -> ModelSource {
    source.part(try PoolingSettings(source: source).encoderFolder)
  }

  /// The embedding of each text, ``dimension`` numbers each; of length 1 where the model's files ask for that.
  ///
  /// Texts with the same tokens are computed once.
  public func embed(_ texts: [String]) throws -> [[Float]] {
    var distinct: [[Int]] = []
    var places: [[Int]: Int] = [:]
    let placeOfText = texts.map { text in
      let ids = tokens(of: text)
      if let place = places[ids] { return place }
      places[ids] = distinct.count
      distinct.append(ids)
      return distinct.count - 1
    }
    // Similar lengths side by side make packs of similar cost.
    let order = distinct.indices.sorted { distinct[$0].count > distinct[$1].count }
    let means = try encoder.meanHiddenStates(order.map { distinct[$0] }, skipping: skippedTokens)
    var embeddings = [[Float]](repeating: [], count: distinct.count)
    for (place, mean) in zip(order, means) {
      embeddings[place] = Array((isNormalized ? normalized(mean) : mean).prefix(dimension))
    }
    return placeOfText.map { embeddings[$0] }
  }

  /// FLOPs that embedding these texts needs, each distinct one once.
  public func flops(of texts: [String]) -> Int {
    Set(texts.map(tokens)).reduce(0) { $0 + encoder.flops(tokens: $1.count) }
  }

  /// The number of word pieces of a text, those beyond the limit included, without [CLS] and [SEP].
  public func pieceCount(of text: String) -> Int { tokenizer.encode(prompt + text).count - 2 }

  /// Whether a text has no word piece at all: nothing, white space, control characters.
  public func isBlank(_ text: String) -> Bool {
    let isAlphanumeric = { (byte: UInt8) in
      (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
    return !text.utf8.contains(where: isAlphanumeric) && pieceCount(of: text) == 0
  }

  /// Whether a text is longer than the ``tokenLimit``, so that its end is not read.
  public func isTruncated(_ text: String) -> Bool {
    // No word piece is shorter than a byte.
    prompt.utf8.count + text.utf8.count > tokenLimit - 2 && pieceCount(of: text) > tokenLimit - 2
  }

  /// The ids of a text between [CLS] and [SEP], cut to ``tokenLimit``.
  func tokens(of text: String) -> [Int] {
    let ids = tokenizer.encode(prompt + text)
    guard ids.count > tokenLimit else { return ids }
    return Array(ids.prefix(tokenLimit - 1)) + ids.suffix(1)
  }
}

/// The vector scaled to length 1; PyTorch's bound keeps a zero vector zero.
func normalized(_ vector: [Float]) -> [Float] {
  let length = max(vector.reduce(Float(0)) { $0 + $1 * $1 }.squareRoot(), 1e-12)
  return vector.map { $0 / length }
}
