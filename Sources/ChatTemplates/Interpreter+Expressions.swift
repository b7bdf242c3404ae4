extension Interpreter {
  /// The value of an expression.
  ///
  /// - Throws: ``TemplateProblem``, and ``ChatTemplateError`` from inside a macro.
  func evaluate(_ expression: Expression) throws -> Value {
    try charge(1)
    switch expression {
    case .literal(let literal): return Value(literal)
    case .name(let name): return lookUp(name)
    default: return try descend { try evaluateCompound(expression) }
    }
  }

  private func evaluateCompound(_ expression: Expression) throws -> Value {
    switch expression {
    case .literal, .name: return try evaluate(expression)
    case .list(let items, let isTuple): return try .list(of: items.map(evaluate), isTuple ? .tuple : .list)
    case .dictionary(let entries): return try dictionary(entries)
    case .unary(let operation, let operand): return try unary(operation, evaluate(operand))
    case .postfix(let base, let postfixes): return try apply(postfixes, to: base)
    case .arithmetic(let first, let others): return try arithmetic(first, others)
    case .concatenation(let parts):
      let text = try parts.map { try self.text(of: evaluate($0)) }.joined()
      try charge(text.utf8.count)
      return .string(text)
    case .comparison(let first, let others): return try compare(first, others)
    case .all(let terms): return try lastEvaluated(terms) { !$0.isTrue }
    case .any(let terms): return try lastEvaluated(terms) { $0.isTrue }
    case .conditional(let value, let condition, let otherwise):
      if try evaluate(condition).isTrue { return try evaluate(value) }
      return try otherwise.map { try evaluate($0) } ?? .undefined("a condition without else")
    }
  }

  /// The first value that is decisive, or the last.
  private func lastEvaluated(_ terms: [Expression], until isDecisive: (Value) -> Bool) throws -> Value {
    var value = Value.none
    for term in terms {
      value = try evaluate(term)
      if isDecisive(value) { break }
    }
    return value
  }

  private func dictionary(_ entries: [(key: Expression, value: Expression)]) throws -> Value {
    var result: [(key: Value, value: Value)] = []
    for (key, value) in entries { try set(&result, try evaluate(key), try evaluate(value)) }
    return try .dictionary(of: result)
  }

  /// Puts an entry in the place of one with an equal key, or at the end.
  func set(_ entries: inout [(key: Value, value: Value)], _ key: Value, _ value: Value) throws {
    if case .list(let list) = key, list.kind != .tuple { throw TemplateProblem("a list cannot be a key") }
    if case .dictionary = key { throw TemplateProblem("a dictionary cannot be a key") }
    guard try key.dataDepth <= 1 else { throw TemplateProblem("a key must be simple") }
    if let place = try entries.firstIndex(where: { try isEqual($0.key, key) }) {
      entries[place].value = value
    } else {
      entries.append((key, value))
    }
  }

  /// The value of a key; nil where there is none.
  func value(of key: Value, in dictionary: DictionaryValue) throws -> Value? {
    try dictionary.entries.first { try isEqual($0.key, key) }?.value
  }

  private func compare(
    _ first: Expression, _ others: [(operation: ComparisonOperator, operand: Expression)]
  ) throws -> Value {
    var left = try evaluate(first)
    for (operation, operand) in others {
      let right = try evaluate(operand)
      guard try holds(operation, left, right) else { return .bool(false) }
      left = right
    }
    return .bool(true)
  }

  // MARK: - What follows a value

  private func apply(_ postfixes: [Postfix], to base: Expression) throws -> Value {
    try apply(postfixes, to: evaluate(base))
  }

  func apply(_ postfixes: [Postfix], to base: Value) throws -> Value {
    var value = base
    for postfix in postfixes {
      try charge(1)
      switch postfix {
      case .attribute(let name): value = try attribute(name, of: value)
      case .item(let key): value = try item(evaluate(key), of: value)
      case .slice(let start, let end, let step): value = try slice(value, start, end, step)
      case .call(let arguments): value = try call(value, arguments)
      case .filter(let name, let arguments):
        let (positional, named) = try evaluate(arguments)
        value = try filter(name, value, FilterArguments(name, positional, named))
      case .test(let name, let arguments, let isNegated):
        let (positional, _) = try evaluate(arguments)
        value = .bool(try test(name, value, positional) != isNegated)
      }
    }
    return value
  }

  private func evaluate(
    _ arguments: Arguments
  ) throws -> (positional: [Value], named: [(name: String, value: Value)]) {
    var positional = try arguments.positional.map(evaluate)
    var named = try arguments.named.map { (name: $0.name, value: try evaluate($0.value)) }
    if let list = arguments.list { positional += try elements(of: evaluate(list)) }
    if let more = arguments.dictionary {
      guard case .dictionary(let dictionary) = try evaluate(more) else {
        throw TemplateProblem("what stands behind ** must be a dictionary")
      }
      for (key, value) in dictionary.entries {
        guard case .string(let name) = key else { throw TemplateProblem("names of arguments must be strings") }
        guard !named.contains(where: { $0.name == name }) else {
          throw TemplateProblem("the argument '\(excerpt(name))' stands twice")
        }
        named.append((name, value))
      }
    }
    return (positional, named)
  }

  /// `value.name`: a method first, then what the value holds.
  func attribute(_ name: String, of value: Value) throws -> Value {
    switch value {
    case .undefined: throw TemplateProblem("\(value.kind) has no '\(excerpt(name))'")
    case .dictionary(let dictionary):
      if Self.dictionaryMethods.contains(name) { return .method(BoundMethod(value, name)) }
      return try self.value(of: .string(name), in: dictionary) ?? .undefined(name)
    case .string where Self.stringMethods.contains(name): return .method(BoundMethod(value, name))
    case .namespace(let namespace): return namespace.members[name] ?? .undefined(name)
    case .loop(let loop): return try loop.member(name)
    default: return .undefined(name)
    }
  }

  /// `value[key]`: what the value holds first.
  func item(_ key: Value, of value: Value) throws -> Value {
    switch (value, key) {
    case (.undefined, _): throw TemplateProblem("\(value.kind) has no items")
    case (.dictionary(let dictionary), _):
      if let found = try self.value(of: key, in: dictionary) { return found }
      if case .string(let name) = key { return try attribute(name, of: value) }
      return .undefined("an item")
    case (.list(let list), _) where list.kind == .generator: return .undefined("an item of what is no list yet")
    case (.list(let list), .integer(let index)):
      return place(index, of: list.items.count).map { list.items[$0] } ?? .undefined("item \(index)")
    case (.list(let list), .bool(let index)):
      return place(index ? 1 : 0, of: list.items.count).map { list.items[$0] } ?? .undefined("an item")
    case (.string(let text), .integer(let index)):
      try charge(text.utf8.count)
      let scalars = Array(text.unicodeScalars)
      return place(index, of: scalars.count).map { .string(String(scalars[$0])) } ?? .undefined("item \(index)")
    case (_, .string(let name)): return try attribute(name, of: value)
    default: return .undefined("an item")
    }
  }

  private func place(_ index: Int, of count: Int) -> Int? {
    let place = index < 0 ? index + count : index
    return place >= 0 && place < count ? place : nil
  }

  private func slice(
    _ value: Value, _ start: Expression?, _ end: Expression?, _ step: Expression?
  ) throws -> Value {
    func bound(_ expression: Expression?) throws -> Int? {
      guard let expression else { return nil }
      switch try evaluate(expression) {
      case .integer(let number): return number
      case .none: return nil
      default: throw TemplateProblem("a slice needs whole numbers")
      }
    }
    let (start, end, step) = (try bound(start), try bound(end), try bound(step) ?? 1)
    guard step != 0 else { throw TemplateProblem("the step of a slice is 0") }
    switch value {
    case .list(let list) where list.kind != .generator:
      try charge(list.items.count)
      let places = Self.places(start, end, step, count: list.items.count)
      return try .list(of: places.map { list.items[$0] }, list.kind)
    case .string(let text):
      try charge(text.utf8.count)
      let scalars = Array(text.unicodeScalars)
      var result = String.UnicodeScalarView()
      for place in Self.places(start, end, step, count: scalars.count) { result.append(scalars[place]) }
      return .string(String(result))
    default: throw TemplateProblem("\(value.kind) has no slices")
    }
  }

  /// The places that a slice takes, as Python counts them.
  private static func places(_ start: Int?, _ end: Int?, _ step: Int, count: Int) -> [Int] {
    func clamp(_ bound: Int, _ range: ClosedRange<Int>) -> Int {
      let place = bound < 0 ? max(bound, -count - 1) + count : bound
      return min(max(place, range.lowerBound), range.upperBound)
    }
    if step > 0 {
      let from = clamp(start ?? 0, 0...count)
      let to = clamp(end ?? count, 0...count)
      return from < to ? Array(stride(from: from, to: to, by: min(step, count + 1))) : []
    }
    let from = start.map { clamp($0, -1...count - 1) } ?? count - 1
    let to = end.map { clamp($0, -1...count - 1) } ?? -1
    // One step of the length is as good as any longer one, and cannot overflow.
    return from > to ? Array(stride(from: from, to: to, by: max(step, -count - 1))) : []
  }

  // MARK: - Calls

  /// The value of a call whose macro may call `caller`.
  func evaluate(_ expression: Expression, caller: Caller) throws -> Value {
    guard case .postfix(let base, let postfixes) = expression, case .call(let arguments)? = postfixes.last else {
      throw TemplateProblem("'call' needs a call")
    }
    return try call(apply(Array(postfixes.dropLast()), to: evaluate(base)), arguments, caller: caller)
  }

  private func call(_ value: Value, _ arguments: Arguments, caller: Caller? = nil) throws -> Value {
    var (positional, named) = try evaluate(arguments)
    if let caller { named.append(("caller", .caller(caller))) }
    switch value {
    case .macro(let macro): return try call(macro, positional, named)
    case .caller(let caller): return try call(caller.macro, positional, named, in: caller.scopes)
    case .function(let name): return try function(name, positional, named)
    case .method(let method):
      if case .loop(let loop) = method.receiver {
        guard !positional.isEmpty else { throw TemplateProblem("loop.cycle needs values") }
        return positional[loop.index % positional.count]
      }
      let arguments = FilterArguments(method.name, positional, named)
      switch method.receiver {
      case .string(let text): return try stringMethod(method.name, text, arguments)
      case .dictionary(let dictionary): return try dictionaryMethod(method.name, dictionary, arguments)
      default: throw TemplateProblem("the method '\(method.name)' is not supported")
      }
    case .undefined(let name): throw TemplateProblem("'\(excerpt(name))' is undefined; it cannot be called")
    default: throw TemplateProblem("\(value.kind) cannot be called")
    }
  }

  private func function(
    _ name: String, _ positional: [Value], _ named: [(name: String, value: Value)]
  ) throws -> Value {
    let arguments = FilterArguments(name, positional, named)
    switch name {
    case "raise_exception":
      throw TemplateProblem("it says: \(excerpt(try text(of: arguments.value(0) ?? .string("no reason"))))")
    case "namespace", "dict":
      var entries: [(key: Value, value: Value)] = []
      if let first = positional.first {
        guard case .dictionary(let dictionary) = first else { throw TemplateProblem("\(name) needs a dictionary") }
        entries = dictionary.entries
      }
      for (name, value) in named { try set(&entries, .string(name), value) }
      guard name == "namespace" else { return try .dictionary(of: entries) }
      let namespace = Namespace()
      for (key, value) in entries {
        guard case .string(let name) = key else { continue }
        _ = try value.dataDepth
        namespace.members[name] = value
      }
      return .namespace(namespace)
    case "range":
      let bounds = try positional.map { value in
        guard case .integer(let bound) = value else { throw TemplateProblem("range needs whole numbers") }
        return bound
      }
      guard (1...3).contains(bounds.count) else { throw TemplateProblem("range needs one to three numbers") }
      return try range(
        from: bounds.count == 1 ? 0 : bounds[0], to: bounds.count == 1 ? bounds[0] : bounds[1],
        by: bounds.count == 3 ? bounds[2] : 1)
    case "strftime_now":
      guard let date, case .string(let format) = arguments.value(0) else {
        throw TemplateProblem("strftime_now needs a format")
      }
      return .string(try date.formatted(format))
    default: throw TemplateProblem("the function '\(name)' is not supported")
    }
  }

  private func range(from start: Int, to end: Int, by step: Int) throws -> Value {
    guard step != 0 else { throw TemplateProblem("the step of a range is 0") }
    let (span, isTooLong) = end.subtractingReportingOverflow(start)
    guard !isTooLong, span.magnitude / step.magnitude < 100_000 else { throw TemplateProblem("the range is too long") }
    // A step beyond the end is as good as one to the end, and cannot overflow.
    let longest = max(1, Int(clamping: span.magnitude))
    let numbers =
      (span > 0) == (step > 0) ? Array(stride(from: start, to: end, by: min(max(step, -longest), longest))) : []
    try charge(numbers.count)
    return try .list(of: numbers.map { .integer($0) })
  }
}
