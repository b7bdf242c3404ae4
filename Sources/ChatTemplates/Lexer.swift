/// Takes a template apart, with white space handled as `trim_blocks` and `lstrip_blocks` do it, which is how transformers
/// sets Jinja up: the line break after a tag and the blanks before one on its line do not count.
struct Lexer {
  let scalars: [Unicode.Scalar]
  var index = 0
  var line = 1
  private var segments: [Segment] = []
  /// Whether the place after the last tag is the beginning of a line.
  private var isLineStart = true

  private init(_ source: String) {
    // Line breaks of all kinds are one, and one at the end is not part of the template.
    var scalars: [Unicode.Scalar] = []
    scalars.reserveCapacity(source.utf8.count)
    var isAfterReturn = false
    for scalar in source.unicodeScalars {
      if scalar == "\r" || (scalar == "\n" && !isAfterReturn) {
        scalars.append("\n")
      } else if scalar != "\n" {
        scalars.append(scalar)
      }
      isAfterReturn = scalar == "\r"
    }
    if scalars.last == "\n" { scalars.removeLast() }
    self.scalars = scalars
  }

  /// The pieces of a template.
  ///
  /// - Throws: ``ChatTemplateError`` for a tag that does not end, and for what is no token.
  static func segments(of source: String) throws -> [Segment] {
    var lexer = Lexer(source)
    try lexer.run()
    return lexer.segments
  }

  func failure(_ reason: String) -> ChatTemplateError { ChatTemplateError(line: line, reason) }

  func at(_ place: Int) -> Unicode.Scalar? { place < scalars.count ? scalars[place] : nil }

  private mutating func run() throws {
    while index < scalars.count {
      let start = index
      while index < scalars.count, !isOpening(index) { index += 1 }
      guard index < scalars.count, let kind = at(index + 1) else {
        appendText(Array(scalars[start...]))
        return
      }
      let sign = at(index + 2)
      let text = stripped(
        start..<index, sign: sign == "-" || sign == "+" ? sign : nil, isOutput: kind == "{")
      appendText(text, advancingBy: start..<index)
      let tagLine = line
      index += sign == "-" || sign == "+" ? 3 : 2
      switch kind {
      case "#": try skipComment()
      case "{":
        let (tokens, sign) = try tokens(closing: "}")
        finishTag(sign: sign, isOutput: true)
        segments.append(Segment(kind: .output(tokens), line: tagLine))
      default:
        let (tokens, sign) = try tokens(closing: "%")
        let isRaw = tokens.count == 1 && tokens[0].token == .name("raw")
        // A line break after the beginning of raw text is part of that.
        finishTag(sign: sign, isOutput: isRaw)
        if isRaw { try appendRaw() } else { segments.append(Segment(kind: .tag(tokens), line: tagLine)) }
      }
    }
  }

  private func isOpening(_ place: Int) -> Bool {
    guard scalars[place] == "{", let next = at(place + 1) else { return false }
    return next == "{" || next == "%" || next == "#"
  }

  /// The text before a tag, without what its sign or its place strips.
  private func stripped(_ range: Range<Int>, sign: Unicode.Scalar?, isOutput: Bool) -> [Unicode.Scalar] {
    var end = range.upperBound
    if sign == "-" {
      while end > range.lowerBound, scalars[end - 1].isPythonSpace { end -= 1 }
    } else if sign == nil, !isOutput {
      while end > range.lowerBound, scalars[end - 1] != "\n", scalars[end - 1].isPythonSpace { end -= 1 }
      // Only where nothing else stands on the line before the tag.
      let begins = end > range.lowerBound ? scalars[end - 1] == "\n" : isLineStart
      if !begins { end = range.upperBound }
    }
    return Array(scalars[range.lowerBound..<end])
  }

  private mutating func appendText(_ text: [Unicode.Scalar], advancingBy range: Range<Int>? = nil) {
    if !text.isEmpty {
      var string = ""
      string.unicodeScalars.append(contentsOf: text)
      segments.append(Segment(kind: .text(string), line: line))
    }
    if let range { line += scalars[range].reduce(0) { $1 == "\n" ? $0 + 1 : $0 } }
  }

  /// Moves past the white space that the end of a tag takes with it; the cursor is behind the tag.
  private mutating func finishTag(sign: Unicode.Scalar?, isOutput: Bool) {
    isLineStart = false
    if sign == "-" {
      while let next = at(index), next.isPythonSpace { advance() }
      isLineStart = index > 0 && scalars[index - 1] == "\n"
    } else if sign == nil, !isOutput, at(index) == "\n" {
      advance()
      isLineStart = true
    }
  }

  mutating func advance() {
    if scalars[index] == "\n" { line += 1 }
    index += 1
  }

  private mutating func skipComment() throws {
    let start = line
    let first = index
    while index < scalars.count {
      if scalars[index] == "#", at(index + 1) == "}" {
        let sign = index > first ? scalars[index - 1] : " "
        index += 2
        finishTag(sign: sign == "-" || sign == "+" ? sign : nil, isOutput: false)
        return
      }
      advance()
    }
    throw ChatTemplateError(line: start, "the comment does not end")
  }

  /// Appends the text up to `{% endraw %}` as it is.
  private mutating func appendRaw() throws {
    let start = index
    let startLine = line
    while index < scalars.count {
      guard scalars[index] == "{", at(index + 1) == "%" else {
        advance()
        continue
      }
      var place = index + 2
      let sign = at(place)
      if sign == "-" || sign == "+" { place += 1 }
      while let next = at(place), next.isPythonSpace { place += 1 }
      let word = Array("endraw".unicodeScalars)
      guard scalars[place...].starts(with: word) else {
        advance()
        continue
      }
      place += word.count
      while let next = at(place), next.isPythonSpace { place += 1 }
      let endSign = at(place)
      if endSign == "-" || endSign == "+" { place += 1 }
      guard at(place) == "%", at(place + 1) == "}" else {
        advance()
        continue
      }
      let textEnd = index
      let stripping = sign == "-" || sign == "+" ? sign : nil
      // As before any other tag.
      let text = stripped(start..<textEnd, sign: stripping, isOutput: false)
      line = startLine
      appendText(text, advancingBy: start..<textEnd)
      while index < place + 2 { advance() }
      finishTag(sign: endSign == "-" || endSign == "+" ? endSign : nil, isOutput: false)
      return
    }
    throw ChatTemplateError(line: startLine, "the raw text does not end")
  }
}

extension Unicode.Scalar {
  /// What Python's `str.isspace` says: Unicode's white space and four separators of ASCII.
  var isPythonSpace: Bool {
    value < 0x80 ? (0x09...0x0D).contains(value) || (0x1C...0x20).contains(value) : properties.isWhitespace
  }
}
