extension HeatMap {
  /// The story as an SVG file of its own, coloured by the log-ratio (or the first that is known), legend included.
  package var svg: String {
    let margin = 24.0
    let shading = shadings.first
    let lines = HeatMapLines(self, columns: 96)
    let top = shading == nil ? margin + 20 : 92.0
    let lineHeight = 26.0
    let advance = 8.43
    let width = 2 * margin + 96 * advance
    let height = top + Double(max(1, lines.lines.count)) * lineHeight + margin / 2
    let rows = lines.lines.enumerated().flatMap { row, runs in
      runs.map { run -> String in
        let x = margin + Double(run.column) * advance
        let y = top + Double(row) * lineHeight
        let size = Double(run.width) * advance
        let color = run.token.flatMap { token in shading.flatMap { fill(of: tokens[token], $0) } }
        let box = color.map { fill in
          """
          <rect x="\(coordinate(x - 0.6))" y="\(coordinate(y - 16))" width="\(coordinate(size + 0.6))" height="22" \
          rx="3" fill="\(fill)"/>
          """
        }
        let name = run.token == nil ? " class=\"quiet\"" : ""
        return (box ?? "") + """
          <text\(name) x="\(coordinate(x))" y="\(coordinate(y))" textLength="\(coordinate(size))" \
          lengthAdjust="spacingAndGlyphs">\(escaped(run.text))</text>
          """
      }
    }
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(coordinate(width)) \(coordinate(height))" \
      width="\(coordinate(width))" height="\(coordinate(height))" role="img" \
      aria-label="A story with its tokens coloured">
      <style>
      text{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:14px;\
      fill:#1f1e1b;white-space:pre}
      .quiet{fill:#6a665e}
      .small{font-family:system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif;font-size:11px;\
      fill:#6a665e}
      </style>
      <rect width="100%" height="100%" fill="#ffffff"/>
      \(shading.map { legend($0, left: margin) } ?? "")
      \(rows.joined(separator: "\n"))
      </svg>

      """
  }

  private func fill(of token: Token, _ shading: Shading) -> String? {
    value(of: token, shading).map { value in
      let shade = shade(value, shading)
      return shading == .entropy ? PictureColors.amount(shade) : PictureColors.changeOnWhite(shade)
    }
  }

  private func legend(_ shading: Shading, left: Double) -> String {
    let colors =
      shading == .entropy ? [0, 1].map(PictureColors.amount) : [-1, 0, 1].map(PictureColors.changeOnWhite)
    return """
      <text class="small" x="\(coordinate(left))" y="25">\(escaped(shading.meaning))</text>
      \(PictureColors.scale(ticks(shading), colors: colors, left: left, top: 34))
      """
  }
}

/// A story in lines of equally wide letters.
struct HeatMapLines {
  /// Letters of one token beside each other.
  struct Run {
    var text: String
    /// The first letter's column, from 0.
    var column: Int
    /// How many columns it takes.
    var width: Int
    /// The token; nil for the prompt and what follows the tokens.
    var token: Int?
  }

  private struct Letter {
    var character: Character
    var token: Int?
    var width: Int
    /// Whether a space is a token's whole text, so that there is nothing else to colour.
    var isSolid = false
  }

  /// The most letters that are drawn.
  private static let capacity = 12_000

  private(set) var lines: [[Run]] = [[]]
  private var column = 0
  private let columns: Int

  init(_ map: HeatMap, columns: Int) {
    self.columns = columns
    var letters = Self.letters(PictureText.lead(map.prompt, words: map.words), nil)
    for (index, token) in map.tokens.enumerated() where letters.count < Self.capacity {
      let text = token.isEnd ? " ∎end" : token.text.isEmpty ? "·" : token.text
      letters += Self.letters(text, index)
    }
    letters += Self.letters(map.rest, nil)
    if letters.count > Self.capacity {
      letters = letters.prefix(Self.capacity) + [Letter(character: "…", token: nil, width: 1)]
    }
    var word: [Letter] = []
    for letter in letters {
      switch letter.character {
      case " " where !letter.isSolid:
        place(&word)
        if column > 0 { column += 1 }
      case "\n", "\r", "\r\n":
        word.append(Letter(character: "⏎", token: letter.token, width: 1))
        place(&word)
        breakLine()
      default: word.append(letter)
      }
    }
    place(&word)
  }

  private static func letters(_ text: String, _ token: Int?) -> [Letter] {
    let isSolid = token != nil && text.allSatisfy { $0 == " " }
    return text.prefix(capacity + 1).map { character in
      // One letter, one place: no wall of accents, no zero-width tricks.
      let first = String(String.UnicodeScalarView(character.unicodeScalars.prefix(3))).first ?? " "
      let clean = character == "\t" ? " " : character == "\r\n" ? "\n" : first
      let isWide = character.unicodeScalars.contains { (0x1100...0x115F).contains($0.value) || $0.value >= 0x2E80 }
      return Letter(character: clean, token: token, width: isWide ? 2 : 1, isSolid: isSolid)
    }
  }

  private mutating func place(_ word: inout [Letter]) {
    let width = word.reduce(0) { $0 + $1.width }
    if column > 0, column + width > columns { breakLine() }
    for letter in word {
      if column + letter.width > columns { breakLine() }
      append(letter)
    }
    word.removeAll()
  }

  private mutating func append(_ letter: Letter) {
    let row = lines.count - 1
    if let last = lines[row].last, last.token == letter.token, last.column + last.width == column {
      lines[row][lines[row].count - 1].text.append(letter.character)
      lines[row][lines[row].count - 1].width += letter.width
    } else {
      lines[row].append(Run(text: String(letter.character), column: column, width: letter.width, token: letter.token))
    }
    column += letter.width
  }

  private mutating func breakLine() {
    lines.append([])
    column = 0
  }
}
