package import JSON

/// A step that was not applied since a number of it was not finite: a line of `skipped_steps.jsonl`.
public struct SkippedStep: Codable, Sendable, Equatable {
  /// The step, counted from 1.
  public var step: Int
  /// What was not finite, and the story where it was seen first.
  public var reason: String

  /// A skipped step.
  public init(step: Int, reason: String) {
    self.step = step
    self.reason = reason
  }

  /// Appends the step as one object.
  func write(to writer: inout JSONWriter) {
    writer.raw("{")
    writer.key("step", first: true)
    writer.integer(step)
    writer.key("reason")
    writer.string(reason)
    writer.raw("}")
  }

  /// Reads one object; every key must be there.
  package init(_ scanner: inout JSONScanner) throws {
    let value = try JSONValue(&scanner)
    guard let step = value["step"]?.integerValue, let reason = value["reason"]?.stringValue else {
      throw scanner.problem("a key of the skipped step is missing")
    }
    self.init(step: step, reason: reason)
  }
}
