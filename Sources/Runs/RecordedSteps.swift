public import Foundation
import JSON

/// What a run folder tells of steps that are done once more, to see that they come out the same.
public struct RecordedSteps {
  private var samples: [Int: UInt64] = [:]
  private var metrics: [Int: StepMetrics] = [:]

  /// Reads what is told of the steps after `step`.
  ///
  /// - Throws: ``RunError``.
  public init(in folder: URL, afterStep step: Int) throws { try self.init(in: folder) { $0 > step } }

  /// Reads what is told of one step.
  ///
  /// - Throws: ``RunError``.
  public init(in folder: URL, step: Int) throws { try self.init(in: folder) { $0 == step } }

  private init(in folder: URL, where isAsked: (Int) -> Bool) throws {
    for line in try RunReader(folder: folder).metrics() where isAsked(line.step) { metrics[line.step] = line }
    let path = folder.appending(path: RunFolder.samples).path
    try LineFile(path: path).read { line, number, _ in
      do {
        let number = try LineFile.step(of: line)
        if isAsked(number) {
          samples[number] = Self.digest(line, after: samples[number])
          samples[number] = Self.digest([UInt8(ascii: "\n")], after: samples[number])
        }
        return .go
      } catch let problem as JSONError {
        throw RunError.damaged(path: path, line: number, reason: problem.description)
      }
    }
  }

  /// Whether a step came out as it was recorded: every sample byte for byte, and all metrics but the seconds.
  ///
  /// - Throws: ``RunError/notFinite(field:step:)``.
  public func agree(samples: [SampleRecord], metrics: StepMetrics) throws -> Bool {
    guard var recorded = self.metrics[metrics.step] else { return false }
    recorded.seconds = metrics.seconds
    recorded.secondsSplit = metrics.secondsSplit
    // Version 0.1.0 did not record these.
    recorded.tiedGroups = recorded.tiedGroups ?? metrics.tiedGroups
    recorded.truncatedTexts = recorded.truncatedTexts ?? metrics.truncatedTexts
    let lines = try RunWriter.lines(samples, step: metrics.step) { $0.write(to: &$1) }
    return recorded == metrics && self.samples[metrics.step] == Self.digest(lines, after: nil)
  }

  /// FNV-1a (Fowler, Noll and Vo) with 64 bits: nobody makes up a collision here.
  private static func digest(_ bytes: some Sequence<UInt8>, after start: UInt64?) -> UInt64 {
    bytes.reduce(start ?? 0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
  }
}
