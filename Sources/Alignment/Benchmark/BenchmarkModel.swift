import Tokenizers
public import Transformers

/// What a benchmark measures: a folder's model, the one in the program, or random weights of a well-known shape.
public struct BenchmarkModel {
  /// Shapes by name, with random weights.
  public static let shapeNames = ["tinystories-33m", "smollm2-135m"]

  /// What the user called it.
  public let name: String
  /// Whether the weights are random.
  public let isRandom: Bool
  let textModel: TextModel

  /// The model of a folder, `tinystories`, or one of ``shapeNames``.
  ///
  /// - Throws: an error that names what is missing or damaged.
  public init(_ name: String) throws {
    self.name = name
    isRandom = Self.shapeNames.contains(name)
    guard isRandom else {
      textModel = try TextModel(named: name)
      return
    }
    let model = try Self.random(name)
    let embedded = try TextModel(named: EmbeddedModel.name)
    textModel = TextModel(
      name: name, source: embedded.source, model: model,
      tokenizer: FoldedTokenizer(base: embedded.tokenizer, vocabularySize: model.vocabularySize),
      stopTokens: model.endOfTextIDs)
  }

  /// Random weights of a shape.
  private static func random(_ shape: String) throws -> any LanguageModel {
    switch shape {
    case "smollm2-135m":
      try Llama(
        randomWith: LlamaConfiguration(
          vocabularySize: 49_152, hiddenSize: 576, intermediateSize: 1_536, layerCount: 30, headCount: 9,
          keyValueHeadCount: 3, contextLength: 8_192, rotaryBase: 100_000, endOfTextID: 2), seed: 1)
    default:
      try GPTNeo(
        randomWith: GPTNeoConfiguration(
          vocabularySize: 50_257, hiddenSize: 768, layerCount: 4, headCount: 16, contextLength: 2_048,
          endOfTextID: 50_256), seed: 1)
    }
  }

  /// The network.
  public var model: any LanguageModel { textModel.model }
}

/// The tokenizer of another model under more ids than it has: gives random weights texts of about the usual length to be rewarded for.
private struct FoldedTokenizer: Tokenizer {
  let base: any Tokenizer
  let vocabularySize: Int

  var endOfTextID: Int? { vocabularySize - 1 }

  func encode(_ text: String) -> [Int] { base.encode(text) }

  func decode(_ ids: [Int]) -> String { base.decode(ids.map { $0 % base.vocabularySize }) }

  func token(for id: Int) -> String? { base.token(for: id % base.vocabularySize) }
}
