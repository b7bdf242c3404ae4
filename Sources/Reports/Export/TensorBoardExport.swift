public import Foundation
import Runs

/// Writes `tensorboard/` of a run folder whole again; see ``TensorBoardWriter/init(runFolder:)``.
///
/// - Returns: The event file.
/// - Throws: `RunError` where the run cannot be read or the file cannot be written; the older files are then still there.
@discardableResult
public func writeTensorBoard(runFolder: URL) throws -> URL { try TensorBoardWriter(runFolder: runFolder).file }

extension TensorBoardWriter {
  /// Starts a fresh event file in the run folder's `tensorboard/` with all steps that the run has finished; those to come
  /// can be added.
  ///
  /// Event files that this program wrote there before are removed once the new one is whole; other programs' stay.
  ///
  /// - Throws: `RunError` where the run cannot be read or the file cannot be written; the older files are then still there.
  public convenience init(runFolder: URL) throws {
    let run = try RunReader(folder: runFolder)
    let folder = runFolder.appending(path: "tensorboard", directoryHint: .isDirectory)
    try Self.create(folder)
    let older = Self.eventFiles(in: folder).filter(isOurs)
    let file = Self.freshFile(in: folder)
    let output = try ExportFile(creating: ExportFile.temporary(beside: file))
    do {
      try self.init(output: output, manifest: run.manifest, labels: try run.promptLabels())
      try add(run)
      try output.rename(to: file)
    } catch {
      _ = unlink(output.url.path)
      throw error
    }
    for old in older { _ = unlink(old.path) }
  }

  /// Adds all finished steps of a run, the samples of one step in memory at a time.
  private func add(_ run: RunReader) throws {
    let metrics = try run.metrics()
    var next = 0
    var samples: [SampleRecord] = []
    /// Adds the steps up to that of the samples that were collected.
    func flush(upTo step: Int) throws {
      while next < metrics.count, metrics[next].step <= step {
        try add(metrics: metrics[next], samples: metrics[next].step == samples.first?.step ? samples : [])
        next += 1
      }
      samples.removeAll(keepingCapacity: true)
    }
    try run.forEachSample { sample in
      if let step = samples.first?.step, step != sample.step { try flush(upTo: step) }
      samples.append(sample)
    }
    try flush(upTo: .max)
  }
}

/// Whether this program wrote an event file: its first record says so.
private func isOurs(_ file: URL) -> Bool {
  guard let handle = try? FileHandle(forReadingFrom: file), let head = try? handle.read(upToCount: 1_024) else {
    return false
  }
  // The length of the first record (a short one) stands in its first byte, the payload after two more numbers.
  guard let length = head.first, head.count >= 12 + Int(length) else { return false }
  return TensorBoardEvent.isFileHeader(head.dropFirst(12).prefix(Int(length)))
}
