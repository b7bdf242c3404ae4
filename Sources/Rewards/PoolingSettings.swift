import Checkpoints
import Foundation

/// What the files of sentence-transformers say about the way from a text's tokens to its embedding.
struct PoolingSettings: Equatable {
  /// The most tokens that a text keeps, those around it included; nil where the files leave it to the model.
  var tokenLimit: Int?
  /// Whether embeddings are scaled to length 1.
  var isNormalized = false
  /// The folder of the encoder and its tokenizer: empty, or `0_Transformer` in models of 2020.
  var encoderFolder = ""
  /// What stands before each text.
  var prompt = ""
  /// Whether the mean is taken over the prompt's tokens, too.
  var includesPrompt = true
  /// How many numbers an embedding keeps, the first ones; nil where it keeps all.
  var dimension: Int?

  /// Reads `modules.json` and what it points to. A folder without it is taken as a bare encoder, as
  /// sentence-transformers does: the mean of the tokens, not normalised.
  ///
  /// - Throws: `CheckpointError` for files that are malformed, or ask for anything but the mean over the tokens.
  init(source: ModelSource) throws {
    if try source.file("modules.json") != nil { try readModules(source) }
    if try source.file(promptFile) != nil { try readPrompts(source) }
    let source = source.part(encoderFolder)
    if try source.file(encoderFile) != nil {
      let encoder = try source.decodeJSON(EncoderFile.self, from: encoderFile)
      if encoder.lowersCase == true {
        throw unsupported(source, encoderFile, "do_lower_case is true")
      }
      tokenLimit = encoder.tokenLimit
    }
    if tokenLimit == nil, try source.file(tokenizerFile) != nil {
      let tokenizer = try source.decodeJSON(TokenizerFile.self, from: tokenizerFile)
      // Tokenizers without a limit carry the number 1e30.
      tokenLimit = tokenizer.tokenLimit.flatMap { Int(exactly: $0.rounded()) }
    }
    if let tokenLimit, tokenLimit < 2 {
      throw CheckpointError.malformed(
        file: source.path(of: encoderFile), offset: nil,
        reason: "the limit of \(tokenLimit) tokens leaves no room for a text")
    }
  }

  private mutating func readPrompts(_ source: ModelSource) throws {
    let settings = try source.decodeJSON(PromptFile.self, from: promptFile)
    func malformed(_ reason: String) -> CheckpointError {
      .malformed(file: source.path(of: promptFile), offset: nil, reason: reason)
    }
    if let name = settings.defaultName {
      guard let found = settings.prompts?[name] else {
        throw malformed("default_prompt_name is \(name.debugDescription), and prompts has no such name")
      }
      prompt = found ?? ""
    }
    if let size = settings.dimension, size < 1 { throw malformed("truncate_dim is \(size)") }
    dimension = settings.dimension
  }

  private mutating func readModules(_ source: ModelSource) throws {
    let file = "modules.json"
    let modules = try source.decodeJSON([Module].self, from: file)
    let kinds = modules.map { $0.type.split(separator: ".").last.map(String.init) ?? "" }
    for kind in kinds where !["Transformer", "Pooling", "Normalize"].contains(kind) {
      throw unsupported(source, file, "the module \(kind.debugDescription) is not supported")
    }
    guard kinds == ["Transformer", "Pooling"] || kinds == ["Transformer", "Pooling", "Normalize"] else {
      throw unsupported(source, file, "the modules come as \(kinds.joined(separator: ", "))")
    }
    encoderFolder = modules[0].path
    guard encoderFolder.split(separator: "/", omittingEmptySubsequences: false).allSatisfy({ $0 != ".." }),
      !encoderFolder.hasPrefix("/")
    else {
      throw unsupported(source, file, "the encoder is in the folder \(encoderFolder.debugDescription)")
    }
    isNormalized = kinds.count == 3
    let poolingFile = modules[1].path.isEmpty ? "config.json" : modules[1].path + "/config.json"
    let pooling = try source.decodeJSON(PoolingFile.self, from: poolingFile)
    includesPrompt = pooling.includesPrompt
    let modes = pooling.modes
    guard modes == ["mean"] else {
      throw unsupported(source, poolingFile, "the pooling mode is \(modes.joined(separator: " + ").debugDescription)")
    }
  }
}

private let encoderFile = "sentence_bert_config.json"
private let tokenizerFile = "tokenizer_config.json"
private let promptFile = "config_sentence_transformers.json"

private func unsupported(_ source: ModelSource, _ file: String, _ reason: String) -> CheckpointError {
  CheckpointError.unsupported(
    file: source.path(of: file), reason: reason,
    hint: "use a model like all-MiniLM-L6-v2: a BERT encoder, the mean of its tokens, normalised")
}

/// An entry of `modules.json`.
private struct Module: Decodable {
  var path: String
  var type: String
}

/// `sentence_bert_config.json`.
private struct EncoderFile: Decodable {
  var tokenLimit: Int?
  var lowersCase: Bool?

  private enum CodingKeys: String, CodingKey {
    case tokenLimit = "max_seq_length"
    case lowersCase = "do_lower_case"
  }
}

/// The part of `config_sentence_transformers.json` that changes embeddings.
private struct PromptFile: Decodable {
  var prompts: [String: String?]?
  var defaultName: String?
  var dimension: Int?

  private enum CodingKeys: String, CodingKey {
    case prompts
    case defaultName = "default_prompt_name"
    case dimension = "truncate_dim"
  }
}

/// The part of `tokenizer_config.json` that limits a text.
private struct TokenizerFile: Decodable {
  var tokenLimit: Double?

  private enum CodingKeys: String, CodingKey {
    case tokenLimit = "model_max_length"
  }
}

/// `1_Pooling/config.json`: a flag for each mode up to version 5 of sentence-transformers, their names since.
private struct PoolingFile: Decodable {
  var modes: [String]
  var includesPrompt: Bool

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    includesPrompt = try values.decodeIfPresent(Bool.self, forKey: Key(stringValue: "include_prompt")) ?? true
    let named = Key(stringValue: "pooling_mode")
    if values.contains(named) {
      modes = try (try? values.decode([String].self, forKey: named)) ?? [values.decode(String.self, forKey: named)]
      return
    }
    modes = []
    let prefix = "pooling_mode_"
    for key in values.allKeys.sorted(by: { $0.stringValue < $1.stringValue }) where key.stringValue.hasPrefix(prefix) {
      guard try values.decode(Bool.self, forKey: key) else { continue }
      let mode = String(key.stringValue.dropFirst(prefix.count))
      modes.append(mode == "mean_tokens" ? "mean" : mode)
    }
  }

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}
