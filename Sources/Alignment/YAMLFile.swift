import Foundation
import Yams

/// The text of a YAML file.
///
/// - Throws: ``AlignmentError/recipe(file:reason:)``.
func readYAML(_ file: URL) throws -> String {
  let data: Data
  do {
    data = try readFile(file)
  } catch {
    throw AlignmentError.recipe(file: file.path, reason: "cannot be read: \(error)")
  }
  guard let text = String(bytes: data, encoding: .utf8) else {
    throw AlignmentError.recipe(file: file.path, reason: "is not UTF-8")
  }
  return text
}

/// Decodes YAML whose top level is a mapping with no other keys than `keys`.
///
/// - Throws: ``AlignmentError/recipe(file:reason:)`` that names the line or key.
func decodeYAML<Value: Decodable>(_ type: Value.Type, text: String, name: String, keys: [String]) throws -> Value {
  func failure(_ reason: String) -> AlignmentError { .recipe(file: name, reason: reason) }
  let node: Node?
  do {
    node = try Yams.compose(yaml: text)
  } catch {
    throw failure("not valid YAML: \("\(error)".split(separator: "\n").joined(separator: " "))")
  }
  guard let node else { throw failure("the file is empty") }
  guard let mapping = node.mapping else { throw failure("a list of keys and values is needed") }
  var seen: Set<String> = []
  for (keyNode, _) in mapping {
    guard let key = keyNode.string else { throw failure("a key is not text") }
    let line = keyNode.mark.map { "line \($0.line): " } ?? ""
    guard keys.contains(key) else {
      throw failure("\(line)unknown key '\(key)'\(suggestion(for: key, among: keys))")
    }
    guard seen.insert(key).inserted else { throw failure("\(line)'\(key)' stands twice") }
  }
  return try decodeYAML(type, from: node, name: name)
}

/// Decodes a YAML node.
///
/// - Throws: ``AlignmentError/recipe(file:reason:)`` that names the key.
func decodeYAML<Value: Decodable>(_ type: Value.Type, from node: Node, name: String) throws -> Value {
  do {
    return try YAMLDecoder().decode(type, from: node)
  } catch let error as DecodingError {
    throw AlignmentError.recipe(file: name, reason: describe(error))
  }
}

private func describe(_ error: DecodingError) -> String {
  let (context, problem): (DecodingError.Context, String) =
    switch error {
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      (context, "needs \(kind(of: type))")
    case .keyNotFound(let key, let context): (context, "lacks '\(key.stringValue)'")
    case .dataCorrupted(let context): (context, context.debugDescription)
    @unknown default: (.init(codingPath: [], debugDescription: ""), "cannot be read")
    }
  let key = context.codingPath.map(\.stringValue).joined(separator: ".")
  return key.isEmpty ? problem : "'\(key)' \(problem)"
}

private func kind(of type: any Any.Type) -> String {
  switch type {
  case is Int.Type, is UInt64.Type, is UInt.Type: "a whole number"
  case is Double.Type, is Float.Type: "a number"
  case is String.Type: "text"
  default: "another kind of value"
  }
}

/// A choice by name, with an error that lists the names.
func decodeChoice<Choice: RawRepresentable & CaseIterable, Key: CodingKey>(
  _ values: KeyedDecodingContainer<Key>, _ key: Key, _ choice: inout Choice
) throws where Choice.RawValue == String {
  guard let name = try values.decodeIfPresent(String.self, forKey: key) else { return }
  guard let value = Choice(rawValue: name) else {
    throw DecodingError.dataCorruptedError(
      forKey: key, in: values,
      debugDescription: "is '\(name)', not one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
  }
  choice = value
}

/// ", did you mean 'steps'?" for the nearest known key, or all keys where none is near.
func suggestion(for key: String, among keys: [String]) -> String {
  if let nearest = closestName(to: key, among: keys) { return ", did you mean '\(nearest)'?" }
  return "; known keys: \(keys.joined(separator: ", "))"
}
