import Foundation

/// A browser that could not be found or started, or that did not do what it was asked to in time.
public struct BrowserFailure: Error, CustomStringConvertible {
  /// What a failing test prints.
  public let description: String
}

/// A headless Chromium, and the two pipes over which it speaks the DevTools protocol.
///
/// Chromium reads commands from file descriptor 3 and writes answers to 4; each message ends with a zero byte.
/// `Process` passes only the first three descriptors on, so a shell opens named pipes as these two.
final class BrowserProcess: @unchecked Sendable {
  // Chromium ends by itself once its command pipe has no writer, so it goes even if the tests are killed.
  private let process = Process()
  private let folder: URL
  private let commands: Int32
  private let answers: Int32
  private let source: any DispatchSourceRead
  private let writing = NSLock()

  /// Starts the browser; `receive` gets each message, and nil once the browser has ended.
  ///
  /// - Throws: ``BrowserFailure`` where there is no Chromium or it does not start.
  init(receive: @escaping @Sendable (Data?) -> Void) throws {
    let executable = try Self.executable()
    let folder = FileManager.default.temporaryDirectory.appending(path: "tinyalign-browser-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let pipes = ["commands", "answers"].map { folder.appending(path: $0).path }
    // Open for both directions, a named pipe never waits for its other end, and never raises SIGPIPE.
    let descriptors = pipes.map { mkfifo($0, 0o600) == 0 ? open($0, O_RDWR | O_CLOEXEC) : -1 }
    guard descriptors.allSatisfy({ $0 >= 0 }) else {
      throw BrowserFailure(description: "cannot make named pipes in \(folder.path)")
    }
    self.folder = folder
    commands = descriptors[0]
    answers = descriptors[1]
    source = DispatchSource.makeReadSource(
      fileDescriptor: answers, queue: DispatchQueue(label: "tinyalign.browser"))
    var splitter = MessageSplitter()
    source.setEventHandler { [answers] in
      for message in splitter.messages(reading: answers) { receive(message) }
    }
    source.setCancelHandler { [commands, answers] in
      close(commands)
      close(answers)
    }
    source.resume()
    try start(executable, pipes: pipes) { receive(nil) }
  }

  deinit { end() }

  private func start(_ executable: String, pipes: [String], ended: @escaping @Sendable () -> Void) throws {
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments =
      ["-c", "commands=$1 answers=$2; shift 2; exec \"$@\" 3<\"$commands\" 4>\"$answers\"", "sh"]
      + pipes + [executable] + arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    process.terminationHandler = { _ in ended() }
    // A child starts with the signals blocked that its parent's thread blocks; test threads block all.
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_UNBLOCK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try process.run()
  }

  private var arguments: [String] {
    var arguments = [
      "--headless", "--remote-debugging-pipe", "--user-data-dir=\(folder.appending(path: "profile").path)",
      "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage",
      "--disable-crash-reporter", "--disable-breakpad", "--disable-background-timer-throttling",
      "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows", "--hide-scrollbars",
      "--force-color-profile=srgb", "--mute-audio", "--lang=en-US",
    ]
    // Chromium refuses its sandbox to root.
    if geteuid() == 0 { arguments.append("--no-sandbox") }
    return arguments + ["about:blank"]
  }

  /// Sends one message.
  func send(_ message: Data) {
    writing.withLock {
      var bytes = Array(message) + [0]
      while !bytes.isEmpty {
        let count = write(commands, bytes, bytes.count)
        if count < 0 && errno != EINTR { return }
        bytes.removeFirst(max(0, count))
      }
    }
  }

  /// Ends the browser and removes what it wrote; later calls do nothing.
  func end() {
    guard !source.isCancelled else { return }
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    let deadline = Date(timeIntervalSinceNow: 5)
    while process.isRunning, Date() < deadline { usleep(2_000) }
    source.cancel()
    // Its helpers notice a moment later that it is gone, and may still write into the profile.
    for _ in 0..<500 {
      try? FileManager.default.removeItem(at: folder)
      if !FileManager.default.fileExists(atPath: folder.path) { return }
      usleep(20_000)
    }
  }

  /// The path of Chromium: what TINYALIGN_CHROMIUM says, else the first of the usual names on the PATH.
  private static func executable() throws -> String {
    let environment = ProcessInfo.processInfo.environment
    if let path = environment["TINYALIGN_CHROMIUM"] {
      guard FileManager.default.isExecutableFile(atPath: path) else {
        throw BrowserFailure(description: "TINYALIGN_CHROMIUM names no program: \(path)")
      }
      return path
    }
    let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let names = ["chromium", "chromium-browser", "google-chrome"].flatMap { name in folders.map { "\($0)/\(name)" } }
    let applications = ["Chromium", "Google Chrome"].map { "/Applications/\($0).app/Contents/MacOS/\($0)" }
    guard let path = (names + applications).first(where: FileManager.default.isExecutableFile(atPath:)) else {
      throw BrowserFailure(
        description: "no Chromium: run Scripts/install-test-dependencies, or set TINYALIGN_CHROMIUM to its path")
    }
    return path
  }
}

/// Cuts what is read from a pipe at its zero bytes.
private struct MessageSplitter {
  private var rest = Data()

  /// Reads what there is and returns the messages that are complete.
  mutating func messages(reading descriptor: Int32) -> [Data] {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return [] }
    var messages: [Data] = []
    var start = 0
    for index in 0..<count where buffer[index] == 0 {
      messages.append(rest + buffer[start..<index])
      rest = Data()
      start = index + 1
    }
    rest.append(contentsOf: buffer[start..<count])
    return messages
  }
}
