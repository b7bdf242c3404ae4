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
        manifest: manifest, metrics: try AppendFile(path: folder.appending(path: RunFolder.metrics).path, length: 0),
        samples: try AppendFile(path: folder.appending(path: RunFolder.samples).path, length: 0)))
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
    let (length, last) = try Self.lengthOfSteps(upTo: steps, in: metrics)
    guard last == steps else {
      throw RunError.damaged(
        path: metrics, line: last + 1, reason: "no metrics of step \(last + 1), cannot resume after step \(steps)")
    }
    let samples = folder.appending(path: RunFolder.samples).path
    state = Mutex(
      State(
        manifest: manifest, metrics: try AppendFile(path: metrics, length: length),
        samples: try AppendFile(path: samples, length: try Self.lengthOfSteps(upTo: steps, in: samples).length)))
    try writeManifest(manifest)
  }

  /// The manifest as it stands.
  public var manifest: RunManifest { state.withLock { $0.manifest } }

  /// Appends all samples of a step.
  ///
  /// - Throws: ``RunError/notFinite(field:step:)`` or ``RunError/cannotWrite(path:reason:)``; nothing is then written.
  public func append(samples: [SampleRecord]) throws {
    var writer = JSONWriter(capacity: samples.count * 320)
    for sample in samples {
      sample.write(to: &writer)
      writer.raw(UInt8(ascii: "\n"))
    }
    if let field = writer.notFinite { throw RunError.notFinite(field: field, step: samples.first?.step ?? 0) }
    let bytes = writer.bytes
    try state.withLock { state in
      guard state.samples != nil else { throw RunError.closed(path: folder.path) }
      try state.samples?.append(bytes)
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

  /// Replaces the stories before and after training.
  ///
  /// - Throws: ``RunError/notFinite(field:step:)`` or ``RunError/cannotWrite(path:reason:)``.
  public func write(storyPairs: [StoryPair]) throws {
    var writer = JSONWriter(capacity: storyPairs.count * 512)
    for pair in storyPairs {
      pair.write(to: &writer)
      writer.raw(UInt8(ascii: "\n"))
    }
    if let field = writer.notFinite { throw RunError.notFinite(field: field, step: 0) }
    try replaceFile(path: folder.appending(path: RunFolder.storyPairs).path, with: writer.bytes)
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
    }
  }

  private func writeManifest(_ manifest: RunManifest) throws {
    let bytes = try manifest.json.encoded(pretty: true) + [UInt8(ascii: "\n")]
    try replaceFile(path: folder.appending(path: RunFolder.manifest).path, with: bytes)
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
