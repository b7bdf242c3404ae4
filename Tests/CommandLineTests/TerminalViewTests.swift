import Foundation
import TestSupport
import Testing

/// As much of a terminal as the view needs: what the window shows after all that was written, and what scrolled out of it.
private struct Screen {
  private(set) var lines: [[Character]] = [[]]
  private var row = 0
  private var column = 0
  private var wraps = true
  let columns: Int

  init(_ text: String, columns: Int) throws {
    self.columns = columns
    var rest = Array(text.unicodeScalars)[...]
    while let scalar = rest.popFirst() {
      switch scalar {
      case "\r": column = 0
      case "\n":
        row += 1
        if row == lines.count { lines.append([]) }
      case "\u{1B}":
        try #require(rest.popFirst() == "[")
        let parameters = rest.prefix { !$0.properties.isAlphabetic }
        rest = rest.dropFirst(parameters.count)
        let command = try #require(rest.first)
        rest = rest.dropFirst()
        try control(command, String(String.UnicodeScalarView(parameters)))
      default: put(Character(scalar))
      }
    }
  }

  /// The lines as text, without empty ones at the end.
  var text: [String] {
    lines.map { String($0).trimmingCharacters(in: .whitespaces) }.reversed().drop { $0.isEmpty }.reversed()
  }

  private mutating func control(_ command: Unicode.Scalar, _ parameters: String) throws {
    switch (command, parameters) {
    case ("K", "2"): lines[row] = []
    case ("J", ""):
      lines.removeSubrange((row + 1)...)
      lines[row] = Array(lines[row].prefix(column))
    case ("A", _): row = max(0, row - (Int(parameters) ?? 1))
    case ("l", "?7"): wraps = false
    case ("h", "?7"): wraps = true
    default: Issue.record("unknown: \(parameters)\(command)")
    }
  }

  private mutating func put(_ character: Character) {
    if column == columns {
      guard wraps else { return }
      (row, column) = (row + 1, 0)
      if row == lines.count { lines.append([]) }
    }
    while lines[row].count <= column { lines[row].append(" ") }
    lines[row][column] = character
    column += 1
  }
}

extension CommandTests {
  @Suite struct TerminalViewTests {
    /// A terminal of our own: its descriptor, and the path of the side that programs write to.
    private static func openTerminal() throws -> (Int32, String) {
      #if canImport(Darwin)
        let terminal = posix_openpt(O_RDWR | O_NOCTTY)
        try #require(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0)
        return (terminal, String(cString: try #require(ptsname(terminal))))
      #else
        // What posix_openpt does; the C header hides it from Swift.
        let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var lock: Int32 = 0
        var number: Int32 = 0
        let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
        try #require(terminal >= 0 && ioctl(terminal, setLock, &lock) == 0)
        try #require(ioctl(terminal, getNumber, &number) == 0)
        return (terminal, "/dev/pts/\(number)")
      #endif
    }

    /// Runs the command with standard error at a terminal of so many columns; `during` is called with all that was
    /// written so far, and may send signals to the process.
    private func onTerminal(
      columns: UInt16, _ arguments: [String], in folder: URL, environment: [String: String] = ["TERM": "xterm"],
      during: (String, Int32) -> Void = { _, _ in }
    ) throws -> (status: Int32, text: String) {
      let (terminal, name) = try Self.openTerminal()
      defer { close(terminal) }
      let process = Process()
      process.executableURL = try CommandRunner(product: "tinyalign").executable
      process.arguments = arguments
      process.currentDirectoryURL = folder
      process.environment = ProcessInfo.processInfo.environment
        .filter { !["NO_COLOR", "CI", "TERM"].contains($0.key) }.merging(environment) { $1 }
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = FileHandle.nullDevice
      let side = open(name, O_RDWR | O_NOCTTY)
      try #require(side >= 0)
      var size = winsize(ws_row: 30, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
      try #require(ioctl(terminal, UInt(TIOCSWINSZ), &size) == 0)
      process.standardError = FileHandle(fileDescriptor: side, closeOnDealloc: false)
      var all = sigset_t()
      var before = sigset_t()
      sigfillset(&all)
      pthread_sigmask(SIG_UNBLOCK, &all, &before)
      try process.run()
      pthread_sigmask(SIG_SETMASK, &before, nil)
      close(side)
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let deadline = Date(timeIntervalSinceNow: 120)
      // A terminal whose other side is closed gives an error, or nothing.
      while Date() < deadline {
        let count = read(terminal, &buffer, buffer.count)
        if count <= 0 { break }
        bytes += buffer.prefix(count)
        during(String(decoding: bytes, as: UTF8.self), process.processIdentifier)
      }
      if process.isRunning, Date() >= deadline { kill(process.processIdentifier, SIGKILL) }
      process.waitUntilExit()
      // The terminal makes CR LF of each end of a line.
      let text = String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n").replacing("\n", with: "\r\n")
      return (process.terminationStatus, text)
    }

    @Test(arguments: [40, 80, 200])
    func `a run draws a few lines in place and leaves the last of them`(columns: UInt16) throws {
      try withTemporaryFolder { folder in
        let result = try onTerminal(
          columns: columns, ["align", "--steps", "6", "--samples", "8", "--out", "run"], in: folder)
        #expect(result.status == 0)
        let screen = try Screen(result.text, columns: Int(columns)).text
        let status = screen.filter { $0.contains("step ") && $0.contains("/6") && $0.contains("█") }
        #expect(status.count == 1 && status[0].contains("step 6/6"), "\(screen)")
        #expect(screen.filter { $0.contains("reward │") }.count == 1, "\(screen)")
        #expect(screen.filter { $0.hasPrefix("best ") }.count == 1, "\(screen)")
        #expect(screen.last?.hasSuffix("report.html") == true || columns < 80, "\(screen)")
        #expect(result.text.contains("\u{1B}[J"), "it was drawn in place")
      }
    }

    @Test func `Ctrl-C leaves a clean screen`() throws {
      try withTemporaryFolder { folder in
        var isSent = false
        let result = try onTerminal(
          columns: 100, ["align", "--steps", "100000", "--samples", "8", "--out", "run"], in: folder
        ) { text, process in
          // Not every step is drawn; the curves come with the second.
          guard !isSent, text.contains("KL │") else { return }
          isSent = true
          kill(process, SIGINT)
        }
        #expect(isSent && result.status == 130)
        let screen = try Screen(result.text, columns: 100).text
        #expect(screen.filter { $0.contains("step ") && $0.contains("█") || $0.contains("░") }.count == 1, "\(screen)")
        #expect(screen.contains { $0.hasPrefix("Interrupted after step ") })
        // Lines that are too long are broken again, as they were before.
        let (off, on) = ("\u{1B}[?7l", "\u{1B}[?7h")
        let lastOff = try #require(result.text.ranges(of: off).last)
        #expect(try #require(result.text.ranges(of: on).last).lowerBound > lastOff.lowerBound)
        #expect(result.text.unicodeScalars.last == "\n", "\(result.text.suffix(200).debugDescription)")
      }
    }

    @Test(arguments: [["TERM": "dumb"], ["TERM": "xterm", "NO_COLOR": "1"], ["TERM": "xterm", "CI": "true"]])
    func `where no picture is wanted there are plain lines`(environment: [String: String]) throws {
      try withTemporaryFolder { folder in
        let result = try onTerminal(
          columns: 100, ["align", "--steps", "4", "--samples", "4", "--out", "run"], in: folder,
          environment: environment)
        #expect(result.status == 0)
        #expect(!result.text.contains("\u{1B}[?7l") && !result.text.contains("\u{1B}[J"))
        if environment["TERM"] == "dumb" { #expect(!result.text.contains("\u{1B}")) }
      }
    }

    @Test func `a pipe gets plain lines as ever, and the curves once at the end`() throws {
      try withTemporaryFolder { folder in
        let result = try tinyalign("align", "--steps", "20", "--samples", "4", "--out", "run", in: folder)
        _ = output(of: result)
        #expect(!result.errors.contains("\u{1B}") && !result.errors.contains("\r"))
        let steps = result.errorLines.filter { $0.contains("░") || $0.contains("█") }
        #expect(steps.count == 11, "the first and each tenth")
        #expect(
          steps.allSatisfy { $0.contains("/20  reward ") && $0.contains(" nats/token  ") && $0.hasSuffix(" left") })
        #expect(result.errorLines.filter { $0.contains("reward │") }.count == 1)
        #expect(result.errorLines.filter { $0.contains("KL │") }.count == 1)
      }
    }
  }
}
