public import Foundation
import JSON
import Synchronization

/// Writes a run folder, line by line, so that whatever stops the program, every finished step can be read.
///
/// Append a step's samples before its metrics: a line of metrics then means that the step's samples are complete.
public final class RunWriter: Sendable {
  private struct State: ~Copyable {
    var manifest: RunManifest
    var lock: FolderLock?
    var followedSteps: Set<Int>
    var metrics: AppendFile?
    var samples: AppendFile?
    var followedStories: AppendFile?
    var storyTrees: AppendFile?
    var lastSync = ContinuousClock.now
    var syncCost = Duration.zero

    /// Makes all lines so far outlive a power cut; samples first, since metrics stand for them.
    func syncLines() throws {
      try samples?.sync()
      try followedStories?.sync()
      try storyTrees?.sync()
      try metrics?.sync()
    }
  }

  /// No more than about this is lost when the power is cut, unless syncing takes more than a twentieth of the time.
  private static let syncInterval = Duration.seconds(1)

  /// The run folder.
  public let folder: URL
  /// Steps that were finished when the folder was opened: 0 of a new run.
  public let finishedSteps: Int
  /// Those of them that were not applied.
  public let skippedSteps: Set<Int>
  /// Steps of a resumed run whose followed stories and trees are in the folder already.
  public var followedSteps: Set<Int> { state.withLock { $0.followedSteps } }
  private let state: Mutex<State>
  /// Whether the folder was made for the run.
  private let isNewFolder: Bool

  /// Starts a run in `folder`, which is created.
  ///
  /// - Throws: ``RunError/folderNotEmpty(path:)``, or ``RunError/cannotWrite(path:reason:)`` for a folder that cannot
  ///   be created or written.
  public init(folder: URL, manifest: RunManifest) throws {
    isNewFolder = !FileManager.default.fileExists(atPath: folder.path)
    let parents = Self.parentsOfMissingFolders(folder)
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw RunError.cannotWrite(path: folder.path, reason: Self.obstacle(to: folder) ?? Self.reason(error))
    }
    let present: [String]
    do {
      present = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    } catch {
      throw RunError.cannotWrite(path: folder.path, reason: Self.reason(error))
    }
    // A run whose power was cut before it began has this file at most.
    let unfinished = temporaryPath(of: folder.appending(path: RunFolder.manifest).path)
    guard present.allSatisfy({ folder.appending(path: $0).path == unfinished }) else {
      throw RunError.folderNotEmpty(path: folder.path)
    }
    self.folder = folder
    finishedSteps = 0
    skippedSteps = []
    let lock = try FolderLock(folder)
    try Self.write(manifest, in: folder)
    for parent in parents { try syncNames(in: parent) }
    state = Mutex(
      State(
        manifest: manifest, lock: lock, followedSteps: [],
        metrics: try Self.file(RunFolder.metrics, in: folder),
        samples: try Self.file(RunFolder.samples, in: folder),
        followedStories: try Self.file(RunFolder.followedStories, in: folder),
        storyTrees: try Self.file(RunFolder.storyTrees, in: folder)))
    try syncNames(in: folder.path)
    note(nil)
  }

  /// Takes up the run in `folder` after its finished steps: whatever is there of a step that was not finished is cut off, and
  /// the status is running again.
  ///
  /// - Parameters:
  ///   - samplesPerStep: how many samples a finished step has.
  ///   - following: which steps stories are followed after, and how many stories and trees each of them has; what was
  ///     written of others, where the run stopped, is cut off.
  /// - Throws: ``RunError`` where the folder is no run, is in use, cannot be read or written, or lacks a step.
  public init(
    resuming folder: URL, samplesPerStep: Int,
    following: (step: (Int) -> Bool, isWhole: (_ step: Int, _ stories: Int, _ trees: Int) -> Bool)
  ) throws {
    let reader = try RunReader(folder: folder)
    var manifest = reader.manifest
    let lock = try FolderLock(folder)
    let skipped = Set(try reader.skippedSteps().map(\.step))
    let steps = try StepLines.sampledSteps(
      in: folder.appending(path: RunFolder.samples).path, count: samplesPerStep, skipped: skipped,
      finished: try StepLines.finishedSteps(in: folder.appending(path: RunFolder.metrics).path, skipped: skipped))
    manifest.status = .running
    manifest.message = nil
    manifest.finalModel = nil
    manifest.completedSteps = steps
    self.folder = folder
    isNewFolder = false
    finishedSteps = steps
    skippedSteps = skipped
    let stories = try StepLines.counts(in: folder.appending(path: RunFolder.followedStories).path)
    let trees = try StepLines.counts(in: folder.appending(path: RunFolder.storyTrees).path)
    // What comes after a gap goes, too: lines are in the order of the steps.
    let followed = Set(
      Set(stories.keys).union(trees.keys).sorted().prefix { step in
        following.isWhole(step, stories[step] ?? 0, trees[step] ?? 0) && step <= steps && following.step(step)
      })
    func file(_ name: String, where isKept: (Int) -> Bool) throws -> AppendFile {
      let path = folder.appending(path: name).path
      return try AppendFile(path: path, length: try StepLines.length(of: path, where: isKept))
    }
    state = Mutex(
      State(
        manifest: manifest, lock: lock, followedSteps: followed, metrics: try file(RunFolder.metrics) { $0 <= steps },
        samples: try file(RunFolder.samples) { $0 <= steps },
        followedStories: try file(RunFolder.followedStories) { followed.contains($0) },
        storyTrees: try file(RunFolder.storyTrees) { followed.contains($0) }))
    try Self.write(manifest, in: folder)
    note(nil)
  }

  /// Cuts off everything of the steps after `steps`, which is then written again.
  ///
  /// - Throws: ``RunError``.
  public func cut(afterStep steps: Int) throws {
    try state.withLock { state in
      func cut(_ name: String, _ file: inout AppendFile?) throws {
        let path = folder.appending(path: name).path
        guard file != nil else { throw RunError.closed(path: folder.path) }
        file = try AppendFile(path: path, length: try StepLines.length(of: path) { $0 <= steps })
      }
      try cut(RunFolder.metrics, &state.metrics)
      try cut(RunFolder.samples, &state.samples)
      try cut(RunFolder.followedStories, &state.followedStories)
      try cut(RunFolder.storyTrees, &state.storyTrees)
      let skipped = folder.appending(path: RunFolder.skippedSteps).path
      if FileManager.default.fileExists(atPath: skipped) {
        _ = try AppendFile(path: skipped, length: try StepLines.length(of: skipped) { $0 <= steps })
      }
      state.followedSteps = state.followedSteps.filter { $0 <= steps }
      state.manifest.completedSteps = steps
      try Self.write(state.manifest, in: folder)
    }
  }

  /// The manifest as it stands.
  public var manifest: RunManifest { state.withLock { $0.manifest } }

  /// Appends all samples of a step.
  ///
  /// - Throws: ``RunError/notFinite(field:step:)`` or ``RunError/cannotWrite(path:reason:)``; nothing is then written.
  public func append(samples: [SampleRecord]) throws {
    let lines = try Self.lines(samples, step: samples.first?.step ?? 0) { $0.write(to: &$1) }
    try state.withLock { state in
      guard state.samples != nil else { throw RunError.closed(path: folder.path) }
      try state.samples?.append(lines)
    }
  }

  /// Appends the metrics of a step whose samples were appended before, and counts the step as completed.
  ///
  /// - Throws: ``RunError/notFinite(field:step:)`` or ``RunError/cannotWrite(path:reason:)``; no line is then written.
  public func append(metrics: StepMetrics) throws {
    let line = try metrics.jsonLine() + [UInt8(ascii: "\n")]
    try state.withLock { state in
      guard state.metrics != nil else { throw RunError.closed(path: folder.path) }
      try state.metrics?.append(line)
      state.manifest.completedSteps = metrics.step
      let start = ContinuousClock.now
      if start - state.lastSync >= max(Self.syncInterval, state.syncCost * 20) {
        try state.syncLines()
        try Self.write(state.manifest, in: folder)
        state.lastSync = .now
        state.syncCost = state.lastSync - start
      }
    }
  }

  /// Notes a step that was not applied, and counts it as completed.
  ///
  /// - Throws: ``RunError/cannotWrite(path:reason:)``.
  public func append(skipped step: SkippedStep) throws {
    let path = folder.appending(path: RunFolder.skippedSteps).path
    let line = try Self.lines([step], step: step.step) { $0.write(to: &$1) }
    try state.withLock { state in
      // A line that was torn off is dropped.
      var file = try AppendFile(path: path, length: try StepLines.length(of: path) { $0 < step.step })
      try file.append(line)
      // Lines of later steps make no sense without it.
      try file.sync()
      state.manifest.completedSteps = step.step
      try Self.write(state.manifest, in: folder)
    }
  }

  /// Appends the followed stories of a step; 0 is before training.
  ///
  /// - Throws: ``RunError/notFinite(field:step:)`` or ``RunError/cannotWrite(path:reason:)``; nothing is then written.
  public func append(followedStories stories: [FollowedStory]) throws {
    let lines = try Self.lines(stories, step: stories.first?.step ?? 0) { $0.write(to: &$1) }
    try state.withLock { state in
      guard state.followedStories != nil else { throw RunError.closed(path: folder.path) }
      try state.followedStories?.append(lines)
    }
  }

  /// Appends the story trees of a step; 0 is before training.
  ///
  /// - Throws: ``RunError/notFinite(field:step:)`` or ``RunError/cannotWrite(path:reason:)``; nothing is then written.
  public func append(storyTrees trees: [StoryTree]) throws {
    let lines = try Self.lines(trees, step: trees.first?.step ?? 0) { $0.write(to: &$1) }
    try state.withLock { state in
      guard state.storyTrees != nil else { throw RunError.closed(path: folder.path) }
      try state.storyTrees?.append(lines)
    }
  }

  /// Writes how far the run is within a step, for those who watch it; nil says only that somebody trains it.
  ///
  /// Where it cannot be written nobody is hindered: it is news, not a result.
  public func note(_ progress: RunProgress?) {
    state.withLock { state in
      guard let lock = state.lock else { return }
      let record = ProgressRecord(host: runHostName(), isLocked: lock.isHeld, progress: progress)
      guard let bytes = try? record.json.encoded() else { return }
      try? replaceFile(path: progressPath, with: bytes + [UInt8(ascii: "\n")], isLasting: false)
    }
  }

  private var progressPath: String { folder.appending(path: RunFolder.progress).path }

  /// Makes all lines so far, and the number of steps that they are, outlive a power cut.
  ///
  /// - Throws: ``RunError/cannotWrite(path:reason:)``.
  public func sync() throws {
    try state.withLock { state in
      try state.syncLines()
      try Self.write(state.manifest, in: folder)
    }
  }

  /// Changes the manifest; all lines so far outlive a power cut before that.
  ///
  /// - Throws: ``RunError/cannotWrite(path:reason:)``.
  public func update(_ change: (inout RunManifest) -> Void) throws {
    try state.withLock { state in
      try state.syncLines()
      change(&state.manifest)
      try Self.write(state.manifest, in: folder)
    }
  }

  /// Writes how the run ended, and why where it failed; all lines so far outlive a power cut before that.
  ///
  /// - Throws: ``RunError/cannotWrite(path:reason:)``.
  public func update(status: RunManifest.Status, message: String? = nil) throws {
    try state.withLock { state in
      do {
        try state.syncLines()
      } catch  where status == .failed {
        // It failed, perhaps of this.
      }
      state.manifest.status = status
      state.manifest.message = message
      try Self.write(state.manifest, in: folder)
    }
  }

  /// `checkpoints/step-NNNNNN`; nothing is created.
  public func checkpointFolder(step: Int) -> URL { RunFolder.checkpoint(step: step, in: folder) }

  /// Closes the files and lets others write to the folder; the manifest can still be updated.
  public func close() {
    state.withLock { state in
      state.metrics = nil
      state.samples = nil
      state.followedStories = nil
      state.storyTrees = nil
      if state.lock != nil { _ = unlink(progressPath) }
      state.lock = nil
    }
  }

  /// Removes a run of which no step was done, and the folder where it was made for the run.
  public func discard() {
    let names = [
      RunFolder.manifest, RunFolder.metrics, RunFolder.samples, RunFolder.followedStories, RunFolder.storyTrees,
      RunFolder.prompts, RunFolder.progress,
    ]
    for name in names + ["txt", "jsonl", "json", "csv"].map({ "\(RunFolder.promptData).\($0)" }) {
      unlink(folder.appending(path: name).path)
    }
    if isNewFolder { rmdir(folder.path) }
    close()
  }

  private static func write(_ manifest: RunManifest, in folder: URL) throws {
    let bytes = try manifest.json.encoded(pretty: true) + [UInt8(ascii: "\n")]
    try replaceFile(path: folder.appending(path: RunFolder.manifest).path, with: bytes)
  }

  /// The folders that get a new name when `folder` is created with those above it; the one that it is in, at least.
  private static func parentsOfMissingFolders(_ folder: URL) -> [String] {
    var parents: [String] = []
    var place = folder.absoluteURL.standardizedFileURL
    repeat {
      place = place.deletingLastPathComponent()
      parents.append(place.path)
    } while place.path != "/" && !FileManager.default.fileExists(atPath: place.path)
    return parents
  }

  /// Creates a file of lines.
  private static func file(_ name: String, in folder: URL) throws -> AppendFile {
    try AppendFile(path: folder.appending(path: name).path, length: 0)
  }

  /// Records as lines of JSON.
  static func lines<Record>(
    _ records: [Record], step: Int, _ write: (Record, inout JSONWriter) -> Void
  ) throws -> [UInt8] {
    var writer = JSONWriter(capacity: records.count * 384)
    for record in records {
      write(record, &writer)
      writer.raw(UInt8(ascii: "\n"))
    }
    if let field = writer.notFinite { throw RunError.notFinite(field: field, step: step) }
    return writer.bytes
  }

  /// The file that stands where `folder` or a folder above it should be, in words.
  private static func obstacle(to folder: URL) -> String? {
    var place = folder.standardizedFileURL
    while place.path != "/" {
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: place.path, isDirectory: &isFolder) {
        if !isFolder.boolValue { return "\(place.path) is a file" }
        return access(place.path, W_OK) == 0 ? nil : String(cString: strerror(errno))
      }
      place = place.deletingLastPathComponent()
    }
    return nil
  }

  private static func reason(_ error: any Error) -> String {
    let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
    guard let underlying, underlying.domain == NSPOSIXErrorDomain else { return error.localizedDescription }
    return String(cString: strerror(Int32(underlying.code)))
  }
}
