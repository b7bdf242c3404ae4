public import Foundation

/// A command that could not be found, or did not end in time.
public struct CommandFailure: Error, CustomStringConvertible {
  /// What a failing test prints.
  public let description: String
}

/// How a command ended and what it said.
public struct CommandResult: Sendable {
  /// The exit status; minus the signal's number where a signal ended it.
  public let status: Int32
  /// All of standard output.
  public let output: String
  /// All of standard error.
  public let errors: String

  /// The lines of standard error.
  public var errorLines: [Substring] { errors.split(separator: "\n") }
}

/// Runs a built command the way a user does: a process of its own, with its output in files.
public struct CommandRunner: Sendable {
  /// The program.
  public let executable: URL

  /// Runs `executable`.
  public init(executable: URL) { self.executable = executable }

  /// Finds the product `name` beside the test bundle, else in the package's release build.
  ///
  /// - Throws: ``CommandFailure`` where it is in neither place: the test fails, it is never skipped.
  public init(product name: String) throws {
    // .build/release is where this very package puts it; this file lies in Tests/TestSupport.
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let besideTests =
      [Bundle.main.bundleURL]
      + Bundle.allBundles.map(\.bundleURL).filter { $0.pathExtension == "xctest" }.map {
        $0.deletingLastPathComponent()
      }
    let places = (besideTests + [root.appending(path: ".build/release")]).map { $0.appending(path: name) }
    guard let place = places.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
      throw CommandFailure(
        description: "no program \(name) at \(places.map(\.path).joined(separator: " or ")); run `make build` first")
    }
    executable = place
  }

  /// Starts the command.
  ///
  /// - Parameters:
  ///   - folder: the folder it runs in.
  ///   - environment: what is set (or, for nil, taken away) over this process's environment.
  public func start(
    _ arguments: [String], in folder: URL, environment: [String: String?] = [:]
  ) throws -> RunningCommand {
    try RunningCommand(executable, arguments, folder, environment)
  }

  /// Runs the command to its end; see ``start(_:in:environment:)``.
  ///
  /// - Throws: ``CommandFailure`` where it takes longer than `timeout` seconds.
  public func run(
    _ arguments: [String], in folder: URL, environment: [String: String?] = [:], timeout: Double = 120
  ) throws -> CommandResult {
    try start(arguments, in: folder, environment: environment).wait(timeout: timeout)
  }
}

/// A command that was started; it is killed where nothing waits for it any longer.
public final class RunningCommand {
  private let process = Process()
  private let name: String
  private let texts: URL

  fileprivate init(
    _ executable: URL, _ arguments: [String], _ folder: URL, _ environment: [String: String?]
  ) throws {
    name = ([executable.lastPathComponent] + arguments).joined(separator: " ")
    texts = FileManager.default.temporaryDirectory.appending(path: "tinyalign-output-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: texts, withIntermediateDirectories: true)
    process.executableURL = executable
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.environment = ProcessInfo.processInfo.environment.merging(
      environment.compactMapValues { $0 }, uniquingKeysWith: { $1 }
    ).filter { environment[$0.key] != .some(.none) }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try file("output")
    process.standardError = try file("errors")
    // A child starts with the signals blocked that its parent's thread blocks; test threads block all.
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_UNBLOCK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    // It starts with those ignored, too, that its parent ignores, as when the tests run in the background.
    let handlers = [SIGINT, SIGTERM, SIGHUP].map { ($0, signal($0, SIG_DFL)) }
    defer { for (number, handler) in handlers { signal(number, handler) } }
    try process.run()
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    try? FileManager.default.removeItem(at: texts)
  }

  /// Whether it has not ended yet.
  public var isRunning: Bool { process.isRunning }

  /// Standard output so far.
  public var output: String { (try? text("output")) ?? "" }
  /// Standard error so far.
  public var errors: String { (try? text("errors")) ?? "" }

  /// Sends a signal, such as SIGINT.
  public func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  /// Waits until `condition` holds.
  ///
  /// - Throws: ``CommandFailure`` where the command ends first, or `timeout` seconds pass.
  public func wait(until condition: () throws -> Bool, timeout: Double = 60) throws {
    let deadline = Date(timeIntervalSinceNow: timeout)
    while try !condition() {
      guard process.isRunning else { throw failure("ended with status \(status) too early") }
      guard Date() < deadline else { throw failure("did not get there within \(timeout) seconds") }
      usleep(2_000)
    }
  }

  /// Waits for the end.
  ///
  /// - Throws: ``CommandFailure`` where it takes longer than `timeout` seconds; the command is then killed.
  public func wait(timeout: Double = 120) throws -> CommandResult {
    let deadline = Date(timeIntervalSinceNow: timeout)
    while process.isRunning {
      if Date() > deadline { throw failure("did not end within \(timeout) seconds") }
      usleep(2_000)
    }
    return CommandResult(status: status, output: try text("output"), errors: try text("errors"))
  }

  private var status: Int32 {
    process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
  }

  private func file(_ name: String) throws -> FileHandle {
    let url = texts.appending(path: name)
    try Data().write(to: url)
    return try FileHandle(forWritingTo: url)
  }

  private func text(_ name: String) throws -> String {
    guard let text = String(bytes: try Data(contentsOf: texts.appending(path: name)), encoding: .utf8) else {
      throw failure("wrote something that is not UTF-8 to its \(name)")
    }
    return text
  }

  private func failure(_ what: String) -> CommandFailure {
    CommandFailure(description: "`\(name)` \(what); standard error: \((try? text("errors")) ?? "")")
  }
}
