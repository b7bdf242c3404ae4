import Dispatch

/// Runs work that waits for the disk away from Swift's few threads for tasks, one piece after the other.
///
/// One piece at a time keeps a core free for training, and lets requests for the same file share one reading of it.
struct BlockingQueue: Sendable {
  private let queue: DispatchQueue

  init(_ name: String) { queue = DispatchQueue(label: name) }

  /// What `work` returns.
  func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result { try work() }) }
    }
  }
}
