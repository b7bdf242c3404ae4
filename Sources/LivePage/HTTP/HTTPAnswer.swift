/// The answer to a request.
struct HTTPAnswer: Sendable {
  /// What follows the head.
  enum Body: Sendable {
    /// All of it.
    case bytes([UInt8])
    /// Piece after piece until nil.
    case stream(@Sendable () async throws -> [UInt8]?)
  }

  var status = 200
  var contentType: String
  /// Headers beside those of every answer.
  var headers: [(name: String, value: String)] = []
  var body: Body

  static let json = "application/json; charset=utf-8"

  init(status: Int = 200, contentType: String = json, headers: [(name: String, value: String)] = [], body: Body) {
    self.status = status
    self.contentType = contentType
    self.headers = headers
    self.body = body
  }

  /// The way to another address.
  init(movedTo target: String) {
    self.init(status: 303, headers: [("Location", target)], body: .bytes([]))
  }

  /// The head as it goes over the wire, with the empty line after it.
  func head(keepsAlive: Bool, isChunked: Bool) -> [UInt8] {
    var text = "HTTP/1.1 \(status) \(Self.phrase(status))\r\nContent-Type: \(contentType)\r\n"
    switch body {
    case .bytes(let bytes): text += "Content-Length: \(bytes.count)\r\n"
    case .stream: if isChunked { text += "Transfer-Encoding: chunked\r\n" }
    }
    for (name, value) in Self.security + headers { text += "\(name): \(value)\r\n" }
    text += "Connection: \(keepsAlive ? "keep-alive" : "close")\r\n\r\n"
    return Array(text.utf8)
  }

  /// What every answer says: nothing of it runs, is kept or is shown elsewhere.
  private static let security: [(name: String, value: String)] = [
    (
      "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
        + "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
  ]

  private static func phrase(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 303: "See Other"
    case 400: "Bad Request"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 431: "Request Header Fields Too Large"
    case 503: "Service Unavailable"
    default: "Internal Server Error"
    }
  }
}
