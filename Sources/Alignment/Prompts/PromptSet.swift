public import ChatTemplates
import Tokenizers
import Transformers

/// The prompts of a run or command, as the user gave them.
public struct PromptSet: Sendable, Equatable {
  /// What one prompt says.
  public enum Content: Sendable, Equatable {
    /// A text to continue or, with a chat template, to answer.
    case text(String)
    /// A conversation to answer.
    case conversation([ChatMessage])
  }

  /// One prompt, and where it came from.
  public struct Prompt: Sendable, Equatable {
    /// What it says.
    public var content: Content
    /// File and line, for errors; nil for a prompt of the command line or recipe.
    public var origin: String?

    /// A prompt.
    public init(_ content: Content, origin: String? = nil) {
      self.content = content
      self.origin = origin
    }
  }

  /// How a model's chat template is used.
  public struct Chat: Sendable, Equatable {
    /// Whether plain texts are put as a user's message; conversations are written by the template in any case.
    public var wrapsTexts: Bool
    /// A system message before each user's message.
    public var system: String?

    /// No template for plain texts, unless told otherwise.
    public init(wrapsTexts: Bool = false, system: String? = nil) {
      self.wrapsTexts = wrapsTexts
      self.system = system
    }
  }

  /// The prompts in the order of the file or command line; some may be the same.
  public var prompts: [Prompt]

  /// Prompts from whatever place.
  public init(_ prompts: [Prompt]) { self.prompts = prompts }

  /// Prompts of the command line or recipe.
  public init(texts: [String]) { prompts = texts.map { Prompt(.text($0)) } }
}

extension TextModel {
  /// Prompts as this model reads them.
  ///
  /// - Parameter newTokens: tokens that must fit into the context after each prompt.
  /// - Throws: ``AlignmentError`` that names the prompt's file and line, where it has one: for an empty prompt, for one that is too
  ///   long, and for a conversation where the model has no chat template or its template refuses it.
  public func read(
    _ set: PromptSet, newTokens: Int, chat: PromptSet.Chat = PromptSet.Chat()
  ) throws -> [ModelPrompt] {
    guard !set.prompts.isEmpty else {
      throw AlignmentError.setting(name: "--prompt", reason: "is missing; give a text to continue")
    }
    var format: ChatFormat?
    return try set.prompts.map { prompt in
      do {
        let messages: [ChatMessage]
        switch prompt.content {
        case .text(let text) where !chat.wrapsTexts:
          return ModelPrompt(text: text, ids: try encode(prompt: text, newTokens: newTokens))
        case .text(let text):
          messages =
            (chat.system.map { [ChatMessage(role: "system", content: $0)] } ?? [])
            + [ChatMessage(role: "user", content: text)]
        case .conversation(let conversation):
          let hasSystem = conversation.first?.role == "system"
          messages =
            (hasSystem ? [] : chat.system.map { [ChatMessage(role: "system", content: $0)] } ?? []) + conversation
        }
        let known = try format ?? ChatFormat(of: self)
        format = known
        let text = try known.render(messages)
        return ModelPrompt(
          text: text, ids: try encode(rendered: text, newTokens: newTokens), isChat: true,
          words: (messages.last { $0.role == "user" } ?? messages.last)?.content)
      } catch let error as AlignmentError {
        guard let origin = prompt.origin else { throw error }
        throw AlignmentError.text(reason: "\(origin): \(error)")
      }
    }
  }

  /// The ids of a conversation that the template has written; it writes the beginning-of-text token itself where there is one.
  private func encode(rendered text: String, newTokens: Int) throws -> [Int] {
    let ids = tokenizer.encode(text, addingSpecialTokens: false)
    guard !ids.isEmpty else { throw AlignmentError.text(reason: "the chat template of '\(name)' makes it empty") }
    guard ids.count + newTokens <= model.contextLength else {
      throw AlignmentError.model(
        name: name,
        reason: "has a context of \(model.contextLength) tokens, too short for a prompt of \(ids.count) "
          + "and \(newTokens) new tokens")
    }
    return ids
  }
}
