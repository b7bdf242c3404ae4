public import Foundation
import Synchronization

/// Writes a run folder, line by line, so that whatever stops the program, every finished step can be read.
///
/// Append a step's samples before its metrics: a line of metrics then means that the step's samples are complete.
public final class RunWriter: Sendable {
  private struct State: ~Copyable {
    var manifest: RunManifest
    var metrics: AppendFile?
    var samples: AppendFile?
    var followedStories: AppendFile?
    var storyTrees: AppendFile?
  }

  /// The run folder.
  public let folder: URL
  private let state: Mutex<State>

  /// Starts a run in `folder`, which is created.
  ///
  /// - Throws: ``RunError/folderNotEmpty(path:)``, or ``RunError/cannotWrite(path:reason:)`` for a folder that cannot
  ///   be created or written.
  public init(folder: URL, manifest: RunManifest) throws {
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
    guard present.isEmpty else { throw RunError.folderNotEmpty(path: folder.path) }
    self.folder = folder
    state = Mutex(
      State(
        manifest: manifest, metrics: try Self.file(RunFolder.metrics, in: folder),
        samples: try Self.file(RunFolder.samples, in: folder),
        followedStories: try Self.file(RunFolder.followedStories, in: folder),
        storyTrees: try Self.file(RunFolder.storyTrees, in: folder)))
    try writeManifest(manifest)
  }

  /// Takes up the run in `folder` after `steps` finished steps: whatever is there of later steps is cut off, and the
  /// status is running again.
  ///
  /// - Throws: ``RunError`` where the folder is no run, cannot be read or written, or has fewer finished steps.
  public init(resuming folder: URL, afterStep steps: Int) throws {
    var manifest = try RunReader(folder: folder).manifest
    manifest.status = .running
    manifest.message = nil
    manifest.completedSteps = steps
    self.folder = folder
    let metrics = folder.appending(path: RunFolder.metrics).path
    let last = try Self.lengthOfSteps(upTo: steps, in: metrics).last
    guard last == steps else {
      throw RunError.damaged(
        path: metrics, line: last + 1, reason: "no metrics of step \(last + 1), cannot resume after step \(steps)")
    }
    state = Mutex(
      State(
        manifest: manifest, metrics: try Self.file(RunFolder.metrics, in: folder, upTo: steps),
        samples: try Self.file(RunFolder.samples, in: folder, upTo: steps),
        followedStories: try Self.file(RunFolder.followedStories, in: folder, upTo: steps),
        storyTrees: try Self.file(RunFolder.storyTrees, in: folder, upTo: steps)))
    try writeManifest(manifest)
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
      try writeManifest(state.manifest)
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

  /// Changes the manifest and writes it.
  ///
  /// - Throws: ``RunError/cannotWrite(path:reason:)``.
  public func update(_ change: (inout RunManifest) -> Void) throws {
    try state.withLock { state in
      change(&state.manifest)
      try writeManifest(state.manifest)
    }
  }

  /// Writes how the run ended, and why where it failed.
  ///
  /// - Throws: ``RunError/cannotWrite(path:reason:)``.
  public func update(status: RunManifest.Status, message: String? = nil) throws {
    try update { manifest in
      manifest.status = status
      manifest.message = message
    }
  }

  /// `checkpoints/step-NNNNNN`; nothing is created.
  public func checkpointFolder(step: Int) -> URL { RunFolder.checkpoint(step: step, in: folder) }

  /// Closes the files; the manifest can still be updated.
  public func close() {
    state.withLock { state in
      state.metrics = nil
      state.samples = nil
      state.followedStories = nil
      state.storyTrees = nil
    }
  }

  private func writeManifest(_ manifest: RunManifest) throws {
    let bytes = try manifest.json.encoded(pretty: true) + [UInt8(ascii: "\n")]
    try replaceFile(path: folder.appending(path: RunFolder.manifest).path, with: bytes)
  }

  /// Opens a file of lines for appending, cut after the lines of the first `steps` steps.
  private static func file(_ name: String, in folder: URL, upTo steps: Int? = nil) throws -> AppendFile {
    let path = folder.appending(path: name).path
    return try AppendFile(path: path, length: try steps.map { try lengthOfSteps(upTo: $0, in: path).length } ?? 0)
  }

  /// Records as lines of JSON.
  private static func lines<Record>(
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

  /// How many bytes the lines of the first `steps` steps take, and the last step among them.
  private static func lengthOfSteps(upTo steps: Int, in path: String) throws -> (length: Int, last: Int) {
    var length = 0
    var last = 0
    let end = try LineFile(path: path).read { line, number, offset in
      length = offset
      do {
        let step = try LineFile.step(of: line)
        if step > steps { return .stop }
        last = step
      } catch let problem as JSONProblem {
        throw RunError.damaged(path: path, line: number, reason: problem.reason)
      }
      length = offset + line.count + 1
      return .go
    }
    return (min(length, end), last)
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
