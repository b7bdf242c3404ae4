import Dispatch
import Foundation
import JSON
import LivePage
import Runs
import Testing

/// What came back over a connection.
struct PageAnswer: Sendable {
  /// The status code; 0 where the connection was closed without an answer.
  var status = 0
  /// Values by lower-case names.
  var headers: [String: String] = [:]
  /// The body, without its chunks' lengths.
  var body: [UInt8] = []

  var text: String { String(decoding: body, as: UTF8.self) }

  /// The body as JSON.
  func json() throws -> JSONValue { try JSONValue(parsing: body) }

  /// The message of an error.
  func message() throws -> String? { try json()["error"]?.stringValue }
}

/// Nobody listens.
struct ConnectionFailure: Error {
  let reason: String
}

/// Talks to a server over a socket of its own: what a browser would never send, too.
final class PageConnection: Sendable {
  private let descriptor: Int32

  init(port: UInt16) throws {
    #if canImport(Darwin)
      let type = SOCK_STREAM
    #else
      let type = Int32(SOCK_STREAM.rawValue)
    #endif
    descriptor = socket(AF_INET, type, 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw ConnectionFailure(reason: String(cString: strerror(errno))) }
    var patience = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  func send(_ text: String) { send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) {
    #if canImport(Darwin)
      let flags: Int32 = 0
    #else
      let flags = Int32(MSG_NOSIGNAL)
    #endif
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.send(descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done, flags)
      }
      guard count > 0 else { return }
      done += count
    }
  }

  /// What is there, at most so many bytes; nothing at the end, or after so many seconds.
  func receive(seconds: Double = 120) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&event, 1, Int32(seconds * 1_000)) > 0 else { return [] }
    let count = recv(descriptor, &bytes, bytes.count, 0)
    return Array(bytes.prefix(max(0, count)))
  }

  /// Whether the other side closes within so many seconds.
  func isClosed(within seconds: Double) -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while Date() < deadline {
      var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&event, 1, 50) > 0 else { continue }
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      if recv(descriptor, &bytes, bytes.count, 0) <= 0 { return true }
    }
    return false
  }

  /// Reads one answer, of which no body follows where the request was a HEAD.
  func answer(isHead: Bool = false) throws -> PageAnswer {
    var bytes: [UInt8] = []
    var answer = PageAnswer()
    let end = Array("\r\n\r\n".utf8)
    while bytes.firstRange(of: end) == nil {
      let more = receive()
      if more.isEmpty { return answer }
      bytes += more
    }
    let split = try #require(bytes.firstRange(of: end))
    let lines = String(decoding: bytes[..<split.lowerBound], as: UTF8.self).split(separator: "\r\n")
    answer.status = Int(lines.first?.split(separator: " ").dropFirst().first ?? "") ?? 0
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      answer.headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
    }
    var body = Array(bytes[split.upperBound...])
    if isHead { return answer }
    if answer.headers["transfer-encoding"] == "chunked" {
      answer.body = try chunks(&body)
      return answer
    }
    let count = try #require(Int(answer.headers["content-length"] ?? ""))
    while body.count < count {
      let more = receive()
      if more.isEmpty { break }
      body += more
    }
    #expect(body.count == count, "\(body.count) bytes of \(count) came")
    answer.body = body
    return answer
  }

  private func chunks(_ bytes: inout [UInt8]) throws -> [UInt8] {
    var body: [UInt8] = []
    let lineEnd = Array("\r\n".utf8)
    while true {
      guard let end = bytes.firstRange(of: lineEnd) else {
        let more = receive()
        try #require(!more.isEmpty, "the connection ended within a chunk")
        bytes += more
        continue
      }
      let count = try #require(Int(String(decoding: bytes[..<end.lowerBound], as: UTF8.self), radix: 16))
      while bytes.count < end.upperBound + count + 2 {
        let more = receive()
        try #require(!more.isEmpty, "the connection ended within a chunk")
        bytes += more
      }
      body += bytes[end.upperBound..<end.upperBound + count]
      bytes.removeFirst(end.upperBound + count + 2)
      if count == 0 { return body }
    }
  }
}

/// A page that asks a server.
struct PageClient: Sendable {
  let port: UInt16

  /// Does blocking work away from Swift's few threads for tasks, which the server needs.
  static func away<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      DispatchQueue(label: "client").async { continuation.resume(with: Result { try work() }) }
    }
  }

  /// Sends a request as a browser does, with more headers or others.
  func get(
    _ target: String, method: String = "GET", host: String? = nil, headers: [String: String] = [:]
  ) async throws -> PageAnswer {
    var text = "\(method) \(target) HTTP/1.1\r\nHost: \(host ?? "127.0.0.1:\(port)")\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    return try await send(text + "\r\n", isHead: method == "HEAD")
  }

  /// The JSON of an answer that must be 200.
  func json(_ target: String) async throws -> JSONValue {
    let answer = try await get(target)
    try #require(answer.status == 200, "\(target): \(answer.status) \(answer.text.prefix(300))")
    return try answer.json()
  }

  /// Sends bytes on a new connection and reads one answer.
  func send(_ text: String, isHead: Bool = false) async throws -> PageAnswer {
    try await Self.away { [port] in
      let connection = try PageConnection(port: port)
      connection.send(text)
      return try connection.answer(isHead: isHead)
    }
  }

  /// The id of the run with a name.
  func id(_ name: String) async throws -> String {
    let runs = try await json("/api/runs")["runs"]?.arrayValue ?? []
    let run = try #require(runs.first { $0["name"]?.stringValue == name }, "no run \(name)")
    return try #require(run["id"]?.stringValue)
  }
}

extension JSONValue {
  /// The elements, where it is an array.
  var arrayValue: [JSONValue]? {
    if case .array(let elements) = self { elements } else { nil }
  }

  /// The names of an object's members, in order.
  var keys: [String] {
    if case .object(let members) = self { members.map(\.key) } else { [] }
  }
}

/// Serves `folders` while `body` runs.
func withServer<Result: Sendable>(
  _ folders: [URL], options: LivePageOptions = LivePageOptions(token: nil),
  limits: ConnectionLimits = ConnectionLimits(), _ body: (PageClient) async throws -> Result
) async throws -> Result {
  let server = try LivePageServer(runs: folders, options: options, limits: limits)
  let task = Task.detached { try await server.run() }
  do {
    let result = try await body(PageClient(port: server.port))
    task.cancel()
    _ = await task.result
    return result
  } catch {
    task.cancel()
    _ = await task.result
    throw error
  }
}

/// Runs `body` with a folder of its own, removed afterwards.
func withFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appending(path: "tinyalign-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try await body(folder)
}
