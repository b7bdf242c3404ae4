import JSON
import Runs

/// The metrics of a run, read as far as they are there.
struct RunMetrics: Sendable {
  private(set) var file = TailedFile(RunFolder.metrics)
  private(set) var steps: [StepMetrics] = []

  /// Reads what is new; true where the file was begun again.
  ///
  /// - Throws: ``FileProblem``.
  mutating func advance(in folder: borrowing OpenFolder) throws(FileProblem) -> Bool {
    let opened = try folder.file(file.name)
    var isRestarted = false
    var steps = self.steps
    self.steps = []
    defer { self.steps = steps }
    _ = try file.advance(opened) {
      steps = []
      isRestarted = true
    } line: { line, _ in
      var scanner = JSONScanner(line)
      let metrics = try StepMetrics(&scanner)
      try scanner.expectEnd()
      if let last = steps.last, metrics.step <= last.step {
        throw LineProblem("step \(metrics.step) after step \(last.step); it is left out")
      }
      steps.append(metrics)
    }
    return isRestarted
  }

  /// The last whole line of the file: all that a list of runs needs.
  static func last(in folder: borrowing OpenFolder) throws(FileProblem) -> StepMetrics? {
    let file = try folder.file(RunFolder.metrics)
    let count = min(file.stamp.size, 64 << 10)
    let bytes = try file.read(from: file.stamp.size - count, count: count)
    // The first piece may have begun earlier, the last one is empty or torn.
    for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().reversed() {
      let metrics = line.withUnsafeBufferPointer { bytes in
        var scanner = JSONScanner(bytes)
        return try? StepMetrics(&scanner)
      }
      if let metrics { return metrics }
    }
    return nil
  }
}

/// What is wrong with a line that is sound JSON.
struct LineProblem: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
