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

    /// Runs the command with standard error, and standard output where `withOutput` says so, at a terminal of so many columns; `during` is called with all that was
    /// written so far, and may send signals to the process.
    private func onTerminal(
      columns: UInt16, _ arguments: [String], in folder: URL, environment: [String: String] = ["TERM": "xterm"],
      withOutput: Bool = false, during: (String, Int32) -> Void = { _, _ in }
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
      if withOutput { process.standardOutput = FileHandle(fileDescriptor: side, closeOnDealloc: false) }
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
        // A long path goes on in the next line.
        #expect(screen.suffix(2).joined().hasSuffix("report.html") || columns < 80, "\(screen)")
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

    /// Titles, colours, answers to the host, bells, C1, the other direction of writing.
    private static let evil = "\u{1B}]0;title\u{7}\u{1B}[31m\u{1B}[6n\u{9B}2J\u{7F}\u{8}\u{202E}\u{2066}"

    /// What a terminal must not be sent, apart from what the program draws with.
    private func commands(in text: String) -> [Unicode.Scalar] {
      text.unicodeScalars.filter { scalar in
        scalar != "\r" && scalar != "\n"
          && (scalar.properties.generalCategory == .control || scalar.properties.isBidiControl)
      }
    }

    @Test func `what comes from outside commands no terminal`() throws {
      try withTemporaryFolder { folder in
        func write(_ text: String, _ name: String) throws {
          let file = folder.appending(path: name)
          try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
          try Data(text.utf8).write(to: file)
        }
        // As JSON spells it.
        let escaped = #"\u001b]0;title\u0007\u001b[31m\u009b2J\u202e\nmore"#
        try makeTinyModel(in: folder)
        try write(#"{"model_type": "\#(escaped)"}"#, "model/config.json")
        try write(#""\e]0;title\a\e[31m": 1"#, "recipe.yaml")
        try write(#"toward: "\e[31m\u202e cat""# + "\nsteps: 1\nsamples: 2\n", "toward.yaml")
        for (arguments, status) in [
          (["sample", "--model", "model"], Int32(1)), (["align", "--recipe", "recipe.yaml"], 2),
          (["score", "--file", Self.evil], 1), (["score", "--model", Self.evil, "a"], 1), (["--\(Self.evil)"], 2),
          (["align", "--recipe", "toward.yaml", "--out", "run"], 0),
        ] {
          let result = try onTerminal(
            columns: 200, arguments, in: folder, environment: ["TERM": "dumb"], withOutput: true)
          #expect(result.status == status, "\(result.text)")
          #expect(commands(in: result.text).isEmpty, "\(result.text)")
          #expect(result.text.contains("<U+001B>"), "\(result.text)")
          if status == 1 { #expect(result.text.split(separator: "\r\n").count == 1, "\(result.text)") }
          // Where standard error goes to a file, too: it will be looked at on a terminal.
          if status == 1 { #expect(commands(in: try tinyalign(arguments, in: folder).errors).isEmpty) }
        }
      }
    }

    @Test func `generated text is made visible on a terminal, and goes into a pipe as it is`() throws {
      try withTemporaryFolder { folder in
        let ids = output(of: try tinyalign("tokenize", "--json", Self.evil, in: folder))
          .firstMatch(of: /"token_ids":\[([0-9,]+)\]/)
        let evil = [
          ["tokenize", "--decode", String(try #require(ids).1)],
          ["sample", "--prompt", "Once" + Self.evil, "--max-new-tokens", "1", "--temperature", "0"],
          ["sample", "--prompt", "Once" + Self.evil, "--max-new-tokens", "1", "--temperature", "0", "-n", "2"],
        ]
        for arguments in evil {
          #expect(output(of: try tinyalign(arguments, in: folder)).contains(Self.evil))
          let shown = try onTerminal(columns: 80, arguments, in: folder, withOutput: true)
          #expect(shown.status == 0 && commands(in: shown.text).isEmpty, "\(shown.text)")
          #expect(shown.text.contains("<U+001B>]0;title<U+0007>"))
          let json = try onTerminal(columns: 80, arguments + ["--json"], in: folder, withOutput: true)
          #expect(json.status == 0 && commands(in: json.text).isEmpty, "\(json.text)")
          #expect(json.text.contains(#"\u202E\u2066"#))
        }
      }
    }
  }
}
