/// Reads the tokens of one tag.
struct TokenCursor {
  /// The line of the tag, or of the last token read.
  private(set) var line: Int
  let tokens: [LocatedToken]
  var index = 0
  private var depth: Int

  init(_ tokens: [LocatedToken], line: Int, depth: Int) {
    self.tokens = tokens
    self.line = line
    self.depth = depth
  }

  // MARK: - Tokens

  var current: Token? { index < tokens.count ? tokens[index].token : nil }

  var isAtEnd: Bool { index >= tokens.count }

  mutating func next() -> Token? {
    guard index < tokens.count else { return nil }
    line = tokens[index].line
    index += 1
    return tokens[index - 1].token
  }

  func failure(_ reason: String) -> ChatTemplateError { ChatTemplateError(line: line, reason) }

  func unexpected() -> ChatTemplateError {
    switch current {
    case nil: failure("the tag ends too early")
    case .name(let name): failure("unexpected '\(excerpt(name))'")
    case .symbol(let symbol): failure("unexpected '\(symbol)'")
    case .string, .integer, .double: failure("unexpected literal")
    }
  }

  mutating func skip(_ symbol: String) -> Bool {
    guard current == .symbol(symbol) else { return false }
    _ = next()
    return true
  }

  mutating func skip(name: String) -> Bool {
    guard current == .name(name) else { return false }
    _ = next()
    return true
  }

  mutating func expect(_ symbol: String) throws { guard skip(symbol) else { throw unexpected() } }

  mutating func expect(name: String) throws { guard skip(name: name) else { throw unexpected() } }

  mutating func expectEnd(allowingName name: String? = nil) throws {
    if let name { _ = skip(name: name) }
    guard isAtEnd else { throw unexpected() }
  }

  mutating func name() throws -> String {
    guard case .name(let name) = current else { throw unexpected() }
    _ = next()
    return name
  }

  mutating func nested<Result>(_ body: (inout TokenCursor) throws -> Result) throws -> Result {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Parser.deepest else { throw failure("expressions are nested too deeply") }
    return try body(&self)
  }

  // MARK: - Targets

  mutating func target(takesMembers: Bool) throws -> Target {
    var targets: [Target] = []
    repeat {
      if !targets.isEmpty, isAtEnd || current == .symbol("=") || current == .name("in") { break }
      targets.append(try singleTarget(takesMembers))
    } while skip(",")
    return targets.count == 1 ? targets[0] : .tuple(targets)
  }

  private mutating func singleTarget(_ takesMembers: Bool) throws -> Target {
    if skip("(") {
      let inner = try nested { try $0.target(takesMembers: takesMembers) }
      try expect(")")
      return inner
    }
    let name = try name()
    guard takesMembers, skip(".") else { return .name(name) }
    return .member(namespace: name, name: try self.name())
  }

  // MARK: - Expressions

  /// An expression or, where commas follow, a tuple of them.
  mutating func tuple(takesConditional: Bool = true) throws -> Expression {
    var elements = [try expression(takesConditional: takesConditional)]
    guard current == .symbol(",") else { return elements[0] }
    while skip(",") {
      guard startsExpression else { break }
      elements.append(try expression(takesConditional: takesConditional))
    }
    return .list(elements, isTuple: true)
  }

  private var startsExpression: Bool {
    switch current {
    case nil: false
    case .symbol(let symbol): ["(", "[", "{", "-", "+"].contains(symbol)
    case .name(let name): name != "in" && name != "if" && name != "recursive"
    case .string, .integer, .double: true
    }
  }

  /// One expression, with `a if b else c` unless it may not have that.
  mutating func expression(takesConditional: Bool = true) throws -> Expression {
    try nested { cursor in
      var result = try cursor.disjunction()
      guard takesConditional else { return result }
      while cursor.skip(name: "if") {
        let condition = try cursor.disjunction()
        let otherwise = cursor.skip(name: "else") ? try cursor.expression() : nil
        result = .conditional(result, condition: condition, otherwise: otherwise)
        if otherwise != nil { break }
      }
      return result
    }
  }

  private mutating func disjunction() throws -> Expression {
    var terms = [try conjunction()]
    while skip(name: "or") { terms.append(try conjunction()) }
    return terms.count == 1 ? terms[0] : .any(terms)
  }

  private mutating func conjunction() throws -> Expression {
    var terms = [try negation()]
    while skip(name: "and") { terms.append(try negation()) }
    return terms.count == 1 ? terms[0] : .all(terms)
  }

  private mutating func negation() throws -> Expression {
    guard skip(name: "not") else { return try comparison() }
    return .unary(.not, try nested { try $0.negation() })
  }

  private mutating func comparison() throws -> Expression {
    let first = try sum()
    var others: [(operation: ComparisonOperator, operand: Expression)] = []
    while true {
      var operation: ComparisonOperator?
      if case .symbol(let symbol) = current { operation = ComparisonOperator(rawValue: symbol) }
      if current == .name("in") { operation = .isIn }
      if current == .name("not"), index + 1 < tokens.count, tokens[index + 1].token == .name("in") {
        operation = .isNotIn
        _ = next()
      }
      guard let operation else { break }
      _ = next()
      others.append((operation, try sum()))
    }
    return others.isEmpty ? first : .comparison(first, others)
  }

  /// Operands with operators of one rank between them, from left to right.
  private mutating func chain(
    _ symbols: [String], _ operand: (inout TokenCursor) throws -> Expression
  ) throws -> Expression {
    let first = try operand(&self)
    var others: [(operation: ArithmeticOperator, operand: Expression)] = []
    while case .symbol(let symbol) = current, symbols.contains(symbol),
      let operation = ArithmeticOperator(rawValue: symbol)
    {
      _ = next()
      others.append((operation, try operand(&self)))
    }
    return others.isEmpty ? first : .arithmetic(first, others)
  }

  private mutating func sum() throws -> Expression { try chain(["+", "-"]) { try $0.concatenation() } }

  private mutating func concatenation() throws -> Expression {
    var parts = [try product()]
    while skip("~") { parts.append(try product()) }
    return parts.count == 1 ? parts[0] : .concatenation(parts)
  }

  private mutating func product() throws -> Expression {
    try chain(["*", "/", "//", "%"]) { try $0.power() }
  }

  private mutating func power() throws -> Expression { try chain(["**"]) { try $0.unary() } }

  private mutating func unary(takesFilters: Bool = true) throws -> Expression {
    var base: Expression
    if skip("-") {
      base = .unary(.minus, try nested { try $0.unary(takesFilters: false) })
    } else if skip("+") {
      base = .unary(.plus, try nested { try $0.unary(takesFilters: false) })
    } else {
      base = try primary()
    }
    let postfixes = try postfixes(takesFilters: takesFilters)
    if !postfixes.isEmpty { base = .postfix(base, postfixes) }
    return base
  }

  mutating func primary() throws -> Expression {
    switch current {
    case .name(let name):
      _ = next()
      switch name {
      case "true", "True": return .literal(.bool(true))
      case "false", "False": return .literal(.bool(false))
      case "none", "None": return .literal(.none)
      default: return .name(name)
      }
    case .string(var text):
      _ = next()
      while case .string(let more) = current {
        _ = next()
        text += more
      }
      return .literal(.string(text))
    case .integer(let value):
      _ = next()
      return .literal(.integer(value))
    case .double(let value):
      _ = next()
      return .literal(.double(value))
    case .symbol("("):
      _ = next()
      if skip(")") { return .list([], isTuple: true) }
      let inner = try tuple()
      try expect(")")
      return inner
    case .symbol("["):
      _ = next()
      return .list(try elements(until: "]") { try $0.expression() }, isTuple: false)
    case .symbol("{"):
      _ = next()
      return .dictionary(
        try elements(until: "}") { cursor in
          let key = try cursor.expression()
          try cursor.expect(":")
          return (key: key, value: try cursor.expression())
        })
    default: throw unexpected()
    }
  }

  /// Elements between commas; one may follow the last.
  private mutating func elements<Element>(
    until end: String, _ element: (inout TokenCursor) throws -> Element
  ) throws -> [Element] {
    var result: [Element] = []
    while !skip(end) {
      if !result.isEmpty {
        try expect(",")
        if skip(end) { break }
      }
      result.append(try element(&self))
    }
    return result
  }
}
