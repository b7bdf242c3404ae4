public import Foundation

/// Why a tokenizer could not be loaded or trained; the description is one line that says what, where, and what to do.
public enum TokenizerError: Error, Equatable, Sendable {
  /// The file is not JSON; `offset` counts bytes from 0.
  case malformedJSON(file: String, offset: Int, reason: String)
  /// The file's content makes no tokenizer.
  case invalid(file: String, reason: String)
  /// The file asks for something that this program does not do.
  case unsupported(file: String, feature: String)
  /// There is no tokenizer where one was looked for.
  case missingFiles
  /// There is SentencePiece's own file alone.
  case sentencePieceFile
  /// The trainer was asked for the impossible.
  case invalidTraining(reason: String)
}

extension TokenizerError: CustomStringConvertible, LocalizedError {
  /// One line for a person to read.
  public var description: String {
    switch self {
    case .malformedJSON(let file, let offset, let reason):
      "\(file) is not valid JSON at byte \(offset): \(reason); get the file again"
    case .invalid(let file, let reason):
      "\(file) is not a usable tokenizer file: \(reason)"
    case .unsupported(let file, let feature):
      "\(file) needs \(feature), which is not supported; "
        + "use a tokenizer of GPT-2's, Llama's or Qwen 2's kind, or BERT's WordPiece"
    case .missingFiles:
      "no tokenizer found: there is no tokenizer.json, no vocab.json with merges.txt, and no vocab.txt; add one of them"
    case .sentencePieceFile:
      "tokenizer.model is SentencePiece's own file, which is not read, and there is no tokenizer.json; write one with "
        + "transformers: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
    case .invalidTraining(let reason):
      "cannot train a tokenizer: \(reason)"
    }
  }

  /// The same line as ``description``.
  public var errorDescription: String? { description }
}
