/// Runs a template.
///
/// A template is a file from outside: what it computes and writes is bounded by a budget, and calls by a depth.
final class Interpreter {
  /// Names and values, the outermost scope first.
  var scopes: [[String: Value]]
  /// What was written so far.
  private var output = ""
  private var budget: Int
  private var depth = 0
  private var loopDepth = 0
  /// What `strftime_now` tells; nil, and there is no such function.
  let date: TemplateDate?

  /// Evaluations in each other, at most: calls of macros and everything between them.
  private static let deepest = 160

  /// A run with the names that the caller gives.
  ///
  /// - Parameter budget: what may be computed: about one for each operation, and for each byte that it makes.
  init(names: [String: Value], budget: Int, date: TemplateDate?) {
    var globals = names
    for name in Self.functions where date != nil || name != "strftime_now" { globals[name] = .function(name) }
    scopes = [globals, [:]]
    self.budget = budget
    self.date = date
  }

  private static let functions = ["range", "dict", "namespace", "raise_exception", "strftime_now"]

  /// What the statements write.
  ///
  /// - Throws: ``ChatTemplateError``.
  func run(_ statements: [Statement]) throws -> String {
    _ = try execute(statements)
    return output
  }

  /// Pays for an operation.
  func charge(_ cost: Int) throws {
    budget -= cost
    guard budget >= 0 else { throw TemplateProblem("the template computes more than a conversation can need") }
  }

  /// Runs `body` one level further down.
  func descend<Result>(_ body: () throws -> Result) throws -> Result {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else { throw TemplateProblem("calls are nested too deeply") }
    return try body()
  }

  private func write(_ text: String) throws {
    try charge(text.utf8.count)
    output += text
  }

  /// What `body` writes, kept apart.
  func capture(_ body: () throws -> Void) throws -> String {
    let outer = output
    output = ""
    defer { output = outer }
    try body()
    return output
  }

  // MARK: - Statements

  /// How a statement ended.
  private enum Flow {
    case onward
    case breakLoop
    case continueLoop
  }

  private func execute(_ statements: [Statement]) throws -> Flow {
    for statement in statements {
      do {
        try charge(1)
        let flow = try execute(statement.kind)
        if flow != .onward { return flow }
      } catch let problem as TemplateProblem {
        throw ChatTemplateError(line: statement.line, problem.reason)
      }
    }
    return .onward
  }

  private func execute(_ statement: Statement.Kind) throws -> Flow {
    switch statement {
    case .text(let text): try write(text)
    case .output(let expression): try write(try text(of: evaluate(expression)))
    case .condition(let branches, let otherwise): return try choose(branches, otherwise)
    case .loop(let loop): return try run(loop)
    case .set(let target, let expression): try assign(evaluate(expression), to: target)
    case .setBlock(let target, let body):
      let text = try capture { _ = try descend { try execute(body) } }
      try assign(.string(text), to: target)
    case .macro(let macro): scopes[scopes.count - 1][macro.name] = .macro(macro)
    case .callBlock(let call, let macro):
      try write(try text(of: evaluate(call, caller: Caller(macro, scopes: scopes))))
    case .with(let values, let body):
      // The values are those outside of the block.
      let evaluated = try values.map { try evaluate($0.value) }
      return try inScope {
        for (value, target) in zip(evaluated, values.map(\.target)) { try assign(value, to: target) }
        return try execute(body)
      }
    case .filtered(let filters, let body):
      let text = try capture { _ = try inScope { try execute(body) } }
      try write(try self.text(of: apply(filters, to: .string(text))))
    case .group(let body): return try descend { try execute(body) }
    case .breakLoop: return .breakLoop
    case .continueLoop: return .continueLoop
    }
    return .onward
  }

  private func choose(
    _ branches: [(condition: Expression, body: [Statement])], _ otherwise: [Statement]
  ) throws -> Flow {
    for (condition, body) in branches where try evaluate(condition).isTrue {
      return try descend { try execute(body) }
    }
    return try descend { try execute(otherwise) }
  }

  private func run(_ loop: Loop) throws -> Flow {
    var items = try elements(of: evaluate(loop.sequence))
    if let condition = loop.condition {
      items = try items.filter { item in
        scopes.append([:])
        defer { scopes.removeLast() }
        try assign(item, to: loop.target)
        return try evaluate(condition).isTrue
      }
    }
    loopDepth += 1
    defer { loopDepth -= 1 }
    var isDone = false
    for (index, item) in items.enumerated() {
      try charge(8)
      let flow = try inScope {
        scopes[scopes.count - 1]["loop"] = .loop(LoopState(items: items, index: index, depth: loopDepth))
        try assign(item, to: loop.target)
        return try execute(loop.body)
      }
      if flow == .breakLoop { break }
      isDone = isDone || flow == .onward
    }
    // As in Jinja: where no body came to its end, be it for want of items or because all broke off.
    return isDone ? .onward : try inScope { try execute(loop.otherwise) }
  }

  private func inScope(_ body: () throws -> Flow) throws -> Flow {
    scopes.append([:])
    defer { scopes.removeLast() }
    return try descend(body)
  }

  private func assign(_ value: Value, to target: Target) throws {
    switch target {
    case .name(let name): scopes[scopes.count - 1][name] = value
    case .member(let namespace, let name):
      guard case .namespace(let object) = lookUp(namespace) else {
        throw TemplateProblem("'\(excerpt(namespace))' is no namespace, so nothing can be set in it")
      }
      // A namespace in itself would be a loop without end.
      _ = try value.dataDepth
      object.members[name] = value
    case .tuple(let targets):
      let values = try elements(of: value)
      guard values.count == targets.count else {
        throw TemplateProblem("\(values.count) values for \(targets.count) names")
      }
      for (target, value) in zip(targets, values) { try assign(value, to: target) }
    }
  }

  /// The value of a name.
  func lookUp(_ name: String) -> Value {
    for scope in scopes.reversed() { if let value = scope[name] { return value } }
    return .undefined(name)
  }

  // MARK: - Macros

  /// What a macro writes.
  ///
  /// - Parameter closure: the names that the body of a call sees; nil for a macro.
  func call(
    _ macro: Macro, _ positional: [Value], _ named: [(name: String, value: Value)], in closure: [[String: Value]]? = nil
  ) throws -> Value {
    let takesList = macro.extras.contains("varargs")
    guard positional.count <= macro.parameters.count || takesList else {
      throw TemplateProblem(
        "the macro '\(macro.name)' takes \(macro.parameters.count) arguments, not \(positional.count)")
    }
    var more: [(key: Value, value: Value)] = []
    var caller = Value.undefined("caller")
    for (name, value) in named
    where !macro.parameters.dropFirst(positional.count).contains(where: { $0.name == name }) {
      if name == "caller", macro.extras.contains("caller") {
        caller = value
      } else if macro.extras.contains("kwargs"), name != "caller" {
        try set(&more, .string(name), value)
      } else {
        throw TemplateProblem("the macro '\(macro.name)' takes no argument '\(excerpt(name))' there")
      }
    }
    let outer = scopes
    defer { scopes = outer }
    // A macro sees what stands outside of all loops, and its own names.
    scopes = (closure ?? Array(outer.prefix(2))) + [[:]]
    let own = scopes.count - 1
    if macro.extras.contains("caller") { scopes[own]["caller"] = caller }
    if takesList {
      scopes[own]["varargs"] = try .list(of: Array(positional.dropFirst(macro.parameters.count)), .tuple)
    }
    if macro.extras.contains("kwargs") { scopes[own]["kwargs"] = try .dictionary(of: more) }
    for (index, parameter) in macro.parameters.enumerated() {
      let given =
        index < positional.count ? positional[index] : named.last { $0.name == parameter.name }?.value
      scopes[own][parameter.name] =
        try given ?? parameter.value.map { try evaluate($0) } ?? .undefined(parameter.name)
    }
    return .string(try capture { _ = try descend { try execute(macro.body) } })
  }
}
