import Foundation
import Yams

/// The text of a YAML file, a pipe or standard input.
///
/// - Throws: ``AlignmentError/recipe(file:reason:)``.
func readYAML(_ file: URL) throws -> String {
  let data: Data
  do {
    data = try readFile(file, limit: 4 << 20)
  } catch {
    throw AlignmentError.recipe(file: displayName(file), reason: "cannot be read: \(error)")
  }
  guard let text = String(bytes: data, encoding: .utf8) else {
    throw AlignmentError.recipe(file: displayName(file), reason: "is not UTF-8; \(utf8Advice)")
  }
  return text
}

/// The keys of a YAML file's mapping.
struct YAMLKeys {
  /// All of them.
  var all: [String]
  /// Those whose values are texts or lists of texts, whatever they look like.
  var texts: Set<String>
  /// Those for which `null` means something: no value, where there would be one.
  var nullable: Set<String>
}

/// Decodes YAML whose top level is a mapping with no other keys than `keys`.
///
/// A key without a value is refused, and a number that YAML 1.1 and 1.2 read as different ones.
/// - Throws: ``AlignmentError/recipe(file:reason:)`` that names the line or key.
func decodeYAML<Value: Decodable>(_ type: Value.Type, text: String, name: String, keys: YAMLKeys) throws -> Value {
  func failure(_ reason: String) -> AlignmentError { .recipe(file: name, reason: reason) }
  let node: Node?
  do {
    node = try Yams.compose(yaml: text)
  } catch {
    throw failure("not valid YAML: \("\(error)".split(separator: "\n").joined(separator: " "))")
  }
  guard let node else { throw failure("the file is empty") }
  guard let mapping = node.mapping else { throw failure("a list of keys and values is needed") }
  for (keyNode, value) in mapping {
    guard let key = keyNode.string else { throw failure("a key is not text") }
    let line = keyNode.mark.map { "line \($0.line): " } ?? ""
    guard keys.all.contains(key) else {
      throw failure("\(line)unknown key '\(key)'\(suggestion(for: key, among: keys.all))")
    }
    for (value, isElement) in value.sequence.map({ $0.map { ($0, true) } }) ?? [(value, false)] {
      guard let reason = problem(with: value, isText: keys.texts.contains(key)) else { continue }
      if !isElement, isNull(value), keys.nullable.contains(key), value.scalar?.string != "" { continue }
      throw failure("\(line)'\(key)' \(isElement ? "has an element that " : "")\(reason)")
    }
  }
  return try decodeYAML(type, from: node, name: name)
}

private func isNull(_ node: Node) -> Bool {
  guard let scalar = node.scalar, [.any, .plain].contains(scalar.style) else { return false }
  return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
}

/// What is wrong with a plain value of a key.
private func problem(with node: Node, isText: Bool) -> String? {
  if isNull(node) { return "has no value; give one, in quotes where null is a word, or leave the line out" }
  guard !isText, let scalar = node.scalar, [.any, .plain].contains(scalar.style) else { return nil }
  let number = scalar.string.drop { $0 == "-" || $0 == "+" }
  guard number.first?.isNumber == true, number.allSatisfy({ $0.isHexDigit || "._:+-".contains($0) }) else { return nil }
  if number.contains(":") {
    return "is \(scalar.string), which YAML 1.1 reads as a number to the base 60; write it without colons"
  }
  let digits = number.prefix { $0.isNumber || $0 == "_" }
  if digits.count > 1, digits.first == "0" {
    return
      "is \(scalar.string), which YAML 1.1 reads as octal and YAML 1.2 as decimal; write it without a zero in front"
  }
  return nil
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
  case is Bool.Type: "true or false"
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
