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
    var status = stat()
    // What was cut off must not come back behind, or among, what is appended from now on.
    guard fstat(opened, &status) == 0, ftruncate(opened, off_t(length)) == 0,
      Int(status.st_size) <= length || Runs.sync(opened)
    else {
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
    guard Runs.sync(descriptor) else { throw RunError.cannotWrite(path: path, reason: lastSystemError()) }
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

/// Makes a file's bytes, or a folder's names, outlive a power cut; false, with `errno` set, where that failed.
private func sync(_ descriptor: Int32) -> Bool {
  #if canImport(Darwin)
    // There, fsync leaves the bytes in the drive's own cache.
    if fcntl(descriptor, F_FULLFSYNC) == 0 { return true }
  #endif
  while fsync(descriptor) != 0 {
    if errno == EINTR { continue }
    // Some file systems cannot sync: there is nothing to wait for.
    return errno == EINVAL || errno == ENOTSUP
  }
  return true
}

/// Makes the names in a folder outlive a power cut; a folder that cannot be read keeps them a little later.
package func syncNames(in folder: String) throws {
  let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { return }
  defer { _ = close(descriptor) }
  guard sync(descriptor) else { throw RunError.cannotWrite(path: folder, reason: lastSystemError()) }
}

/// Writes a whole file so that a reader sees the old one or the new one, never a part.
///
/// - Parameter isLasting: whether the same holds for who comes after a power cut.
package func replaceFile(path: String, with bytes: [UInt8], isLasting: Bool = true) throws {
  let temporary = temporaryPath(of: path)
  do {
    var file = try AppendFile(path: temporary, length: 0)
    try file.append(bytes)
    // A name that outlives a power cut before the bytes do leads to an empty file.
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
  if isLasting { try syncNames(in: (path as NSString).deletingLastPathComponent) }
}

/// What ``replaceFile(path:with:)`` calls a file meanwhile: always the same, so that what a killed process left is replaced, and
/// spelled as Checkpoints does, so that it is removed with what that left.
func temporaryPath(of path: String) -> String {
  let path = path as NSString
  return (path.deletingLastPathComponent as NSString).appendingPathComponent(".tinyalign-\(path.lastPathComponent).tmp")
}
