/// What clients may ask of the server's patience.
package struct ConnectionLimits: Sendable {
  /// Clients that are served at once.
  package var connections = 64
  /// Bytes of a request's head.
  package var headBytes = 16 << 10
  /// Seconds from a head's first byte to its last.
  package var headSeconds = 10.0
  /// Seconds without a request.
  package var idleSeconds = 75.0
  /// Seconds that a piece of an answer may wait for the client to take it.
  package var writeSeconds = 20.0

  /// The usual limits.
  package init() {}
}
