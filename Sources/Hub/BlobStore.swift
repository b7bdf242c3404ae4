import Checkpoints
import Crypto
import Foundation

/// What the bytes of a file have to be before the file gets its name.
struct Expectation: Sendable, Equatable {
  var bytes: Int?
  var sha256: String?
  var gitSHA1: String?

  /// Why a file is not what was announced, or nil where it is.
  ///
  /// - Throws: ``HubError/disk(action:path:reason:)``.
  func mismatch(of path: String) throws -> String? {
    let file = try ReadingFile(path)
    let count = file.count
    if let bytes, bytes != count { return "it has \(count) bytes where \(bytes) were announced" }
    if let sha256 {
      var hash = SHA256()
      try file.forEachPiece { hash.update(bufferPointer: $0) }
      let found = text(hash.finalize())
      if found != sha256 { return "its SHA-256 is \(found) where \(sha256) was announced" }
    } else if let gitSHA1 {
      let found = try Self.gitSHA1(of: file)
      if found != gitSHA1 { return "its git SHA-1 is \(found) where \(gitSHA1) was announced" }
    }
    return nil
  }

  /// The name of a git blob with the file's bytes.
  static func gitSHA1(of file: ReadingFile) throws -> String {
    var hash = Insecure.SHA1()
    hash.update(data: Data("blob \(file.count)\0".utf8))
    try file.forEachPiece { hash.update(bufferPointer: $0) }
    return text(hash.finalize())
  }

  static func sha256(of file: ReadingFile) throws -> String {
    var hash = SHA256()
    try file.forEachPiece { hash.update(bufferPointer: $0) }
    return text(hash.finalize())
  }
}

private func text(_ digest: some Digest) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// The blobs, links and references of one repository in the cache.
struct BlobStore: Sendable {
  let cache: HubCache
  let repository: URL
  private let usesLinks: Bool

  init(cache: HubCache, repository name: String, usesLinks: Bool = true) {
    self.cache = cache
    self.usesLinks = usesLinks
    repository = cache.repositoryFolder(name)
  }

  func blob(_ name: String) -> URL { repository.appending(path: "blobs/\(name)", directoryHint: .notDirectory) }

  func snapshot(_ commit: String) -> URL {
    repository.appending(path: "snapshots/\(commit)", directoryHint: .isDirectory)
  }

  /// Makes the folders that a download needs.
  ///
  /// - Throws: ``HubError/disk(action:path:reason:)``.
  func prepare() throws {
    for folder in ["blobs", "refs", "snapshots"] { try createFolder(repository.appending(path: folder)) }
  }

  /// Whether a blob is there with the size that it is to have.
  func hasBlob(_ name: String, bytes: Int?) -> Bool {
    var status = stat()
    guard stat(blob(name).path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
    return bytes.map { Int(status.st_size) == $0 } ?? true
  }

  /// The size of a file of a snapshot that is no link but holds its bytes itself; nil where there is none.
  func ownBytes(of file: String, commit: String) -> Int? {
    var status = stat()
    guard lstat(place(of: file, commit: commit).path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      return nil
    }
    return Int(status.st_size)
  }

  private func place(of file: String, commit: String) -> URL {
    snapshot(commit).appending(path: file, directoryHint: .notDirectory)
  }

  /// Gives a blob its name in a snapshot: as a link or, where there are no symbolic links, as a plain file, as huggingface_hub does.
  ///
  /// - Parameter isNew: whether the blob was made for this file, which may then take it; else it is copied.
  /// - Throws: ``HubError/disk(action:path:reason:)``.
  func link(_ file: String, to blob: String, commit: String, isNew: Bool) throws {
    let link = place(of: file, commit: commit)
    try createFolder(link.deletingLastPathComponent())
    // Beside it and renamed, so that the name never leads nowhere.
    let temporary = link.path + ".tinyalign-\(UInt64.random(in: 0...UInt64.max)).tmp"
    if usesLinks {
      let depth = file.utf8.count { $0 == UInt8(ascii: "/") }
      let target = String(repeating: "../", count: depth + 2) + "blobs/" + blob
      if (try? FileManager.default.destinationOfSymbolicLink(atPath: link.path)) == target { return }
      if symlink(target, temporary) == 0 {
        guard rename(temporary, link.path) == 0 else {
          let error = diskError("link", link.path)
          unlink(temporary)
          throw error
        }
        return
      }
      // What file systems without symbolic links say (FAT, some network shares), and sandboxes that forbid them.
      guard [EPERM, ENOTSUP, EOPNOTSUPP, ENOSYS, EINVAL].contains(errno) else { throw diskError("link", link.path) }
    }
    let blob = self.blob(blob)
    if isNew {
      guard rename(blob.path, link.path) == 0 else { throw diskError("move", blob.path) }
      return
    }
    let copy = try PartialFile(temporary)
    do {
      try ReadingFile(blob.path).forEachPiece { try copy.append(Data($0)) }
      try copy.rename(to: link.path)
    } catch {
      copy.discard()
      throw error
    }
  }

  /// Remembers which commit a branch or tag stands for.
  ///
  /// - Throws: ``HubError/disk(action:path:reason:)``.
  func setReference(_ revision: String, to commit: String) throws {
    guard revision != commit else { return }
    let file = repository.appending(path: "refs/\(revision)", directoryHint: .notDirectory)
    if (try? String(contentsOfFile: file.path, encoding: .utf8)) == commit { return }
    try createFolder(file.deletingLastPathComponent())
    do {
      try writeAtomically(Data(commit.utf8), to: file)
    } catch {
      throw HubError.disk(action: "write", path: file.path, reason: oneLine("\(error)"))
    }
  }

  /// Runs `body` while no other download of this blob runs, huggingface_hub's among them.
  ///
  /// - Throws: ``HubError/disk(action:path:reason:)``, or what `body` throws.
  func withLock<Result>(
    _ blob: String, wait: () throws -> Void, _ body: () throws -> Result
  ) throws -> Result {
    let folder = cache.folder.appending(path: ".locks/\(repository.lastPathComponent)", directoryHint: .isDirectory)
    try createFolder(folder)
    let path = folder.appending(path: "\(blob).lock", directoryHint: .notDirectory).path
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw diskError("lock", path) }
    defer { close(descriptor) }
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      switch errno {
      case EINTR: continue
      case EWOULDBLOCK: try wait()
      // Some file systems have no locks; what is written is checked all the same.
      case ENOLCK, ENOSYS, ENOTSUP, EINVAL: return try body()
      default: throw diskError("lock", path)
      }
    }
    return try body()
  }

  /// Creates a folder and those above it where they are missing.
  ///
  /// - Throws: ``HubError/disk(action:path:reason:)``.
  func createFolder(_ url: URL) throws {
    let path = url.path
    if mkdir(path, 0o777) == 0 || HubCache.isFolder(url) { return }
    // The check above may have changed it.
    guard mkdir(path, 0o777) != 0, errno != EEXIST else {
      if HubCache.isFolder(url) { return }
      throw HubError.disk(action: "create the folder", path: path, reason: "a file is in the way")
    }
    let parent = url.deletingLastPathComponent()
    guard errno == ENOENT, parent.path != path else { throw diskError("create the folder", path) }
    try createFolder(parent)
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw diskError("create the folder", path) }
  }
}

/// A file read from its start to its end in pieces.
final class ReadingFile {
  private let descriptor: Int32
  private let path: String
  /// Its size in bytes when it was opened.
  let count: Int

  init(_ path: String) throws {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw diskError("read", path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let error = diskError("read", path)
      close(descriptor)
      throw error
    }
    count = Int(status.st_size)
  }

  deinit { close(descriptor) }

  func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw diskError("read", path) }
    while true {
      let read = read(descriptor, buffer.baseAddress, buffer.count)
      if read < 0, errno == EINTR { continue }
      guard read >= 0 else { throw diskError("read", path) }
      if read == 0 { return }
      try body(UnsafeRawBufferPointer(rebasing: buffer[..<read]))
    }
  }
}
