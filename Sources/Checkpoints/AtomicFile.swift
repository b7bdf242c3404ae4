public import Foundation

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Writes a file so that only the whole of it is ever seen under its name.
///
/// Writes beside it, syncs, renames, and syncs the folder; what was there before is replaced.
/// - Throws: ``CheckpointError/io(action:path:reason:)``; the old file is then still there.
public func writeAtomically(_ data: Data, to url: URL) throws {
  try writeAtomically(to: url) { try $0.write(data) }
}

/// Writes a file piece by piece so that only the whole of it is ever seen under its name.
///
/// - Throws: ``CheckpointError/io(action:path:reason:)``, or what `body` throws; the old file is then still there.
public func writeAtomically(to url: URL, _ body: (AtomicFileWriter) throws -> Void) throws {
  let path = try systemPath(url)
  let temporary = try systemPath(temporarySibling(of: url))
  let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
  guard descriptor >= 0 else { throw writeError("write", path) }
  let writer = AtomicFileWriter(descriptor: descriptor, path: path)
  do {
    try body(writer)
    try writer.finish()
    guard rename(temporary, path) == 0 else { throw writeError("write", path) }
  } catch {
    writer.closeDescriptor()
    unlink(temporary)
    throw error
  }
  try syncFolder(url.deletingLastPathComponent())
}

/// Takes the bytes of a file that ``writeAtomically(to:_:)`` is writing; small pieces are collected.
public final class AtomicFileWriter {
  private var descriptor: Int32
  private let path: String
  private var pending: [UInt8] = []

  private static let pendingLimit = 1 << 16

  fileprivate init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  /// Appends bytes.
  ///
  /// - Throws: ``CheckpointError/io(action:path:reason:)``, for instance when the disk is full.
  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    if pending.count + bytes.count > Self.pendingLimit { try flush() }
    if bytes.count >= Self.pendingLimit {
      try writeAll(bytes)
    } else {
      pending.append(contentsOf: bytes)
    }
  }

  /// Appends bytes.
  ///
  /// - Throws: ``CheckpointError/io(action:path:reason:)``, for instance when the disk is full.
  public func write(_ data: Data) throws {
    try data.withUnsafeBytes { try write($0) }
  }

  /// Appends text as UTF-8.
  ///
  /// - Throws: ``CheckpointError/io(action:path:reason:)``, for instance when the disk is full.
  public func write(_ text: String) throws {
    var text = text
    try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
  }

  fileprivate func finish() throws {
    try flush()
    guard sync(descriptor) else { throw writeError("write", path) }
    let status = close(descriptor)
    descriptor = -1
    // Some systems report a full disk only now.
    if status != 0, errno != EINTR { throw writeError("write", path) }
  }

  fileprivate func closeDescriptor() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  private func flush() throws {
    try pending.withUnsafeBytes { try writeAll($0) }
    pending.removeAll(keepingCapacity: true)
  }

  private func writeAll(_ bytes: UnsafeRawBufferPointer) throws {
    guard descriptor >= 0 else {
      throw CheckpointError.io(action: "write", path: path, reason: "the file is already finished")
    }
    var rest = bytes[...]
    while !rest.isEmpty {
      let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress
      // One call takes less than 2 GiB on some systems.
      let count = min(rest.count, 1 << 30)
      #if canImport(Darwin)
        let written = Darwin.write(descriptor, start, count)
      #else
        let written = Glibc.write(descriptor, start, count)
      #endif
      if written < 0 {
        if errno == EINTR { continue }
        throw writeError("write", path)
      }
      rest = rest.dropFirst(written)
    }
  }
}

/// A name beside `url` that nothing else uses; short, since the final name may have the greatest length allowed.
func temporarySibling(of url: URL) -> URL {
  let number = String(UInt64.random(in: .min ... .max), radix: 16)
  return url.deletingLastPathComponent().appending(path: "\(temporaryPrefix)\(number)\(temporarySuffix)")
}

private let temporaryPrefix = ".tinyalign-"
private let temporarySuffix = ".tmp"

/// Removes what a process that was killed while it wrote left beside the files and folders that it meant to write.
///
/// - Precondition: no other process writes in `folder`.
public func removeUnfinishedFiles(in folder: URL) {
  for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
  where name.hasPrefix(temporaryPrefix) && name.hasSuffix(temporarySuffix) {
    try? FileManager.default.removeItem(at: folder.appending(path: name))
  }
}

/// The error of the last system call, whose `errno` must not have been overwritten.
func writeError(_ action: String, _ path: String) -> CheckpointError {
  let code = errno
  let reason = code == ENOENT ? "the folder it goes into does not exist" : systemMessage(code)
  return .io(action: action, path: path, reason: reason)
}

/// Makes a file's bytes, or a folder's names, outlive a power cut.
func sync(_ descriptor: Int32) -> Bool {
  #if canImport(Darwin)
    // There, fsync leaves the bytes in the drive's own cache.
    if fcntl(descriptor, F_FULLFSYNC) == 0 { return true }
  #endif
  while fsync(descriptor) != 0 {
    if errno == EINTR { continue }
    // Some file systems cannot sync folders, or cannot sync at all: there is nothing to wait for.
    return errno == EINVAL || errno == ENOTSUP
  }
  return true
}

/// Syncs the names in a folder.
func syncFolder(_ url: URL) throws {
  let path = try systemPath(url)
  let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  // A folder may allow writing but not reading; its names then reach the disk a little later.
  if descriptor < 0, errno == EACCES { return }
  guard descriptor >= 0 else { throw writeError("sync", path) }
  defer { close(descriptor) }
  guard sync(descriptor) else { throw writeError("sync", path) }
}
