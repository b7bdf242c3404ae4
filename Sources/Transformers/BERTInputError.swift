public import Foundation

/// Why an encoder cannot take a text; texts count from 0.
public enum BERTInputError: Error, Equatable, Sendable {
  /// The text has more tokens than the model has positions.
  case tooLong(text: Int, tokens: Int, limit: Int)
  /// The text holds an id that the vocabulary does not have.
  case unknownID(Int, text: Int, vocabularySize: Int)
}

extension BERTInputError: CustomStringConvertible, LocalizedError {
  /// One line for a person to read.
  public var description: String {
    switch self {
    case .tooLong(let text, let tokens, let limit):
      "text \(text) has \(tokens) tokens and the encoder takes \(limit): cut it"
    case .unknownID(let id, let text, let vocabularySize):
      "text \(text) holds the token id \(id), which is not in 0..<\(vocabularySize): "
        + "check that the tokenizer belongs to the model"
    }
  }

  /// The same line as ``description``.
  public var errorDescription: String? { description }
}
