import Foundation
import Reports
import Runs

/// Writes a run's event file step by step; where that fails, the run goes on without.
struct TensorBoardProgress {
  private let folder: URL
  private var writer: TensorBoardWriter?
  private var hasFailed = false

  /// Writes into `tensorboard/` of the run in `folder`, from its next step on.
  init(folder: URL) { self.folder = folder }

  /// Writes a step that is in the run folder already; the first time, all steps that are there.
  mutating func report(_ metrics: StepMetrics, _ samples: [SampleRecord]) {
    guard !hasFailed else { return }
    do {
      if let writer {
        try writer.add(metrics: metrics, samples: samples)
      } else {
        writer = try TensorBoardWriter(runFolder: folder)
      }
    } catch {
      hasFailed = true
      Terminal.note(
        "No more is written for TensorBoard: \(error). The run goes on; afterwards write it with: "
          + "tinyalign report \(shellWord(folder.path)) --tensorboard")
    }
  }
}
