public import Foundation

/// The template that a model's conversations are written by, in the part of Jinja's language that such templates use.
///
/// It is rendered as transformers does it: Jinja's sandbox with `trim_blocks` and `lstrip_blocks`, `break` and `continue`, `tojson`
/// that leaves letters as they are, `raise_exception`, `strftime_now`, and `{% generation %}` without effect. What is not
/// supported (`include`, `extends`, recursive loops, …) is refused by name. A template comes from outside: its size, nesting,
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
  ///   - names: more names and what they stand for, such as `tools`; they come before those that every template has.
  ///   - date: what `strftime_now` tells, in Greenwich time; nil, and there is no such function.
  /// - Throws: ``ChatTemplateError`` where the template refuses the conversation or cannot be rendered.
  public func render(
    messages: [ChatMessage], addGenerationPrompt: Bool, bosToken: String, eosToken: String,
    names: [TemplateData.Member] = [], date: Date? = nil
  ) throws -> String {
    let turns = messages.map(\.data)
    let size = (turns + names.map(\.value)).reduce(0) { $0 + $1.size }
    do {
      var values: [String: Value] = [
        "messages": try .list(of: turns.map { try $0.value }), "add_generation_prompt": .bool(addGenerationPrompt),
        "bos_token": .string(bosToken), "eos_token": .string(eosToken), "tools": .none, "documents": .none,
      ]
      for member in names { values[member.key] = try member.value.value }
      return try render(values, inputSize: size, date: date)
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
