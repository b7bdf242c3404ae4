import Foundation

/// Lets in what is asked under the page's own host names by the page itself, and nothing else.
///
/// Any web page that the user opens can make the browser ask here: by a name that its owner points to this computer (hence
/// the look at the name in Host), or straight (hence the look at Origin and Sec-Fetch-Site). The port in Host tells
/// nothing: through a tunnel it is another one.
struct RequestGuard: Sendable {
  /// Host names that are answered, in lower case, IPv6 addresses without brackets.
  private let names: Set<String>
  /// Names that the user allowed: a reverse proxy may have put another Host in place of them.
  private let allowed: Set<String>
  /// Whether any IP address is answered: nobody can point an address elsewhere.
  private let answersAddresses: Bool

  /// Answers under the names of a server with `options`, which have been checked.
  init(_ options: LivePageOptions) {
    allowed = Set(options.allowedHosts)
    var names = allowed.union(["127.0.0.1", "localhost", "::1", options.host.lowercased()])
    answersAddresses = !options.isLoopback
    if answersAddresses {
      names.formUnion(Self.ownNames)
    } else {
      names.subtract(["0.0.0.0", "::"])
    }
    self.names = names
  }

  /// Whether the request may be answered.
  ///
  /// - Throws: ``HTTPProblem`` where it may not.
  func check(_ request: HTTPRequest) throws {
    guard let authority = try request.header("host"), let name = Self.name(of: authority) else {
      throw HTTPProblem(403, "the request does not name this page's host")
    }
    guard answers(name) else {
      throw HTTPProblem(
        403,
        "this page is not served under the name \(name). If the name is yours, as that of a tunnel or a reverse proxy, "
          + "start tinyalign with --allow-host \(name)")
    }
    if let origin = try request.header("origin"), !isOwn(origin.lowercased(), authority.lowercased()) {
      throw HTTPProblem(403, "requests from other pages are refused")
    }
    if let site = try request.header("sec-fetch-site"), site != "same-origin", site != "none" {
      // A link from elsewhere may open the page: its owner does not see what is shown.
      let isNavigation =
        try request.header("sec-fetch-mode") == "navigate" && request.header("sec-fetch-dest") == "document"
      guard isNavigation else { throw HTTPProblem(403, "requests from other pages are refused") }
    }
    guard request.method == "GET" || request.method == "HEAD" else {
      throw HTTPProblem(405, "only GET and HEAD are answered")
    }
  }

  private func answers(_ name: String) -> Bool {
    names.contains(name) || answersAddresses && LivePageOptions.isAddress(name)
  }

  /// Whether a page of `origin` is this one: asked for through the same port, or under an allowed name.
  private func isOwn(_ origin: String, _ authority: String) -> Bool {
    for scheme in ["http://", "https://"] where origin.hasPrefix(scheme) {
      let other = String(origin.dropFirst(scheme.count))
      guard let name = Self.name(of: other) else { return false }
      return allowed.contains(name) || scheme == "http://" && answers(name) && Self.port(other) == Self.port(authority)
    }
    return false
  }

  /// The digits after the last colon of a host and port; empty where there are none.
  static func port(_ authority: String) -> Substring {
    let digits = authority.reversed().prefix { ("0"..."9").contains($0) }.count
    return authority.dropLast(digits).last == ":" ? authority.suffix(digits) : ""
  }

  /// The host name of `name` or `name:port` in lower case, an IPv6 address without its brackets; nil for anything else.
  static func name(of authority: String) -> String? {
    var rest = Substring(authority.lowercased())
    var name: Substring
    if rest.hasPrefix("[") {
      guard let end = rest.firstIndex(of: "]") else { return nil }
      name = rest[rest.index(after: rest.startIndex)..<end]
      guard LivePageOptions.isAddress(String(name)) else { return nil }
      rest = rest[rest.index(after: end)...]
    } else {
      name = rest.prefix { $0 != ":" }
      guard name.utf8.allSatisfy({ isNameByte($0) }) else { return nil }
      rest = rest.dropFirst(name.count)
      if name.hasSuffix(".") { name.removeLast() }
    }
    guard !name.isEmpty, name.utf8.count <= 255 else { return nil }
    if rest.isEmpty { return String(name) }
    let digits = rest.dropFirst()
    guard rest.first == ":", digits.utf8.count <= 5, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return nil
    }
    return String(name)
  }

  /// A name without what ``name(of:)`` leaves out but a port.
  static func plain(_ name: String) -> String {
    var plain = name.lowercased()
    if plain.hasPrefix("["), plain.hasSuffix("]") { plain = String(plain.dropFirst().dropLast()) }
    if plain.hasSuffix(".") { plain.removeLast() }
    return plain
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
      UInt8(ascii: "."), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// The computer's own name, with and without its domain; empty where it has none.
  static var ownNames: [String] {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return [] }
    let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    guard let full = name(of: String(decoding: bytes, as: UTF8.self)) else { return [] }
    let short = String(full.prefix { $0 != "." })
    return full == short ? [full] : [full, short]
  }
}
