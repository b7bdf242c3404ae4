import Checkpoints
import Foundation
import TestSupport
import Testing
import Transformers

/// A change of a golden `config.json` that must be refused.
struct Damage: Sendable, CustomTestStringConvertible {
  /// A key's JSON in place of the golden one; nil removes the key.
  var changes: [String: String?]
  /// What the message must contain.
  var expected: String

  init(_ changes: [String: String?], _ expected: String) {
    self.changes = changes
    self.expected = expected
  }

  var testDescription: String { "\(changes)" }

  /// What no size may be: nothing, less, more than any model has, or no whole number.
  static func sizes(_ keys: String...) -> [Damage] {
    keys.flatMap { key in
      ["0", "-1", "-9223372036854775808", "9223372036854775807", "\"8\"", "[8]", "true"].map { Damage([key: $0], key) }
        // A decoder of JSON does not say where a number went wrong.
        + ["8.5", "1e30"].map { Damage([key: $0], "config.json") }
    }
  }
}

/// Calls `body` with the model of `source` with another `config.json`.
func withModel<Result>(
  _ source: ModelSource, configuration: Data, _ body: (ModelSource) throws -> Result
) throws -> Result {
  try withTemporaryFolder { folder in
    let weights = try #require(try source.file("model.safetensors"))
    try weights.data.write(to: folder.appending(path: "model.safetensors"))
    try configuration.write(to: folder.appending(path: "config.json"))
    return try body(.folder(folder))
  }
}

/// The `config.json` of `source` with keys replaced or removed.
func configuration(of source: ModelSource, _ changes: [String: String?]) throws -> Data {
  let golden = try #require(try source.file("config.json")).data
  var keys = try #require(try JSONSerialization.jsonObject(with: golden) as? [String: Any])
  var text = ""
  for (key, value) in changes {
    keys[key] = nil
    if let value { text += ", \"\(key)\": \(value)" }
  }
  let rest = try JSONSerialization.data(withJSONObject: keys)
  return rest.dropLast() + Data((text + "}").utf8)
}

func isOneLine(_ text: String) -> Bool { !text.isEmpty && !text.contains { $0.isNewline } }

/// Fails unless the model with this `config.json` is refused in one line that contains `expected`.
func expectError(
  _ source: ModelSource, configuration: Data, _ expected: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  try withModel(source, configuration: configuration) { source in
    do {
      _ = try loadLanguageModel(source)
      Issue.record("it was loaded", sourceLocation: sourceLocation)
    } catch let error as CheckpointError {
      #expect(isOneLine(error.description), "\(error)", sourceLocation: sourceLocation)
      #expect(error.description.contains(expected), "\(error)", sourceLocation: sourceLocation)
    }
  }
}
