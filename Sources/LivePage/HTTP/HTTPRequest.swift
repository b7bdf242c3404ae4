/// Why a request gets no answer but an error.
struct HTTPProblem: Error, Equatable {
  /// The status code.
  var status: Int
  /// One line.
  var message: String

  init(_ status: Int, _ message: String) {
    self.status = status
    self.message = message
  }
}

/// The head of a request: all that there is of a GET.
struct HTTPRequest: Sendable, Equatable {
  var method: String
  /// The path as it was sent, percent signs and all: it is compared with routes and with nothing else.
  var path: String
  /// Names and values of the query, decoded, in order.
  var query: [QueryItem]
  /// The query as it was sent, without its question mark.
  private var rawQuery: String
  /// Values by lower-case names.
  var headers: [String: [String]]
  var isVersion11: Bool

  struct QueryItem: Sendable, Equatable {
    var name: String
    var value: String
  }

  /// Reads a head without its last, empty line.
  ///
  /// - Throws: ``HTTPProblem`` for what is not HTTP/1.
  init(head: some Sequence<UInt8>) throws {
    let lines = head.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
      line.last == UInt8(ascii: "\r") ? Array(line.dropLast()) : Array(line)
    }
    guard let first = lines.first else { throw HTTPProblem(400, "an empty request") }
    for line in lines where line.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) {
      throw HTTPProblem(400, "a control character in the request")
    }
    let parts = first.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[0].isEmpty, parts[1].first == UInt8(ascii: "/"),
      let version = String(validating: parts[2], as: UTF8.self), version.hasPrefix("HTTP/1."), version.utf8.count == 8
    else { throw HTTPProblem(400, "not a request of HTTP/1") }
    method = String(decoding: parts[0], as: UTF8.self)
    isVersion11 = version != "HTTP/1.0"
    let target = parts[1].split(separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
    path = String(decoding: target[0], as: UTF8.self)
    query = target.count > 1 ? try Self.query(target[1]) : []
    rawQuery = target.count > 1 ? String(decoding: target[1], as: UTF8.self) : ""
    headers = [:]
    guard lines.count <= 100 else { throw HTTPProblem(431, "too many headers") }
    for line in lines.dropFirst() {
      let field = line.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
      guard field.count == 2, let start = field[0].first, start > 0x20, field[0].last != 0x20 else {
        throw HTTPProblem(400, "a header without a name")
      }
      let name = String(decoding: field[0], as: UTF8.self).lowercased()
      headers[name, default: []].append(
        String(decoding: field[1], as: UTF8.self).trimmingPrefix { $0 == " " || $0 == "\t" }.droppingLastSpaces)
    }
  }

  /// The only value of a header; nil where it is missing.
  ///
  /// - Throws: ``HTTPProblem`` where it is there more than once: which one counts would be a guess.
  func header(_ name: String) throws -> String? {
    guard let values = headers[name] else { return nil }
    guard values.count == 1 else { throw HTTPProblem(400, "several headers \(name)") }
    return values[0]
  }

  /// Whether the client wants to send more requests over the connection.
  var keepsAlive: Bool {
    let tokens = (headers["connection"] ?? []).joined(separator: ",").lowercased().split(separator: ",").map {
      String($0.trimmingPrefix { $0 == " " }).droppingLastSpaces
    }
    return isVersion11 ? !tokens.contains("close") : tokens.contains("keep-alive")
  }

  /// Whether a body follows the head.
  var hasBody: Bool {
    if headers["transfer-encoding"] != nil { return true }
    return (headers["content-length"] ?? []).contains { $0 != "0" }
  }

  /// The value of the first item of the query named `name`.
  subscript(name: String) -> String? { query.first { $0.name == name }?.value }

  /// Another path with the query of this request.
  func target(_ path: String) -> String { rawQuery.isEmpty ? path : "\(path)?\(rawQuery)" }

  private static func query(_ text: some Sequence<UInt8>) throws -> [QueryItem] {
    try text.split(separator: UInt8(ascii: "&")).map { item in
      let parts = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      return QueryItem(name: try decoded(parts[0]), value: parts.count > 1 ? try decoded(parts[1]) : "")
    }
  }

  private static func decoded(_ text: some Collection<UInt8>) throws -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var rest = text.makeIterator()
    while let byte = rest.next() {
      switch byte {
      case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
      case UInt8(ascii: "%"):
        guard let high = rest.next().flatMap(hexadecimal), let low = rest.next().flatMap(hexadecimal) else {
          throw HTTPProblem(400, "a percent sign without two hexadecimal digits in the query")
        }
        bytes.append(high << 4 | low)
      default: bytes.append(byte)
      }
    }
    guard let result = String(validating: bytes, as: UTF8.self) else {
      throw HTTPProblem(400, "the query is not UTF-8")
    }
    return result
  }

  private static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

extension StringProtocol {
  fileprivate var droppingLastSpaces: String {
    var text = String(self)
    while text.last == " " || text.last == "\t" { text.removeLast() }
    return text
  }
}
