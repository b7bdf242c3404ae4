import Foundation
import Synchronization

/// Set by Ctrl-C, SIGTERM and a closed terminal: the step under way is finished, and what the run had is kept.
/// A second one stops at once.
final class InterruptSignal: Sendable {
  private static let count = Atomic<Int>(0)

  /// Whether a signal has come.
  var isRaised: Bool { Self.count.load(ordering: .relaxed) > 0 }

  /// Starts to listen; create it before anything that takes long.
  init() {
    var set = sigset_t()
    sigemptyset(&set)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      signal(number) { _ in
        guard InterruptSignal.count.add(1, ordering: .relaxed).newValue > 1 else { return }
        LiveLines.eraseAtOnce()
        _exit(130)
      }
      sigaddset(&set, number)
    }
    // A parent may have blocked them.
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    // A reader that goes away is an error of the write, not the end of a run.
    signal(SIGPIPE, SIG_IGN)
  }
}
