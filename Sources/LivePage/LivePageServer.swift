import FlyingSocks
public import Foundation
import Synchronization

/// Serves the live page over run folders, on 127.0.0.1 only.
///
/// It reads only when a page asks, or while one is open; it never writes.
public struct LivePageServer: Sendable {
  private let listener: Listener
  private let catalogue: RunCatalogue
  private let limits: ConnectionLimits

  /// Listens, so that ``url`` is known; nothing is answered before ``run()``.
  ///
  /// - Parameters:
  ///   - runs: run folders, and folders of run folders; they may come to be later.
  ///   - port: the port; nil takes a free one.
  /// - Throws: ``LivePageError`` where the port is taken.
  public init(runs: [URL], port: UInt16?) throws {
    try self.init(runs: runs, port: port, limits: ConnectionLimits())
  }

  /// Listens, with other limits than the usual ones.
  ///
  /// - Throws: ``LivePageError`` where the port is taken.
  package init(runs: [URL], port: UInt16?, limits: ConnectionLimits) throws {
    listener = try Listener(port: port ?? 0)
    catalogue = RunCatalogue(runs)
    self.limits = limits
  }

  /// The port.
  public var port: UInt16 { listener.port }

  /// The page's address.
  public var url: String { "http://127.0.0.1:\(listener.port)/" }

  /// Serves until the task is cancelled.
  ///
  /// - Throws: `CancellationError`, or what makes the system's sockets unusable.
  public func run() async throws {
    // The next one who asks is told at once that nobody answers.
    defer { _ = shutdown(listener.socket.file.rawValue, Int32(SHUT_RDWR)) }
    let pool = SettledPool()
    try await pool.prepare()
    let socket = try AsyncSocket(socket: listener.socket, pool: pool)
    let routes = PageRoutes(catalogue: catalogue)
    let follower = Follower(catalogue)
    let guardian = RequestGuard(port: port)
    let queue = BlockingQueue("requests")
    let answer: @Sendable (HTTPRequest) async -> HTTPAnswer = { request in
      do {
        try guardian.check(request)
        guard request.path == "/api/events" else { return try await queue.run { try routes.answer(request) } }
        return HTTPAnswer(contentType: "text/event-stream", body: .events(try await follower.listen()))
      } catch {
        return HTTPAnswer(PageRoutes.problem(error))
      }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await pool.run() }
      group.addTask { try await follower.run() }
      group.addTask { await accept(socket, answer) }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private func accept(
    _ socket: AsyncSocket, _ answer: @escaping @Sendable (HTTPRequest) async -> HTTPAnswer
  ) async {
    let open = Count()
    await withDiscardingTaskGroup { group in
      while !Task.isCancelled {
        do {
          let client = try await socket.accept()
          closeOnExec(client.socket)
          let connection = HTTPConnection(socket: client, limits: limits, answer: answer)
          // Clients that have just left give their places back within a moment.
          for _ in 0..<20 where open.value.load(ordering: .relaxed) >= limits.connections {
            try await Task.sleep(for: .milliseconds(25))
          }
          guard open.value.load(ordering: .relaxed) < limits.connections else {
            group.addTask { await connection.refuse() }
            continue
          }
          open.value.add(1, ordering: .relaxed)
          group.addTask {
            await connection.serve()
            open.value.subtract(1, ordering: .relaxed)
          }
        } catch is CancellationError {
          break
        } catch {
          // A client that is gone already, or no file descriptors: the next one may fare better.
          try? await Task.sleep(for: .milliseconds(100))
        }
      }
      group.cancelAll()
    }
  }

  private final class Count: Sendable {
    let value = Atomic(0)
  }
}
