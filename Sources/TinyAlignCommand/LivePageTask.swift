import Foundation
import LivePage
import Synchronization

/// The live page, served beside whatever the command does.
final class LivePageTask: Sendable {
  private let server: LivePageServer
  private let task: Task<Void, Never>
  private let failure: Failure

  private final class Failure: Sendable {
    let error = Mutex<(any Error)?>(nil)
  }

  /// Starts to serve.
  ///
  /// - Parameters:
  ///   - runs: run folders, and folders of run folders; they may come to be later.
  ///   - options: the address and the secret.
  /// - Throws: `LivePageError` where an option has no meaning, or the port is taken.
  init(runs: [URL], options: LivePageOptions) throws {
    let server = try LivePageServer(runs: runs, options: options)
    let failure = Failure()
    self.server = server
    self.failure = failure
    task = Task.detached {
      do { try await server.run() } catch { failure.error.withLock { $0 = error } }
    }
  }

  deinit { task.cancel() }

  /// The page's address, with its secret.
  var url: String { server.url }

  /// Says who else can see the page, where that is not this user alone.
  func warnOfOthers() {
    if !server.options.isLoopback {
      Terminal.note("Other computers reach this page; whoever knows its address sees the runs. It is not encrypted.")
    } else if server.options.token == nil {
      Terminal.note("The page has no token: every user of this computer can read the runs.")
    }
  }

  /// Serves until a signal comes.
  ///
  /// - Throws: what ended the server.
  func serve(until stop: InterruptSignal) throws {
    while !stop.isRaised {
      if let error = failure.error.withLock({ $0 }) { throw error }
      usleep(50_000)
    }
  }

  /// Shows the page in the browser, where there is a display and a program that knows the browser.
  func openInBrowser() {
    #if os(macOS)
      let programs = ["/usr/bin/open"]
    #else
      let environment = ProcessInfo.processInfo.environment
      guard ["DISPLAY", "WAYLAND_DISPLAY"].contains(where: { !(environment[$0] ?? "").isEmpty }) else { return }
      let programs = (environment["PATH"] ?? "").split(separator: ":").map { "\($0)/xdg-open" }
    #endif
    guard let program = programs.first(where: { access($0, X_OK) == 0 }) else { return }
    let process = Process()
    process.executableURL = URL(filePath: program)
    // Others on this computer can read the browser's command line: what stands there opens the page only once.
    process.arguments = [server.makeTicketURL()]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    // The address was printed: without a browser nothing is lost.
    try? process.run()
  }
}
