import Foundation
import JSON
import Runs

/// A file of lines that grows: hands out each whole line once, and notices when it is another file or was cut.
struct TailedFile: Sendable {
  /// What was found.
  enum Change: Sendable, Equatable {
    case unchanged
    case grown
    /// There is more than was asked for.
    case unfinished
  }

  /// The longest line that is read.
  private static let longestLine = 64 << 20
  /// How many problems are told.
  private static let toldProblems = 20

  let name: String
  /// The byte after the last line that was handed out.
  private(set) var offset = 0
  /// How many lines there are up to there.
  private(set) var lines = 0
  /// What is wrong with lines of the file, one line of text each; the first of them.
  private(set) var problems: [String] = []
  /// The file when it was last looked at.
  private(set) var stamp: FileStamp?
  /// The last bytes before ``offset``: a file that was cut and has grown again has others there.
  private var fingerprint: [UInt8] = []

  init(_ name: String) { self.name = name }

  /// Remembers that something is wrong with the line that is being handed out.
  mutating func note(_ problem: String) {
    if problems.count < Self.toldProblems { problems.append("\(name), line \(lines): \(problem)") }
  }

  /// Hands whole lines that were not handed out before to `line`, with the byte each starts at.
  ///
  /// - Parameters:
  ///   - limit: how many bytes to read at most, about.
  ///   - restarted: called first where the file is not the one whose lines were handed out; they are void then.
  ///   - line: throws a `JSONError` for a line that is damaged: it is noted, and the next one follows.
  /// - Throws: ``FileProblem``.
  mutating func advance(
    _ file: borrowing OpenFile, limit: Int = .max, restarted: () -> Void,
    line: (UnsafeBufferPointer<UInt8>, _ offset: Int) throws -> Void
  ) throws(FileProblem) -> Change {
    if try isAnother(file) {
      self = TailedFile(name)
      restarted()
    }
    if let stamp, stamp == file.stamp { return .unchanged }
    let start = offset
    let isWhole = try readLines(file, limit: limit, line)
    if offset > start { fingerprint = try file.read(from: max(0, offset - 64), count: min(64, offset)) }
    guard isWhole else { return .unfinished }
    stamp = file.stamp
    return offset > start ? .grown : .unchanged
  }

  private func isAnother(_ file: borrowing OpenFile) throws(FileProblem) -> Bool {
    if offset == 0 { return false }
    if file.stamp.size < offset { return true }
    if let stamp, !stamp.isSameFile(as: file.stamp) { return true }
    if let stamp, stamp == file.stamp { return false }
    return try file.read(from: offset - fingerprint.count, count: fingerprint.count) != fingerprint
  }

  /// Reads on; false where the limit was reached before the end.
  private mutating func readLines(
    _ file: borrowing OpenFile, limit: Int, _ line: (UnsafeBufferPointer<UInt8>, Int) throws -> Void
  ) throws(FileProblem) -> Bool {
    var buffer = [UInt8](repeating: 0, count: min(1 << 20, max(4_096, file.stamp.size - offset)))
    var filled = 0
    var isSkipping = false
    var read = 0
    while read < limit {
      let before = filled
      filled = try file.read(from: offset + before, into: &buffer, at: before)
      read += filled - before
      if filled == before { return true }
      var used = 0
      buffer.withUnsafeBufferPointer { bytes in
        var search = before
        while search < filled, let base = bytes.baseAddress, let end = memchr(base + search, 0x0A, filled - search) {
          let newline = UnsafePointer(end.assumingMemoryBound(to: UInt8.self)) - base
          lines += 1
          if isSkipping {
            isSkipping = false
            note("longer than \(Self.longestLine >> 20) MiB; it is left out")
          } else {
            hand(UnsafeBufferPointer(rebasing: bytes[used..<newline]), at: offset + used, to: line)
          }
          used = newline + 1
          search = used
        }
      }
      if used > 0 {
        buffer.withUnsafeMutableBytes { bytes in
          if let base = bytes.baseAddress { memmove(base, base + used, filled - used) }
        }
        offset += used
        filled -= used
      }
      guard filled == buffer.count else { continue }
      if filled < Self.longestLine {
        buffer.append(contentsOf: repeatElement(0, count: filled))
      } else {
        isSkipping = true
        offset += filled
        filled = 0
      }
    }
    return offset >= file.stamp.size
  }

  private mutating func hand(
    _ bytes: UnsafeBufferPointer<UInt8>, at offset: Int, to line: (UnsafeBufferPointer<UInt8>, Int) throws -> Void
  ) {
    guard !bytes.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) else { return }
    do {
      try line(bytes, offset)
    } catch let problem as JSONError {
      note(problem.description)
    } catch {
      note("\(error)")
    }
  }
}
