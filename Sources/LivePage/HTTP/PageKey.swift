import Synchronization

/// The secret of a page: who knows it from the printed address, or has the cookie that the address led to, is let in.
///
/// Everybody who has an account on the computer reaches its ports, whatever the permissions of the runs' folders say.
final class PageKey: Sendable {
  private let token: String?
  private let cookiePath: String
  /// The part of an address that lets in once.
  private let ticket = Mutex<String?>(nil)

  /// Asks for a token; nil lets in everybody.
  init(token: String?, basePath: String) {
    self.token = token
    cookiePath = basePath.isEmpty ? "/" : basePath
  }

  /// A secret that lets in once, for an address that goes through the command line of a browser, where others see it;
  /// nil where there is no token.
  func makeTicket() -> String? {
    guard token != nil else { return nil }
    return ticket.withLock { ticket in
      ticket = LivePageOptions.randomToken()
      return ticket
    }
  }

  /// Lets in a request that knows the secret.
  ///
  /// - Parameter isPage: whether it asks for the page itself, which then keeps the secret as a cookie.
  /// - Returns: the cookie to set, where one is due.
  /// - Throws: ``HTTPProblem`` for all others.
  func check(_ request: HTTPRequest, isPage: Bool) throws -> (name: String, value: String)? {
    guard let token else { return nil }
    let name = Self.cookieName(request)
    let isKnown = Self.isSame(request["token"], token) || isPage && useTicket(request)
    if isKnown, isPage {
      return ("Set-Cookie", "\(name)=\(token); Path=\(cookiePath); HttpOnly; SameSite=Strict")
    }
    if isKnown || Self.isSame(Self.bearer(request), token) { return nil }
    if Self.cookies(request, named: name).contains(where: { Self.isSame($0, token) }) { return nil }
    throw HTTPProblem(
      403,
      "this page is private: open it by the whole address that tinyalign printed when it started, "
        + "with ?token= and what follows (the line “Live page: …” in its terminal)")
  }

  private func useTicket(_ request: HTTPRequest) -> Bool {
    guard request.method == "GET", let given = request["ticket"] else { return false }
    return ticket.withLock { ticket in
      guard let known = ticket, Self.isSame(given, known) else { return false }
      ticket = nil
      return true
    }
  }

  /// Browsers send a cookie to all ports of a host: its name keeps pages apart that came through different ones.
  private static func cookieName(_ request: HTTPRequest) -> String {
    let port = RequestGuard.port(request.headers["host"]?.first ?? "")
    return port.isEmpty ? "tinyalign" : "tinyalign-\(port)"
  }

  private static func cookies(_ request: HTTPRequest, named name: String) -> [String] {
    (request.headers["cookie"] ?? []).flatMap { $0.split(separator: ";") }.compactMap { pair in
      let pair = pair.drop { $0 == " " }
      return pair.hasPrefix("\(name)=") ? String(pair.dropFirst(name.count + 1)) : nil
    }
  }

  /// The token of a program: `Authorization: Bearer TOKEN`.
  private static func bearer(_ request: HTTPRequest) -> String? {
    guard let value = request.headers["authorization"]?.first, value.lowercased().hasPrefix("bearer ") else {
      return nil
    }
    return String(value.dropFirst("bearer ".count))
  }

  /// Compares in a time that does not tell how much of a guess is right.
  private static func isSame(_ given: String?, _ secret: String) -> Bool {
    guard let given = given?.utf8, given.count == secret.utf8.count else { return false }
    return zip(given, secret.utf8).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
