import Foundation
import Runs

/// A new file that grows piece by piece: each piece is there whole or not at all.
final class ExportFile {
  /// Where it is.
  private(set) var url: URL
  private let descriptor: Int32
  private var length = 0

  /// Creates the file, which must not be there yet.
  ///
  /// - Throws: `RunError.cannotWrite`.
  init(creating url: URL) throws {
    self.url = url
    descriptor = open(url.path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.error(url) }
  }

  deinit { if descriptor >= 0 { _ = close(descriptor) } }

  /// Appends all of `bytes` or, where that fails, nothing.
  ///
  /// - Throws: `RunError.cannotWrite`.
  func append(_ bytes: [UInt8]) throws {
    let isWritten = bytes.withUnsafeBytes { source in
      var done = 0
      while done < source.count {
        let written = write(descriptor, source.baseAddress?.advanced(by: done), source.count - done)
        if written >= 0 {
          done += written
        } else if errno != EINTR {
          return false
        }
      }
      return true
    }
    guard isWritten else {
      let error = Self.error(url)
      _ = ftruncate(descriptor, off_t(length))
      throw error
    }
    length += bytes.count
  }

  /// Whether the file was removed meanwhile.
  var isRemoved: Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_nlink == 0
  }

  /// Gives the file its final name; what had it is replaced.
  ///
  /// - Throws: `RunError.cannotWrite`.
  func rename(to final: URL) throws {
    guard Foundation.rename(url.path, final.path) == 0 else { throw Self.error(final) }
    url = final
  }

  /// Writes a file that is seen whole or not at all; what was there before is replaced.
  ///
  /// - Throws: `RunError.cannotWrite`, or what `body` throws; the old file is then still there.
  static func replacing(_ url: URL, _ body: (ExportFile) throws -> Void) throws {
    let file = try ExportFile(creating: temporary(beside: url))
    do {
      try body(file)
      try file.rename(to: url)
    } catch {
      _ = unlink(file.url.path)
      throw error
    }
  }

  /// A name beside `url` that nothing else has.
  static func temporary(beside url: URL) -> URL {
    let number = String(UInt64.random(in: .min ... .max), radix: 16)
    return url.deletingLastPathComponent().appending(path: ".tinyalign-\(number).tmp")
  }

  /// What the system says went wrong last.
  private static func error(_ url: URL) -> RunError {
    .cannotWrite(path: url.path, reason: String(cString: strerror(errno)))
  }
}
