/// The inside of a tag.
extension Lexer {
  private static let symbols: [String] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",",
  ]

  /// The tokens up to the end of the tag, past which the cursor then is, and the sign that stands there.
  mutating func tokens(
    closing: Unicode.Scalar
  ) throws -> (tokens: [LocatedToken], sign: Unicode.Scalar?) {
    let start = line
    var tokens: [LocatedToken] = []
    var open: [String] = []
    while index < scalars.count {
      let scalar = scalars[index]
      if scalar.isPythonSpace {
        advance()
        continue
      }
      if open.isEmpty {
        let isSigned =
          (scalar == "-" || (scalar == "+" && closing == "%"))
          && at(index + 1) == closing && at(index + 2) == "}"
        if isSigned || (scalar == closing && at(index + 1) == "}") {
          index += isSigned ? 3 : 2
          return (tokens, isSigned ? scalar : nil)
        }
      }
      let tokenLine = line
      let token = try nextToken()
      if case .symbol(let symbol) = token { try balance(symbol, &open) }
      tokens.append(LocatedToken(token: token, line: tokenLine))
    }
    throw ChatTemplateError(line: start, "the tag that begins here does not end")
  }

  private func balance(_ symbol: String, _ open: inout [String]) throws {
    let pairs = ["(": ")", "[": "]", "{": "}"]
    if let closing = pairs[symbol] {
      open.append(closing)
    } else if pairs.values.contains(symbol), open.popLast() != symbol {
      throw failure("unexpected '\(symbol)'")
    }
  }

  private mutating func nextToken() throws -> Token {
    let scalar = scalars[index]
    if scalar.properties.isXIDStart || scalar == "_" {
      let start = index
      while let next = at(index), next.properties.isXIDContinue { index += 1 }
      return .name(string(start..<index))
    }
    if scalar.isDigit { return try number() }
    if scalar == "'" || scalar == "\"" { return .string(try quoted(scalar)) }
    for symbol in Self.symbols where scalars[index...].starts(with: symbol.unicodeScalars) {
      index += symbol.unicodeScalars.count
      return .symbol(symbol)
    }
    throw failure("unexpected character '\(excerpt(String(scalar)))'")
  }

  private func string(_ range: Range<Int>) -> String {
    var string = ""
    string.unicodeScalars.append(contentsOf: scalars[range])
    return string
  }

  private mutating func number() throws -> Token {
    let start = index
    func digits() -> Int {
      var end = index
      while let next = at(end), next.isDigit || (next == "_" && at(end + 1)?.isDigit == true) { end += 1 }
      return end
    }
    index = digits()
    var isDouble = false
    if at(index) == ".", at(index + 1)?.isDigit == true {
      isDouble = true
      index += 1
      index = digits()
    }
    if at(index) == "e" || at(index) == "E" {
      let signed = at(index + 1) == "+" || at(index + 1) == "-" ? 2 : 1
      if at(index + signed)?.isDigit == true {
        isDouble = true
        index += signed
        index = digits()
      }
    }
    let text = string(start..<index).filter { $0 != "_" }
    if isDouble, let value = Double(text) { return .double(value) }
    guard !isDouble, let value = Int(text) else { throw failure("the number \(excerpt(text)) is too large") }
    return .integer(value)
  }

  /// A string literal with Python's escapes.
  private mutating func quoted(_ quote: Unicode.Scalar) throws -> String {
    let start = line
    advance()
    var text = String.UnicodeScalarView()
    while let scalar = at(index) {
      if scalar == quote {
        index += 1
        return String(text)
      }
      guard scalar == "\\" else {
        text.append(scalar)
        advance()
        continue
      }
      index += 1
      guard let escape = at(index) else { break }
      advance()
      switch escape {
      case "n": text.append("\n")
      case "t": text.append("\t")
      case "r": text.append("\r")
      case "a": text.append("\u{07}")
      case "b": text.append("\u{08}")
      case "f": text.append("\u{0C}")
      case "v": text.append("\u{0B}")
      case "\\", "'", "\"": text.append(escape)
      case "\n": break
      case "x": text.append(try codePoint(digits: 2, radix: 16))
      case "u": text.append(try codePoint(digits: 4, radix: 16))
      case "U": text.append(try codePoint(digits: 8, radix: 16))
      case "0"..."7":
        index -= 1
        text.append(try codePoint(digits: 3, radix: 8))
      case "N": throw failure("escapes by name are not supported")
      default:
        text.append("\\")
        text.append(escape)
      }
    }
    throw ChatTemplateError(line: start, "the string that begins here does not end")
  }

  /// A character by its number; octal numbers may be shorter.
  private mutating func codePoint(digits: Int, radix: UInt32) throws -> Unicode.Scalar {
    var value: UInt32 = 0
    var count = 0
    while count < digits, let next = at(index), next.isASCII, let digit = Character(next).hexDigitValue,
      digit < Int(radix)
    {
      value = value * radix + UInt32(digit)
      count += 1
      index += 1
    }
    guard count == digits || radix == 8, let scalar = Unicode.Scalar(value) else {
      throw failure("an escape that names no character")
    }
    return scalar
  }
}

extension Unicode.Scalar {
  fileprivate var isDigit: Bool { ("0"..."9").contains(self) }
}
