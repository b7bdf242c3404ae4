public import Foundation
import JSON

/// Reads a run folder, also while the run is under way.
public struct RunReader: Sendable {
  /// The run folder.
  public let folder: URL
  /// `run.json` as it was when the reader was made.
  public let manifest: RunManifest

  /// A recipe may hold its prompts, but not so many.
  private static let largestManifest = 64 << 20

  /// Opens the run in `folder`.
  ///
  /// - Throws: ``RunError/notARun(path:)`` where there is no `run.json`, other ``RunError``s where it cannot be read.
  public init(folder: URL) throws {
    self.folder = folder
    let file = folder.appending(path: RunFolder.manifest)
    guard FileManager.default.fileExists(atPath: file.path) else { throw RunError.notARun(path: folder.path) }
    let data: Data
    do {
      let handle = try FileHandle(forReadingFrom: file)
      defer { try? handle.close() }
      data = try handle.read(upToCount: Self.largestManifest + 1) ?? Data()
    } catch {
      throw RunError.cannotRead(path: file.path, reason: error.localizedDescription)
    }
    guard data.count <= Self.largestManifest else {
      throw RunError.cannotRead(path: file.path, reason: "it has more than \(Self.largestManifest >> 20) MiB")
    }
    do {
      manifest = try RunManifest(json: try JSONValue(parsing: [UInt8](data)), name: file.path)
    } catch let problem as JSONError {
      let line = 1 + data.prefix(problem.offset ?? 0).count { $0 == UInt8(ascii: "\n") }
      throw RunError.damaged(path: file.path, line: line, reason: problem.description)
    }
  }

  /// The metrics of all finished steps, in order; a last line that was torn off is dropped.
  ///
  /// - Throws: ``RunError/damaged(path:line:reason:)`` or ``RunError/cannotRead(path:reason:)``.
  public func metrics() throws -> [StepMetrics] { try metrics(fromByte: 0).metrics }

  /// The metrics whose lines start at byte `start` of the file or later, and where to go on: for following a run.
  ///
  /// - Throws: ``RunError/damaged(path:line:reason:)`` or ``RunError/cannotRead(path:reason:)``.
  public func metrics(fromByte start: Int) throws -> (metrics: [StepMetrics], end: Int) {
    var metrics: [StepMetrics] = []
    let end = try file(RunFolder.metrics).objects(from: start) { scanner in
      metrics.append(try StepMetrics(&scanner))
      return .go
    }
    return (metrics, end)
  }

  /// Hands the samples of `steps` (nil: of all) to `body`, in the order of the file, without holding them all.
  ///
  /// - Throws: ``RunError/damaged(path:line:reason:)``, ``RunError/cannotRead(path:reason:)``, or what `body` throws.
  public func forEachSample(
    of steps: Set<Int>? = nil, _ body: (SampleRecord) throws -> Void
  ) throws {
    let file = file(RunFolder.samples)
    try file.read { line, number, _ in
      do {
        guard !line.isEmpty else { return .go }
        if let steps, !steps.contains(try LineFile.step(of: line)) { return .go }
        var scanner = JSONScanner(line)
        try body(try SampleRecord(&scanner))
        return .go
      } catch let problem as JSONError {
        throw RunError.damaged(path: file.path, line: number, reason: problem.description)
      }
    }
  }

  /// The samples of `steps`, in the order of the file; a last line that was torn off is dropped.
  ///
  /// - Throws: ``RunError/damaged(path:line:reason:)`` or ``RunError/cannotRead(path:reason:)``.
  public func samples(steps: some Sequence<Int>) throws -> [SampleRecord] {
    var samples: [SampleRecord] = []
    try forEachSample(of: Set(steps)) { samples.append($0) }
    return samples
  }

  /// The stories that were followed from step to step, in the order of the file: those of step 0 come first.
  ///
  /// - Parameter start: The byte of the file to start at: 0, or an `end` that was returned before.
  /// - Returns: The stories, and where to go on.
  /// - Throws: ``RunError/damaged(path:line:reason:)`` or ``RunError/cannotRead(path:reason:)``.
  public func followedStories(fromByte start: Int = 0) throws -> (stories: [FollowedStory], end: Int) {
    var stories: [FollowedStory] = []
    let end = try file(RunFolder.followedStories).objects(from: start) { scanner in
      stories.append(try FollowedStory(&scanner))
      return .go
    }
    return (stories, end)
  }

  /// The story trees, in the order of the file: those of step 0 come first, one for each prompt.
  ///
  /// - Parameter start: The byte of the file to start at: 0, or an `end` that was returned before.
  /// - Returns: The trees, and where to go on.
  /// - Throws: ``RunError/damaged(path:line:reason:)`` or ``RunError/cannotRead(path:reason:)``.
  public func storyTrees(fromByte start: Int = 0) throws -> (trees: [StoryTree], end: Int) {
    var trees: [StoryTree] = []
    let end = try file(RunFolder.storyTrees).objects(from: start) { scanner in
      trees.append(try StoryTree(&scanner))
      return .go
    }
    return (trees, end)
  }

  /// The steps that were not applied.
  ///
  /// - Throws: ``RunError/damaged(path:line:reason:)`` or ``RunError/cannotRead(path:reason:)``.
  public func skippedSteps() throws -> [SkippedStep] {
    var steps: [SkippedStep] = []
    try file(RunFolder.skippedSteps).objects { scanner in
      steps.append(try SkippedStep(&scanner))
      return .go
    }
    return steps
  }

  /// The followed stories before training and as they were last told; none where no update is done.
  ///
  /// - Throws: ``RunError/damaged(path:line:reason:)`` or ``RunError/cannotRead(path:reason:)``.
  public func storyPairs() throws -> [StoryPair] {
    let stories = try followedStories().stories
    guard let last = stories.last?.step else {
      var pairs: [StoryPair] = []
      try file(RunFolder.storyPairs).objects { scanner in
        pairs.append(try StoryPair(&scanner))
        return .go
      }
      return pairs
    }
    let after = Dictionary(stories.filter { $0.step == last && last > 0 }.map { ($0.index, $0) }) { $1 }
    return stories.filter { $0.step == 0 }.compactMap { before in
      after[before.index].map { after in
        StoryPair(
          index: before.index, prompt: before.prompt, before: before.text, after: after.text,
          rewardBefore: before.reward, rewardAfter: after.reward)
      }
    }
  }

  /// `checkpoints/step-NNNNNN`; it may not be there.
  public func checkpointFolder(step: Int) -> URL { RunFolder.checkpoint(step: step, in: folder) }

  /// The steps that have a checkpoint, ascending.
  public var checkpointSteps: [Int] { RunFolder.checkpointSteps(in: folder) }

  func file(_ name: String) -> LineFile { LineFile(path: folder.appending(path: name).path) }
}
