extension Interpreter {
  /// A filter of something with elements.
  func listFilter(_ name: String, _ value: Value, _ arguments: FilterArguments) throws -> Value {
    switch name {
    case "first":
      return try elements(of: value).first ?? .undefined("the first element")
    case "last":
      return try elements(of: value).last ?? .undefined("the last element")
    case "list":
      return try .list(of: elements(of: value))
    case "reverse":
      if case .string(let text) = value {
        try charge(text.utf8.count)
        return .string(String(String.UnicodeScalarView(text.unicodeScalars.reversed())))
      }
      return try .list(of: elements(of: value).reversed(), .generator)
    case "join": return .string(try joined(value, arguments))
    case "items":
      if case .undefined = value { return try .list(of: [], .generator) }
      guard case .dictionary(let dictionary) = value else { throw TemplateProblem("items needs a dictionary") }
      return try .list(of: pairs(dictionary.entries), .generator)
    case "dictsort":
      guard case .dictionary(let dictionary) = value, arguments.count == 0 else {
        throw TemplateProblem("dictsort needs a dictionary, and arguments for it are not supported")
      }
      let sorted = try sorted(dictionary.entries.map { ($0.key, $0.value) }, isReversed: false)
      return try .list(of: pairs(sorted.map { (key: $0.0, value: $0.1) }))
    case "sort":
      let attribute = try arguments.optionalText(2, "attribute")
      guard arguments.value(1, "case_sensitive") == nil else {
        throw TemplateProblem("case_sensitive is not supported")
      }
      let items = try elements(of: value)
      let keyed = try items.map { item in (try attribute.map { try member($0, of: item) } ?? item, item) }
      return try .list(of: sorted(keyed, isReversed: arguments.flag(0, "reverse")).map(\.1))
    case "unique":
      var seen: [Value] = []
      var result: [Value] = []
      for item in try elements(of: value) {
        let key = folded(item)
        guard try !seen.contains(where: { try isEqual($0, key) }) else { continue }
        seen.append(key)
        result.append(item)
      }
      return try .list(of: result, .generator)
    case "min", "max":
      let items = try elements(of: value).map { (folded($0), $0) }
      guard var best = items.first else { return .undefined("the \(name) of nothing") }
      for item in items.dropFirst() where try name == "min" ? isLess(item.0, best.0) : isLess(best.0, item.0) {
        best = item
      }
      return best.1
    case "sum":
      var total = Value.integer(0)
      for item in try elements(of: value) {
        guard let a = total.number, let b = item.number else {
          throw TemplateProblem("\(item.kind) cannot be added up")
        }
        if case .integer(let a) = a, case .integer(let b) = b {
          let (sum, isTooLarge) = a.addingReportingOverflow(b)
          guard !isTooLarge else { throw TemplateProblem("a number grows too large") }
          total = .integer(sum)
        } else {
          total = .double(a.double + b.double)
        }
      }
      return total
    case "map", "select", "reject", "selectattr", "rejectattr": return try chosen(name, value, arguments)
    default: throw TemplateProblem("the filter '\(excerpt(name))' is not supported")
    }
  }

  private func pairs(_ entries: [(key: Value, value: Value)]) throws -> [Value] {
    try entries.map { try .list(of: [$0.key, $0.value], .tuple) }
  }

  /// `value.a.b`, or an item where a part is a number.
  private func member(_ path: String, of value: Value, default otherwise: Value? = nil) throws -> Value {
    try path.split(separator: ".", omittingEmptySubsequences: false).reduce(value) { value, part in
      try charge(1)
      let found = try item(Int(part).map { .integer($0) } ?? .string(String(part)), of: value)
      if case .undefined = found, let otherwise { return otherwise }
      return found
    }
  }

  private func joined(_ value: Value, _ arguments: FilterArguments) throws -> String {
    let separator = try arguments.optionalText(0, "d") ?? ""
    let attribute = try arguments.optionalText(1, "attribute")
    var parts: [String] = []
    for item in try elements(of: value) {
      let part = try attribute.map { try member($0, of: item) } ?? item
      parts.append(try text(of: part))
      try charge(parts[parts.count - 1].utf8.count + separator.utf8.count)
    }
    return parts.joined(separator: separator)
  }

  /// Sorted by their first parts, letters large and small alike; equal ones stay in their order.
  private func sorted(_ items: [(Value, Value)], isReversed: Bool) throws -> [(Value, Value)] {
    try charge(16 * items.count)
    let items = items.map { (folded($0.0), $0.0, $0.1) }
    let sorted = try items.enumerated().sorted { a, b in
      let (first, second) = isReversed ? (b.element.0, a.element.0) : (a.element.0, b.element.0)
      if try isLess(first, second) { return true }
      return try !isLess(second, first) && a.offset < b.offset
    }
    return sorted.map { ($0.element.1, $0.element.2) }
  }

  private func folded(_ value: Value) -> Value {
    if case .string(let text) = value { .string(text.lowercased()) } else { value }
  }

  private func chosen(_ name: String, _ value: Value, _ arguments: FilterArguments) throws -> Value {
    let items = try elements(of: value)
    if name == "map" {
      if let attribute = arguments.value(-1, "attribute") {
        let path = try text(of: attribute)
        let otherwise = arguments.value(-1, "default")
        return try .list(of: items.map { try member(path, of: $0, default: otherwise) }, .generator)
      }
      let inner = try arguments.text(0)
      let rest = arguments.dropFirst
      return try .list(of: items.map { item in try descend { try filter(inner, item, rest) } }, .generator)
    }
    let isByMember = name.hasSuffix("attr")
    let path = isByMember ? try arguments.text(0) : ""
    let rest = isByMember ? arguments.dropFirst : arguments
    let wanted = name.hasPrefix("select")
    return try .list(
      of: items.filter { item in
        let subject = isByMember ? try member(path, of: item) : item
        guard rest.count > 0 else { return subject.isTrue == wanted }
        return try test(rest.text(0), subject, rest.dropFirst.values) == wanted
      }, .generator)
  }
}
