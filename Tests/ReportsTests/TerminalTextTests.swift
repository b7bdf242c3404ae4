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

  @Test func `bars and times take any number`() {
    #expect(TerminalText.bar(0.5, width: 4) == "██░░")
    #expect(TerminalText.bar(-1, width: 2) == "░░" && TerminalText.bar(7, width: 2) == "██")
    #expect(TerminalText.bar(.nan, width: 2) == "░░")
    #expect(TerminalText.duration(65) == "1:05" && TerminalText.duration(7_390) == "2:03:10")
    #expect(TerminalText.duration(.nan) == "0:00" && TerminalText.duration(-5) == "0:00")
    #expect(TerminalText.duration(.infinity) == "0:00" && TerminalText.duration(1e300).hasSuffix(":40"))
  }
}
