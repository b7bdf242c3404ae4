public import Foundation

/// The template that a model's conversations are written by, in the part of Jinja's language that such templates use.
///
/// It is rendered as transformers does it: Jinja's sandbox with `trim_blocks` and `lstrip_blocks`, `break` and `continue`, `tojson`
/// that leaves letters as they are, `raise_exception`, `strftime_now`, and `{% generation %}` without effect. What is not
/// supported (`include`, `extends`, `call`, recursive loops, …) is refused by name. A template comes from outside: its size, nesting,
/// computing time and output are bounded.
public struct ChatTemplate: Sendable {
  private let statements: [Statement]

  /// The longest template, in bytes: 1 MiB.
  public static let longestSource = 1 << 20

  /// Reads a template.
  ///
  /// - Throws: ``ChatTemplateError`` that names the line, for what is no template or not supported.
  public init(source: String) throws {
    guard source.utf8.count <= Self.longestSource else {
      throw ChatTemplateError(
        line: 1, "it has \(source.utf8.count) bytes, more than the \(Self.longestSource) that are read")
    }
    statements = try Parser.statements(of: source)
  }

  /// The text of a conversation.
  ///
  /// - Parameters:
  ///   - messages: the turns so far.
  ///   - addGenerationPrompt: whether the beginning of the assistant's next turn is to follow.
  ///   - bosToken: the text of the model's beginning-of-text token.
  ///   - eosToken: the text of its end-of-text token.
  ///   - date: what `strftime_now` tells, in Greenwich time; nil, and there is no such function: templates that have a date of their
  ///     own for that case then write the same text every day.
  /// - Throws: ``ChatTemplateError`` where the template refuses the conversation or cannot be rendered.
  public func render(
    messages: [ChatMessage], addGenerationPrompt: Bool, bosToken: String, eosToken: String, date: Date? = nil
  ) throws -> String {
    let size = messages.reduce(0) { $0 + $1.role.utf8.count + $1.content.utf8.count }
    do {
      let turns = try messages.map { message in
        try Value.dictionary(of: [
          (.string("role"), .string(message.role)), (.string("content"), .string(message.content)),
        ])
      }
      return try render(
        [
          "messages": .list(of: turns), "add_generation_prompt": .bool(addGenerationPrompt),
          "bos_token": .string(bosToken), "eos_token": .string(eosToken), "tools": .none, "documents": .none,
        ], inputSize: size, date: date)
    } catch let problem as TemplateProblem {
      throw ChatTemplateError(line: 1, problem.reason)
    }
  }

  /// The text with any names given.
  func render(_ names: [String: Value], inputSize: Int, date: Date?) throws -> String {
    // Ordinary conversations take a thousandth of this, and a few times the bytes of their messages.
    let budget = (1 << 22) + 64 * inputSize
    return try Interpreter(names: names, budget: budget, date: date.map(TemplateDate.init)).run(statements)
  }
}
