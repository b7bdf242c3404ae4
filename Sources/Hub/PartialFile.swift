import Foundation

/// A file that is still arriving: what came survives an interruption, and it gets its name only when it is checked.
final class PartialFile {
  /// Its path.
  let path: String
  private let descriptor: Int32
  /// How much has come, in bytes.
  private(set) var count: Int

  /// Opens the file, with what it holds already.
  ///
  /// - Throws: ``HubError/disk(action:path:reason:)``.
  init(_ path: String) throws {
    self.path = path
    // Somebody else's link must not lead the bytes elsewhere.
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw diskError("write", path) }
    let end = lseek(descriptor, 0, SEEK_END)
    guard end >= 0 else {
      let error = diskError("write", path)
      close(descriptor)
      throw error
    }
    count = Int(end)
  }

  deinit { close(descriptor) }

  /// How much a file holds that an earlier download left, in bytes.
  static func existingBytes(_ path: String) -> Int {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return 0 }
    return Int(status.st_size)
  }

  /// Forgets what came.
  func restart() throws {
    guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else { throw diskError("write", path) }
    count = 0
  }

  /// Appends bytes.
  func append(_ data: Data) throws {
    try data.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let piece = UnsafeRawBufferPointer(rebasing: rest)
        let written = write(descriptor, piece.baseAddress, piece.count)
        if written < 0 {
          if errno == EINTR { continue }
          throw diskError("write", path)
        }
        count += written
        rest = rest.dropFirst(written)
      }
    }
  }

  /// Makes the bytes outlive a power cut and gives the file its name.
  func rename(to final: String) throws {
    while fsync(descriptor) != 0 {
      if errno == EINTR { continue }
      // Some file systems cannot sync: there is nothing to wait for.
      guard errno == EINVAL || errno == ENOTSUP else { throw diskError("write", path) }
      break
    }
    guard Foundation.rename(path, final) == 0 else { throw diskError("write", final) }
    let folder = open((final as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folder >= 0 {
      _ = fsync(folder)
      close(folder)
    }
  }

  /// Removes the file.
  func discard() { unlink(path) }
}
