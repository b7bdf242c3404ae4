extension Interpreter {
  /// `value | name(arguments)`.
  func filter(_ name: String, _ value: Value, _ arguments: FilterArguments) throws -> Value {
    switch name {
    case "default", "d":
      if case .undefined = value { return arguments.value(0, "default_value") ?? .string("") }
      return arguments.flag(1, "boolean") && !value.isTrue ? arguments.value(0, "default_value") ?? .string("") : value
    case "safe", "string": return .string(try text(of: value))
    case "tojson":
      guard arguments.value(0, "ensure_ascii")?.isTrue != true, arguments.value(2, "separators") == nil else {
        throw TemplateProblem("these arguments of tojson are not supported")
      }
      return .string(
        try json(value, indent: arguments.integer(1, "indent"), sortsKeys: arguments.flag(3, "sort_keys")))
    case "int": return try whole(value, arguments)
    case "float": return try double(value, arguments)
    case "abs":
      switch value.number {
      case .integer(let number)? where number != .min: return .integer(abs(number))
      case .double(let number)?: return .double(abs(number))
      default: throw TemplateProblem("\(value.kind) has no absolute value")
      }
    case "trim", "upper", "lower", "title", "capitalize", "replace", "indent":
      return try textFilter(name, try text(of: value), arguments)
    case "length", "count": return .integer(try count(of: value))
    default: return try listFilter(name, value, arguments)
    }
  }

  private func count(of value: Value) throws -> Int {
    switch value {
    case .undefined: return 0
    case .string(let text):
      try charge(text.utf8.count)
      return text.unicodeScalars.count
    case .list(let list) where list.kind != .generator: return list.items.count
    case .dictionary(let dictionary): return dictionary.entries.count
    default: throw TemplateProblem("\(value.kind) has no length")
    }
  }

  private func textFilter(_ name: String, _ text: String, _ arguments: FilterArguments) throws -> Value {
    switch name {
    case "trim": return try stringMethod("strip", text, arguments)
    case "title": return .string(try titled(text))
    case "replace":
      return try stringMethod(
        "replace", text,
        FilterArguments(
          name, [arguments.value(0, "old"), arguments.value(1, "new"), arguments.value(2, "count")].compactMap(\.self),
          []
        ))
    case "indent": return .string(try indented(text, arguments))
    default: return try stringMethod(name, text, arguments)
    }
  }

  /// The first letter of each word large and all others small; words end at blanks, hyphens and opening brackets.
  private func titled(_ text: String) throws -> String {
    try charge(text.utf8.count)
    var result = ""
    var isFirst = true
    for scalar in text.unicodeScalars {
      if scalar.isPythonSpace || ["-", "(", "{", "[", "<"].contains(scalar) {
        result.unicodeScalars.append(scalar)
        isFirst = true
      } else {
        result += isFirst ? scalar.properties.uppercaseMapping : scalar.properties.lowercaseMapping
        isFirst = false
      }
    }
    return result
  }

  private func indented(_ text: String, _ arguments: FilterArguments) throws -> String {
    var margin = String(repeating: " ", count: 4)
    if case .string(let text)? = arguments.value(0, "width") {
      margin = text
    } else if let width = try arguments.integer(0, "width") {
      guard (0...1_000).contains(width) else { throw TemplateProblem("an indent of \(width)") }
      margin = String(repeating: " ", count: width)
    }
    let indentsBlank = arguments.flag(2, "blank")
    let lines = Self.lines(of: text)
    try charge(text.utf8.count + lines.count * margin.utf8.count)
    let rest = lines.dropFirst().map { $0.isEmpty && !indentsBlank ? "\n" : "\n" + margin + $0 }
    return (arguments.flag(1, "first") ? margin : "") + (lines.first ?? "") + rest.joined()
  }

  private static func lines(of text: String) -> [String] {
    text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
  }

  // MARK: - Numbers

  private func whole(_ value: Value, _ arguments: FilterArguments) throws -> Value {
    let otherwise = arguments.value(0, "default") ?? .integer(0)
    switch value {
    case .string(let text):
      let trimmed = try stringMethod("strip", text, FilterArguments("int", [], []))
      guard case .string(let text) = trimmed else { return otherwise }
      let digits = text.hasPrefix("+") ? String(text.dropFirst()) : text
      if let number = Int(digits) { return .integer(number) }
      return Double(text).flatMap { Int(exactly: $0.rounded(.towardZero)) }.map { .integer($0) } ?? otherwise
    default:
      switch value.number {
      case .integer(let number)?: return .integer(number)
      case .double(let number)?:
        return Int(exactly: number.rounded(.towardZero)).map { .integer($0) } ?? otherwise
      case nil: return otherwise
      }
    }
  }

  private func double(_ value: Value, _ arguments: FilterArguments) throws -> Value {
    let otherwise = arguments.value(0, "default") ?? .double(0)
    if let number = value.number { return .double(number.double) }
    guard case .string(let text) = value,
      case .string(let trimmed) = try stringMethod("strip", text, FilterArguments("float", [], []))
    else { return otherwise }
    return Double(trimmed).map { .double($0) } ?? otherwise
  }
}
