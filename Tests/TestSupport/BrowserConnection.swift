import Foundation
import Synchronization

/// Commands to a browser with their answers, and its events.
final class BrowserConnection: Sendable {
  /// Something the browser said unasked.
  struct Event: Sendable {
    /// Such as `Network.requestWillBeSent`.
    let method: String
    /// Its parameters, as JSON.
    let parameters: Data
  }

  private struct State {
    var process: BrowserProcess?
    var next = 1
    var waiting: [Int: CheckedContinuation<Data, any Error>] = [:]
    var listeners: [String: @Sendable (Event) -> Void] = [:]
    var hasEnded = false
  }

  private let state = Mutex(State())

  /// Starts a browser.
  ///
  /// - Throws: ``BrowserFailure`` where there is no Chromium or it does not start.
  static func start() throws -> BrowserConnection {
    let connection = BrowserConnection()
    let process = try BrowserProcess { [weak connection] message in
      if let message { connection?.receive(message) } else { connection?.fail() }
    }
    connection.state.withLock { $0.process = process }
    return connection
  }

  /// Sends a command and waits for its answer, the JSON of its `result`.
  ///
  /// - Throws: ``BrowserFailure`` where the browser refuses, has ended, or takes longer than `timeout` seconds.
  func send(
    _ method: String, _ parameters: [String: any Sendable] = [:], session: String? = nil, timeout: Double = 60
  ) async throws -> Data {
    let (id, process) = state.withLock { state in
      state.next += 1
      return (state.next, state.hasEnded ? nil : state.process)
    }
    guard let process else { throw BrowserFailure(description: "\(method): the browser has ended") }
    var message: [String: any Sendable] = ["id": id, "method": method, "params": parameters]
    if let session { message["sessionId"] = session }
    let bytes = try JSONSerialization.data(withJSONObject: message)
    let timer = Task {
      try await Task.sleep(for: .seconds(timeout))
      resume(id, .failure(BrowserFailure(description: "\(method): no answer within \(timeout) seconds")))
    }
    defer { timer.cancel() }
    return try await withCheckedThrowingContinuation { continuation in
      let hasEnded = state.withLock { state in
        if !state.hasEnded { state.waiting[id] = continuation }
        return state.hasEnded
      }
      guard !hasEnded else {
        continuation.resume(throwing: BrowserFailure(description: "\(method): the browser has ended"))
        return
      }
      process.send(bytes)
    }
  }

  /// Hands the events of a session to `listener`.
  func listen(to session: String, _ listener: @escaping @Sendable (Event) -> Void) {
    state.withLock { $0.listeners[session] = listener }
  }

  /// Ends the browser.
  func end() {
    let process = state.withLock { state in
      state.hasEnded = true
      return state.process
    }
    process?.end()
  }

  private func resume(_ id: Int, _ result: Result<Data, any Error>) {
    state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(with: result)
  }

  private func fail() {
    let waiting = state.withLock { state in
      state.hasEnded = true
      defer { state.waiting = [:] }
      return state.waiting.values
    }
    for continuation in waiting { continuation.resume(throwing: BrowserFailure(description: "the browser has ended")) }
  }

  private func receive(_ bytes: Data) {
    guard let message = (try? JSONSerialization.jsonObject(with: bytes)) as? [String: Any] else { return }
    if let id = message["id"] as? Int {
      if let error = message["error"] as? [String: Any] {
        let text = error["message"] as? String ?? "an error without a message"
        resume(id, .failure(BrowserFailure(description: "the browser refused: \(text)")))
      } else {
        resume(id, .success(Self.json(message["result"])))
      }
    } else if let method = message["method"] as? String, let session = message["sessionId"] as? String {
      let listener = state.withLock { $0.listeners[session] }
      listener?(Event(method: method, parameters: Self.json(message["params"])))
    }
  }

  private static func json(_ value: Any?) -> Data {
    guard let object = value as? [String: Any] else { return Data("{}".utf8) }
    return (try? JSONSerialization.data(withJSONObject: object)) ?? Data("{}".utf8)
  }
}
