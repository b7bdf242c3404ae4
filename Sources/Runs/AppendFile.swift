import Foundation

/// A file that only grows, a whole number of lines at a time: one write(2) a call.
struct AppendFile: ~Copyable {
  let path: String
  private let descriptor: Int32
  private var length: Int

  /// Opens or creates the file, cut to `length` bytes.
  init(path: String, length: Int) throws {
    let opened = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard opened >= 0 else { throw RunError.cannotWrite(path: path, reason: lastSystemError()) }
    guard ftruncate(opened, off_t(length)) == 0 else {
      let reason = lastSystemError()
      _ = close(opened)
      throw RunError.cannotWrite(path: path, reason: reason)
    }
    self.path = path
    self.length = length
    descriptor = opened
  }

  deinit { _ = close(descriptor) }

  /// Makes what was written outlive a power cut.
  func sync() throws {
    while fsync(descriptor) != 0 {
      if errno == EINTR { continue }
      // Some file systems cannot sync: there is nothing to wait for.
      guard errno == EINVAL || errno == ENOTSUP else {
        throw RunError.cannotWrite(path: path, reason: lastSystemError())
      }
      return
    }
  }

  /// Appends all of `bytes` or, where that fails, nothing.
  mutating func append(_ bytes: [UInt8]) throws {
    let problem: String? = bytes.withUnsafeBytes { source in
      var done = 0
      while done < source.count {
        let written = write(descriptor, source.baseAddress?.advanced(by: done), source.count - done)
        if written >= 0 {
          done += written
        } else if errno != EINTR {
          return lastSystemError()
        }
      }
      return nil
    }
    if let problem {
      // Half a line would hide what a later append writes after it.
      _ = ftruncate(descriptor, off_t(length))
      throw RunError.cannotWrite(path: path, reason: problem)
    }
    length += bytes.count
  }
}

/// What the system says went wrong last.
func lastSystemError() -> String { String(cString: strerror(errno)) }

/// Writes a whole file so that a reader sees the old one or the new one, never a part.
///
/// - Parameter isLasting: whether it must outlive a power cut from now on.
func replaceFile(path: String, with bytes: [UInt8], isLasting: Bool) throws {
  let temporary = path + ".tmp"
  do {
    var file = try AppendFile(path: temporary, length: 0)
    try file.append(bytes)
    if isLasting { try file.sync() }
  } catch {
    _ = unlink(temporary)
    throw error
  }
  guard rename(temporary, path) == 0 else {
    let reason = lastSystemError()
    _ = unlink(temporary)
    throw RunError.cannotWrite(path: path, reason: reason)
  }
  if isLasting {
    let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folder >= 0 {
      _ = fsync(folder)
      _ = close(folder)
    }
  }
}
