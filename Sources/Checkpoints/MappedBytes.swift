public import Foundation

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Read-only bytes: a file mapped into memory, static memory such as the model embedded in the program, or data.
///
/// The bytes of a mapped file stay valid when the file is replaced or deleted, as ``writeAtomically(_:to:)`` does;
/// they must not be overwritten or cut in place while they are mapped.
public final class MappedBytes: @unchecked Sendable {
  private let buffer: UnsafeRawBufferPointer
  private let isMapped: Bool
  /// Where the bytes are, when they are neither mapped nor static.
  private let kept: Data?

  /// Maps a regular file; an empty file gives no bytes.
  ///
  /// - Parameter limit: the most bytes that the file may have: for what is then copied, or parsed as a whole.
  /// - Throws: ``CheckpointError`` when the file is missing, not a regular file, unreadable, larger than `limit`, or a Git LFS
  ///   pointer.
  public init(file: URL, limit: Int = .max) throws {
    let path = try systemPath(file)
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let code = errno
      if code == ENOENT || code == ENOTDIR {
        throw CheckpointError.missingFile(path: path, hint: "check the path")
      }
      throw CheckpointError.io(action: "read", path: path, reason: systemMessage(code))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw CheckpointError.io(action: "read", path: path, reason: systemMessage(errno))
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let kind = status.st_mode & S_IFMT == S_IFDIR ? "it is a folder" : "it is not a regular file"
      throw CheckpointError.io(action: "read", path: path, reason: kind)
    }
    let count = Int(status.st_size)
    guard count <= limit else {
      throw CheckpointError.unsupported(
        file: path, reason: "it has \(count >> 20) MiB, more than the \(limit >> 20) MiB that are read of such a file",
        hint: "check that it is the right one")
    }
    guard count > 0 else {
      buffer = UnsafeRawBufferPointer(start: nil, count: 0)
      isMapped = false
      kept = nil
      return
    }
    guard let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
      throw CheckpointError.io(action: "map", path: path, reason: systemMessage(errno))
    }
    buffer = UnsafeRawBufferPointer(start: start, count: count)
    isMapped = true
    kept = nil
    if isGitLFSPointer(buffer) { throw gitLFSPointer(path) }
  }

  /// Refers to memory that lives as long as the program.
  public init(staticBytes: UnsafeRawBufferPointer) {
    buffer = staticBytes
    isMapped = false
    kept = nil
  }

  /// Keeps `data` alive.
  public init(_ data: Data) {
    buffer = UnsafeRawBufferPointer(start: nil, count: 0)
    isMapped = false
    kept = data
  }

  deinit {
    if isMapped { munmap(UnsafeMutableRawPointer(mutating: buffer.baseAddress), buffer.count) }
  }

  /// The number of bytes.
  public var count: Int { kept?.count ?? buffer.count }

  /// Calls `body` with the bytes, which are valid only during the call.
  public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    if let kept { return try kept.withUnsafeBytes(body) }
    return try withExtendedLifetime(self) { try body(buffer) }
  }

  /// Gives the memory of a part of a mapped file back to the system; the bytes come from the file again when they are next read.
  ///
  /// Who copies a large file would otherwise hold it twice for a while.
  func release(_ range: Range<Int>) {
    let page = Int(getpagesize())
    let first = (range.lowerBound + page - 1) / page * page
    let end = range.upperBound / page * page
    guard isMapped, first < end, let start = buffer.baseAddress else { return }
    madvise(UnsafeMutableRawPointer(mutating: start + first), end - first, MADV_DONTNEED)
  }

  /// Calls `body` with one part of the bytes after the other, each of at most 4 MiB; the memory of a mapped file's parts
  /// is given back on the way.
  public func forEachPart(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    try withUnsafeBytes { all in
      for start in stride(from: 0, to: all.count, by: 4 << 20) {
        let end = min(start + 4 << 20, all.count)
        try body(UnsafeRawBufferPointer(rebasing: all[start..<end]))
        release(start..<end)
      }
    }
  }

  /// The bytes; of a mapped file, a copy.
  public var data: Data { kept ?? withUnsafeBytes { Data($0) } }
}

/// The path of a file URL for the operating system.
///
/// - Throws: ``CheckpointError/io(action:path:reason:)`` for a URL that is no file, or a path with a zero byte.
func systemPath(_ url: URL) throws -> String {
  guard url.isFileURL else {
    throw CheckpointError.io(action: "open", path: url.absoluteString, reason: "not a path on this machine")
  }
  let path = url.path
  guard !path.isEmpty, !path.utf8.contains(0) else {
    throw CheckpointError.io(action: "open", path: path, reason: "not a valid path")
  }
  return path
}

/// The operating system's text for an error number.
func systemMessage(_ code: Int32) -> String {
  guard let text = strerror(code) else { return "error \(code)" }
  return String(cString: text)
}
