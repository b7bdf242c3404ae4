import FlyingSocks
public import Foundation
import Synchronization

/// Serves the live page over run folders, on the loopback address unless told otherwise.
///
/// It reads only when a page asks; it never writes.
public struct LivePageServer: Sendable {
  private let listener: Listener
  private let catalogue: RunCatalogue
  /// The address and the secret, checked.
  public let options: LivePageOptions
  private let key: PageKey
  private let limits: ConnectionLimits

  /// Listens, so that ``url`` is known; nothing is answered before ``run()``.
  ///
  /// - Parameters:
  ///   - runs: run folders, and folders of run folders; they may come to be later.
  ///   - options: the address and the secret.
  /// - Throws: ``LivePageError`` where an option has no meaning, or the port is taken.
  public init(runs: [URL], options: LivePageOptions = LivePageOptions()) throws {
    try self.init(runs: runs, options: options, limits: ConnectionLimits())
  }

  /// Listens, with other limits than the usual ones.
  ///
  /// - Throws: ``LivePageError``.
  package init(runs: [URL], options: LivePageOptions, limits: ConnectionLimits) throws {
    self.options = try options.checked()
    listener = try Listener(host: self.options.host, port: self.options.port ?? 0)
    catalogue = RunCatalogue(runs)
    key = PageKey(token: self.options.token, basePath: self.options.basePath)
    self.limits = limits
  }

  /// The port.
  public var port: UInt16 { listener.port }

  /// The page's address without its secret.
  public var address: String {
    address(of: options.isWildcard ? RequestGuard.ownNames.first ?? "127.0.0.1" : options.host)
  }

  private func address(of host: String) -> String {
    var host = host
    if host.contains(":") { host = "[\(host)]" }
    return "http://\(host):\(listener.port)\(options.basePath)/"
  }

  /// The page's address with its secret: who has it sees the runs.
  public var url: String { options.token.map { "\(address)?token=\($0)" } ?? address }

  /// An address that opens the page once, for a browser's command line, which others on the computer can read.
  public func makeTicketURL() -> String {
    let address = address(of: options.isWildcard ? "127.0.0.1" : options.host)
    return key.makeTicket().map { "\(address)?ticket=\($0)" } ?? address
  }

  /// Serves until the task is cancelled.
  ///
  /// - Throws: `CancellationError`, or what makes the system's sockets unusable.
  public func run() async throws {
    // The next one who asks is told at once that nobody answers.
    defer { _ = shutdown(listener.socket.file.rawValue, Int32(SHUT_RDWR)) }
    let pool = SettledPool()
    try await pool.prepare()
    let socket = try AsyncSocket(socket: listener.socket, pool: pool)
    let answer = makeAnswer()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await pool.run() }
      group.addTask { await accept(socket, answer) }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// What is answered to a request, by whoever may ask.
  private func makeAnswer() -> @Sendable (HTTPRequest) async -> HTTPAnswer {
    let routes = PageRoutes(catalogue: catalogue)
    let follower = Follower(catalogue)
    let guardian = RequestGuard(options)
    let queue = BlockingQueue("requests")
    let followerQueue = BlockingQueue("follower")
    return { [key, basePath = options.basePath] request in
      do {
        try guardian.check(request)
        var inner = request
        if request.path == basePath, !basePath.isEmpty { return HTTPAnswer(movedTo: request.target(basePath + "/")) }
        // A reverse proxy may take the base path away itself.
        if request.path.hasPrefix(basePath + "/") { inner.path.removeFirst(basePath.count) }
        let cookie = try key.check(request, isPage: inner.path == "/")
        var answer =
          inner.path == "/api/news"
          ? try await followerQueue.run { [inner] in follower.answer(inner) }
          : try await queue.run { [inner] in try routes.answer(inner) }
        if let cookie { answer.headers.append(cookie) }
        return answer
      } catch {
        return HTTPAnswer(PageRoutes.problem(error), to: request)
      }
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
