public import Foundation

/// What can go wrong between the files and the numbers; each case describes itself in one line.
public enum AlignmentError: Error, Equatable, Sendable, CustomStringConvertible, LocalizedError {
  /// A setting that cannot be: its name and why.
  case setting(name: String, reason: String)
  /// A recipe or configuration file that cannot be read as one.
  case recipe(file: String, reason: String)
  /// A model that is not there or does not fit its use.
  case model(name: String, reason: String)
  /// A text that cannot be used.
  case text(reason: String)
  /// A prompt that leaves no room for what is to follow it.
  case longPrompt(reason: String)
  /// Training went wrong at a step.
  case diverged(step: Int, reason: String)

  /// One line: what, where, what to do.
  public var description: String {
    switch self {
    case .setting(let name, let reason): "\(name) \(reason)"
    case .recipe(let file, let reason): "\(file): \(reason)"
    case .model(let name, let reason): "model '\(name)' \(reason)"
    case .text(let reason), .longPrompt(let reason): reason
    case .diverged(let step, let reason): "step \(step): \(reason)"
    }
  }

  /// The same line as ``description``.
  public var errorDescription: String? { description }

  /// Whether the user asked for something that cannot be, rather than something failing.
  public var isUsageError: Bool {
    switch self {
    case .setting, .recipe: true
    case .model, .text, .longPrompt, .diverged: false
    }
  }
}
