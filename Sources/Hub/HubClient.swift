import Foundation
import Synchronization

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// How long to wait for a server, and how often to ask again.
package struct TransferPolicy: Sendable {
  /// Seconds until the beginning of an answer.
  package var answerTimeout = 10.0
  /// Seconds between two pieces of an answer.
  package var stallTimeout = 30.0
  /// Attempts without progress before giving up.
  package var attempts = 6
  /// Attempts where no connection comes about at all.
  package var connectionAttempts = 3
  /// Seconds before the second attempt; each wait is twice the one before, give or take a quarter.
  package var firstWait = 1.0
  /// The longest wait, in seconds, that is not the server's own wish.
  package var longestWait = 30.0
  /// The longest wait that a server may wish for, in seconds.
  package var longestRetryAfter = 300.0

  /// What suits a person at a terminal.
  package init() {}

  /// Seconds to wait after a failed attempt, counted from 1.
  func wait(afterAttempt attempt: Int) -> Double {
    min(longestWait, firstWait * pow(2, Double(attempt - 1))) * Double.random(in: 0.75...1.25)
  }
}

/// An answer that another attempt may better.
struct Retry: Error {
  let reason: String
  /// What the server wishes, in seconds.
  var after: Double?
  var isUnreachable = false
  /// Whether bytes came, so that attempts are counted anew.
  var hasProgress = false
}

/// What servers answer, with all redirects followed.
struct HubAnswer {
  let exchange: HTTPExchange
  let head: HTTPHead
  /// Where it came from in the end.
  let url: URL
  /// The entity tag that the Hub gives the file, without its quotes.
  let entityTag: String?
  /// The size in bytes that the Hub gives the file, where it says so.
  let linkedSize: Int?
  /// Whether it came from the Hub itself, not from a server that it redirects to.
  let isFromHub: Bool
}

/// Requests to one Hub: redirects, retries, and errors in words.
final class HubClient: Sendable {
  let settings: HubSettings
  let policy: TransferPolicy
  private let session: HTTPSession
  private let isCancelled: @Sendable () -> Bool

  /// More redirects than this are a loop.
  private static let redirectLimit = 8
  /// The most that an answer of the API may take, in bytes.
  private static let answerLimit = 32 << 20

  init(
    settings: HubSettings, policy: TransferPolicy, environment: [String: String],
    isCancelled: @escaping @Sendable () -> Bool
  ) {
    self.settings = settings
    self.policy = policy
    self.isCancelled = isCancelled
    session = HTTPSession(environment: environment)
  }

  deinit { session.close() }

  /// The Hub for messages.
  var server: String { place(settings.endpoint) }

  /// Asks again while that may help.
  ///
  /// - Throws: what `attempt` throws; ``HubError/transfer(what:reason:)`` or ``HubError/unreachable(server:reason:)``
  ///   when attempts run out.
  func retrying<Result>(
    _ what: String, connectionAttempts: Int? = nil, report: (PullEvent) -> Void, _ attempt: () throws -> Result
  ) throws -> Result {
    var failures = 0
    while true {
      do {
        return try attempt()
      } catch let retry as Retry {
        failures = retry.hasProgress ? 1 : failures + 1
        let limit = retry.isUnreachable ? connectionAttempts ?? policy.connectionAttempts : policy.attempts
        guard failures < limit else {
          throw retry.isUnreachable
            ? HubError.unreachable(server: server, reason: retry.reason)
            : HubError.transfer(what: what, reason: retry.reason)
        }
        if let after = retry.after, after > policy.longestRetryAfter {
          throw HubError.transfer(what: what, reason: "\(retry.reason), and asks to wait for \(Int(after)) s")
        }
        let seconds = max(retry.after ?? 0, policy.wait(afterAttempt: failures))
        report(.retrying(what: what, reason: retry.reason, seconds: seconds))
        try sleep(seconds)
      }
    }
  }

  /// Starts a request and follows redirects.
  ///
  /// The token goes to the Hub and to no other server. The last answer's status is any but a redirect.
  /// - Throws: ``Retry`` or ``HubError``.
  func open(_ start: URL, method: String = "GET", headers: [String: String] = [:]) throws -> HubAnswer {
    var url = start
    var entityTag: String?
    var linkedSize: Int?
    for _ in 0...Self.redirectLimit {
      let isHub = isOnHub(url)
      let (exchange, head) = try ask(url, method: method, headers: headers, isHub: isHub)
      let isRedirect = (300..<400).contains(head.status) && head.status != 304
      if isHub {
        // The plain tag of a redirect is that of its own few words.
        entityTag = normalized(head["X-Linked-ETag"]) ?? entityTag ?? (isRedirect ? nil : normalized(head["ETag"]))
        linkedSize = head["X-Linked-Size"].flatMap { Int($0) } ?? linkedSize
      }
      let answer = HubAnswer(
        exchange: exchange, head: head, url: url, entityTag: entityTag, linkedSize: linkedSize, isFromHub: isHub)
      guard isRedirect else { return answer }
      exchange.cancel()
      guard let location = head["Location"], let next = URL(string: location, relativeTo: url)?.absoluteURL,
        let scheme = next.scheme?.lowercased(), scheme == "http" || scheme == "https", next.host?.isEmpty == false,
        scheme == "https" || url.scheme?.lowercased() == "http"
      else {
        throw HubError.badAnswer(server: place(url), reason: "it redirects to '\(head["Location"] ?? "nowhere")'")
      }
      // Other servers may know no HEAD, and the Hub has said all.
      if method == "HEAD", entityTag != nil, !isOnHub(next) { return answer }
      url = next
    }
    throw HubError.badAnswer(server: place(start), reason: "it redirects in a circle")
  }

  /// The whole of a small answer.
  func body(of answer: HubAnswer) throws -> Data {
    var data = Data()
    while true {
      switch try event(of: answer.exchange, within: policy.stallTimeout, url: answer.url) {
      case .head: break
      case .data(let piece):
        guard data.count + piece.count <= Self.answerLimit else {
          answer.exchange.cancel()
          throw HubError.badAnswer(
            server: place(answer.url), reason: "it sends more than \(Self.answerLimit >> 20) MiB")
        }
        data.append(piece)
      case .end(let problem):
        if let problem { throw Retry(reason: problem.reason, hasProgress: false) }
        return data
      }
    }
  }

  /// The next event; a timeout is worth another attempt.
  func event(of exchange: HTTPExchange, within seconds: Double, url: URL) throws -> HTTPEvent {
    do {
      return try exchange.next(within: seconds, isCancelled: isCancelled)
    } catch let problem as HTTPProblem {
      throw Retry(reason: "\(place(url)): \(problem.reason)")
    }
  }

  /// Waits, but not beyond an interruption.
  func sleep(_ seconds: Double) throws {
    let end = Date(timeIntervalSinceNow: seconds)
    while Date() < end {
      try checkInterruption()
      Thread.sleep(forTimeInterval: min(0.1, max(0, end.timeIntervalSinceNow)))
    }
  }

  func checkInterruption() throws {
    if isCancelled() { throw HubError.interrupted }
  }

  /// The server of an address, for messages; what follows may hold a signature.
  func place(_ url: URL) -> String {
    "\(url.scheme ?? "")://\(url.host ?? "")\(url.port.map { ":\($0)" } ?? "")"
  }

  private func ask(
    _ url: URL, method: String, headers: [String: String], isHub: Bool
  ) throws -> (HTTPExchange, HTTPHead) {
    var request = URLRequest(url: url)
    request.httpMethod = method
    for (name, value) in headers where isHub || name != "If-Range" { request.setValue(value, forHTTPHeaderField: name) }
    // Sizes and hashes are of the bytes as they are stored.
    request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
    request.setValue("tinyalign", forHTTPHeaderField: "User-Agent")
    if isHub, let token = settings.token {
      request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
    }
    let exchange = session.start(request)
    let first: HTTPEvent
    do {
      first = try event(of: exchange, within: policy.answerTimeout, url: url)
    } catch let retry as Retry {
      throw isHub ? Retry(reason: "nothing came for \(policy.answerTimeout.formatted()) s", isUnreachable: true) : retry
    }
    switch first {
    case .head(let head): return (exchange, head)
    case .data, .end(nil):
      exchange.cancel()
      throw HubError.badAnswer(server: place(url), reason: "it sends no HTTP header")
    case .end(let problem?):
      if isHub, problem.isUnreachable { throw Retry(reason: problem.reason, isUnreachable: true) }
      throw Retry(reason: "\(place(url)): \(problem.reason)")
    }
  }

  /// Same scheme, host and port as the endpoint.
  private func isOnHub(_ url: URL) -> Bool {
    func origin(_ url: URL) -> [String] {
      let scheme = url.scheme?.lowercased() ?? ""
      return [scheme, url.host?.lowercased() ?? "", String(url.port ?? (scheme == "https" ? 443 : 80))]
    }
    return origin(url) == origin(settings.endpoint)
  }

  private func normalized(_ tag: String?) -> String? {
    guard var tag = tag?[...] else { return nil }
    if tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
    let bare = tag.trimmingCharacters(in: CharacterSet(charactersIn: "\""))
    return HubName.isPlainName(bare) && bare.utf8.count <= 200 ? bare : nil
  }
}
