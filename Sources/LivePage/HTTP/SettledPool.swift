import FlyingSocks

#if os(Linux)
  typealias SystemEventQueue = ePoll
#else
  typealias SystemEventQueue = kQueue
#endif

/// FlyingSocks' pool of waiting sockets, which forgets a socket before the waiter goes on.
///
/// The pool wakes a waiter first and unregisters the socket afterwards. A waiter that closes the socket in between leaves
/// a stale entry behind, and the next connection that gets the same number would never be woken.
struct SettledPool: AsyncSocketPool {
  private let pool: SocketPool<SystemEventQueue>

  init() {
    #if os(Linux)
      pool = .ePoll(maxEvents: 32)
    #else
      pool = .kQueue(maxEvents: 32)
    #endif
  }

  func prepare() async throws { try await pool.prepare() }

  func run() async throws { try await pool.run() }

  func suspendSocket(_ socket: Socket, untilReadyFor events: Socket.Events) async throws {
    do {
      try await pool.suspendSocket(socket, untilReadyFor: events)
    } catch {
      await pool.settle()
      throw error
    }
    await pool.settle()
  }
}

extension SocketPool {
  /// Returns once the pool is done with what it was doing: an actor does one thing at a time.
  fileprivate func settle() {}
}
