public import Foundation

/// Loads the tokenizer of a model folder.
///
/// tokenizer.json is preferred, then vocab.json with merges.txt (GPT-2), then vocab.txt (BERT, lower case unless
/// tokenizer_config.json says otherwise). What the files beside these say about special and added tokens, and where the class that
/// they name overrides tokenizer.json, is heeded as transformers 5 does.
///
/// - Parameter files: gives the content of a file by its name, `nil` if there is none.
/// - Throws: ``TokenizerError``, or what `files` throws.
public func loadTokenizer(files: (String) throws -> Data?) throws -> any Tokenizer {
  let configuration = try TokenizerConfiguration(files: files)
  if let data = try files("tokenizer.json") {
    let file = try TokenizerFile([UInt8](data), file: "tokenizer.json")
    switch try file.modelType() {
    case "BPE":
      return try file.isSentencePiece() ? SentencePieceBPE(file, configuration) : ByteLevelBPE(file, configuration)
    case "WordPiece": return try WordPiece(file, configuration)
    case let other: throw file.root.unsupported("the model \(jsonQuoted(other))")
    }
  }
  if let vocabulary = try files("vocab.json") {
    guard let merges = try files("merges.txt") else {
      throw TokenizerError.invalid(file: "vocab.json", reason: "merges.txt is missing beside it")
    }
    return try ByteLevelBPE(vocabulary: [UInt8](vocabulary), merges: [UInt8](merges), configuration)
  }
  if let vocabulary = try files("vocab.txt") {
    return try WordPiece(vocabulary: [UInt8](vocabulary), configuration)
  }
  throw try files("tokenizer.model") == nil ? TokenizerError.missingFiles : .sentencePieceFile
}
