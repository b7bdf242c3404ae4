public import Foundation

/// A model's chat template with the special tokens that templates name, before anything is rendered.
public struct ChatTemplateSource: Sendable, Equatable {
  /// The template, in Jinja's language.
  public var template: String
  /// The spelling of the token that begins a text, `bos_token` of templates.
  public var bosToken: String?
  /// The spelling of the token that ends a text, `eos_token` of templates.
  public var eosToken: String?

  /// A template with its tokens.
  public init(template: String, bosToken: String? = nil, eosToken: String? = nil) {
    self.template = template
    self.bosToken = bosToken
    self.eosToken = eosToken
  }
}

/// Loads the chat template of a model folder: chat_template.jinja, else `chat_template` of tokenizer_config.json.
///
/// Where that is a list of named templates, the one named "default" counts, as in transformers.
///
/// - Parameters:
///   - files: gives the content of a file by its name, `nil` if there is none.
///   - tokenizerFiles: the same of the tokenizer that is used with the template, where it comes from elsewhere.
/// - Returns: `nil` for a model without a template.
/// - Throws: ``TokenizerError``, or what `files` throws.
public func loadChatTemplate(
  files: (String) throws -> Data?, tokenizerFiles: ((String) throws -> Data?)? = nil
) throws -> ChatTemplateSource? {
  let configuration = try tokenizerFiles.map { try TokenizerConfiguration(files: $0) } ?? .init(files: files)
  var template: String?
  if let data = try files("chat_template.jinja") {
    guard let text = String(validating: data, as: UTF8.self) else {
      throw TokenizerError.invalid(file: "chat_template.jinja", reason: "its bytes are not UTF-8")
    }
    template = text
  } else if let data = try files("tokenizer_config.json") {
    template = try chatTemplate(configuration: [UInt8](data), file: "tokenizer_config.json")
  }
  return template.map {
    ChatTemplateSource(
      template: $0, bosToken: configuration.beginningOfText, eosToken: configuration.endOfText)
  }
}

/// The `chat_template` of a tokenizer_config.json: a string, or a list of `{"name": ..., "template": ...}`.
func chatTemplate(configuration: [UInt8], file: String) throws -> String? {
  let reader = try JSONReader(JSONDocument(file: file, bytes: configuration))
  guard case .array = reader.value("chat_template") else { return try reader.string("chat_template") }
  for item in try reader.objects("chat_template") ?? [] where try item.string("name") == "default" {
    return try item.requiredString("template")
  }
  throw reader.invalid("no entry of chat_template has the name \"default\"")
}
