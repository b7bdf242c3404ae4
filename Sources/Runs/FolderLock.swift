import Foundation

/// Keeps a second process off a run folder, as long as it lives; it ends with the process, however that ends.
final class FolderLock: Sendable {
  private let descriptor: Int32

  /// Locks a folder that exists.
  ///
  /// - Throws: ``RunError/inUse(path:)`` where another process writes to it.
  init(_ folder: URL) throws {
    descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw RunError.cannotRead(path: folder.path, reason: lastSystemError()) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      // A file system without locks protects from nothing, and hinders nothing.
      guard errno == EWOULDBLOCK else { return }
      close(descriptor)
      throw RunError.inUse(path: folder.path)
    }
  }

  deinit { close(descriptor) }
}
