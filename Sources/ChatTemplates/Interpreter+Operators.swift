extension Interpreter {
  // MARK: - Comparison

  /// What Python's `==` says.
  func isEqual(_ a: Value, _ b: Value) throws -> Bool {
    try charge(1)
    switch (a, b) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.string(let a), .string(let b)):
      try charge(min(a.utf8.count, b.utf8.count) / 16)
      // By characters as they are written, not by what Unicode holds equal.
      return a.utf8.elementsEqual(b.utf8)
    case (.list(let a), .list(let b)):
      guard a.kind == b.kind, a.items.count == b.items.count else { return false }
      for (a, b) in zip(a.items, b.items) where try !isEqual(a, b) { return false }
      return true
    case (.dictionary(let a), .dictionary(let b)):
      guard a.entries.count == b.entries.count else { return false }
      for (key, value) in a.entries {
        guard let other = try self.value(of: key, in: b), try isEqual(value, other) else { return false }
      }
      return true
    case (.namespace(let a), .namespace(let b)): return a === b
    default:
      guard let a = a.number, let b = b.number else { return false }
      if case .integer(let a) = a, case .integer(let b) = b { return a == b }
      return a.double == b.double
    }
  }

  /// Whether a comparison holds.
  func holds(_ operation: ComparisonOperator, _ a: Value, _ b: Value) throws -> Bool {
    switch operation {
    case .equal: return try isEqual(a, b)
    case .notEqual: return try !isEqual(a, b)
    case .isIn: return try contains(b, a)
    case .isNotIn: return try !contains(b, a)
    case .less: return try isLess(a, b)
    case .greater: return try isLess(b, a)
    case .lessOrEqual: return try isLess(a, b) || isEqual(a, b)
    case .greaterOrEqual: return try isLess(b, a) || isEqual(a, b)
    }
  }

  /// What Python's `<` says.
  func isLess(_ a: Value, _ b: Value) throws -> Bool {
    try charge(1)
    switch (a, b) {
    case (.string(let a), .string(let b)):
      try charge(min(a.utf8.count, b.utf8.count) / 16)
      return a.unicodeScalars.lexicographicallyPrecedes(b.unicodeScalars)
    case (.list(let a), .list(let b)) where a.kind == b.kind:
      for (a, b) in zip(a.items, b.items) where try !isEqual(a, b) { return try isLess(a, b) }
      return a.items.count < b.items.count
    default:
      guard let first = a.number, let second = b.number else {
        throw TemplateProblem("\(a.kind) and \(b.kind) have no order")
      }
      if case .integer(let a) = first, case .integer(let b) = second { return a < b }
      return first.double < second.double
    }
  }

  private func contains(_ container: Value, _ element: Value) throws -> Bool {
    switch (container, element) {
    case (.string(let text), .string(let part)):
      try charge(text.utf8.count + part.utf8.count)
      return Array(text.utf8).firstRange(of: Array(part.utf8)) != nil
    case (.string, _): throw TemplateProblem("\(element.kind) cannot be in a string")
    case (.dictionary(let dictionary), _): return try value(of: element, in: dictionary) != nil
    default: return try elements(of: container).contains { try isEqual($0, element) }
    }
  }

  /// What a loop over the value meets.
  func elements(of value: Value) throws -> [Value] {
    switch value {
    case .undefined: return []
    case .list(let list):
      try charge(list.items.count)
      return list.items
    case .dictionary(let dictionary):
      try charge(dictionary.entries.count)
      return dictionary.entries.map(\.key)
    case .string(let text):
      try charge(text.utf8.count)
      return text.unicodeScalars.map { .string(String($0)) }
    default: throw TemplateProblem("\(value.kind) has no elements")
    }
  }

  // MARK: - Arithmetic

  func unary(_ operation: UnaryOperator, _ value: Value) throws -> Value {
    if operation == .not { return .bool(!value.isTrue) }
    switch value.number {
    case .integer(let number)?:
      guard operation == .minus else { return .integer(number) }
      return .integer(try whole(0.subtractingReportingOverflow(number)))
    case .double(let number)?: return .double(operation == .minus ? -number : number)
    default: throw TemplateProblem("\(value.kind) has no sign")
    }
  }

  /// Operators of one rank, from left to right.
  func arithmetic(
    _ first: Expression, _ others: [(operation: ArithmeticOperator, operand: Expression)]
  ) throws -> Value {
    var result = try evaluate(first)
    for (operation, operand) in others { result = try compute(operation, result, evaluate(operand)) }
    return result
  }

  private func compute(_ operation: ArithmeticOperator, _ a: Value, _ b: Value) throws -> Value {
    switch (operation, a, b) {
    case (.add, .string(let a), .string(let b)):
      try charge(a.utf8.count + b.utf8.count)
      return .string(a + b)
    case (.add, .list(let a), .list(let b)) where a.kind == b.kind && a.kind != .generator:
      try charge(a.items.count + b.items.count)
      return try .list(of: a.items + b.items, a.kind)
    case (.multiply, .string(let text), _):
      return .string(String(repeating: text, count: try repetitions(b, of: text.utf8.count)))
    case (.multiply, _, .string(let text)):
      return .string(String(repeating: text, count: try repetitions(a, of: text.utf8.count)))
    case (.multiply, .list(let list), .integer) where list.kind != .generator:
      let count = try repetitions(b, of: list.items.count)
      return try .list(of: (0..<count).flatMap { _ in list.items }, list.kind)
    default: break
    }
    guard let first = a.number, let second = b.number else {
      throw TemplateProblem("'\(operation.rawValue)' is not supported between \(a.kind) and \(b.kind)")
    }
    if operation != .divide, case .integer(let a) = first, case .integer(let b) = second {
      return try compute(operation, a, b)
    }
    return .double(try compute(operation, first.double, second.double))
  }

  /// How often something of `size` is to be repeated, and pays for that.
  private func repetitions(_ count: Value, of size: Int) throws -> Int {
    guard case .integer(let count)? = count.number else { throw TemplateProblem("'*' needs a whole number there") }
    guard count > 0 else { return 0 }
    let (cost, isTooMuch) = max(1, size).multipliedReportingOverflow(by: count)
    try charge(isTooMuch ? .max : cost)
    return count
  }

  private func compute(_ operation: ArithmeticOperator, _ a: Int, _ b: Int) throws -> Value {
    switch operation {
    case .add: return .integer(try whole(a.addingReportingOverflow(b)))
    case .subtract: return .integer(try whole(a.subtractingReportingOverflow(b)))
    case .multiply: return .integer(try whole(a.multipliedReportingOverflow(by: b)))
    case .divide, .floorDivide, .remainder:
      guard b != 0 else { throw TemplateProblem("division by zero") }
      let quotient = try whole(a.dividedReportingOverflow(by: b))
      let remainder = a - quotient * b
      // Python rounds down, not toward zero.
      let isRounded = remainder != 0 && (remainder < 0) != (b < 0)
      return .integer(operation == .remainder ? remainder + (isRounded ? b : 0) : quotient - (isRounded ? 1 : 0))
    case .power:
      guard b >= 0 else { throw TemplateProblem("negative powers are not supported") }
      // Beyond the 64th power only -1, 0 and 1 have not overflowed, and they repeat every other time.
      var result = 1
      for _ in 0..<(b > 64 ? 64 + b % 2 : b) { result = try whole(result.multipliedReportingOverflow(by: a)) }
      return .integer(result)
    }
  }

  private func compute(_ operation: ArithmeticOperator, _ a: Double, _ b: Double) throws -> Double {
    switch operation {
    case .add: return a + b
    case .subtract: return a - b
    case .multiply: return a * b
    case .divide, .floorDivide, .remainder:
      guard b != 0 else { throw TemplateProblem("division by zero") }
      if operation == .divide { return a / b }
      let floor = (a / b).rounded(.down)
      return operation == .floorDivide ? floor : a - floor * b
    case .power: throw TemplateProblem("powers of other than whole numbers are not supported")
    }
  }

  private func whole(_ result: (partialValue: Int, overflow: Bool)) throws -> Int {
    guard !result.overflow else { throw TemplateProblem("a number grows too large") }
    return result.partialValue
  }
}

/// A number as arithmetic takes it.
enum Number {
  case integer(Int)
  case double(Double)

  var double: Double {
    switch self {
    case .integer(let value): Double(value)
    case .double(let value): value
    }
  }
}

extension Value {
  /// The number that it is, truth values counting as 0 and 1.
  var number: Number? {
    switch self {
    case .bool(let value): .integer(value ? 1 : 0)
    case .integer(let value): .integer(value)
    case .double(let value): .double(value)
    default: nil
    }
  }
}
