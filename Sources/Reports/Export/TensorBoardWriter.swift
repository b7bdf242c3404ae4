public import Foundation
public import Runs
import Synchronization

/// Writes a run as an event file of TensorBoard, a step at a time, so that TensorBoard follows a run that is under way.
///
/// Each step is one record: all metrics as scalars, histograms of the rewards, advantages and lengths of its stories, and a
/// table of a few stories; the recipe is a table at step 0. Times are those of training: the run's beginning and the
/// seconds of its steps, so that a file that is written afterwards is the same as one that was written meanwhile.
/// Use it from one thread at a time.
public final class TensorBoardWriter {
  private static let files = Atomic<Int>(0)

  private let output: ExportFile
  private var wallTime: Double
  /// TensorBoard keeps the first description of a tag.
  private var isDescribed = false
  private let labels: PromptLabels

  /// The event file.
  public var file: URL { output.url }

  /// Starts an event file in `folder`, which is created; what is there already stays.
  ///
  /// - Parameters:
  ///   - manifest: What the run is; its recipe goes into the file.
  ///   - labels: What prompts are called that a chat template wrote.
  /// - Throws: `RunError.cannotWrite`.
  public convenience init(folder: URL, manifest: RunManifest, labels: PromptLabels = PromptLabels()) throws {
    try Self.create(folder)
    try self.init(output: ExportFile(creating: Self.freshFile(in: folder)), manifest: manifest, labels: labels)
  }

  /// Starts an event file in a file that is empty.
  ///
  /// - Throws: `RunError.cannotWrite`.
  init(output: ExportFile, manifest: RunManifest, labels: PromptLabels) throws {
    self.output = output
    self.labels = labels
    wallTime = manifest.created.timeIntervalSince1970
    let recipe = TensorBoardEvent(
      wallTime: wallTime, step: 0,
      values: [
        .init(
          tag: "recipe", description: "What the run was asked to do.", content: .text(TensorBoardText.recipe(manifest)))
      ])
    try output.append(TensorBoardEvent.fileHeader(wallTime: wallTime) + recipe.record)
  }

  /// Appends a step; with no samples, its metrics alone. When it returns, TensorBoard can read it.
  ///
  /// - Throws: `RunError.cannotWrite`, also where the file was removed meanwhile; no part of the step is then written.
  public func add(metrics: StepMetrics, samples: [SampleRecord]) throws {
    if output.isRemoved {
      throw RunError.cannotWrite(path: file.path, reason: "the file was removed while it was being written")
    }
    if metrics.seconds.isFinite { wallTime += max(0, metrics.seconds) }
    var values = TensorBoardScalar.all.compactMap { scalar in
      scalar.value(metrics).map {
        TensorBoardEvent.Value(tag: scalar.tag, description: scalar.description, content: .scalar($0))
      }
    }
    if !samples.isEmpty {
      func histogram(_ name: String, _ description: String, _ value: (SampleRecord) -> Double) {
        let buckets = HistogramBuckets(samples.map(value))
        values.append(.init(tag: "samples/\(name)", description: description, content: .histogram(buckets)))
      }
      histogram("reward", "The rewards of the step's stories.") { Double($0.reward) }
      histogram("advantage", "What the policy gradient made of them.") { Double($0.advantage) }
      histogram("length", "The stories' lengths in tokens.") { Double($0.tokenIDs.count) }
      values.append(
        .init(
          tag: "samples/stories", description: "The step's best and worst story, and its first three.",
          content: .text(TensorBoardText.stories(samples, labels: labels))))
    }
    if isDescribed { for index in values.indices { values[index].description = nil } }
    try output.append(TensorBoardEvent(wallTime: wallTime, step: metrics.step, values: values).record)
    isDescribed = true
  }

  /// Creates the folder and those above it.
  static func create(_ folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw RunError.cannotWrite(path: folder.path, reason: "the folder cannot be created")
    }
  }

  /// `events.out.tfevents.TIME.HOST.PID.N`: TensorBoard reads files in the order of their names, so the time is later
  /// than that of any file that is there.
  static func freshFile(in folder: URL) -> URL {
    let times = eventFiles(in: folder).compactMap { file in
      file.lastPathComponent.dropFirst(prefix.count).split(separator: ".").first.flatMap { Int64($0) }
    }
    let now = Int64(Date().timeIntervalSince1970)
    // A time of more than ten digits would sort before others.
    let time = max(now, (times.filter { $0 < 9_999_999_999 }.max() ?? 0) + 1)
    let number = files.add(1, ordering: .relaxed).oldValue
    return folder.appending(path: "\(prefix)\(time).\(hostName).\(getpid()).\(number)")
  }

  /// The event files in a folder, whoever wrote them.
  static func eventFiles(in folder: URL) -> [URL] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasPrefix(prefix) }.sorted().map { folder.appending(path: $0) }
  }

  private static let prefix = "events.out.tfevents."

  /// This computer's name, as far as it can be part of a file's name.
  private static var hostName: String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
    let bytes = buffer.prefix { $0 != 0 }.prefix(64).map { UInt8(bitPattern: $0) }
    let name = String(
      bytes.map { Character(UnicodeScalar($0)) }.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" })
    return name.isEmpty ? "localhost" : name
  }
}
