extension Interpreter {
  static let dictionaryMethods: Set<String> = ["items", "keys", "values", "get"]
  static let stringMethods: Set<String> = [
    "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "upper", "lower", "title", "capitalize", "startswith",
    "endswith", "replace", "find", "rfind", "count", "join", "removeprefix", "removesuffix", "isdigit", "isalpha",
    "isspace", "isupper", "islower",
  ]

  /// `dictionary.name(arguments)`.
  func dictionaryMethod(
    _ name: String, _ dictionary: DictionaryValue, _ arguments: FilterArguments
  ) throws -> Value {
    try charge(dictionary.entries.count)
    switch name {
    case "items": return try .list(of: dictionary.entries.map { try .list(of: [$0.key, $0.value], .tuple) })
    case "keys": return try .list(of: dictionary.entries.map(\.key))
    case "values": return try .list(of: dictionary.entries.map(\.value))
    default:
      guard let key = arguments.value(0) else { throw TemplateProblem("get needs a key") }
      return try value(of: key, in: dictionary) ?? arguments.value(1) ?? .none
    }
  }

  /// `text.name(arguments)`.
  func stringMethod(_ name: String, _ text: String, _ arguments: FilterArguments) throws -> Value {
    try charge(1 + text.utf8.count)
    switch name {
    case "strip", "lstrip", "rstrip": return .string(try stripped(name, text, arguments))
    case "split", "rsplit": return try split(text, arguments, fromEnd: name == "rsplit")
    case "splitlines": return try .list(of: lines(text))
    case "upper": return .string(text.unicodeScalars.map(\.properties.uppercaseMapping).joined())
    case "lower": return .string(text.unicodeScalars.map(\.properties.lowercaseMapping).joined())
    case "title": return .string(titled(text))
    case "capitalize":
      let first = text.unicodeScalars.prefix(1).map(\.properties.titlecaseMapping).joined()
      return .string(first + text.unicodeScalars.dropFirst().map(\.properties.lowercaseMapping).joined())
    case "startswith", "endswith":
      let candidates: [Value]
      if case .list(let list)? = arguments.value(0), list.kind == .tuple {
        candidates = list.items
      } else {
        candidates = [.string(try arguments.text(0))]
      }
      return .bool(
        try candidates.contains { candidate in
          guard case .string(let part) = candidate else { throw TemplateProblem("'\(name)' needs strings") }
          return name == "startswith"
            ? text.utf8.starts(with: part.utf8) : text.utf8.reversed().starts(with: part.utf8.reversed())
        })
    case "replace": return .string(try replaced(text, arguments))
    case "find", "rfind":
      let places = occurrences(of: Array(try arguments.text(0).unicodeScalars), in: Array(text.unicodeScalars))
      return .integer((name == "find" ? places.first : places.last) ?? -1)
    case "count":
      let part = try arguments.text(0)
      if part.isEmpty { return .integer(text.unicodeScalars.count + 1) }
      return .integer(try pieces(of: text, at: part, limit: nil).count - 1)
    case "join":
      let parts = try elements(of: arguments.value(0) ?? .none).map { part in
        guard case .string(let part) = part else { throw TemplateProblem("join needs strings") }
        try charge(part.utf8.count + text.utf8.count)
        return part
      }
      return .string(parts.joined(separator: text))
    case "removeprefix", "removesuffix":
      let part = Array(try arguments.text(0).unicodeScalars)
      let scalars = Array(text.unicodeScalars)
      let isThere =
        name == "removeprefix" ? scalars.starts(with: part) : scalars.reversed().starts(with: part.reversed())
      guard isThere else { return .string(text) }
      return .string(
        string(name == "removeprefix" ? scalars.dropFirst(part.count) : scalars.dropLast(part.count)))
    case "isdigit":
      return .bool(isAll(text) { $0.properties.numericType == .decimal || $0.properties.numericType == .digit })
    case "isalpha":
      return .bool(
        isAll(text) {
          [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter].contains(
            $0.properties.generalCategory)
        })
    case "isspace": return .bool(isAll(text) { $0.isPythonSpace })
    case "isupper", "islower":
      let cased = text.unicodeScalars.filter { $0.properties.isUppercase || $0.properties.isLowercase }
      return .bool(!cased.isEmpty && cased.allSatisfy { $0.properties.isUppercase == (name == "isupper") })
    default: throw TemplateProblem("the string method '\(excerpt(name))' is not supported")
    }
  }

  private func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  private func isAll(_ text: String, _ condition: (Unicode.Scalar) -> Bool) -> Bool {
    !text.isEmpty && text.unicodeScalars.allSatisfy(condition)
  }

  private func stripped(_ name: String, _ text: String, _ arguments: FilterArguments) throws -> String {
    let characters = try arguments.optionalText(0, "chars").map { Set($0.unicodeScalars) }
    func isStripped(_ scalar: Unicode.Scalar) -> Bool { characters?.contains(scalar) ?? scalar.isPythonSpace }
    var scalars = text.unicodeScalars[...]
    if name != "rstrip" { scalars = scalars.drop { isStripped($0) } }
    if name != "lstrip" { while let last = scalars.last, isStripped(last) { scalars.removeLast() } }
    return String(scalars)
  }

  /// Letters after letters small, all others large.
  private func titled(_ text: String) -> String {
    var isInside = false
    return text.unicodeScalars.map { scalar in
      defer { isInside = scalar.properties.isCased }
      return isInside ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
    }.joined()
  }

  private func lines(_ text: String) -> [Value] {
    var lines: [Value] = []
    var line = String.UnicodeScalarView()
    var isAfterReturn = false
    var hasLine = false
    for scalar in text.unicodeScalars {
      if scalar == "\n", isAfterReturn {
        isAfterReturn = false
        continue
      }
      isAfterReturn = scalar == "\r"
      switch scalar {
      case "\n", "\r", "\u{0B}", "\u{0C}", "\u{1C}", "\u{1D}", "\u{1E}", "\u{85}", "\u{2028}", "\u{2029}":
        lines.append(.string(String(line)))
        line = String.UnicodeScalarView()
        hasLine = false
      default:
        line.append(scalar)
        hasLine = true
      }
    }
    return hasLine ? lines + [.string(String(line))] : lines
  }

  // MARK: - Parts of strings

  /// Where a part stands in a text; occurrences may overlap.
  private func occurrences(of part: [Unicode.Scalar], in text: [Unicode.Scalar]) -> [Int] {
    guard part.count <= text.count else { return [] }
    return (0...text.count - part.count).filter { text[$0...].starts(with: part) }
  }

  /// The text between the occurrences of a part that is not empty, of which the first `limit` count.
  private func pieces(of text: String, at part: String, limit: Int?) throws -> [String] {
    let bytes = Array(text.utf8)
    let part = Array(part.utf8)
    try charge(bytes.count)
    var pieces: [String] = []
    var start = 0
    var index = 0
    while index + part.count <= bytes.count, limit.map({ pieces.count < $0 }) ?? true {
      if bytes[index] == part[0], bytes[index..<index + part.count].elementsEqual(part) {
        pieces.append(String(decoding: bytes[start..<index], as: UTF8.self))
        index += part.count
        start = index
      } else {
        index += 1
      }
    }
    pieces.append(String(decoding: bytes[start...], as: UTF8.self))
    return pieces
  }

  private func split(_ text: String, _ arguments: FilterArguments, fromEnd: Bool) throws -> Value {
    let most = try arguments.integer(1, "maxsplit")
    let limit = most.flatMap { $0 < 0 ? nil : $0 }
    let separator = try arguments.optionalText(0, "sep")
    if fromEnd, limit != nil {
      // The same from the other end.
      func reversed(_ text: String) -> String { string(text.unicodeScalars.reversed()) }
      let parts = try parts(of: reversed(text), separator.map(reversed), limit)
      return try .list(of: parts.reversed().map { .string(reversed($0)) })
    }
    return try .list(of: parts(of: text, separator, limit).map { .string($0) })
  }

  private func parts(of text: String, _ separator: String?, _ limit: Int?) throws -> [String] {
    if let separator {
      guard !separator.isEmpty else { throw TemplateProblem("split needs a separator that is not empty") }
      return try pieces(of: text, at: separator, limit: limit)
    }
    var parts: [String] = []
    var rest = text.unicodeScalars.drop { $0.isPythonSpace }
    while !rest.isEmpty {
      if let limit, parts.count == limit {
        parts.append(String(rest))
        break
      }
      let word = rest.prefix { !$0.isPythonSpace }
      parts.append(String(word))
      rest = rest[word.endIndex...].drop { $0.isPythonSpace }
    }
    return parts
  }

  private func replaced(_ text: String, _ arguments: FilterArguments) throws -> String {
    let old = try arguments.text(0)
    let new = try arguments.text(1)
    let count = try arguments.integer(2)
    let limit = count.flatMap { $0 < 0 ? nil : $0 }
    if old.isEmpty {
      // Before each character and at the end.
      let scalars = Array(text.unicodeScalars)
      let places = min(limit ?? .max, scalars.count + 1)
      try charge(text.utf8.count + places * new.utf8.count)
      var result = String.UnicodeScalarView()
      for (index, scalar) in scalars.enumerated() {
        if index < places { result.append(contentsOf: new.unicodeScalars) }
        result.append(scalar)
      }
      if places > scalars.count { result.append(contentsOf: new.unicodeScalars) }
      return String(result)
    }
    let pieces = try pieces(of: text, at: old, limit: limit)
    try charge(text.utf8.count + (pieces.count - 1) * new.utf8.count)
    return pieces.joined(separator: new)
  }
}
