/// Builds the statements of a template.
///
/// Nesting is bounded, so that neither parsing nor rendering can run out of stack.
struct Parser {
  private let segments: [Segment]
  private var position = 0
  private var loopDepth = 0
  private var depth = 0

  /// Levels of blocks and brackets in each other.
  static let deepest = 48

  private init(_ segments: [Segment]) { self.segments = segments }

  /// The statements of a template.
  ///
  /// - Throws: ``ChatTemplateError``.
  static func statements(of source: String) throws -> [Statement] {
    var parser = Parser(try Lexer.segments(of: source))
    let (statements, end) = try parser.statements(until: [])
    precondition(end == nil, "an end that was not asked for")
    return statements
  }

  /// The tag that ended a block.
  private struct End {
    var name: String
    var tokens: TokenCursor
  }

  /// Statements up to one of the tags `ends`; without any, up to the end of the template.
  private mutating func statements(until ends: [String], from line: Int = 1) throws -> ([Statement], End?) {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else { throw ChatTemplateError(line: line, "blocks are nested too deeply") }
    var result: [Statement] = []
    while position < segments.count {
      let segment = segments[position]
      position += 1
      switch segment.kind {
      case .text(let text): result.append(Statement(kind: .text(text), line: segment.line))
      case .output(let tokens):
        var cursor = TokenCursor(tokens, line: segment.line, depth: depth)
        let expression = try cursor.tuple()
        try cursor.expectEnd()
        result.append(Statement(kind: .output(expression), line: segment.line))
      case .tag(let tokens):
        var cursor = TokenCursor(tokens, line: segment.line, depth: depth)
        let name = try cursor.name()
        if ends.contains(name) { return (result, End(name: name, tokens: cursor)) }
        if let statement = try statement(name, &cursor) {
          result.append(Statement(kind: statement, line: segment.line))
        }
      }
    }
    guard ends.isEmpty else {
      throw ChatTemplateError(line: line, "the block that begins here has no '\(ends[ends.count - 1])'")
    }
    return (result, nil)
  }

  /// The statements of a block and the tag that ends it, which has nothing behind its name unless `takesMore`.
  private mutating func block(_ line: Int, _ ends: String...) throws -> (body: [Statement], end: End) {
    let (body, end) = try statements(until: ends, from: line)
    guard let end else { throw ChatTemplateError(line: line, "the block that begins here does not end") }
    return (body, end)
  }

  private mutating func statement(_ name: String, _ cursor: inout TokenCursor) throws -> Statement.Kind? {
    let line = cursor.line
    switch name {
    case "if": return try condition(&cursor)
    case "for": return try loop(&cursor)
    case "set": return try assignment(&cursor)
    case "macro": return try macro(&cursor)
    case "call": return try callBlock(&cursor)
    case "with": return try with(&cursor)
    case "filter":
      let filters = try cursor.filters()
      try cursor.expectEnd()
      return .filtered(filters, try body(line, "endfilter"))
    case "generation":
      try cursor.expectEnd()
      var (body, end) = try block(line, "endgeneration")
      try end.tokens.expectEnd()
      return .group(body)
    case "break", "continue":
      try cursor.expectEnd()
      guard loopDepth > 0 else { throw ChatTemplateError(line: line, "'\(name)' outside of a loop") }
      return name == "break" ? .breakLoop : .continueLoop
    default:
      let isEnd = name.hasPrefix("end") || name == "else" || name == "elif"
      throw ChatTemplateError(
        line: line,
        isEnd ? "'\(excerpt(name))' without a block that it ends" : "the tag '\(excerpt(name))' is not supported")
    }
  }

  private mutating func condition(_ cursor: inout TokenCursor) throws -> Statement.Kind {
    let line = cursor.line
    var branches: [(condition: Expression, body: [Statement])] = []
    var condition = try cursor.tuple(takesConditional: false)
    try cursor.expectEnd()
    while true {
      var (body, end) = try block(line, "elif", "else", "endif")
      branches.append((condition, body))
      if end.name == "elif" { condition = try end.tokens.tuple(takesConditional: false) }
      try end.tokens.expectEnd()
      if end.name == "endif" { return .condition(branches, otherwise: []) }
      if end.name == "else" {
        var (otherwise, last) = try block(line, "endif")
        try last.tokens.expectEnd()
        return .condition(branches, otherwise: otherwise)
      }
    }
  }

  private mutating func loop(_ cursor: inout TokenCursor) throws -> Statement.Kind {
    let line = cursor.line
    let target = try cursor.target(takesMembers: false)
    try cursor.expect(name: "in")
    let sequence = try cursor.tuple(takesConditional: false)
    let condition = cursor.skip(name: "if") ? try cursor.expression() : nil
    guard !cursor.skip(name: "recursive") else {
      throw ChatTemplateError(line: line, "recursive loops are not supported")
    }
    try cursor.expectEnd()
    loopDepth += 1
    var (body, end) = try block(line, "else", "endfor")
    loopDepth -= 1
    try end.tokens.expectEnd()
    var otherwise: [Statement] = []
    if end.name == "else" {
      (otherwise, end) = try block(line, "endfor")
      try end.tokens.expectEnd()
    }
    return .loop(Loop(target: target, sequence: sequence, condition: condition, body: body, otherwise: otherwise))
  }

  private mutating func assignment(_ cursor: inout TokenCursor) throws -> Statement.Kind {
    let line = cursor.line
    let target = try cursor.target(takesMembers: true)
    if cursor.skip("=") {
      let value = try cursor.tuple()
      try cursor.expectEnd()
      return .set(target, value)
    }
    let filters = cursor.skip("|") ? try cursor.filters() : []
    try cursor.expectEnd()
    let body = try body(line, "endset")
    return .setBlock(
      target, filters.isEmpty ? body : [Statement(kind: .filtered(filters, body), line: line)])
  }

  /// The statements up to a tag that has nothing behind its name.
  private mutating func body(_ line: Int, _ end: String) throws -> [Statement] {
    var (body, tag) = try block(line, end)
    try tag.tokens.expectEnd()
    return body
  }

  private mutating func with(_ cursor: inout TokenCursor) throws -> Statement.Kind {
    let line = cursor.line
    var values: [(target: Target, value: Expression)] = []
    while !cursor.isAtEnd {
      if !values.isEmpty { try cursor.expect(",") }
      let target = try cursor.target(takesMembers: false)
      try cursor.expect("=")
      values.append((target, try cursor.expression()))
    }
    return .with(values, try body(line, "endwith"))
  }

  private mutating func macro(_ cursor: inout TokenCursor) throws -> Statement.Kind {
    let line = cursor.line
    let name = try cursor.name()
    try cursor.expect("(")
    let parameters = try parameters(&cursor)
    try cursor.expectEnd()
    return .macro(try macroBody(name: name, parameters: parameters, line, "endmacro"))
  }

  /// `{% call macro(...) %}` or, where the body takes values, `{% call(a, b) macro(...) %}`.
  private mutating func callBlock(_ cursor: inout TokenCursor) throws -> Statement.Kind {
    let line = cursor.line
    let parameters = cursor.skip("(") ? try parameters(&cursor) : []
    let call = try cursor.expression()
    guard case .postfix(_, let postfixes) = call, case .call = postfixes.last else {
      throw ChatTemplateError(line: line, "'call' needs a call")
    }
    try cursor.expectEnd()
    return .callBlock(call, caller: try macroBody(name: "caller", parameters: parameters, line, "endcall"))
  }

  /// Parameters up to the closing bracket.
  private func parameters(_ cursor: inout TokenCursor) throws -> [(name: String, value: Expression?)] {
    var parameters: [(name: String, value: Expression?)] = []
    while !cursor.skip(")") {
      if !parameters.isEmpty { try cursor.expect(",") }
      let parameter = try cursor.name()
      parameters.append((parameter, cursor.skip("=") ? try cursor.expression() : nil))
    }
    return parameters
  }

  private mutating func macroBody(
    name: String, parameters: [(name: String, value: Expression?)], _ line: Int, _ tag: String
  ) throws -> Macro {
    // A macro's body is not part of the loop that it stands in.
    let outer = loopDepth
    loopDepth = 0
    let start = position
    var (body, end) = try block(line, tag)
    loopDepth = outer
    try end.tokens.expectEnd(allowingName: name)
    let names = segments[start..<position].reduce(into: Set<String>()) { names, segment in
      switch segment.kind {
      case .text: break
      case .output(let tokens), .tag(let tokens):
        for token in tokens { if case .name(let name) = token.token { names.insert(name) } }
      }
    }
    return Macro(
      name: name, parameters: parameters, body: body, extras: names.intersection(["caller", "varargs", "kwargs"]))
  }
}
