import FlyingSocks
import Foundation

/// One client: requests are answered one after the other until it leaves or keeps us waiting for too long.
///
/// FlyingFox' own server reads heads of any length, waits for ever, answers HEAD with a body, and ends when a connection
/// cannot be accepted; so only its sockets are used.
struct HTTPConnection: Sendable {
  let socket: AsyncSocket
  let limits: ConnectionLimits
  let answer: @Sendable (HTTPRequest) async -> HTTPAnswer

  /// Serves the client, and closes the connection.
  func serve() async {
    var buffer: [UInt8] = []
    do {
      while let head = try await readHead(&buffer) {
        let request = try HTTPRequest(head: head)
        let answer = await answer(request)
        guard try await send(answer, to: request) else { break }
      }
    } catch let problem as HTTPProblem {
      try? await write(HTTPAnswer(problem, to: nil).whole(keepsAlive: false, withBody: true))
      await lingeringClose()
    } catch {}
    try? socket.close()
  }

  /// Turns a client away that is one too many.
  func refuse() async {
    let problem = HTTPProblem(503, "too many connections: close some pages and try again")
    try? await write(HTTPAnswer(problem, to: nil).whole(keepsAlive: false, withBody: true))
    await lingeringClose()
    try? socket.close()
  }

  /// The bytes of the next head; nil where the client has left.
  private func readHead(_ buffer: inout [UInt8]) async throws -> [UInt8]? {
    let start = ContinuousClock.now
    while true {
      if let end = Self.endOfHead(buffer) {
        let head = Array(buffer[..<end.head])
        buffer.removeFirst(end.next)
        return head
      }
      guard buffer.count <= limits.headBytes else { throw HTTPProblem(431, "the request's head is too long") }
      var seconds = limits.idleSeconds
      if !buffer.isEmpty { seconds = max(0.01, limits.headSeconds - (ContinuousClock.now - start) / .seconds(1)) }
      do {
        buffer += try await withDeadline(seconds: seconds) { [socket] in try await socket.read(atMost: 4_096) }
      } catch SocketError.disconnected {
        return nil
      } catch is DeadlinePassed {
        if buffer.isEmpty { return nil }
        throw HTTPProblem(408, "the request took too long to arrive")
      }
    }
  }

  /// Where a head ends, without its last line's end, and where what follows it starts.
  private static func endOfHead(_ buffer: [UInt8]) -> (head: Int, next: Int)? {
    let newline = UInt8(ascii: "\n")
    let carriage = UInt8(ascii: "\r")
    for index in buffer.indices where buffer[index] == newline {
      let before = index > 0 && buffer[index - 1] == carriage ? index - 1 : index
      if before > 0, buffer[before - 1] == newline { return (before - 1, index + 1) }
    }
    return nil
  }

  /// Sends an answer; false where it was the last on this connection.
  private func send(_ answer: HTTPAnswer, to request: HTTPRequest) async throws -> Bool {
    let isHead = request.method == "HEAD"
    switch answer.body {
    case .bytes:
      let keepsAlive = request.keepsAlive && !request.hasBody
      try await write(answer.whole(keepsAlive: keepsAlive, withBody: !isHead))
      if !keepsAlive { await lingeringClose() }
      return keepsAlive
    case .stream(let next):
      try await write(answer.head(keepsAlive: false, isChunked: request.isVersion11))
      if !isHead { try await send(next, isChunked: request.isVersion11) }
      await lingeringClose()
    }
    return false
  }

  private func send(_ next: () async throws -> [UInt8]?, isChunked: Bool) async throws {
    while let piece = try await next() {
      guard !piece.isEmpty else { continue }
      guard isChunked else {
        try await write(piece)
        continue
      }
      try await write(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Array("\r\n".utf8))
    }
    if isChunked { try await write(Array("0\r\n\r\n".utf8)) }
  }

  private func write(_ bytes: [UInt8]) async throws {
    let piece = 256 << 10
    for start in stride(from: 0, to: bytes.count, by: piece) {
      let data = Data(bytes[start..<min(bytes.count, start + piece)])
      try await withDeadline(seconds: limits.writeSeconds) { [socket] in try await socket.write(data) }
    }
  }

  /// Says that nothing more comes, and reads what the client still sends: closing at once would throw away an answer
  /// that it has not read yet.
  private func lingeringClose() async {
    _ = shutdown(socket.socket.file.rawValue, Int32(SHUT_WR))
    try? await withDeadline(seconds: 1) { [socket] in
      for _ in 0..<64 { _ = try await socket.read(atMost: 4_096) }
    }
  }
}

extension HTTPAnswer {
  fileprivate func whole(keepsAlive: Bool, withBody: Bool) -> [UInt8] {
    var bytes = head(keepsAlive: keepsAlive, isChunked: false)
    if withBody, case .bytes(let body) = body { bytes += body }
    return bytes
  }
}
