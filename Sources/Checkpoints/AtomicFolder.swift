public import Foundation

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Makes a whole folder appear at once: fills a folder beside it, syncs everything, renames.
///
/// A folder already under the final name is replaced: at every moment one of the two is there, whole (on file systems
/// that cannot exchange two names there is an instant with neither). Folders above it are created.
/// - Throws: ``CheckpointError/io(action:path:reason:)``, or what `body` throws; the old folder is then still there.
public func writeFolderAtomically(_ url: URL, _ body: (URL) throws -> Void) throws {
  let path = try systemPath(url)
  var status = stat()
  let exists = lstat(path, &status) == 0
  if exists, status.st_mode & S_IFMT == S_IFREG {
    throw CheckpointError.io(action: "write the folder", path: path, reason: "there is a file of this name")
  }
  let parent = url.deletingLastPathComponent()
  try createFolder(parent)
  let temporary = temporarySibling(of: url)
  try createFolder(temporary)
  do {
    try body(temporary)
    try syncTree(temporary)
    if exists {
      try exchange(temporary, url)
    } else {
      guard rename(try systemPath(temporary), path) == 0 else { throw writeError("write the folder", path) }
    }
  } catch {
    try? FileManager.default.removeItem(at: temporary)
    throw error
  }
  try syncFolder(parent)
  // After an exchange the old folder has the temporary name.
  if exists { try? FileManager.default.removeItem(at: temporary) }
}

/// Removes a folder so that it is under its name whole or not at all.
///
/// - Throws: ``CheckpointError/io(action:path:reason:)``; the folder is then still there.
public func removeFolderAtomically(_ url: URL) throws {
  let path = try systemPath(url)
  let aside = temporarySibling(of: url)
  guard rename(path, try systemPath(aside)) == 0 else { throw writeError("remove the folder", path) }
  // After a power cut, too: what it holds goes only when its name is gone.
  try syncFolder(url.deletingLastPathComponent())
  try? FileManager.default.removeItem(at: aside)
}

/// Creates a folder and those above it, where missing, and makes their names outlive a power cut.
private func createFolder(_ url: URL) throws {
  let path = try systemPath(url)
  if mkdir(path, 0o777) == 0 {
    return try syncFolder(url.deletingLastPathComponent())
  }
  let code = errno
  var status = stat()
  if code == EEXIST || code == EROFS || code == EACCES, stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
    return
  }
  let parent = url.deletingLastPathComponent()
  guard code == ENOENT, parent.path != url.path else {
    throw CheckpointError.io(action: "create the folder", path: path, reason: systemMessage(code))
  }
  try createFolder(parent)
  guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw writeError("create the folder", path) }
  try syncFolder(parent)
}

/// Puts the folder `new` in the place of `old`, and `old` in the place of `new`.
private func exchange(_ new: URL, _ old: URL) throws {
  let newPath = try systemPath(new)
  let oldPath = try systemPath(old)
  if exchangeNames(newPath, oldPath) { return }
  guard [EINVAL, ENOSYS, ENOTSUP].contains(errno) else { throw writeError("replace the folder", oldPath) }
  let asidePath = try systemPath(temporarySibling(of: old))
  guard rename(oldPath, asidePath) == 0 else { throw writeError("replace the folder", oldPath) }
  guard rename(newPath, oldPath) == 0 else {
    let error = writeError("replace the folder", oldPath)
    rename(asidePath, oldPath)
    throw error
  }
  rename(asidePath, newPath)
}

/// Exchanges two names in one step; false, with `errno` set, where that failed.
private func exchangeNames(_ first: String, _ second: String) -> Bool {
  #if canImport(Darwin)
    return renamex_np(first, second, UInt32(RENAME_SWAP)) == 0
  #else
    // The C header hides renameat2 behind a macro that Swift does not set.
    typealias RenameAt2 = @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
    guard let symbol = dlsym(nil, "renameat2") else {
      errno = ENOSYS
      return false
    }
    let renameExchange: UInt32 = 2
    return unsafeBitCast(symbol, to: RenameAt2.self)(AT_FDCWD, first, AT_FDCWD, second, renameExchange) == 0
  #endif
}

/// Syncs every file and folder in `folder`, and itself.
private func syncTree(_ folder: URL) throws {
  let path = try systemPath(folder)
  let inside: [String]
  do {
    inside = try FileManager.default.subpathsOfDirectory(atPath: path)
  } catch {
    throw CheckpointError.io(action: "sync", path: path, reason: oneLine(error.localizedDescription))
  }
  for name in inside {
    let itemPath = path + "/" + name
    // Links and pipes have no bytes of their own to sync.
    let descriptor = open(itemPath, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    if descriptor < 0 { continue }
    defer { close(descriptor) }
    guard sync(descriptor) else { throw writeError("sync", itemPath) }
  }
  try syncFolder(folder)
}
