import Foundation
import Synchronization

/// Set by Ctrl-C and SIGTERM: the step under way is finished, and what the run had is kept. A second one stops at once.
final class InterruptSignal {
  private static let count = Atomic<Int>(0)

  /// Whether a signal has come.
  var isRaised: Bool { Self.count.load(ordering: .relaxed) > 0 }

  /// Starts to listen.
  init() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in
        if InterruptSignal.count.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
      }
    }
  }
}
