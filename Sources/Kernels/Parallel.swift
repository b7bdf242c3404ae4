import Dispatch
import Foundation
import Synchronization

/// How many threads the kernels use.
///
/// A product runs on the calling thread and the kernels split their work themselves, so that two thread pools never
/// contend for the same cores. (Accelerate schedules its own.)
public enum Threads {
  private static let setting = Atomic<Int>(ProcessInfo.processInfo.activeProcessorCount)

  /// The number of threads that kernels split their work over; at least 1.
  public static var count: Int {
    get { setting.load(ordering: .relaxed) }
    set { setting.store(max(1, newValue), ordering: .relaxed) }
  }
}

/// Runs `body` over 0..<count in contiguous parts, at most ``Threads/count`` at once, and waits for all of them.
///
/// The calls may run at the same time: `body` must write to disjoint memory for disjoint ranges.
/// No part is shorter than `minimumChunk` unless the whole is; small work stays on the calling thread.
///
/// - Parameter partsPerThread: more than one where parts are long: a core that is held up by something else then takes fewer of them.
public func parallel(
  _ count: Int, minimumChunk: Int = 1, partsPerThread: Int = 1, _ body: (Range<Int>) -> Void
) {
  guard count > 0 else { return }
  let threads = Threads.count
  let parts = min(threads == 1 ? 1 : threads * partsPerThread, max(1, count / max(1, minimumChunk)))
  guard parts > 1 else { return body(0..<count) }
  withoutActuallyEscaping(body) { body in
    // Sharing the closure is safe as long as callers keep the promise above.
    nonisolated(unsafe) let work = body
    DispatchQueue.concurrentPerform(iterations: parts) { part in
      work(count * part / parts..<count * (part + 1) / parts)
    }
  }
}
