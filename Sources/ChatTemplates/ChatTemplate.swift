/// stub
public struct ChatTemplate: Sendable {
  /// stub
  public init(source: String) throws {}
  /// stub
  public func render(
    messages: [ChatMessage], addGenerationPrompt: Bool, bosToken: String, eosToken: String
  ) throws -> String {
    messages.map { "<\($0.role)>\($0.content)\n" }.joined() + (addGenerationPrompt ? "<assistant>" : "")
  }
}
