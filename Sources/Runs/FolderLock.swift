public import Foundation

/// Keeps a second process off a run folder, as long as it lives; it ends with the process, however that ends.
final class FolderLock: Sendable {
  private let descriptor: Int32
  /// Whether the folder is locked: a file system without locks protects from nothing, and hinders nothing.
  let isHeld: Bool

  /// Readers that look whether a folder is locked hold it for a moment: a lock is tried so often, 10 ms apart.
  private static let attempts = 20

  /// Locks a folder that exists.
  ///
  /// - Throws: ``RunError/inUse(path:)`` where another process writes to it.
  init(_ folder: URL) throws {
    descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw RunError.cannotRead(path: folder.path, reason: lastSystemError()) }
    for attempt in 1...Self.attempts {
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
        isHeld = true
        return
      }
      guard errno == EWOULDBLOCK || errno == EINTR else { break }
      guard attempt < Self.attempts else {
        close(descriptor)
        throw RunError.inUse(path: folder.path)
      }
      usleep(10_000)
    }
    isHeld = false
  }

  deinit { close(descriptor) }
}

/// Whether a process holds the lock of the folder that is open as `descriptor`: it writes the run, and lives. Nil where the file
/// system has no locks.
package func isLocked(_ descriptor: Int32) -> Bool? {
  if flock(descriptor, LOCK_SH | LOCK_NB) == 0 {
    _ = flock(descriptor, LOCK_UN)
    return false
  }
  return errno == EWOULDBLOCK ? true : nil
}

extension RunFolder {
  /// Whether a process writes the run in `folder`, whatever its status says: one that was killed could not change it. Nil where that
  /// cannot be told.
  public static func isBeingWritten(_ folder: URL) -> Bool? {
    let descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { _ = close(descriptor) }
    return isLocked(descriptor)
  }
}

/// The computer's name, as ``ProgressRecord`` has it.
package func runHostName() -> String {
  var buffer = [CChar](repeating: 0, count: 256)
  guard gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
  return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
