import ChatTemplates
import Checkpoints
import Foundation
import Tokenizers

/// A model's way to write conversations: its chat template and the texts of two special tokens.
struct ChatFormat {
  private let template: ChatTemplate
  private let modelName: String
  private let beginningOfText: String
  private let endOfText: String

  /// The format of a model.
  ///
  /// - Throws: ``AlignmentError/model(name:reason:)`` where the model has no template, or none that can be used.
  init(of model: TextModel) throws {
    modelName = model.name
    func failure(_ reason: String) -> AlignmentError { .model(name: model.name, reason: reason) }
    let source: ChatTemplateSource?
    do {
      source = try model.textFiles.chatTemplate()
    } catch let error as TokenizerError {
      throw failure("cannot be used for conversations: \(error)")
    }
    guard let source else {
      throw failure("has no chat template; give plain prompts, without --chat, or take an instruct model")
    }
    do {
      template = try ChatTemplate(source: source.template)
    } catch {
      throw failure("has a chat template that cannot be used: \(error)")
    }
    beginningOfText = source.bosToken ?? ""
    endOfText = source.eosToken ?? ""
  }

  /// The conversation as the model was trained to read it, up to where its answer begins.
  ///
  /// - Parameters:
  ///   - names: what the template is given beside it.
  ///   - date: the time that it is told.
  /// - Throws: ``AlignmentError/text(reason:)`` where the template refuses the conversation.
  func render(_ messages: [ChatMessage], names: [TemplateData.Member], date: Date) throws -> String {
    do {
      return try template.render(
        messages: messages, addGenerationPrompt: true, bosToken: beginningOfText, eosToken: endOfText, names: names,
        date: date)
    } catch {
      throw AlignmentError.text(reason: "the chat template of '\(modelName)' cannot write this conversation: \(error)")
    }
  }
}
