/// What an expression can be.
enum Value {
  /// What a name stands for that nothing has given a value; its name, for errors.
  case undefined(String)
  case none
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
  case list(ListValue)
  case dictionary(DictionaryValue)
  case namespace(Namespace)
  case macro(Macro)
  /// The body of a call, which a macro may call.
  case caller(Caller)
  /// A function that every template has.
  case function(String)
  /// A method of a string or dictionary.
  case method(BoundMethod)
  case loop(LoopState)

  init(_ literal: Literal) {
    switch literal {
    case .none: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .double(let value): self = .double(value)
    case .string(let value): self = .string(value)
    }
  }

  /// A list of values.
  ///
  /// - Throws: ``TemplateProblem`` for nesting that has no bottom in sight, and for what is no data.
  static func list(of items: [Value], _ kind: ListValue.Kind = .list) throws -> Value {
    .list(ListValue(items: items, kind: kind, depth: try depth(above: items)))
  }

  /// A dictionary; of equal keys the last counts.
  ///
  /// - Throws: as ``list(of:_:)``.
  static func dictionary(of entries: [(key: Value, value: Value)]) throws -> Value {
    .dictionary(DictionaryValue(entries: entries, depth: try depth(above: entries.map(\.value))))
  }

  /// Values inside values, at most.
  private static let deepest = 40

  private static func depth(above items: [Value]) throws -> Int {
    let depth = 1 + (try items.reduce(0) { max($0, try $1.dataDepth) })
    guard depth <= deepest else { throw TemplateProblem("lists are nested too deeply") }
    return depth
  }

  /// How deep the value is, where it may stand in other values: so they cannot contain themselves.
  var dataDepth: Int {
    get throws {
      switch self {
      case .list(let list): return list.depth
      case .dictionary(let dictionary): return dictionary.depth
      case .undefined, .none, .bool, .integer, .double, .string: return 0
      case .namespace, .macro, .caller, .function, .method, .loop:
        throw TemplateProblem("\(kind) inside another value is not supported")
      }
    }
  }

  /// What Python's `if` makes of it.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .double(let value): value != 0
    case .string(let text): !text.isEmpty
    case .list(let list): list.kind == .generator || !list.items.isEmpty
    case .dictionary(let dictionary): !dictionary.entries.isEmpty
    case .namespace, .macro, .caller, .function, .method, .loop: true
    }
  }

  /// What an error calls it.
  var kind: String {
    switch self {
    case .undefined(let name): "'\(excerpt(name))', which is undefined,"
    case .none: "none"
    case .bool: "a truth value"
    case .integer, .double: "a number"
    case .string: "a string"
    case .list(let list): list.kind == .tuple ? "a tuple" : "a list"
    case .dictionary: "a dictionary"
    case .namespace: "a namespace"
    case .macro, .caller, .function, .method: "a function"
    case .loop: "a loop"
    }
  }
}

/// A list, tuple or what a filter yields.
final class ListValue {
  enum Kind {
    case list
    case tuple
    /// What Python computes item by item: it counts as true, and has no length.
    case generator
  }

  let items: [Value]
  let kind: Kind
  let depth: Int

  init(items: [Value], kind: Kind, depth: Int) {
    self.items = items
    self.kind = kind
    self.depth = depth
  }
}

/// A dictionary in the order in which its keys were first written.
final class DictionaryValue {
  let entries: [(key: Value, value: Value)]
  let depth: Int

  init(entries: [(key: Value, value: Value)], depth: Int) {
    self.entries = entries
    self.depth = depth
  }
}

/// An object that templates carry values out of loops with.
final class Namespace {
  var members: [String: Value] = [:]
}

/// The body of a call with the names that it sees: those of the place where it stands.
final class Caller {
  let macro: Macro
  let scopes: [[String: Value]]

  init(_ macro: Macro, scopes: [[String: Value]]) {
    self.macro = macro
    self.scopes = scopes
  }
}

/// A method and what it belongs to.
final class BoundMethod {
  let receiver: Value
  let name: String

  init(_ receiver: Value, _ name: String) {
    self.receiver = receiver
    self.name = name
  }
}

/// Where a loop stands: `loop` of templates.
final class LoopState {
  let items: [Value]
  let index: Int
  let depth: Int

  init(items: [Value], index: Int, depth: Int) {
    self.items = items
    self.index = index
    self.depth = depth
  }

  func member(_ name: String) throws -> Value {
    switch name {
    case "index": .integer(index + 1)
    case "index0": .integer(index)
    case "revindex": .integer(items.count - index)
    case "revindex0": .integer(items.count - index - 1)
    case "first": .bool(index == 0)
    case "last": .bool(index == items.count - 1)
    case "length": .integer(items.count)
    case "depth": .integer(depth)
    case "depth0": .integer(depth - 1)
    case "previtem": index > 0 ? items[index - 1] : .undefined("loop.previtem")
    case "nextitem": index + 1 < items.count ? items[index + 1] : .undefined("loop.nextitem")
    case "cycle": .method(BoundMethod(.loop(self), name))
    default: throw TemplateProblem("'loop.\(excerpt(name))' is not supported")
    }
  }
}
