import JSON
import Runs

/// Where the lines of a file are, so that one of them can be read again.
struct LineSpan: Sendable, Equatable {
  var offset: Int
  var length: Int

  /// Reads the line again as one object; nil where the file has changed in between.
  func read<Value>(
    _ name: String, at place: RunPlace, _ value: (inout JSONScanner) throws -> Value
  ) throws(FileProblem) -> Value? {
    let folder = try place.open()
    let line = try folder.file(name).read(from: offset, count: length)
    return line.withUnsafeBufferPointer { bytes in
      var scanner = JSONScanner(bytes)
      return try? value(&scanner)
    }
  }
}

/// What is kept of each line of a file that grows.
struct LineIndex<Entry: Sendable>: Sendable {
  private(set) var file: TailedFile
  private(set) var entries: [Entry] = []

  /// Nothing has been read yet of the file `name`.
  init(_ name: String) { file = TailedFile(name) }

  /// Reads what is new; `entry` is handed each whole line, and where it is.
  ///
  /// - Throws: ``FileProblem``.
  mutating func advance(
    in place: RunPlace, _ entry: (inout JSONScanner, LineSpan) throws -> Entry
  ) throws(FileProblem) {
    let folder = try place.open()
    guard let opened = try folder.fileIfPresent(file.name) else {
      self = LineIndex(file.name)
      return
    }
    var entries = self.entries
    self.entries = []
    defer { self.entries = entries }
    _ = try file.advance(opened) {
      entries = []
    } line: { line, offset in
      var scanner = JSONScanner(line)
      let found = try entry(&scanner, LineSpan(offset: offset, length: line.count))
      try scanner.expectEnd()
      entries.append(found)
    }
  }
}

/// The followed stories of a run, without their tokens.
struct FollowedIndex: Sendable {
  /// A story at one step.
  struct Entry: Sendable {
    var story: FollowedStory
    var line: LineSpan
  }

  private var lines = LineIndex<Entry>(RunFolder.followedStories)

  var file: TailedFile { lines.file }
  var entries: [Entry] { lines.entries }

  /// Reads what is new.
  ///
  /// - Throws: ``FileProblem``.
  mutating func advance(in place: RunPlace) throws(FileProblem) {
    try lines.advance(in: place) { scanner, line in
      var story = try FollowedStory(&scanner)
      story.tokens = []
      return Entry(story: story, line: line)
    }
  }

  /// The steps that have stories, ascending.
  var steps: [Int] { Set(entries.map(\.story.step)).sorted() }

  /// The stories' numbers, ascending.
  var indices: [Int] { Set(entries.map(\.story.index)).sorted() }

  /// Story `index` as it was told last at `step`.
  func entry(index: Int, step: Int) -> Entry? {
    entries.last { $0.story.index == index && $0.story.step == step }
  }
}

/// The story trees of a run, without their nodes.
struct TreeIndex: Sendable {
  /// A prompt's tree at one step.
  struct Entry: Sendable {
    var step: Int
    var prompt: String
    var line: LineSpan
  }

  private var lines = LineIndex<Entry>(RunFolder.storyTrees)

  var file: TailedFile { lines.file }
  var entries: [Entry] { lines.entries }

  /// Reads what is new.
  ///
  /// - Throws: ``FileProblem``.
  mutating func advance(in place: RunPlace) throws(FileProblem) {
    try lines.advance(in: place) { scanner, line in
      let tree = try StoryTree(&scanner)
      return Entry(step: tree.step, prompt: tree.prompt, line: line)
    }
  }

  /// The prompts that have trees, in the order in which they were met.
  var prompts: [String] {
    var seen: Set<String> = []
    return entries.map(\.prompt).filter { seen.insert($0).inserted }
  }

  /// The steps of a prompt's trees, ascending.
  func steps(of prompt: String) -> [Int] { Set(entries.lazy.filter { $0.prompt == prompt }.map(\.step)).sorted() }

  /// Reads the tree of a prompt at a step; nil where there is none.
  ///
  /// - Throws: ``FileProblem``.
  func tree(of prompt: String, step: Int, at place: RunPlace) throws(FileProblem) -> StoryTree? {
    guard let entry = entries.last(where: { $0.prompt == prompt && $0.step == step }) else { return nil }
    return try entry.line.read(file.name, at: place) { try StoryTree(&$0) }
  }
}
