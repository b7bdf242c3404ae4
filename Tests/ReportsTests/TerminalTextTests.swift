import Foundation
import Reports
import TestSupport
import Testing

@Suite struct TerminalTextTests {
  @Test(arguments: [
    ("", 0), ("a cat", 5), ("naïve", 5), ("e\u{301}", 1), ("猫", 2), ("ねこ", 4), ("고양이", 6), ("ＡＢ", 4), ("ｱ", 1),
    ("🐈", 2),
    ("❤", 1), ("❤\u{FE0F}", 2), ("…", 1), ("⣿", 1), ("█", 1), ("\u{200B}", 0), ("✅", 2), ("\u{20000}", 2),
  ])
  func `text is measured in columns`(text: String, columns: Int) {
    #expect(TerminalText.columns(of: text) == columns)
  }

  /// Terminals differ over these: some draw one picture, others several beside each other.
  @Test func `combined emoji count as much as any terminal makes of them`() {
    #expect(TerminalText.columns(of: "👩\u{200D}👩\u{200D}👧") == 6)
    #expect(TerminalText.columns(of: "👍🏽") == 4)
    #expect(TerminalText.columns(of: "🇫🇷") == 4)
  }

  @Test func `text is cut at characters, with an ellipsis where something is missing`() {
    #expect(TerminalText.cut("a cat", to: 5) == "a cat")
    #expect(TerminalText.cut("a cat", to: 4) == "a c…")
    #expect(TerminalText.cut("a cat", to: 1) == "…")
    #expect(TerminalText.cut("a cat", to: 0) == "")
    #expect(TerminalText.cut("a cat", to: -3) == "")
    #expect(TerminalText.cut("猫猫猫", to: 6) == "猫猫猫")
    #expect(TerminalText.cut("猫猫猫", to: 5) == "猫猫…")
    #expect(TerminalText.cut("猫猫猫", to: 4) == "猫…")
    #expect(TerminalText.cut("猫猫猫", to: 2) == "…")
    #expect(TerminalText.cut("e\u{301}e\u{301}e\u{301}", to: 2) == "e\u{301}…")
  }

  @Test(arguments: [
    ("a\nb", "a ¶ b"), ("\n\na\r\n\r\nb\n", "a ¶ b"), ("a\u{2028}b\u{85}c", "a ¶ b ¶ c"), ("a\tb", "a b"),
    ("\u{1B}[2J\u{9B}31m", "\u{FFFD}[2J\u{FFFD}31m"), ("\u{0}\u{7}\u{7F}", "\u{FFFD}\u{FFFD}\u{FFFD}"),
    ("a\u{202E}b\u{2066}\u{200F}\u{FEFF}\u{AD}c", "abc"), ("👩\u{200D}👧", "👩\u{200D}👧"), ("\u{301}a", "a"),
    ("a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}b", "a\u{301}\u{301}\u{301}\u{301}b"), ("", ""), ("\n", ""),
  ])
  func `text that would command a terminal is made harmless`(text: String, expected: String) {
    #expect(Array(TerminalText.harmless(text).unicodeScalars) == Array(expected.unicodeScalars))
  }

  @Test func `what commands a terminal is made visible, and nothing else is changed`() {
    #expect(
      TerminalText.visible("\u{1B}]0;x\u{7}\u{9B}2J\u{7F}\0\u{8}")
        == "<U+001B>]0;x<U+0007><U+009B>2J<U+007F><U+0000><U+0008>")
    for scalar in (0...0x10FFFF).compactMap({ Unicode.Scalar($0) }) {
      let isShown = TerminalText.visible("a\(scalar)b").hasPrefix("a<U+")
      let isCommand =
        switch scalar.value {
        case 0x9, 0xA: false
        case 0..<0x20, 0x7F..<0xA0, 0x61C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
      if isShown != isCommand { Issue.record("U+\(String(scalar.value, radix: 16))") }
    }
    #expect(TerminalText.visible("a\r\nb\rc\n\td\r") == "a\r\nb<U+000D>c\n\td<U+000D>")
    #expect(TerminalText.visible("a\r\n\tb", inOneLine: true) == "a<U+000D><U+000A><U+0009>b")
    #expect(TerminalText.visible("e\u{301} 👩\u{200D}👧 نص\u{202E}") == "e\u{301} 👩\u{200D}👧 نص<U+202E>")
    #expect(TerminalText.visible(json: "{\"a\":\"\u{202E}\u{9B}é\"}\n") == #"{"a":"\u202E\u009Bé"}"# + "\n")
  }

  @Test func `bars and times take any number`() {
    #expect(TerminalText.bar(0.5, width: 4) == "██░░")
    #expect(TerminalText.bar(-1, width: 2) == "░░" && TerminalText.bar(7, width: 2) == "██")
    #expect(TerminalText.bar(.nan, width: 2) == "░░")
    #expect(TerminalText.duration(65) == "1:05" && TerminalText.duration(7_390) == "2:03:10")
    #expect(TerminalText.duration(.nan) == "0:00" && TerminalText.duration(-5) == "0:00")
    #expect(TerminalText.duration(.infinity) == "0:00" && TerminalText.duration(1e300).hasSuffix(":40"))
  }
}
