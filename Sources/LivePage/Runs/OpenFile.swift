import Foundation
import Runs

/// What tells whether a file has changed.
struct FileStamp: Sendable, Equatable, Hashable {
  var device: UInt64
  var inode: UInt64
  var size: Int
  /// Nanoseconds since 1970.
  var modified: Int

  init(_ status: stat) {
    device = UInt64(truncatingIfNeeded: status.st_dev)
    inode = UInt64(truncatingIfNeeded: status.st_ino)
    size = max(0, Int(status.st_size))
    #if canImport(Darwin)
      let time = status.st_mtimespec
    #else
      let time = status.st_mtim
    #endif
    modified = Int(time.tv_sec) &* 1_000_000_000 &+ Int(time.tv_nsec)
  }

  /// Whether both are the same file, whatever its content.
  func isSameFile(as other: FileStamp) -> Bool { device == other.device && inode == other.inode }
}

/// Why a file cannot be read, in one line.
enum FileProblem: Error, Equatable {
  case missing
  case refused(String)
}

/// A regular file that was opened without following a link.
struct OpenFile: ~Copyable {
  let descriptor: Int32
  /// As it was when the file was opened.
  let stamp: FileStamp

  fileprivate init(descriptor: Int32, stamp: FileStamp) {
    self.descriptor = descriptor
    self.stamp = stamp
  }

  deinit { _ = close(descriptor) }

  /// Up to `count` bytes from `offset`; fewer at the end of the file.
  ///
  /// - Throws: ``FileProblem``.
  func read(from offset: Int, count: Int) throws(FileProblem) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: max(0, count))
    let filled = try read(from: offset, into: &bytes, at: 0)
    if filled < bytes.count { bytes.removeLast(bytes.count - filled) }
    return bytes
  }

  /// Fills `bytes` from its element `start` on; returns how many elements are filled then.
  func read(from offset: Int, into bytes: inout [UInt8], at start: Int) throws(FileProblem) -> Int {
    var filled = start
    while filled < bytes.count {
      let room = bytes.count - filled
      let count = bytes.withUnsafeMutableBytes { buffer in
        pread(descriptor, buffer.baseAddress?.advanced(by: filled), room, off_t(offset + filled - start))
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .refused(String(cString: strerror(errno)))
      }
      if count == 0 { break }
      filled += count
    }
    return filled
  }
}

/// A folder on the way to a run, opened without following a link where it was not named by the user.
struct OpenFolder: ~Copyable {
  private let descriptor: Int32

  /// Opens a folder that the user named: links are followed.
  init(named path: String) throws(FileProblem) {
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if descriptor < 0 { throw Self.problem() }
  }

  /// Opens a folder in `parent`, which must not be a link.
  init(_ name: String, in parent: borrowing OpenFolder) throws(FileProblem) {
    descriptor = openat(parent.descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    if descriptor < 0 { throw Self.problem() }
  }

  deinit { if descriptor >= 0 { _ = close(descriptor) } }

  /// Opens a regular file in the folder.
  ///
  /// - Throws: ``FileProblem``: a link, a pipe or a device is refused.
  func file(_ name: String) throws(FileProblem) -> OpenFile {
    // Without O_NONBLOCK a pipe would block until somebody writes into it.
    let opened = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard opened >= 0 else { throw Self.problem() }
    var status = stat()
    guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      _ = close(opened)
      throw .refused("it is not a regular file")
    }
    return OpenFile(descriptor: opened, stamp: FileStamp(status))
  }

  /// Opens a regular file in the folder; nil where there is nothing of that name.
  ///
  /// - Throws: ``FileProblem``.
  func fileIfPresent(_ name: String) throws(FileProblem) -> OpenFile? {
    do {
      return try file(name)
    } catch .missing {
      return nil
    } catch {
      throw error
    }
  }

  /// The stamp of a regular file; nil where there is none.
  func stamp(_ name: String) -> FileStamp? {
    var status = stat()
    guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG else {
      return nil
    }
    return FileStamp(status)
  }

  /// Whether the program that writes the run lives.
  var isLocked: Bool { Runs.isLocked(descriptor) == true }

  private static func problem() -> FileProblem {
    switch errno {
    case ENOENT: .missing
    case ELOOP: .refused("it is a symbolic link")
    case ENOTDIR: .refused("it is not a folder")
    default: .refused(String(cString: strerror(errno)))
    }
  }
}

/// Where a run folder is: one that the user named, or a folder somewhere in it.
struct RunPlace: Sendable, Hashable {
  /// The folder that the user named, without links as far as it exists.
  var root: String
  /// The way from there to the run folder; empty where the user named the run folder itself.
  var folders: [String] = []

  var path: String { ([root == "/" ? "" : root] + folders).joined(separator: "/") }

  /// What the run is called: the way to it, or its folder's name.
  var name: String {
    folders.isEmpty ? root.split(separator: "/").last.map(String.init) ?? root : folders.joined(separator: "/")
  }

  /// A longer name, for runs that have the same one: so many more folders before it.
  func name(withFolders count: Int) -> String {
    let own = max(1, folders.count)
    return path.split(separator: "/").suffix(own + count).joined(separator: "/")
  }

  /// A folder in this one.
  func appending(_ name: String) -> RunPlace { RunPlace(root: root, folders: folders + [name]) }

  /// Opens the run folder.
  ///
  /// - Throws: ``FileProblem``.
  func open() throws(FileProblem) -> OpenFolder {
    var folder = try OpenFolder(named: root)
    for name in folders {
      let inner = try OpenFolder(name, in: folder)
      folder = inner
    }
    return folder
  }

  /// A name for the run that tells nothing of its path: 16 hexadecimal digits (FNV-1a of the path).
  var id: String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in path.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
