public import Foundation

/// Why the live page could not be served; every description says what, where and what to do.
public enum LivePageError: Error, Equatable, LocalizedError, CustomStringConvertible {
  /// Another program listens on the port.
  case portTaken(UInt16)
  /// The port could not be listened on for another reason.
  case cannotListen(port: UInt16, reason: String)

  /// One line: what, where, what to do.
  public var description: String {
    switch self {
    case .portTaken(let port):
      "port \(port) of 127.0.0.1 is taken: stop the program that listens there, or choose another port"
    case .cannotListen(let port, let reason):
      "cannot listen on port \(port) of 127.0.0.1: \(reason); choose another port"
    }
  }

  /// The same as ``description``.
  public var errorDescription: String? { description }
}
