public import Foundation

/// Why the live page could not be served; every description says what, where and what to do.
public enum LivePageError: Error, Equatable, LocalizedError, CustomStringConvertible {
  /// Another program listens on the port.
  case portTaken(host: String, port: UInt16)
  /// The port could not be listened on for another reason.
  case cannotListen(host: String, port: UInt16, reason: String)
  /// An option that has no meaning; its name is that of the command line, without dashes.
  case invalid(option: String, reason: String)

  /// One line: what, where, what to do.
  public var description: String {
    switch self {
    case .portTaken(let host, let port):
      "port \(port) of \(host) is taken: stop the program that listens there, or choose another port"
    case .cannotListen(let host, let port, let reason):
      "cannot listen on port \(port) of \(host): \(reason); choose another port or address"
    case .invalid(let option, let reason):
      "\(option) \(reason)"
    }
  }

  /// The same as ``description``.
  public var errorDescription: String? { description }
}
