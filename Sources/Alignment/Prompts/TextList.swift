/// One text or several: in a recipe, a text or a list of texts.
public struct TextList: Codable, Sendable, Equatable {
  /// The texts, in order.
  public var texts: [String]

  /// A list of any number of texts.
  public init(_ texts: [String]) { self.texts = texts }

  /// Reads a text or a list of texts.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let text = try? container.decode(String.self) {
      texts = [text]
    } else if let list = try? container.decode([String].self) {
      texts = list
    } else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "needs a text or a list of texts")
    }
  }

  /// Writes a single text as such, anything else as a list.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if texts.count == 1 { try container.encode(texts[0]) } else { try container.encode(texts) }
  }
}
