import FlyingSocks
import Foundation

/// A socket that listens on an address; it is closed with its last owner.
final class Listener: Sendable {
  let socket: Socket
  /// The port that the system gave.
  let port: UInt16

  /// Listens on `port` of an IP address; 0 takes a free one.
  ///
  /// - Throws: ``LivePageError``.
  init(host: String, port: UInt16) throws {
    do {
      let isVersion6 = host.contains(":")
      let socket = try Socket(domain: isVersion6 ? AF_INET6 : AF_INET, type: .stream)
      do {
        closeOnExec(socket)
        try socket.setValue(true, for: .localAddressReuse)
        #if canImport(Darwin)
          // Accepted sockets inherit it: a client that leaves is an error of the write, not a signal.
          try socket.setValue(true, for: .noSIGPIPE)
        #endif
        if isVersion6 {
          try socket.bind(to: .inet6(ip6: host, port: port))
        } else {
          try socket.bind(to: .inet(ip4: host, port: port))
        }
        try socket.listen()
        switch try socket.sockname() {
        case .ip4(_, let bound), .ip6(_, let bound): self.port = bound
        case .unix: throw SocketError.unsupportedAddress
        }
        self.socket = socket
      } catch {
        try? socket.close()
        throw error
      }
    } catch SocketError.failed(_, let number, let message) {
      if number == EADDRINUSE { throw LivePageError.portTaken(host: host, port: port) }
      throw LivePageError.cannotListen(host: host, port: port, reason: message)
    } catch {
      throw LivePageError.cannotListen(host: host, port: port, reason: error.localizedDescription)
    }
  }

  deinit { try? socket.close() }
}

/// Keeps programs that this one starts, such as a browser, from holding the socket open.
func closeOnExec(_ socket: Socket) { _ = fcntl(socket.file.rawValue, F_SETFD, FD_CLOEXEC) }
