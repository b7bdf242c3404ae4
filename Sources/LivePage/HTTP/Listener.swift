import FlyingSocks
import Foundation

/// A socket that listens on 127.0.0.1; it is closed with its last owner.
final class Listener: Sendable {
  let socket: Socket
  /// The port that the system gave.
  let port: UInt16

  /// Listens on `port`; 0 takes a free one.
  ///
  /// - Throws: ``LivePageError``.
  init(port: UInt16) throws {
    do {
      let socket = try Socket(domain: AF_INET, type: .stream)
      do {
        closeOnExec(socket)
        try socket.setValue(true, for: .localAddressReuse)
        #if canImport(Darwin)
          // Accepted sockets inherit it: a client that leaves is an error of the write, not a signal.
          try socket.setValue(true, for: .noSIGPIPE)
        #endif
        try socket.bind(to: .inet(ip4: "127.0.0.1", port: port))
        try socket.listen()
        guard case .ip4(_, let bound) = try socket.sockname() else { throw SocketError.unsupportedAddress }
        self.port = bound
        self.socket = socket
      } catch {
        try? socket.close()
        throw error
      }
    } catch SocketError.failed(_, let number, let message) {
      if number == EADDRINUSE { throw LivePageError.portTaken(port) }
      throw LivePageError.cannotListen(port: port, reason: message)
    } catch {
      throw LivePageError.cannotListen(port: port, reason: error.localizedDescription)
    }
  }

  deinit { try? socket.close() }
}

/// Keeps programs that this one starts, such as a browser, from holding the socket open.
func closeOnExec(_ socket: Socket) { _ = fcntl(socket.file.rawValue, F_SETFD, FD_CLOEXEC) }
