import ChatTemplates
import Checkpoints
import Foundation
import Runs

/// A model's way to write conversations: its chat template and the texts of two special tokens.
struct ChatFormat {
  private let template: ChatTemplate
  private let modelName: String
  private let beginningOfText: String
  private let endOfText: String

  /// The format of a model.
  ///
  /// The template is the file `chat_template.jinja` or, in older folders, a text in `tokenizer_config.json`.
  ///
  /// - Throws: ``AlignmentError/model(name:reason:)`` where the model has no template, or none that can be used.
  init(of model: TextModel) throws {
    let name = "tokenizer_config.json"
    modelName = model.name
    func failure(_ reason: String) -> AlignmentError { .model(name: model.name, reason: reason) }
    let data = try model.source.file(name)?.data
    let settings: JSONValue?
    do {
      settings = try data.map { try JSONValue(parsing: [UInt8]($0), name: name) }
    } catch {
      throw failure("cannot be used: \(error)")
    }
    let source: String
    if let file = try model.source.file("chat_template.jinja")?.data {
      guard let text = String(validating: file, as: UTF8.self) else {
        throw failure("has a chat template that is not UTF-8")
      }
      source = text
    } else if let text = settings?["chat_template"].flatMap(Self.defaultTemplate) {
      source = text
    } else {
      throw failure("has no chat template; give plain prompts, without --chat, or an instruct model")
    }
    do {
      template = try ChatTemplate(source: source)
    } catch {
      throw failure("has a chat template that cannot be used: \(error)")
    }
    beginningOfText = settings?["bos_token"].flatMap(Self.tokenText) ?? ""
    endOfText = settings?["eos_token"].flatMap(Self.tokenText) ?? ""
  }

  /// The conversation as the model was trained to read it, up to where its answer begins.
  ///
  /// - Throws: ``AlignmentError/text(reason:)`` where the template refuses the conversation.
  func render(_ messages: [ChatMessage]) throws -> String {
    do {
      return try template.render(
        messages: messages, addGenerationPrompt: true, bosToken: beginningOfText, eosToken: endOfText)
    } catch {
      throw AlignmentError.text(reason: "the chat template of '\(modelName)' cannot write this conversation: \(error)")
    }
  }

  /// Several templates have names; the one for plain conversations is `default`.
  private static func defaultTemplate(_ value: JSONValue) -> String? {
    if let text = value.stringValue { return text }
    guard case .array(let list) = value else { return nil }
    return list.first { $0["name"]?.stringValue == "default" }?["template"]?.stringValue
  }

  /// A special token is a text, or an object with its text.
  private static func tokenText(_ value: JSONValue) -> String? { value.stringValue ?? value["content"]?.stringValue }
}
