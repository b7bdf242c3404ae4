/// The arguments of a filter, method or function, taken by place or by name.
struct FilterArguments {
  private let function: String
  private let positional: [Value]
  private let named: [(name: String, value: Value)]

  init(_ function: String, _ positional: [Value], _ named: [(name: String, value: Value)]) {
    self.function = function
    self.positional = positional
    self.named = named
  }

  /// How many have no name.
  var count: Int { positional.count }

  /// All that have no name.
  var values: [Value] { positional }

  /// The same without the first one.
  var dropFirst: FilterArguments { FilterArguments(function, Array(positional.dropFirst()), named) }

  /// The argument at a place or with a name.
  func value(_ place: Int, _ name: String? = nil) -> Value? {
    if place >= 0, place < positional.count { return positional[place] }
    return name.flatMap { name in named.last { $0.name == name }?.value }
  }

  /// A text.
  ///
  /// - Throws: ``TemplateProblem`` for anything else, and where it is missing.
  func text(_ place: Int, _ name: String? = nil) throws -> String {
    guard case .string(let text)? = value(place, name) else { throw wrong("a string") }
    return text
  }

  /// A text where there is one; `none` is none.
  func optionalText(_ place: Int, _ name: String? = nil) throws -> String? {
    switch value(place, name) {
    case nil, Value.none?: nil
    case .string(let text)?: text
    default: throw wrong("a string")
    }
  }

  /// A whole number where there is one; `none` is none.
  func integer(_ place: Int, _ name: String? = nil) throws -> Int? {
    guard let value = value(place, name) else { return nil }
    if case .none = value { return nil }
    guard case .integer(let number)? = value.number else { throw wrong("a whole number") }
    return number
  }

  /// Whether a flag is set.
  func flag(_ place: Int, _ name: String? = nil, default isSet: Bool = false) -> Bool {
    value(place, name)?.isTrue ?? isSet
  }

  private func wrong(_ kind: String) -> TemplateProblem {
    TemplateProblem("'\(excerpt(function))' needs \(kind) there")
  }
}
