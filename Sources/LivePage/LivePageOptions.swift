import Foundation

/// The address of a live page, the host names that it answers to, and its secret.
public struct LivePageOptions: Sendable {
  /// The port; nil takes a free one.
  public var port: UInt16?
  /// The IP address to listen on.
  public var host: String
  /// Host names beside the page's own under which browsers may ask for it, as those of a tunnel or a reverse proxy.
  public var allowedHosts: [String]
  /// The path under which a reverse proxy shows the page, such as `/tinyalign`; empty for `/`.
  public var basePath: String
  /// The secret that a request must know; nil lets in everybody who reaches the port.
  public var token: String?

  /// The fewest characters of a token.
  static let shortestToken = 8

  /// A page on the loopback address with a secret of its own, unless other options are given.
  public init(
    port: UInt16? = nil, host: String = "127.0.0.1", allowedHosts: [String] = [], basePath: String = "",
    token: String? = LivePageOptions.randomToken()
  ) {
    self.port = port
    self.host = host
    self.allowedHosts = allowedHosts
    self.basePath = basePath
    self.token = token
  }

  /// A secret of 128 random bits, as 32 hexadecimal digits.
  public static func randomToken() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<2).map { _ in
      let digits = String(generator.next() as UInt64, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  /// Whether nobody but this computer reaches the address.
  public var isLoopback: Bool { host == "::1" || host.hasPrefix("127.") }

  /// Whether the address stands for all of the computer's addresses.
  var isWildcard: Bool { host == "0.0.0.0" || host == "::" }

  /// The options in one spelling: `localhost` as its address, host names in lower case, the base path without a slash at its end.
  ///
  /// - Throws: ``LivePageError/invalid(option:reason:)``.
  public func checked() throws -> LivePageOptions {
    var result = self
    if host.lowercased() == "localhost" { result.host = "127.0.0.1" }
    if host.hasPrefix("[") && host.hasSuffix("]") { result.host = String(host.dropFirst().dropLast()) }
    guard Self.isAddress(result.host) else {
      throw LivePageError.invalid(
        option: "host",
        reason:
          "is “\(host)”; give an IP address of this computer: 127.0.0.1 for itself alone, 0.0.0.0 for all its networks")
    }
    result.allowedHosts = try allowedHosts.map { name in
      guard let plain = RequestGuard.name(of: name), plain == RequestGuard.plain(name) else {
        throw LivePageError.invalid(
          option: "allow-host", reason: "is “\(name)”; give a host name alone, without http:// and without a port")
      }
      return plain
    }
    result.basePath = try Self.checked(basePath: basePath)
    if let token {
      let isPlain = token.unicodeScalars.allSatisfy { scalar in
        scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
          || "-._~".unicodeScalars.contains(scalar)
      }
      guard isPlain, token.utf8.count >= Self.shortestToken, token.utf8.count <= 256 else {
        throw LivePageError.invalid(
          option: "token",
          reason: "must have \(Self.shortestToken) to 256 characters, letters, digits and - . _ ~ only")
      }
    } else if !result.isLoopback {
      throw LivePageError.invalid(
        option: "host", reason: "is \(host), which other computers reach: such a page needs a token")
    }
    return result
  }

  private static func checked(basePath: String) throws -> String {
    let path = basePath.hasSuffix("/") ? String(basePath.dropLast()) : basePath
    guard !path.isEmpty else { return "" }
    let isPlain = path.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: "/-._~".utf8.contains(byte)
      }
    }
    let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    guard path.hasPrefix("/"), isPlain, parts.allSatisfy({ !["", ".", ".."].contains($0) }) else {
      throw LivePageError.invalid(option: "base-path", reason: "is “\(basePath)”; give a path like /tinyalign")
    }
    return path
  }

  /// Whether a text is an IPv4 or IPv6 address.
  static func isAddress(_ text: String) -> Bool {
    var bytes = in6_addr()
    return inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1
  }
}
