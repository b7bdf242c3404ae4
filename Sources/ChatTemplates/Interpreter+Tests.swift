extension Interpreter {
  /// `value is name(arguments)`.
  func test(_ name: String, _ value: Value, _ arguments: [Value]) throws -> Bool {
    func argument() throws -> Value {
      guard let first = arguments.first else { throw TemplateProblem("the test '\(excerpt(name))' needs a value") }
      return first
    }
    switch name {
    case "defined":
      if case .undefined = value { return false }
      return true
    case "undefined":
      if case .undefined = value { return true }
      return false
    case "none":
      if case .none = value { return true }
      return false
    case "true", "false":
      guard case .bool(let isTrue) = value else { return false }
      return isTrue == (name == "true")
    case "boolean":
      if case .bool = value { return true }
      return false
    case "string":
      if case .string = value { return true }
      return false
    case "number": return value.number != nil
    case "integer":
      if case .integer = value { return true }
      return false
    case "float":
      if case .double = value { return true }
      return false
    case "mapping":
      if case .dictionary = value { return true }
      return false
    case "iterable", "sequence":
      switch value {
      case .string, .dictionary: return true
      case .list(let list): return name == "iterable" || list.kind != .generator
      // Jinja's undefined value has a length and can be gone through, but has no items.
      case .undefined: return name == "iterable"
      default: return false
      }
    case "callable":
      switch value {
      case .macro, .caller, .function, .method: return true
      default: return false
      }
    case "equalto", "eq", "==": return try isEqual(value, argument())
    case "ne", "!=": return try !isEqual(value, argument())
    case "lt", "lessthan", "<": return try holds(.less, value, argument())
    case "le", "<=": return try holds(.lessOrEqual, value, argument())
    case "gt", "greaterthan", ">": return try holds(.greater, value, argument())
    case "ge", ">=": return try holds(.greaterOrEqual, value, argument())
    case "in": return try holds(.isIn, value, argument())
    case "sameas":
      switch (value, try argument()) {
      case (.none, .none): return true
      case (.bool(let a), .bool(let b)): return a == b
      default: throw TemplateProblem("sameas is supported for none and truth values only")
      }
    case "even", "odd", "divisibleby":
      guard case .integer(let number)? = value.number else { throw TemplateProblem("\(value.kind) is no whole number") }
      if name != "divisibleby" { return number.isMultiple(of: 2) == (name == "even") }
      guard case .integer(let divisor)? = try argument().number, divisor != 0 else {
        throw TemplateProblem("divisibleby needs a whole number other than 0")
      }
      return number.isMultiple(of: divisor)
    case "lower", "upper":
      let text = try text(of: value)
      guard case .bool(let holds) = try stringMethod("is\(name)", text, FilterArguments(name, [], [])) else {
        return false
      }
      return holds
    default: throw TemplateProblem("the test '\(excerpt(name))' is not supported")
    }
  }
}
