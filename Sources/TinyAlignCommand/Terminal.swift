import Alignment
import Foundation
import Reports

/// Results: standard output.
///
/// All text goes through here: on a terminal, what would command it is made visible; a pipe or a file gets every byte as it is.
enum Output {
  private static let isTerminal = isatty(STDOUT_FILENO) == 1

  /// Writes JSON, or says that it could not be written.
  ///
  /// - Throws: ``OutputError``: a result that is lost must not look like success.
  static func json(_ bytes: [UInt8]) throws {
    try write(isTerminal ? Array(TerminalText.visible(json: String(decoding: bytes, as: UTF8.self)).utf8) : bytes)
  }

  /// Writes text.
  ///
  /// - Throws: ``OutputError``.
  static func text(_ text: String) throws { try write((isTerminal ? TerminalText.visible(text) : text).utf8) }

  /// Writes one line.
  ///
  /// - Throws: ``OutputError``.
  static func line(_ text: String) throws { try Self.text(text + "\n") }

  private static func write(_ bytes: some Sequence<UInt8>) throws {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(bytes))
    } catch {
      throw OutputError(isClosed: errno == EPIPE)
    }
  }
}

/// Standard output took no more.
struct OutputError: Error, CustomStringConvertible {
  /// Whether the reader went away, as `head` does.
  var isClosed: Bool
  var description: String {
    isClosed ? "the reader of standard output went away" : "cannot write to standard output; is the disk full?"
  }
}

/// Standard error: progress and messages; standard output is for results. Whatever is said, nothing in it commands a terminal.
enum Terminal {
  /// Whether a person is watching, on a terminal that lines can be taken back from.
  static let isInteractive = isatty(STDERR_FILENO) == 1 && !["", "dumb"].contains(variable("TERM"))

  /// Whether pictures may be drawn again and again: not where the environment asks for plain output.
  static let canDraw = isInteractive && variable("NO_COLOR").isEmpty && ["", "0", "false"].contains(variable("CI"))

  /// The lines that are drawn again and again.
  static let live = LiveLines()

  private static func variable(_ name: String) -> String { ProcessInfo.processInfo.environment[name] ?? "" }

  /// Writes one line.
  static func note(_ line: String) {
    live.erase()
    try? FileHandle.standardError.write(contentsOf: Data((TerminalText.visible(line) + "\n").utf8))
  }

  /// Says what a user is to know about a model's files.
  static func notes(of model: TextModel) {
    for line in model.notes { note("tinyalign: note: \(line)") }
  }

  /// Replaces the progress line where a person is watching.
  static func progress(_ line: String) {
    guard isInteractive else { return }
    let text = TerminalText.visible(line, inOneLine: true)
    try? FileHandle.standardError.write(contentsOf: Data("\r\u{1B}[2K\(text)".utf8))
  }

  /// Ends the progress line.
  static func endProgress() {
    guard isInteractive else { return }
    try? FileHandle.standardError.write(contentsOf: Data("\r\u{1B}[2K".utf8))
  }

  /// `███░░░`, `fraction` of it filled.
  static func bar(_ fraction: Double, width: Int = 24) -> String { TerminalText.bar(fraction, width: width) }

  /// "1:05", "2:03:10".
  static func duration(_ seconds: Double) -> String { TerminalText.duration(seconds) }
}

/// A number with a fixed count of decimals, never "-0.00".
func fixed(_ value: Double, _ decimals: Int) -> String {
  let text = String(format: "%.\(decimals)f", value)
  return text.hasPrefix("-") && !text.contains(where: { "123456789".contains($0) }) ? String(text.dropFirst()) : text
}

/// "1 step", "3 steps".
func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

/// "2.3 million", "68.5 million", "540 thousand".
func rounded(_ count: Int) -> String {
  switch count {
  case ..<10_000: "\(count)"
  case ..<1_000_000: "\(count / 1_000) thousand"
  default: "\(fixed(Double(count) / 1e6, 1)) million"
  }
}
