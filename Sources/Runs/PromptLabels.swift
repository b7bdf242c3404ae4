import Foundation
package import JSON

/// The words of people in prompts that a chat template wrote: `prompts.jsonl`, a line for each of these prompts.
///
/// The records of a run hold prompts as the model read them, markup and all; a reader looks for the question.
public struct PromptLabels: Sendable, Equatable {
  private var words: [String: String] = [:]

  /// No prompt that a template wrote.
  public init() {}

  /// The words of prompts; those that read as they are need none.
  public init(_ prompts: some Sequence<(prompt: String, words: String)>) {
    for (prompt, text) in prompts where text != prompt { words[prompt] = text }
  }

  /// Whether there is no prompt that a template wrote.
  public var isEmpty: Bool { words.isEmpty }

  /// The last words of people in a conversation; nil for a prompt that reads as it is.
  public func words(of prompt: String) -> String? { words[prompt] }

  /// What a prompt is called: the last words of people in a conversation, or all of a plain prompt.
  public subscript(prompt: String) -> String { words[prompt] ?? prompt }

  /// Reads a line of `prompts.jsonl`; both keys must be there.
  package mutating func add(_ scanner: inout JSONScanner) throws {
    let value = try JSONValue(&scanner)
    guard let prompt = value["prompt"]?.stringValue, let text = value["words"]?.stringValue else {
      throw scanner.problem("a key of the prompt is missing")
    }
    words[prompt] = text
  }

  /// The lines of `prompts.jsonl`, in the order of the prompts' bytes.
  var lines: [UInt8] {
    var writer = JSONWriter(capacity: words.count * 200)
    for (prompt, text) in words.sorted(by: { $0.key < $1.key }) {
      writer.raw("{")
      writer.key("prompt", first: true)
      writer.string(prompt)
      writer.key("words")
      writer.string(text)
      writer.raw("}\n")
    }
    return writer.bytes
  }
}

extension RunReader {
  /// The words of people in the run's prompts; none in runs without a chat template, and in those of older versions.
  ///
  /// - Throws: ``RunError/damaged(path:line:reason:)`` or ``RunError/cannotRead(path:reason:)``.
  public func promptLabels() throws -> PromptLabels {
    var labels = PromptLabels()
    try file(RunFolder.prompts).objects { scanner in
      try labels.add(&scanner)
      return .go
    }
    return labels
  }
}

extension RunWriter {
  /// Writes the words of people in the run's prompts; nothing where no template wrote any.
  ///
  /// - Throws: ``RunError/cannotWrite(path:reason:)``.
  public func write(_ labels: PromptLabels) throws {
    guard !labels.isEmpty else { return }
    try replaceFile(path: folder.appending(path: RunFolder.prompts).path, with: labels.lines)
  }
}
