package import Runs

/// Text as a terminal shows it: measured in columns, made safe, cut to fit.
package enum TerminalText {
  /// At most so many columns, since terminals differ over some emoji and over combined ones.
  ///
  /// Ideographs and emoji take two columns (Unicode Standard Annex 11), marks over other characters none.
  package static func columns(of text: some StringProtocol) -> Int {
    text.reduce(0) { $0 + columns(of: $1) }
  }

  /// The columns that one character takes, at most.
  package static func columns(of character: Character) -> Int {
    var sum = 0
    var last = 0
    for scalar in character.unicodeScalars {
      // This selector asks for a picture in place of a sign.
      let width = scalar == "\u{FE0F}" ? (last == 1 ? 1 : 0) : columns(of: scalar)
      if scalar == "\u{FE0F}" || width > 0 { last = scalar == "\u{FE0F}" ? 2 : width }
      sum += width
    }
    return sum
  }

  /// The beginning of `text` that fits into `columns`, with an ellipsis where something is missing.
  package static func cut(_ text: String, to columns: Int) -> String {
    guard columns > 0 else { return "" }
    var used = 0
    var fitting = ""
    for character in text {
      let width = self.columns(of: character)
      if used + width > columns {
        // Room for the ellipsis.
        while used > columns - 1, let last = fitting.popLast() { used -= self.columns(of: last) }
        return fitting + "…"
      }
      used += width
      fitting.append(character)
    }
    return fitting
  }

  /// A text in lines of at most `columns` columns, broken between words, beside a label that stands before the first.
  ///
  /// - Parameter lines: The most lines; the last ends with an ellipsis where something is missing.
  package static func wrapped(_ text: String, label: String, columns: Int, lines: Int) -> [String] {
    let indent = String(repeating: " ", count: self.columns(of: label))
    let room = columns - indent.count
    // Lines of a few letters are no help.
    guard room >= 12 else { return [cut(label + text, to: columns)] }
    var result: [String] = []
    var rest = Substring(text)
    while !rest.isEmpty, result.count < lines {
      if result.count == lines - 1 {
        result.append(cut(String(rest), to: room))
        break
      }
      var used = 0
      var end = rest.startIndex
      while end < rest.endIndex, used + self.columns(of: rest[end]) <= room {
        used += self.columns(of: rest[end])
        end = rest.index(after: end)
      }
      // A letter that is wider than the room stands by itself.
      if end == rest.startIndex { end = rest.index(after: end) }
      if end < rest.endIndex, let space = rest[...end].lastIndex(of: " "), space > rest.startIndex { end = space }
      result.append(String(rest[..<end]))
      rest = rest[end...].drop { $0 == " " }
    }
    return result.enumerated().map { ($0 == 0 ? label : indent) + $1 }
  }

  /// Whether a terminal takes a code point as a command, or as an order to turn the direction of what follows: the control characters
  /// of ASCII (C0 and DEL) and of Latin-1 (C1), and the controls of Unicode's bidirectional algorithm (UAX #9).
  package static func isCommand(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.generalCategory == .control || scalar.properties.isBidiControl
  }

  /// Text as it is, but for what commands a terminal: ESC becomes `<U+001B>`.
  ///
  /// Ends of lines and tabs stay, unless the text is to be one line.
  package static func visible(_ text: String, inOneLine: Bool = false) -> String {
    guard text.unicodeScalars.contains(where: isCommand) else { return text }
    var result = String.UnicodeScalarView()
    let scalars = Array(text.unicodeScalars)
    for (index, scalar) in scalars.enumerated() {
      let isKept =
        switch scalar {
        case "\n", "\t": !inOneLine
        case "\r": !inOneLine && index + 1 < scalars.count && scalars[index + 1] == "\n"
        default: !isCommand(scalar)
        }
      if isKept {
        result.append(scalar)
      } else {
        result.append(contentsOf: "<U+\(digits(scalar))>".unicodeScalars)
      }
    }
    return String(result)
  }

  /// JSON text that says the same and holds nothing that commands a terminal: ESC is written as `\u001B`.
  ///
  /// JSON escapes the control characters of ASCII anyway, and has the others in strings only.
  package static func visible(json: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in json.unicodeScalars {
      if isCommand(scalar), scalar != "\n" {
        result.append(contentsOf: "\\u\(digits(scalar))".unicodeScalars)
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }

  /// Four hexadecimal digits; no command has more.
  private static func digits(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// Text in one line that commands no terminal: ends of lines become pilcrows, other control characters are replaced,
  /// and invisible ones, such as those that turn the direction of writing, left out.
  ///
  /// - Parameter limit: Only so many code points are looked at.
  package static func harmless(_ text: String, limit: Int = .max) -> String {
    var scalars = String.UnicodeScalarView()
    var marks = 0
    var endsLine = false
    for scalar in text.unicodeScalars.prefix(limit) {
      if isLineEnd(scalar) {
        endsLine = true
        continue
      }
      if endsLine {
        if !scalars.isEmpty { scalars.append(contentsOf: " ¶ ".unicodeScalars) }
        endsLine = false
      }
      let isMark = [.nonspacingMark, .enclosingMark].contains(scalar.properties.generalCategory)
      marks = isMark ? marks + 1 : 0
      switch scalar {
      case "\t": scalars.append(" ")
      // Heaps of marks would cover the lines above.
      case _ where isMark: if marks <= 4, !scalars.isEmpty { scalars.append(scalar) }
      case _ where scalar.properties.generalCategory == .control: scalars.append("\u{FFFD}")
      // The joiner of emoji is the only one that shows.
      case _ where scalar.properties.isDefaultIgnorableCodePoint && scalar != "\u{200D}": break
      default: scalars.append(scalar)
      }
    }
    return String(scalars)
  }

  /// `███░░░`, `fraction` of it filled.
  package static func bar(_ fraction: Double, width: Int) -> String {
    let share = fraction.isFinite ? min(1, max(0, fraction)) : 0
    let filled = Int((share * Double(width)).rounded())
    return String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
  }

  /// "1:05", "2:03:10".
  package static func duration(_ seconds: Double) -> String {
    let whole = seconds.isFinite ? Int(min(1e9, max(0, seconds)).rounded()) : 0
    let (hours, minutes, rest) = (whole / 3_600, whole / 60 % 60, whole % 60)
    let padded = rest < 10 ? "0\(rest)" : "\(rest)"
    if hours == 0 { return "\(minutes):\(padded)" }
    return "\(hours):\(minutes < 10 ? "0" : "")\(minutes):\(padded)"
  }

  private static func isLineEnd(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\n", "\r", "\u{B}", "\u{C}", "\u{85}", "\u{2028}", "\u{2029}": true
    default: false
    }
  }

  private static func columns(of scalar: Unicode.Scalar) -> Int {
    if scalar.value < 0x300 { return 1 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark: return 0
    case .format: return scalar.properties.isDefaultIgnorableCodePoint ? 0 : 1
    // What this program does not know a terminal may know.
    case .unassigned: return 2
    default: return isWide(scalar.value) || scalar.properties.isEmojiPresentation ? 2 : 1
    }
  }

  /// East Asian Wide and Fullwidth, by blocks of EastAsianWidth.txt; emoji besides have a property of their own.
  private static func isWide(_ code: UInt32) -> Bool {
    switch code {
    case 0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4DC0...0xA4CF, 0xA960...0xA97F,
      0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
      0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF, 0x1D300...0x1D37F, 0x1F000...0x1FAFF, 0x20000...0x3FFFD:
      true
    default: false
    }
  }
}

/// What a prompt is called in a line: the last words of people in a conversation, or the end of a text.
package func promptName(_ prompt: String, _ labels: PromptLabels, count: Int) -> String {
  labels.words(of: prompt).map { PictureText.clipped($0, to: count) } ?? PictureText.tail(prompt, count)
}
