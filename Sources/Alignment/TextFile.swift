package import Foundation

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The file that a user named: a path, or `-` for standard input.
package func inputFile(_ name: String) -> URL {
  URL(filePath: name == "-" ? standardInputPath : name, directoryHint: .notDirectory)
}

private let standardInputPath = "/dev/stdin"

/// What messages call an input file.
func displayName(_ file: URL) -> String { file.path == standardInputPath ? "standard input" : file.path }

/// Whether a file can be read once only: a pipe, a terminal, another device.
func isStream(_ file: URL) -> Bool {
  var status = stat()
  let result = file.path == standardInputPath ? fstat(STDIN_FILENO, &status) : stat(file.path, &status)
  return result == 0 && ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
}

/// Whether standard input is a pipe, a file or a connection, not a terminal or `/dev/null`.
package var hasPipedInput: Bool {
  var status = stat()
  return fstat(STDIN_FILENO, &status) == 0 && [S_IFIFO, S_IFREG, S_IFSOCK].contains(status.st_mode & S_IFMT)
}

/// Why a file could not be read, in the system's words.
struct ReadingError: Error, CustomStringConvertible {
  var description: String
}

/// The bytes of a text file, a pipe or standard input, at most `limit` of them.
///
/// - Throws: ``ReadingError`` where it cannot be read, is larger, or holds something else than text.
func readFile(_ file: URL, limit: Int) throws -> Data {
  let bytes = try readBytes(file, limit: limit)
  if let kind = FileKind(bytes) { throw ReadingError(description: kind.explanation) }
  return bytes
}

private func readBytes(_ file: URL, limit: Int) throws -> Data {
  func failure() -> ReadingError { ReadingError(description: String(cString: strerror(errno))) }
  let path = file.path
  guard !path.utf8.contains(0) else { throw ReadingError(description: "the path holds a zero byte") }
  // Opening standard input by name fails where it is a socket, or belongs to somebody else.
  let descriptor = path == standardInputPath ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw failure() }
  defer { close(descriptor) }
  var status = stat()
  guard fstat(descriptor, &status) == 0 else { throw failure() }
  if status.st_mode & S_IFMT == S_IFDIR { throw ReadingError(description: String(cString: strerror(EISDIR))) }
  func excess(_ size: String) -> ReadingError {
    ReadingError(
      description:
        "it has \(size), more than the \(limit >> 20) MiB that are read of such a file; check that it is the right one")
  }
  guard Int(status.st_size) <= limit else { throw excess("\(Int(status.st_size) >> 20) MiB") }
  var bytes = Data()
  bytes.reserveCapacity(min(Int(status.st_size), 1 << 28))
  var part = [UInt8](repeating: 0, count: 1 << 20)
  while true {
    let count = read(descriptor, &part, part.count)
    if count < 0, errno == EINTR { continue }
    guard count >= 0 else { throw failure() }
    if count == 0 { return bytes }
    let isFirst = bytes.isEmpty
    bytes.append(contentsOf: part[..<count])
    guard bytes.count <= limit else { throw excess("\(limit >> 20) MiB and more") }
    // A device may never end.
    if isFirst, let kind = FileKind(bytes) { throw ReadingError(description: kind.explanation) }
  }
}

/// A kind of file that is not UTF-8 text, told by its first bytes.
private enum FileKind: CaseIterable {
  case parquet, arrow, gzip, zstandard, xz, bzip2, zip, sevenZip, hdf5, numpy, sqlite, pdf, office, pickle, gguf, png,
    jpeg
  case utf32, utf16, gitLFS, binary

  init?(_ bytes: Data) {
    guard let kind = Self.allCases.first(where: { $0.matches(bytes) }) else { return nil }
    self = kind
  }

  private func matches(_ bytes: Data) -> Bool {
    if self == .binary { return bytes.prefix(1 << 16).contains(0) }
    return beginnings.contains { bytes.starts(with: $0) }
  }

  private var beginnings: [[UInt8]] {
    switch self {
    case .parquet: [Array("PAR1".utf8), Array("PARE".utf8)]
    case .arrow: [Array("ARROW1".utf8), Array("FEA1".utf8), [0xFF, 0xFF, 0xFF, 0xFF]]
    case .gzip: [[0x1F, 0x8B]]
    case .zstandard: [[0x28, 0xB5, 0x2F, 0xFD]]
    case .xz: [[0xFD, 0x37, 0x7A, 0x58, 0x5A]]
    case .bzip2: [Array("BZh".utf8) + [0x31], Array("BZh9".utf8)]
    case .zip: [[0x50, 0x4B, 0x03, 0x04], [0x50, 0x4B, 0x05, 0x06]]
    case .sevenZip: [[0x37, 0x7A, 0xBC, 0xAF]]
    case .hdf5: [[0x89] + Array("HDF".utf8)]
    case .numpy: [[0x93] + Array("NUMPY".utf8)]
    case .sqlite: [Array("SQLite format 3".utf8)]
    case .pdf: [Array("%PDF-".utf8)]
    case .office: [[0xD0, 0xCF, 0x11, 0xE0]]
    case .pickle: (2...5).map { [0x80, $0] }
    case .gguf: [Array("GGUF".utf8)]
    case .png: [[0x89] + Array("PNG".utf8)]
    case .jpeg: [[0xFF, 0xD8, 0xFF]]
    case .utf32: [[0xFF, 0xFE, 0, 0], [0, 0, 0xFE, 0xFF]]
    case .utf16: [[0xFF, 0xFE], [0xFE, 0xFF]]
    case .gitLFS: [Array("version https://git-lfs".utf8)]
    case .binary: []
    }
  }

  /// What it is, and what to do.
  var explanation: String {
    switch self {
    case .parquet: "it is a Parquet table; \(Self.tableAdvice("read_parquet"))"
    case .arrow: "it is an Arrow table; \(Self.tableAdvice("read_feather"))"
    case .gzip: "it is compressed by gzip; unpack it first, by gunzip"
    case .zstandard: "it is compressed by Zstandard; unpack it first, by unzstd"
    case .xz: "it is compressed by xz; unpack it first, by unxz"
    case .bzip2: "it is compressed by bzip2; unpack it first, by bunzip2"
    case .zip: "it is a zip archive, as .xlsx and .npz files are; unpack it, or export its texts as UTF-8"
    case .sevenZip: "it is a 7-Zip archive; unpack it first"
    case .hdf5: "it is an HDF5 file; export its texts as JSON lines"
    case .numpy: "it is a NumPy array; export its texts as JSON lines"
    case .sqlite: "it is an SQLite database; export its texts as CSV"
    case .pdf: "it is a PDF; export its text as UTF-8"
    case .office: "it is an office document; export its text as UTF-8"
    case .pickle: "it is a Python pickle; export its texts as JSON lines"
    case .gguf: "it is a GGUF model, not text"
    case .png: "it is a PNG image, not text"
    case .jpeg: "it is a JPEG image, not text"
    case .utf32: "it is UTF-32 text; convert it: iconv -f UTF-32 -t UTF-8"
    case .utf16: "it is UTF-16 text; convert it: iconv -f UTF-16 -t UTF-8"
    case .gitLFS: "it is a pointer of Git LFS, not the file itself; fetch that by git lfs pull"
    case .binary: "it holds zero bytes, so it is not UTF-8 text; if it is UTF-16: iconv -f UTF-16LE -t UTF-8"
    }
  }

  private static func tableAdvice(_ function: String) -> String {
    "write it as JSON lines, in Python: pandas.\(function)(FILE).to_json('texts.jsonl', orient='records', lines=True)"
  }
}
