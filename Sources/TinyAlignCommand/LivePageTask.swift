import Foundation
import LivePage
import Synchronization

/// The live page, served beside whatever the command does.
final class LivePageTask: Sendable {
  /// The page's address.
  let url: String
  private let task: Task<Void, Never>
  private let failure: Failure

  private final class Failure: Sendable {
    let error = Mutex<(any Error)?>(nil)
  }

  /// Starts to serve.
  ///
  /// - Parameters:
  ///   - runs: run folders, and folders of run folders; they may come to be later.
  ///   - port: the port; nil takes a free one.
  /// - Throws: `LivePageError` where the port is taken.
  init(runs: [URL], port: UInt16?) throws {
    let server = try LivePageServer(runs: runs, port: port)
    let failure = Failure()
    url = server.url
    self.failure = failure
    task = Task.detached {
      do { try await server.run() } catch { failure.error.withLock { $0 = error } }
    }
  }

  deinit { task.cancel() }

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
    process.arguments = [url]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    // The address was printed: without a browser nothing is lost.
    try? process.run()
  }
}
