import Foundation
import JSON

/// Reads a file of JSON lines piece by piece: the memory it takes does not grow with the file.
struct LineFile {
  let path: String

  /// Far more than a sample or a story tree takes.
  private static let longestLine = 256 << 20

  /// What ``read(from:_:)`` does after a line.
  enum Next {
    case go
    case stop
  }

  /// Hands each whole line to `line`, with its number (from 1) and the byte it starts at; a last line without its end
  /// was torn off while it was written and is dropped. So is all from a line with a zero byte on: JSON has none, a power cut
  /// leaves them where bytes did not reach the disk.
  ///
  /// - Parameter start: The byte to start at, which must be the start of a line.
  /// - Returns: The byte after the last whole line that was handed out.
  @discardableResult
  func read(
    from start: Int = 0, _ line: (UnsafeBufferPointer<UInt8>, _ number: Int, _ offset: Int) throws -> Next
  ) throws -> Int {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return start }
      throw RunError.cannotRead(path: path, reason: lastSystemError())
    }
    defer { _ = close(descriptor) }
    guard lseek(descriptor, off_t(start), SEEK_SET) >= 0 else {
      throw RunError.cannotRead(path: path, reason: lastSystemError())
    }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var filled = 0
    var offset = start
    var number = 0
    while true {
      guard filled < Self.longestLine else {
        throw RunError.damaged(path: path, line: number + 1, reason: "it has more than \(Self.longestLine >> 20) MiB")
      }
      if filled == buffer.count { buffer.append(contentsOf: repeatElement(0, count: buffer.count)) }
      let count = buffer.withUnsafeMutableBytes { bytes in
        Foundation.read(descriptor, bytes.baseAddress?.advanced(by: filled), bytes.count - filled)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw RunError.cannotRead(path: path, reason: lastSystemError())
      }
      if count == 0 { return offset }
      let searched = filled
      filled += count
      var used = 0
      var stopped = false
      try buffer.withUnsafeBufferPointer { bytes in
        var search = searched
        while search < filled, let base = bytes.baseAddress,
          let end = memchr(base + search, 0x0A, filled - search)
        {
          let newline = UnsafePointer(end.assumingMemoryBound(to: UInt8.self)) - base
          number += 1
          let text = UnsafeBufferPointer(rebasing: bytes[used..<newline])
          if memchr(base + used, 0, newline - used) != nil {
            stopped = true
            return
          }
          let next = try line(text, number, offset)
          offset += newline + 1 - used
          used = newline + 1
          search = used
          if next == .stop {
            stopped = true
            return
          }
        }
      }
      if stopped { return offset }
      buffer.withUnsafeMutableBytes { bytes in
        guard used > 0, let base = bytes.baseAddress else { return }
        memmove(base, base + used, filled - used)
      }
      filled -= used
    }
  }

  /// Reads each line as a JSON object of its own; empty lines are passed over.
  @discardableResult
  func objects(from start: Int = 0, _ object: (inout JSONScanner) throws -> Next) throws -> Int {
    try read(from: start) { line, number, _ in
      var scanner = JSONScanner(line)
      guard scanner.peek() != nil else { return .go }
      do {
        return try object(&scanner)
      } catch let problem as JSONError {
        throw RunError.damaged(path: path, line: number, reason: problem.description)
      }
    }
  }

  /// The step that a line of metrics or samples is about, without reading the rest of it where it comes first.
  static func step(of line: UnsafeBufferPointer<UInt8>) throws -> Int {
    var scanner = JSONScanner(line)
    var step: Int?
    try scanner.expect(UInt8(ascii: "{"))
    if scanner.skip(word: "\"step\":") { return try scanner.integer() }
    scanner = JSONScanner(line)
    try scanner.object { key, scanner in
      if key.spells("step") { step = try scanner.integer() } else { try scanner.skipValue() }
    }
    guard let step else { throw scanner.problem("no whole number \"step\"") }
    return step
  }
}
