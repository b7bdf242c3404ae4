/// An expression; chains are lists, so that its depth is that of its brackets.
indirect enum Expression: Sendable {
  case literal(Literal)
  case name(String)
  case list([Expression], isTuple: Bool)
  case dictionary([(key: Expression, value: Expression)])
  case unary(UnaryOperator, Expression)
  case postfix(Expression, [Postfix])
  case arithmetic(Expression, [(operation: ArithmeticOperator, operand: Expression)])
  case concatenation([Expression])
  case comparison(Expression, [(operation: ComparisonOperator, operand: Expression)])
  case all([Expression])
  case any([Expression])
  case conditional(Expression, condition: Expression, otherwise: Expression?)
}

/// A value that a template spells out.
enum Literal: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
}

enum UnaryOperator: Sendable {
  case minus
  case plus
  case not
}

enum ArithmeticOperator: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case floorDivide = "//"
  case remainder = "%"
  case power = "**"
}

enum ComparisonOperator: String, Sendable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case isIn = "in"
  case isNotIn = "not in"
}

/// What stands behind a value and is applied to it.
enum Postfix: Sendable {
  case attribute(String)
  case item(Expression)
  case slice(start: Expression?, end: Expression?, step: Expression?)
  case call(Arguments)
  case filter(String, Arguments)
  case test(String, Arguments, isNegated: Bool)
}

/// The arguments of a call, filter or test.
struct Arguments: Sendable {
  var positional: [Expression] = []
  var named: [(name: String, value: Expression)] = []
  /// `*list`: more of them without a name.
  var list: Expression?
  /// `**dictionary`: more of them with names.
  var dictionary: Expression?

  var isEmpty: Bool { positional.isEmpty && named.isEmpty && list == nil && dictionary == nil }
}

/// What `set` and `for` write to.
enum Target: Sendable {
  case name(String)
  case member(namespace: String, name: String)
  case tuple([Target])
}

/// A statement and the line that it begins on.
struct Statement: Sendable {
  indirect enum Kind: Sendable {
    case text(String)
    case output(Expression)
    case condition([(condition: Expression, body: [Statement])], otherwise: [Statement])
    case loop(Loop)
    case set(Target, Expression)
    case setBlock(Target, [Statement])
    case macro(Macro)
    /// A call whose macro may call `caller`, which writes the body.
    case callBlock(Expression, caller: Macro)
    /// `{% with a = 1 %} body {% endwith %}`.
    case with([(target: Target, value: Expression)], [Statement])
    /// `{% filter upper %} body {% endfilter %}`.
    case filtered([Postfix], [Statement])
    /// A part whose only effect is what it writes.
    case group([Statement])
    case breakLoop
    case continueLoop
  }

  var kind: Kind
  var line: Int
}

/// `{% for target in sequence if condition %} body {% else %} otherwise {% endfor %}`.
struct Loop: Sendable {
  var target: Target
  var sequence: Expression
  var condition: Expression?
  var body: [Statement]
  var otherwise: [Statement]
}

/// `{% macro name(parameters) %} body {% endmacro %}`.
struct Macro: Sendable {
  var name: String
  var parameters: [(name: String, value: Expression?)]
  var body: [Statement]
  /// Which of `caller`, `varargs` and `kwargs` its body names: it takes what they stand for, and nothing else.
  var extras: Set<String> = []
}
