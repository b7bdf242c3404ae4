public import Foundation

/// Why a chat template cannot be used, or refuses a conversation.
public struct ChatTemplateError: Error, Equatable, Sendable, CustomStringConvertible, LocalizedError {
  /// The line of the template, from 1.
  public let line: Int
  /// What is wrong there.
  public let reason: String

  /// An error at a line.
  init(line: Int, _ reason: String) {
    self.line = line
    self.reason = reason
  }

  /// One line: where and what.
  public var description: String { "line \(line) of the template: \(reason)" }

  /// The same line as ``description``.
  public var errorDescription: String? { description }
}

/// A problem whose line is known further up.
struct TemplateProblem: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}

/// The beginning of a text on one line, for an error.
func excerpt(_ text: String) -> String {
  let line = text.unicodeScalars.prefix(60).map { $0.value < 0x20 || $0.value == 0x7F ? " " : String($0) }.joined()
  return text.unicodeScalars.count > 60 ? line + "…" : line
}
