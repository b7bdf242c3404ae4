import Foundation

/// Tokens and numbers as the story tree and the heat map write them.
enum PictureText {
  /// A token as a label: without the space before it, with marks where that would leave nothing.
  ///
  /// - Parameter keepsSpace: Whether the space before it is to be seen, since another token differs by it alone.
  static func label(_ text: String, tokenID: Int, isEnd: Bool, keepsSpace: Bool = false) -> String {
    if isEnd { return "∎ end" }
    guard !text.isEmpty else { return "‹\(tokenID)›" }
    let marked = clipped(text, to: 48).map { character -> String in
      switch character {
      case "\n", "\r", "\r\n": "⏎"
      case "\t": "⇥"
      default: String(character)
      }
    }.joined()
    let bare = String(marked.drop { $0 == " " })
    if bare.isEmpty { return String(repeating: "␣", count: marked.count) }
    return keepsSpace && bare.count < marked.count ? "␣" + bare : bare
  }

  /// The first `count` characters, with an ellipsis where there are more.
  static func clipped(_ text: String, to count: Int) -> String {
    // A character may be many scalars: a wall of accents is cut as well.
    let scalars = text.unicodeScalars.prefix(count * 4)
    let head = String(String.UnicodeScalarView(scalars)).prefix(count)
    return head.utf8.count < text.utf8.count ? head + "…" : text
  }

  /// The last `count` characters or fewer, from the beginning of a word, with an ellipsis where there are more.
  static func tail(_ text: String, _ count: Int) -> String {
    guard text.utf8.count > count, text.count > count else { return text }
    let end = text.suffix(count)
    return "…" + (end.firstIndex(of: " ").map { end[$0...].drop { $0 == " " } } ?? end)
  }

  /// Prompts of more bytes than this are folded.
  static let longPrompt = 240

  /// A prompt that can be unfolded: in a line what it is called, below all of it.
  ///
  /// - Parameter words: The last words of people in it, where a chat template wrote it.
  static func folded(_ prompt: String, words: String?) -> String {
    let name = words.map { clipped($0, to: 240) } ?? tail(prompt, 160)
    return """
      <details class="folded"><summary>Prompt: <bdi>\(escaped(name))</bdi></summary>\
      <div class="whole" dir="auto">\(escaped(clipped(prompt, to: 20_000)))</div></details>
      """
  }

  /// What stands before a completion where there is little room.
  static func lead(_ prompt: String, words: String?) -> String {
    words.map { clipped($0, to: 160) + " → " } ?? tail(prompt, 160)
  }

  /// What a prompt is called in a title.
  static func name(_ prompt: String, words: String?, _ count: Int) -> String {
    isolated(words.map { clipped($0, to: count) } ?? tail(prompt, count))
  }

  /// A probability for a label: 41%, 6.2%, 0.3%, <0.1%.
  static func percent(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    if value <= 0 { return "0%" }
    if value < 0.000_95 { return "<0.1%" }
    return Numbers.fixed(value * 100, value < 0.0995 ? 1 : 0) + "%"
  }

  /// A probability with four digits.
  static func exactPercent(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    return Numbers.significant(value * 100, value * 100 >= 1000 ? 5 : 4) + "%"
  }

  /// How often as probable: ×6.6, ÷3.1, ×1.
  static func ratio(_ value: Double) -> String {
    guard value.isFinite, value > 0 else { return value > 0 ? "from 0" : "to 0" }
    let isGain = value >= 1
    let size = isGain ? value : 1 / value
    let sign = isGain ? "×" : "÷"
    if size >= 9999.5 { return sign + "9,999+" }
    return sign + (size < 9.95 ? Numbers.fixed(size, 1) : Numbers.grouped(size))
  }

  /// The logarithm to base 2.
  static func logarithm(_ value: Double) -> Double { log2(value) }

  /// About how wide a text is in a sans-serif face, in ems: for viewers that cannot be asked.
  static func width(_ text: String) -> Double {
    text.unicodeScalars.reduce(0) { sum, scalar in
      switch scalar {
      case "i", "j", "l", "I", ".", ",", ":", ";", "'", "!", "|", "(", ")", "[", "]", " ", "t", "f", "r": sum + 0.34
      case "m", "w", "M", "W", "%", "@", "…": sum + 0.92
      case "A"..."Z", "&", "×", "÷", "<", ">", "–", "∎", "␣": sum + 0.7
      case "\u{300}"..."\u{36F}", "\u{200B}"..."\u{200F}", "\u{FE00}"..."\u{FE0F}": sum
      case "\u{1100}"..."\u{11FF}", "\u{2E80}"..."\u{D7FF}", "\u{F900}"..."\u{FAFF}", "\u{FF00}"..."\u{FFEF}",
        "\u{1F000}"..."\u{3FFFF}", "\u{23CE}", "\u{21E5}":
        sum + 1.1
      default: sum + 0.58
      }
    }
  }

  /// The text cut so that it fits into `ems`, with an ellipsis; nil where not even one character fits.
  static func fitted(_ text: String, ems: Double) -> String? {
    if width(text) <= ems { return text }
    var kept = ""
    var used = 0.92
    for character in text {
      used += width(String(character))
      if used > ems { break }
      kept.append(character)
    }
    return kept.isEmpty ? nil : kept + "…"
  }
}
