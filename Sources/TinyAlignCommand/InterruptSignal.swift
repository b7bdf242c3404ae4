import Foundation
import Synchronization

/// Set by Ctrl-C, SIGTERM and a closed terminal: the step under way is finished, and what the run had is kept.
/// A second one stops at once, and so does the first one where nothing is under way that is worth keeping.
///
/// A signal that is ignored when the program starts, as `nohup` and a shell's background jobs have it, stays ignored.
final class InterruptSignal: Sendable {
  /// What a signal finds under way.
  enum Work: Int {
    /// Nothing that would be lost: the program ends at once.
    case preparing
    /// A training step, which may take minutes: the handler says that it is being finished.
    case step
    /// Something that ends within a moment once ``InterruptSignal/isRaised`` is set.
    case short
  }

  private static let count = Atomic<Int>(0)
  private static let work = Atomic<Int>(Work.preparing.rawValue)
  private static let isOnTerminal = Atomic<Bool>(false)

  /// Whether a signal has come.
  var isRaised: Bool { Self.count.load(ordering: .relaxed) > 0 }

  /// Starts to listen; create it before anything that takes long.
  init() {
    Self.isOnTerminal.store(Terminal.isInteractive, ordering: .relaxed)
    var set = sigset_t()
    sigemptyset(&set)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      handleUnlessIgnored(number) { _ in InterruptSignal.receive() }
      sigaddset(&set, number)
    }
    // A parent may have blocked them.
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    // A reader that goes away is an error of the write, not the end of a run.
    signal(SIGPIPE, SIG_IGN)
  }

  /// Says what the next signal will find under way; until then it finds ``Work/preparing``.
  func begin(_ work: Work) { Self.work.store(work.rawValue, ordering: .sequentiallyConsistent) }

  /// Runs in the handler: only what is safe there.
  private static func receive() {
    let work = Work(rawValue: work.load(ordering: .relaxed))
    guard count.add(1, ordering: .relaxed).newValue == 1, work != .preparing else {
      LiveLines.eraseAtOnce()
      _exit(130)
    }
    guard work == .step else { return }
    LiveLines.eraseAtOnce()
    if isOnTerminal.load(ordering: .relaxed) { LiveLines.write("\r\u{1B}[2K") }
    LiveLines.write("Finishing the step under way; another Ctrl-C ends at once.\n")
  }
}

/// Installs a handler of a signal, unless whoever started the program has it ignored.
func handleUnlessIgnored(_ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) {
  let before = unsafeBitCast(signal(number, SIG_IGN), to: Int.self)
  if before != unsafeBitCast(SIG_IGN, to: Int.self) { signal(number, handler) }
}
