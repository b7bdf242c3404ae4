import Foundation
import JSON
import Runs
import Synchronization

/// A run folder as it was last seen, read on as it grows; nothing is read before somebody asks.
final class WatchedRun: Sendable {
  /// What a list of runs and the follower need to know.
  struct Sight: Sendable {
    var manifest: RunManifest?
    /// Why `run.json` cannot be read, where it cannot.
    var problem: String?
    /// Whether the folder has gone.
    var isGone = false
    /// Counts how often the run was begun again in its folder.
    var generation = 0
    /// The last finished step.
    var last: StepMetrics?
    /// When the folder last changed, nanoseconds since 1970.
    var modified = 0
    /// Whether a program holds the folder's lock.
    var isLocked = false
    /// Who trains the run and how far it is within a step, where the run says so.
    var progress: ProgressRecord?
  }

  private struct State {
    var sight = Sight()
    var manifestStamp: FileStamp?
    var metricsStamp: FileStamp?
    var metrics = RunMetrics()
    var isReadingMetrics = false
    var followed = FollowedIndex()
    var trees = TreeIndex()
    var labels = PromptLabels()
    var labelStamp: FileStamp?
  }

  let id: String
  let place: RunPlace
  let samples: SampleStore
  private let state = Mutex(State())
  private let label: Mutex<String>

  /// What the run is called; no other run that is served has the same name.
  var name: String { label.withLock { $0 } }

  init(place: RunPlace, id: String) {
    self.place = place
    self.id = id
    label = Mutex(place.name)
    samples = SampleStore(place: place)
  }

  /// Gives the run another name, where two have the same.
  func rename(_ name: String) { label.withLock { $0 = name } }

  /// Looks at the folder; cheap where nothing has changed.
  @discardableResult
  func look() -> Sight {
    state.withLock { state in
      Self.look(&state, at: place)
      return state.sight
    }
  }

  /// The metrics of all finished steps, and what is wrong with the file.
  func metrics() -> (steps: [StepMetrics], problems: [String], generation: Int) {
    state.withLock { state in
      state.isReadingMetrics = true
      Self.look(&state, at: place)
      return (state.metrics.steps, state.metrics.file.problems, state.sight.generation)
    }
  }

  /// The steps that were not applied, as far as they can be read; there are few, and none in nearly every run.
  func skippedSteps() -> [SkippedStep] {
    guard let folder = try? place.open(), let file = try? folder.file(RunFolder.skippedSteps),
      let bytes = try? file.read(from: 0, count: min(file.stamp.size, 1 << 20))
    else { return [] }
    return bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().compactMap { line in
      line.withUnsafeBufferPointer { bytes in
        var scanner = JSONScanner(bytes)
        return try? SkippedStep(&scanner)
      }
    }
  }

  /// The words of people in prompts that a chat template wrote, as far as they can be read.
  func promptLabels() -> PromptLabels {
    state.withLock { state in
      guard let folder = try? place.open(), let stamp = folder.stamp(RunFolder.prompts) else { return PromptLabels() }
      if state.labelStamp == stamp { return state.labels }
      state.labelStamp = stamp
      state.labels = PromptLabels()
      guard let file = try? folder.file(RunFolder.prompts),
        let bytes = try? file.read(from: 0, count: min(file.stamp.size, 64 << 20))
      else { return state.labels }
      for line in bytes.split(separator: 0x0A) {
        line.withUnsafeBufferPointer { bytes in
          var scanner = JSONScanner(bytes)
          try? state.labels.add(&scanner)
        }
      }
      return state.labels
    }
  }

  /// The followed stories.
  ///
  /// - Throws: ``FileProblem``.
  func followed() throws -> FollowedIndex {
    try state.withLock { state in
      try state.followed.advance(in: place)
      return state.followed
    }
  }

  /// The story trees.
  ///
  /// - Throws: ``FileProblem``.
  func trees() throws -> TreeIndex {
    try state.withLock { state in
      try state.trees.advance(in: place)
      return state.trees
    }
  }

  private static func look(_ state: inout State, at place: RunPlace) {
    do {
      let folder = try place.open()
      guard let stamp = folder.stamp(RunFolder.manifest) else {
        throw FileProblem.missing
      }
      if state.sight.isGone {
        state.sight.isGone = false
        state.sight.generation += 1
      }
      if stamp != state.manifestStamp { readManifest(&state, stamp, in: folder) }
      readMetrics(&state, in: folder)
      readLife(&state, in: folder)
      state.sight.modified = max(stamp.modified, state.metricsStamp?.modified ?? 0)
    } catch {
      state.sight.isGone = true
      state.manifestStamp = nil
    }
  }

  /// Looks whether a run that says that it is running does so.
  private static func readLife(_ state: inout State, in folder: borrowing OpenFolder) {
    state.sight.isLocked = false
    state.sight.progress = nil
    guard state.sight.status == RunManifest.Status.running.rawValue else { return }
    state.sight.isLocked = folder.isLocked
    guard let file = try? folder.file(RunFolder.progress), file.stamp.size <= 4_096,
      let bytes = try? file.read(from: 0, count: file.stamp.size),
      let json = try? JSONValue(parsing: bytes)
    else { return }
    state.sight.progress = ProgressRecord(json: json)
  }

  private static func readManifest(_ state: inout State, _ stamp: FileStamp, in folder: borrowing OpenFolder) {
    state.manifestStamp = stamp
    do {
      let file = try folder.file(RunFolder.manifest)
      // A recipe may hold its prompts, but not so many.
      guard file.stamp.size <= 64 << 20 else { throw LineProblem("\(RunFolder.manifest) is too large") }
      let bytes = try file.read(from: 0, count: file.stamp.size)
      let manifest = try RunManifest(json: try JSONValue(parsing: bytes))
      if let old = state.sight.manifest, old.created != manifest.created || old.seed != manifest.seed {
        state.sight.generation += 1
      }
      state.sight.manifest = manifest
      state.sight.problem = nil
    } catch FileProblem.refused(let reason) {
      state.sight.problem = "\(RunFolder.manifest): \(reason)"
    } catch {
      state.sight.problem = "\(error)"
    }
  }

  private static func readMetrics(_ state: inout State, in folder: borrowing OpenFolder) {
    let stamp = folder.stamp(RunFolder.metrics)
    let old = state.metricsStamp
    var isRestarted = false
    if let old, let stamp, !old.isSameFile(as: stamp) || stamp.size < old.size {
      isRestarted = true
      state.sight.last = nil
    }
    if let stamp { state.metricsStamp = stamp }
    defer { if isRestarted { state.sight.generation += 1 } }
    do {
      if state.isReadingMetrics {
        if try state.metrics.advance(in: folder) { isRestarted = true }
        state.sight.last = state.metrics.steps.last
      } else if stamp != old {
        state.sight.last = try RunMetrics.last(in: folder)
      }
    } catch {
      // A run that has just begun has no metrics; what was read of a file that has gone is still shown.
    }
  }
}
