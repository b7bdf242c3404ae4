import Dispatch
import Foundation
import Synchronization

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A request as it came.
struct HTTPRequest: Sendable {
  let method: String
  /// The path with its query.
  let target: String
  private let fields: [String: String]

  init?(_ text: String) {
    let lines = text.components(separatedBy: "\r\n")
    let parts = lines[0].split(separator: " ")
    guard parts.count == 3 else { return nil }
    method = String(parts[0])
    target = String(parts[1])
    fields = Dictionary(
      lines.dropFirst().compactMap { line in
        line.firstIndex(of: ":").map {
          (line[..<$0].lowercased(), line[line.index(after: $0)...].trimmingCharacters(in: .whitespaces))
        }
      }, uniquingKeysWith: { first, _ in first })
  }

  /// A field of the header.
  subscript(name: String) -> String? { fields[name.lowercased()] }

  /// The path without its query.
  var path: String { target.components(separatedBy: "?")[0] }
}

/// What a server sends, and how it misbehaves while it does.
struct HTTPResponse: Sendable {
  var status = 200
  var fields: [(String, String)] = []
  var body = Data()
  /// What Content-Length says, where it lies; nil for the truth.
  var announcedLength: Int?
  /// After so many bytes of the body the connection is cut.
  var cutAfter: Int?
  /// After so many bytes of the body nothing more comes, for some seconds.
  var stallAfter: Int?
  /// Whether it sends no Content-Length; the end of the connection is the end of the body.
  var hasNoLength = false

  static func text(_ text: String, status: Int = 200, _ fields: [(String, String)] = []) -> HTTPResponse {
    HTTPResponse(status: status, fields: fields, body: Data(text.utf8))
  }
}

/// An HTTP/1.1 server on 127.0.0.1, on threads of its own; one answer a connection.
final class LoopbackServer: Sendable {
  let port: Int
  private let listener: Int32
  private let log = Mutex<[HTTPRequest]>([])
  private let isStopped = Mutex(false)
  private let end = DispatchSemaphore(value: 0)
  private let answer: @Sendable (HTTPRequest) -> HTTPResponse

  /// Starts to serve at a free port.
  init(_ answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse) throws {
    // A proxy of the machine that tests run on has no place here.
    setenv("no_proxy", "127.0.0.1,localhost", 1)
    self.answer = answer
    #if canImport(Darwin)
      let listener = socket(AF_INET, SOCK_STREAM, 0)
    #else
      let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #endif
    self.listener = listener
    var address = Self.address(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isOpen = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    guard isOpen else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    port = Int(UInt16(bigEndian: address.sin_port))
    let thread = Thread { [self] in acceptAll() }
    thread.start()
  }

  var url: String { "http://127.0.0.1:\(port)" }

  /// The requests so far, in the order of their coming.
  var requests: [HTTPRequest] { log.withLock { $0 } }

  /// Takes no more connections; the port is free afterwards.
  ///
  /// Only the thread that accepts closes the listener: its number soon belongs to another file or socket.
  func stop() {
    let wasStopped = isStopped.withLock { isStopped in
      defer { isStopped = true }
      return isStopped
    }
    guard !wasStopped else { return }
    #if canImport(Darwin)
      // There, shutting a listener down does not wake who accepts.
      let caller = socket(AF_INET, SOCK_STREAM, 0)
      var address = Self.address(port: UInt16(port))
      withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          _ = connect(caller, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      close(caller)
    #else
      shutdown(listener, Int32(SHUT_RDWR))
    #endif
    end.wait()
  }

  private static func address(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return address
  }

  private func acceptAll() {
    defer {
      close(listener)
      end.signal()
    }
    while true {
      let connection = accept(listener, nil, nil)
      if connection < 0 {
        if errno == EINTR || errno == ECONNABORTED { continue }
        return
      }
      if isStopped.withLock({ $0 }) {
        close(connection)
        return
      }
      Thread { [self] in
        serve(connection)
        close(connection)
      }.start()
    }
  }

  private func serve(_ connection: Int32) {
    // Small pieces would wait for the other side's acknowledgement, 40 ms each time.
    var on: Int32 = 1
    setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    var text = Data()
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while text.range(of: Data("\r\n\r\n".utf8)) == nil {
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0, text.count < 1 << 16 else { return }
      text.append(contentsOf: buffer[..<count])
    }
    guard let request = HTTPRequest(String(decoding: text, as: UTF8.self)) else { return }
    log.withLock { $0.append(request) }
    let response = answer(request)
    var head = "HTTP/1.1 \(response.status) Whatever\r\nConnection: close\r\n"
    for (name, value) in response.fields { head += "\(name): \(value)\r\n" }
    if !response.hasNoLength { head += "Content-Length: \(response.announcedLength ?? response.body.count)\r\n" }
    send(connection, Data((head + "\r\n").utf8))
    if request.method == "HEAD" { return }
    if let count = response.cutAfter ?? response.stallAfter {
      send(connection, response.body.prefix(count))
      if response.stallAfter != nil { sleepUntilGone(connection) }
    } else {
      send(connection, response.body)
    }
    shutdown(connection, Int32(SHUT_WR))
    // What closes with unread bytes resets the connection, and the other side may lose the end.
    _ = recv(connection, &buffer, buffer.count, 0)
  }

  /// Sends nothing until the other side gives up, or a few seconds are over.
  private func sleepUntilGone(_ connection: Int32) {
    var limit = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var byte: UInt8 = 0
    _ = recv(connection, &byte, 1, 0)
  }

  private func send(_ connection: Int32, _ data: Data) {
    #if canImport(Darwin)
      var on: Int32 = 1
      setsockopt(connection, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
      let flags: Int32 = 0
    #else
      let flags = Int32(MSG_NOSIGNAL)
    #endif
    data.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let piece = UnsafeRawBufferPointer(rebasing: rest)
        #if canImport(Darwin)
          let sent = Darwin.send(connection, piece.baseAddress, piece.count, flags)
        #else
          let sent = Glibc.send(connection, piece.baseAddress, piece.count, flags)
        #endif
        guard sent > 0 else { return }
        rest = rest.dropFirst(sent)
      }
    }
  }
}
