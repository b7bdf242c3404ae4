public import ChatTemplates
public import Foundation
import Tokenizers
import Transformers

/// What is done with a prompt that leaves no room for what is to follow it: in the model's context, or in what the reward reads.
public enum LongPromptHandling: String, Codable, Sendable, CaseIterable {
  /// Nothing begins: the prompt is named.
  case refuse
  /// The prompt is left out, and how many were is said.
  case skip
}

/// The prompts of a run or command, as the user gave them.
public struct PromptSet: Sendable, Equatable {
  /// What one prompt says.
  public enum Content: Sendable, Equatable {
    /// A text to continue or, with a chat template, to answer.
    case text(String)
    /// A conversation to answer.
    case conversation([ChatMessage])
  }

  /// Keys of a prompt file's objects whose values a chat template is given.
  static let templateKeys = ["tools", "documents", "chat_template_kwargs"]

  /// One prompt, and where it came from.
  public struct Prompt: Sendable, Equatable {
    /// What it says.
    public var content: Content
    /// What a chat template is given beside the conversation, such as `tools`.
    public var names: [TemplateData.Member]
    /// File and line, for errors; nil for a prompt of the command line or recipe.
    public var origin: String?

    /// A prompt.
    public init(_ content: Content, names: [TemplateData.Member] = [], origin: String? = nil) {
      self.content = content
      self.names = names
      self.origin = origin
    }
  }

  /// How a model's chat template is used.
  public struct Chat: Sendable, Equatable {
    /// Whether plain texts are put as a user's message; conversations are written by the template in any case.
    public var wrapsTexts: Bool
    /// A system message before each user's message.
    public var system: String?
    /// The time that templates are told.
    public var date: Date

    /// No template for plain texts, unless told otherwise.
    public init(wrapsTexts: Bool = false, system: String? = nil, date: Date = Date()) {
      self.wrapsTexts = wrapsTexts
      self.system = system
      self.date = date
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
    try read(set, newTokens: newTokens, chat: chat, long: .refuse) { _ in }.prompts
  }

  /// Prompts as this model reads them, without those that are too long where `long` says so.
  ///
  /// - Parameter check: Refuses further prompts as too long, by ``AlignmentError/longPrompt(reason:)``.
  /// - Returns: The prompts, at least one, and how many were left out.
  /// - Throws: as ``read(_:newTokens:chat:)`` does; and ``AlignmentError`` where all prompts are too long.
  func read(
    _ set: PromptSet, newTokens: Int, chat: PromptSet.Chat, long: LongPromptHandling,
    check: (ModelPrompt) throws -> Void
  ) throws -> (prompts: [ModelPrompt], leftOut: Int) {
    guard !set.prompts.isEmpty else {
      throw AlignmentError.setting(name: "--prompt", reason: "is missing; give a text to continue")
    }
    var format: ChatFormat?
    var prompts: [ModelPrompt] = []
    var firstProblem: AlignmentError?
    for prompt in set.prompts {
      do {
        let read = try read(prompt, newTokens: newTokens, chat: chat, &format)
        try check(read)
        prompts.append(read)
      } catch let error as AlignmentError {
        let place = prompt.origin.map { "\($0): " } ?? ""
        guard case .longPrompt(let reason) = error else {
          throw prompt.origin == nil ? error : AlignmentError.text(reason: "\(place)\(error)")
        }
        let advice =
          set.prompts.count > 1 && long == .refuse
          ? "; shorten it, or leave such prompts out with --long-prompts skip" : ""
        let problem = AlignmentError.longPrompt(reason: place + reason + advice)
        guard long == .skip else { throw problem }
        firstProblem = firstProblem ?? problem
      }
    }
    if let firstProblem, prompts.isEmpty {
      throw AlignmentError.text(reason: "no prompt is short enough: \(firstProblem)")
    }
    return (prompts, set.prompts.count - prompts.count)
  }

  /// One prompt as this model reads it; the chat format is made when it is first needed.
  private func read(
    _ prompt: PromptSet.Prompt, newTokens: Int, chat: PromptSet.Chat, _ format: inout ChatFormat?
  ) throws -> ModelPrompt {
    let messages: [ChatMessage]
    switch prompt.content {
    case .text(let text) where !chat.wrapsTexts:
      if let name = prompt.names.first?.key {
        throw AlignmentError.text(
          reason: "'\(name)' is for chat templates, and this prompt is plain text; give messages, or --chat")
      }
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
    let text = try known.render(messages, names: prompt.names, date: chat.date)
    return ModelPrompt(
      text: text, ids: try encode(rendered: text, newTokens: newTokens), isChat: true,
      words: (messages.last { $0.role == "user" } ?? messages.last)?.content)
  }

  /// The ids of a conversation that the template has written; it writes the beginning-of-text token itself where there is one.
  private func encode(rendered text: String, newTokens: Int) throws -> [Int] {
    let ids = tokenizer.encode(text, addingSpecialTokens: false)
    try requireRows(for: ids)
    guard !ids.isEmpty else { throw AlignmentError.text(reason: "the chat template of '\(name)' makes it empty") }
    try checkRoom(for: newTokens, after: ids)
    return ids
  }
}
