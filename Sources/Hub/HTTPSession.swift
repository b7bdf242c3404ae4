import Dispatch
import Foundation
import Synchronization

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// The status and the header of an answer.
struct HTTPHead: Sendable {
  let status: Int
  private let fields: [String: String]

  init(_ response: HTTPURLResponse) {
    status = response.statusCode
    var fields: [String: String] = [:]
    for (name, value) in response.allHeaderFields {
      guard let name = name as? String, let value = value as? String else { continue }
      fields[name.lowercased()] = value
    }
    self.fields = fields
  }

  /// A field's value, whatever the case of its name.
  subscript(name: String) -> String? { fields[name.lowercased()] }
}

/// What happens while an answer arrives.
enum HTTPEvent: Sendable {
  case head(HTTPHead)
  case data(Data)
  /// The end: nil where all went well.
  case end(HTTPProblem?)
}

/// Why an exchange with a server broke off.
struct HTTPProblem: Error, Sendable, Equatable {
  /// In a few words.
  let reason: String
  /// Whether no connection came about, so that another attempt soon will hardly help.
  var isUnreachable = false
}

/// One request and its answer, taken event by event by the thread that asked.
final class HTTPExchange: Sendable {
  private struct State {
    var events: [HTTPEvent] = []
    var waitingBytes = 0
    var hasHead = false
    /// Whether the task must not be cancelled any more: it ends by itself, or has been cancelled.
    var isSettled = false
    var isOverfull = false
  }

  private let task: URLSessionDataTask
  private let state = Mutex(State())
  private let arrival = DispatchSemaphore(value: 0)

  /// The most that waits in memory while the disk is slower than the network.
  ///
  /// Suspending a task would be the way, but on Linux it starts the transfer anew.
  private static let waitingLimit = 64 << 20

  fileprivate init(_ task: URLSessionDataTask) { self.task = task }

  /// The next event.
  ///
  /// - Throws: ``HTTPProblem`` after `seconds` without one, and ``HubError/interrupted``.
  func next(within seconds: Double, isCancelled: () -> Bool) throws -> HTTPEvent {
    let deadline = DispatchTime.now() + seconds
    while true {
      let event: HTTPEvent? = state.withLock { state in
        guard !state.events.isEmpty else { return nil }
        let event = state.events.removeFirst()
        if case .data(let data) = event { state.waitingBytes -= data.count }
        return event
      }
      if let event { return event }
      if isCancelled() {
        cancel()
        throw HubError.interrupted
      }
      guard DispatchTime.now() < deadline else {
        cancel()
        throw HTTPProblem(reason: "nothing came for \(seconds.formatted()) s")
      }
      _ = arrival.wait(timeout: min(deadline, .now() + 0.2))
    }
  }

  /// Gives the rest of the answer up.
  func cancel() {
    state.withLock { state in
      if !state.isSettled { task.cancel() }
      state.isSettled = true
    }
  }

  /// Takes a redirect as the answer, by way of `refuse`.
  ///
  /// On Linux the program would be ended if a task that was cancelled were told so, or if this one were cancelled later.
  fileprivate func endWithRedirect(_ head: HTTPHead, refuse: () -> Void) {
    state.withLock { state in
      if !state.isSettled { refuse() }
      state.isSettled = true
    }
    add(.head(head))
  }

  fileprivate func add(_ event: HTTPEvent) {
    state.withLock { state in
      var event = event
      switch event {
      case .head:
        if state.hasHead { return }
        state.hasHead = true
      case .data(let data):
        if state.isOverfull { return }
        state.waitingBytes += data.count
        if state.waitingBytes > Self.waitingLimit {
          state.isOverfull = true
          if !state.isSettled { task.cancel() }
          state.isSettled = true
        }
      case .end:
        state.isSettled = true
        if state.isOverfull { event = .end(HTTPProblem(reason: "it sends faster than the disk takes it")) }
      }
      state.events.append(event)
    }
    arrival.signal()
  }
}

/// Requests that follow no redirect, keep no cookies and no cache, and are not unpacked on the way.
final class HTTPSession: NSObject, URLSessionDataDelegate, Sendable {
  private let exchanges = Mutex<[Int: HTTPExchange]>([:])
  private let session = Mutex<URLSession?>(nil)
  private let environment: [String: String]

  init(environment: [String: String]) { self.environment = environment }

  /// Starts a request.
  func start(_ request: URLRequest) -> HTTPExchange {
    let task = session.withLock { session in
      let open = session ?? makeSession()
      session = open
      return open.dataTask(with: request)
    }
    let exchange = HTTPExchange(task)
    exchanges.withLock { $0[task.taskIdentifier] = exchange }
    task.resume()
    return exchange
  }

  /// Ends all requests; without it, the session would live as long as the program.
  func close() {
    for exchange in exchanges.withLock({ Array($0.values) }) { exchange.cancel() }
    session.withLock { session in
      session?.finishTasksAndInvalidate()
      session = nil
    }
  }

  private func makeSession() -> URLSession {
    let configuration = URLSessionConfiguration.ephemeral
    configuration.urlCache = nil
    configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
    configuration.httpShouldSetCookies = false
    // The thread that waits has limits of its own.
    configuration.timeoutIntervalForRequest = 3_600
    ProxySettings.apply(to: configuration, environment: environment)
    return URLSession(configuration: configuration, delegate: self, delegateQueue: nil)
  }

  private func exchange(_ task: URLSessionTask) -> HTTPExchange? { exchanges.withLock { $0[task.taskIdentifier] } }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
  ) {
    if let response = response as? HTTPURLResponse { exchange(dataTask)?.add(.head(HTTPHead(response))) }
    completionHandler(.allow)
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
    newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
  ) {
    exchange(task)?.endWithRedirect(HTTPHead(response)) { completionHandler(nil) }
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    exchange(dataTask)?.add(.data(data))
  }

  func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    guard let exchange = exchanges.withLock({ $0.removeValue(forKey: task.taskIdentifier) }) else { return }
    if let response = task.response as? HTTPURLResponse { exchange.add(.head(HTTPHead(response))) }
    exchange.add(.end(error.map(HTTPProblem.init)))
  }
}

extension HTTPProblem {
  fileprivate init(_ error: any Error) {
    let code = (error as? URLError)?.code
    switch code {
    case .cannotFindHost, .dnsLookupFailed:
      self.init(reason: "its name is not known here", isUnreachable: true)
    case .cannotConnectToHost:
      self.init(reason: "no connection", isUnreachable: true)
    case .notConnectedToInternet:
      self.init(reason: "this computer is offline", isUnreachable: true)
    case .timedOut:
      self.init(reason: "it took too long")
    case .networkConnectionLost:
      self.init(reason: "the connection broke off")
    default:
      self.init(reason: oneLine(error.localizedDescription))
    }
  }
}
