extension Interpreter {
  /// What `{{ value }}` writes: Python's `str`.
  func text(of value: Value) throws -> String {
    switch value {
    case .undefined: return ""
    case .string(let text): return text
    default:
      var text = ""
      try write(value, to: &text)
      return text
    }
  }

  /// Appends Python's `repr`.
  private func write(_ value: Value, to text: inout String) throws {
    try charge(8)
    switch value {
    case .undefined: text += "Undefined"
    case .none: text += "None"
    case .bool(let value): text += value ? "True" : "False"
    case .integer(let value): text += "\(value)"
    case .double(let value): text += pythonText(value)
    case .string(let string):
      try charge(string.utf8.count)
      text += pythonLiteral(string)
    case .list(let list):
      guard list.kind != .generator else {
        throw TemplateProblem("what is no list yet cannot be written; use the filter list")
      }
      text += list.kind == .tuple ? "(" : "["
      for (index, item) in list.items.enumerated() {
        if index > 0 { text += ", " }
        try write(item, to: &text)
      }
      if list.kind == .tuple { text += list.items.count == 1 ? ",)" : ")" } else { text += "]" }
    case .dictionary(let dictionary):
      text += "{"
      for (index, entry) in dictionary.entries.enumerated() {
        if index > 0 { text += ", " }
        try write(entry.key, to: &text)
        text += ": "
        try write(entry.value, to: &text)
      }
      text += "}"
    case .namespace, .macro, .caller, .function, .method, .loop:
      throw TemplateProblem("\(value.kind) cannot be written")
    }
  }

  /// The value as JSON, as Python's `json.dumps` writes it without escaping what is not ASCII.
  ///
  /// - Parameter indent: blanks of a level, where each element is to stand on its own line.
  func json(_ value: Value, indent: Int?, level: Int = 0, sortsKeys: Bool = false) throws -> String {
    try charge(8)
    func lines(_ parts: [String], _ open: String, _ close: String) throws -> String {
      if parts.isEmpty { return open + close }
      let size = parts.reduce(0) { $0 + $1.utf8.count + 2 }
      guard let indent else {
        try charge(size)
        return open + parts.joined(separator: ", ") + close
      }
      guard (0...1_000).contains(indent) else { throw TemplateProblem("an indent of \(indent)") }
      let margin = indent * (level + 1)
      try charge(size + (parts.count + 1) * (margin + 1))
      let inner = "\n" + String(repeating: " ", count: margin)
      return open + inner + parts.joined(separator: "," + inner) + "\n"
        + String(repeating: " ", count: margin - indent) + close
    }
    switch value {
    case .none: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .integer(let value): return "\(value)"
    case .double(let value):
      if value.isNaN { return "NaN" }
      if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
      return pythonText(value)
    case .string(let text):
      try charge(text.utf8.count)
      return jsonLiteral(text)
    case .list(let list) where list.kind != .generator:
      return try lines(
        list.items.map { try json($0, indent: indent, level: level + 1, sortsKeys: sortsKeys) }, "[", "]")
    case .dictionary(let dictionary):
      var entries = try dictionary.entries.map { (key: try jsonKey($0.key), value: $0.value) }
      if sortsKeys {
        try charge(entries.count * 16)
        entries.sort { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) }
      }
      return try lines(
        entries.map {
          try jsonLiteral($0.key) + ": " + json($0.value, indent: indent, level: level + 1, sortsKeys: sortsKeys)
        }, "{", "}")
    case .undefined, .list, .namespace, .macro, .caller, .function, .method, .loop:
      throw TemplateProblem("\(value.kind) cannot be written as JSON")
    }
  }

  private func jsonKey(_ key: Value) throws -> String {
    switch key {
    case .string(let text): return text
    case .none, .bool, .integer, .double: return try json(key, indent: nil)
    default: throw TemplateProblem("\(key.kind) cannot be a key in JSON")
    }
  }
}

/// A string as JSON has it.
private func jsonLiteral(_ text: String) -> String {
  var result = "\"".unicodeScalars
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result.append(contentsOf: "\\\"".unicodeScalars)
    case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
    case "\n": result.append(contentsOf: "\\n".unicodeScalars)
    case "\r": result.append(contentsOf: "\\r".unicodeScalars)
    case "\t": result.append(contentsOf: "\\t".unicodeScalars)
    case "\u{08}": result.append(contentsOf: "\\b".unicodeScalars)
    case "\u{0C}": result.append(contentsOf: "\\f".unicodeScalars)
    case "\u{00}"..<"\u{20}": result.append(contentsOf: "\\u\(hexadecimal(scalar, digits: 4))".unicodeScalars)
    default: result.append(scalar)
    }
  }
  result.append("\"")
  return String(result)
}

/// A string as Python's `repr` has it.
private func pythonLiteral(_ text: String) -> String {
  let quote: Unicode.Scalar = text.unicodeScalars.contains("'") && !text.unicodeScalars.contains("\"") ? "\"" : "'"
  var result = String.UnicodeScalarView([quote])
  for scalar in text.unicodeScalars {
    switch scalar {
    case quote, "\\":
      result.append("\\")
      result.append(scalar)
    case "\n": result.append(contentsOf: "\\n".unicodeScalars)
    case "\r": result.append(contentsOf: "\\r".unicodeScalars)
    case "\t": result.append(contentsOf: "\\t".unicodeScalars)
    default:
      guard !scalar.isPrintable else {
        result.append(scalar)
        continue
      }
      let escape =
        switch scalar.value {
        case ..<0x100: "\\x\(hexadecimal(scalar, digits: 2))"
        case ..<0x1_0000: "\\u\(hexadecimal(scalar, digits: 4))"
        default: "\\U\(hexadecimal(scalar, digits: 8))"
        }
      result.append(contentsOf: escape.unicodeScalars)
    }
  }
  result.append(quote)
  return String(result)
}

private func hexadecimal(_ scalar: Unicode.Scalar, digits: Int) -> String {
  let text = String(scalar.value, radix: 16)
  return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}

extension Unicode.Scalar {
  /// What Python writes as it is.
  fileprivate var isPrintable: Bool {
    if self == " " { return true }
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator:
      return false
    default: return true
    }
  }
}

/// A number as Python's `repr` has it: the same digits as Swift's, with an exponent below 1e-4 and from 1e16 on.
func pythonText(_ value: Double) -> String {
  guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
  let sign = value.sign == .minus ? "-" : ""
  // The shortest digits, and where the point stands.
  let parts = value.magnitude.description.split(separator: "e")
  let mantissa = parts[0].split(separator: ".")
  var digits = Array((mantissa[0] + (mantissa.count > 1 ? mantissa[1] : "")).utf8)
  var point = mantissa[0].utf8.count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
  while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
  while digits.count > 1, digits.first == UInt8(ascii: "0") {
    digits.removeFirst()
    point -= 1
  }
  func text(_ digits: some Sequence<UInt8>) -> String { String(decoding: Array(digits), as: UTF8.self) }
  if value == 0 { return sign + "0.0" }
  if point > 16 || point < -3 {
    let exponent = point - 1
    let fraction = digits.count > 1 ? "." + text(digits.dropFirst()) : ""
    let size = abs(exponent) < 10 ? "0\(abs(exponent))" : "\(abs(exponent))"
    return sign + text(digits.prefix(1)) + fraction + "e" + (exponent < 0 ? "-" : "+") + size
  }
  if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + text(digits) }
  if digits.count <= point {
    return sign + text(digits) + String(repeating: "0", count: point - digits.count) + ".0"
  }
  return sign + text(digits.prefix(point)) + "." + text(digits.dropFirst(point))
}
