import Foundation
import Runs

/// All samples of a file, or those of one step, as rows in the order of the file; the texts stay on disk.
struct SampleIndex: Sendable {
  private(set) var file = TailedFile(RunFolder.samples)
  private(set) var rows: ContiguousArray<SampleRow> = []
  /// The different prompts, in the order in which they were met.
  private(set) var prompts: [String] = []
  /// Whether steps never fall from line to line.
  private(set) var isOrdered = true
  /// The rewards of the prompts, by their places in ``prompts``.
  private(set) var rewards = PromptRewards()
  private var places: [String: Int32] = [:]

  init() {}

  /// Reads what is new, about `limit` bytes of it; true where all is read.
  ///
  /// - Throws: ``FileProblem``.
  mutating func advance(_ opened: borrowing OpenFile, limit: Int = .max) throws(FileProblem) -> Bool {
    var rest = self
    self = SampleIndex()
    defer {
      rest.file = file
      self = rest
    }
    file = rest.file
    rest.file = TailedFile(RunFolder.samples)
    let change = try file.advance(opened, limit: limit) {
      rest = SampleIndex()
    } line: { line, offset in
      try rest.append(line, offset: offset)
    }
    return change != .unfinished
  }

  /// Rows of one step only, found by bisection in a file whose steps rise.
  ///
  /// - Throws: ``FileProblem``.
  init(step: Int, in opened: borrowing OpenFile) throws(FileProblem) {
    var offset = try StepLocator.start(of: step, in: opened)
    var piece = 256 << 10
    while offset < opened.stamp.size {
      let bytes = try opened.read(from: offset, count: piece)
      var used = 0
      var isPast = false
      bytes.withUnsafeBufferPointer { bytes in
        while !isPast, let end = bytes[used...].firstIndex(of: 0x0A) {
          let line = UnsafeBufferPointer(rebasing: bytes[used..<end])
          if let found = SampleRow.step(of: line) {
            if found > step { isPast = true }
            if found == step { try? append(line, offset: offset + used) }
          }
          used = end + 1
        }
      }
      if isPast { return }
      offset += used
      if used == 0 {
        guard bytes.count == piece, piece < 64 << 20 else { return }
        piece *= 2
      }
    }
  }

  /// A prompt's place in ``prompts``; nil where no sample has it.
  func number(of prompt: String) -> Int? { places[prompt].map { Int($0) } }

  /// The rows of a step.
  func positions(ofStep step: Int) -> [Int32] {
    guard let step = Int32(exactly: step) else { return [] }
    guard isOrdered else { return rows.indices.lazy.filter { rows[$0].step == step }.map { Int32($0) } }
    let start = firstPosition { $0 >= step }
    let end = firstPosition { $0 > step }
    return (start..<end).map { Int32($0) }
  }

  private func firstPosition(where isReached: (Int32) -> Bool) -> Int {
    var low = 0
    var high = rows.count
    while low < high {
      let middle = (low + high) / 2
      if isReached(rows[middle].step) { high = middle } else { low = middle + 1 }
    }
    return low
  }

  private mutating func append(_ line: UnsafeBufferPointer<UInt8>, offset: Int) throws {
    let row = try SampleRow(line, offset: offset) { prompt in
      if let place = places[prompt] { return place }
      let place = Int32(truncatingIfNeeded: prompts.count)
      prompts.append(prompt)
      places[prompt] = place
      return place
    }
    if let last = rows.last, last.step > row.step { isOrdered = false }
    rows.append(row)
    rewards.add(step: Int(row.step), prompt: Int(row.prompt), reward: row.reward)
  }
}

/// Finds a step in a file of lines whose steps rise, reading little of it.
enum StepLocator {
  /// A byte where a line starts, at or before the first line of `step`; the steps before it are lower.
  ///
  /// - Throws: ``FileProblem``.
  static func start(of step: Int, in file: borrowing OpenFile) throws(FileProblem) -> Int {
    var low = 0
    var high = file.stamp.size
    while high - low > 128 << 10 {
      let middle = (low + high) / 2
      guard let line = try line(after: middle, before: high, in: file) else {
        high = middle
        continue
      }
      if line.step < step { low = line.start } else { high = middle }
    }
    return low
  }

  /// The steps of the first and the last whole, sound line.
  ///
  /// - Throws: ``FileProblem``.
  static func ends(of file: borrowing OpenFile) throws(FileProblem) -> (first: Int, last: Int)? {
    let size = file.stamp.size
    let head = try file.read(from: 0, count: min(size, 256 << 10))
    let tail = try file.read(from: max(0, size - 256 << 10), count: min(size, 256 << 10))
    let first = firstStep(head.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast())
    let last = firstStep(tail.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().reversed())
    guard let first, let last else { return nil }
    return (first, last)
  }

  private static func firstStep(_ lines: some Collection<ArraySlice<UInt8>>) -> Int? {
    lines.lazy.compactMap { $0.withUnsafeBufferPointer { SampleRow.step(of: $0) } }.first
  }

  /// The first sound line that starts after `offset`.
  private static func line(
    after offset: Int, before end: Int, in file: borrowing OpenFile
  ) throws(FileProblem) -> (start: Int, step: Int)? {
    let bytes = try file.read(from: offset, count: min(64 << 10, end - offset))
    var at = bytes.startIndex
    while let newline = bytes[at...].firstIndex(of: 0x0A) {
      at = newline + 1
      guard let end = bytes[at...].firstIndex(of: 0x0A) else { return nil }
      if let step = bytes[at..<end].withUnsafeBufferPointer({ SampleRow.step(of: $0) }) { return (offset + at, step) }
    }
    return nil
  }
}
