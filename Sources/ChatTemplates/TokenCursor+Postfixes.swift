/// What follows a value: attributes, items, calls, filters and tests.
extension TokenCursor {
  /// Filters in a row, as `{% filter %}` has them: the first without a bar.
  mutating func filters() throws -> [Postfix] {
    var result: [Postfix] = []
    repeat {
      let name = try dottedName()
      result.append(.filter(name, current == .symbol("(") ? try arguments() : Arguments()))
    } while skip("|")
    return result
  }

  mutating func postfixes(takesFilters: Bool) throws -> [Postfix] {
    var result: [Postfix] = []
    while true {
      if skip(".") {
        if case .integer(let place) = current {
          _ = next()
          result.append(.item(.literal(.integer(place))))
        } else {
          result.append(.attribute(try name()))
        }
      } else if skip("[") {
        result.append(try subscripted())
      } else if current == .symbol("(") {
        result.append(.call(try arguments()))
      } else if takesFilters, skip("|") {
        let filter = try dottedName()
        result.append(.filter(filter, current == .symbol("(") ? try arguments() : Arguments()))
      } else if takesFilters, skip(name: "is") {
        result.append(try test())
      } else {
        return result
      }
    }
  }

  private mutating func dottedName() throws -> String {
    var result = try name()
    while skip(".") { result += ".\(try name())" }
    return result
  }

  private mutating func subscripted() throws -> Postfix {
    var parts: [Expression?] = [nil]
    while !skip("]") {
      if skip(":") {
        parts.append(nil)
      } else if parts[parts.count - 1] == nil {
        parts[parts.count - 1] = try expression()
      } else {
        throw unexpected()
      }
    }
    if parts.count == 1 {
      guard let item = parts[0] else { throw failure("empty brackets behind a value") }
      return .item(item)
    }
    guard parts.count <= 3 else { throw failure("a slice of more than three parts") }
    return .slice(start: parts[0], end: parts[1], step: parts.count == 3 ? parts[2] : nil)
  }

  private mutating func arguments() throws -> Arguments {
    try expect("(")
    var result = Arguments()
    while !skip(")") {
      if !result.isEmpty {
        try expect(",")
        if skip(")") { break }
      }
      if skip("*") {
        guard result.list == nil, result.dictionary == nil else { throw failure("a second argument with *") }
        result.list = try expression()
      } else if skip("**") {
        guard result.dictionary == nil else { throw failure("a second argument with **") }
        result.dictionary = try expression()
      } else if result.dictionary != nil {
        throw failure("an argument after one with **")
      } else if case .name(let name) = current, index + 1 < tokens.count, tokens[index + 1].token == .symbol("=") {
        index += 2
        result.named.append((name, try expression()))
      } else if result.named.isEmpty, result.list == nil {
        result.positional.append(try expression())
      } else {
        throw failure("an argument without name after one with a name")
      }
    }
    return result
  }

  private mutating func test() throws -> Postfix {
    let isNegated = skip(name: "not")
    let test = try dottedName()
    if current == .symbol("(") { return .test(test, try arguments(), isNegated: isNegated) }
    switch current {
    case .name("else"), .name("or"), .name("and"): break
    case .name("is"): throw failure("tests cannot be chained")
    case .name, .string, .integer, .double, .symbol("["), .symbol("{"):
      // An argument without brackets: a value with what follows it, but no filters.
      var argument = try nested { try $0.primary() }
      let postfixes = try postfixes(takesFilters: false)
      if !postfixes.isEmpty { argument = .postfix(argument, postfixes) }
      return .test(test, Arguments(positional: [argument]), isNegated: isNegated)
    default: break
    }
    return .test(test, Arguments(), isNegated: isNegated)
  }
}
