import Foundation
import JSON
import Reports
import Runs
import Synchronization

/// All samples of a run as CSV, a piece of the file at a time; damaged lines are left out.
final class SampleExport: Sendable {
  private static let queue = BlockingQueue("exports")
  private static let piece = 1 << 20

  private struct State: ~Copyable {
    var file: OpenFile
    var offset = 0
    var isBegun = false
  }

  private let state: Mutex<State>

  /// Opens the samples of a run; what is appended later is not exported.
  ///
  /// - Throws: ``FileProblem``.
  init(_ place: RunPlace) throws {
    let folder = try place.open()
    state = Mutex(State(file: try folder.file(RunFolder.samples)))
  }

  /// The next piece of the table; nil at the end.
  func next() async throws -> [UInt8]? { try await Self.queue.run { try self.read() } }

  private func read() throws -> [UInt8]? {
    try state.withLock { state in
      var table: [UInt8] = []
      if !state.isBegun { table = Array(SampleTable.header.utf8) }
      state.isBegun = true
      var size = Self.piece
      while table.isEmpty || state.offset == 0, state.offset < state.file.stamp.size {
        let count = min(size, state.file.stamp.size - state.offset)
        let bytes = try state.file.read(from: state.offset, count: count)
        guard let end = bytes.lastIndex(of: 0x0A) else {
          // A line that does not fit, or the last one, torn.
          guard bytes.count == size, size < 64 << 20 else { break }
          size *= 2
          continue
        }
        for line in bytes[...end].split(separator: 0x0A) {
          let sample = line.withUnsafeBufferPointer { bytes in
            var scanner = JSONScanner(bytes)
            return try? SampleRecord(&scanner)
          }
          if let sample { table += SampleTable.line(of: sample).utf8 }
        }
        state.offset += end + 1
      }
      return table.isEmpty ? nil : table
    }
  }
}
