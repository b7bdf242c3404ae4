/// A prompt as a model reads it.
public struct ModelPrompt: Sendable, Equatable {
  /// The text that the model continues: a conversation as the model's chat template writes it, or the prompt itself.
  public var text: String
  /// Its tokens.
  public var ids: [Int]
  /// Whether it is a conversation.
  public var isChat: Bool
  /// The last words of people in it: a conversation without markup and earlier turns, or the prompt itself.
  public var words: String

  /// A prompt of which text and tokens are known.
  public init(text: String, ids: [Int], isChat: Bool = false, words: String? = nil) {
    self.text = text
    self.words = words ?? text
    self.ids = ids
    self.isChat = isChat
  }

  /// What stands before the model's words where people or the reward model read them: the prompt itself, and nothing
  /// before an answer, since a template's markup is no language.
  public var lead: String { isChat ? "" : text }
}
