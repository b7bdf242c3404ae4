import Tokenizers
public import Transformers

/// What a benchmark measures: a folder's model, the one in the program, or random weights of a well-known shape.
public struct BenchmarkModel {
  /// Shapes by name, with random weights.
  public static let shapeNames = ["tinystories-33m"]

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
    let configuration = GPTNeoConfiguration(
      vocabularySize: 50_257, hiddenSize: 768, layerCount: 4, headCount: 16, contextLength: 2_048, endOfTextID: 50_256)
    let embedded = try TextModel(named: EmbeddedModel.name)
    textModel = TextModel(
      name: name, source: embedded.source, model: try GPTNeo(randomWith: configuration, seed: 1),
      tokenizer: FoldedTokenizer(base: embedded.tokenizer, vocabularySize: configuration.vocabularySize),
      endOfTextID: configuration.endOfTextID)
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
