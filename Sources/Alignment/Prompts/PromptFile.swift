public import Foundation

extension PromptSet {
  /// Prompts of a file.
  public init(file: URL, column: String? = nil) throws {
    self.init(try readDocuments(file).enumerated().map { Prompt(.text($1), origin: "\(file.path), prompt \($0 + 1)") })
  }
}
