import Dispatch
import Foundation
import JSON
import Runs
import Synchronization

/// The samples of a run: an index that grows in the background once somebody asks, and answers from what there is.
final class SampleStore: Sendable {
  /// Part of an answer to a query.
  struct Page {
    /// How many samples the query selects.
    var total: Int
    /// The first and the last step that have samples.
    var steps: (first: Int, last: Int)?
    /// Whether all samples are in the index.
    var isIndexed: Bool
    var samples: [SampleRecord]
    /// What is wrong with lines of the file.
    var problems: [String]
  }

  private struct State {
    var index = SampleIndex()
    var isIndexed = false
    var isIndexing = false
    /// The rows that recent queries selected, the newest last.
    var results: [(selection: SampleQuery.Selection, positions: [Int32])] = []

    /// The file has gone.
    mutating func forget() {
      index = SampleIndex()
      isIndexed = false
      results = []
    }
  }

  private struct Snapshot: Sendable {
    var index: SampleIndex
    var isIndexed: Bool
    var positions: [Int32]?
  }

  private static let queue = DispatchQueue(label: "samples", qos: .utility)
  /// Bytes that a request itself reads of what is new, and that the background reads in one go.
  private static let atOnce = 2 << 20

  private let place: RunPlace
  private let state = Mutex(State())

  init(place: RunPlace) { self.place = place }

  /// The samples that `query` selects.
  ///
  /// - Throws: ``FileProblem``.
  func page(_ query: SampleQuery) throws -> Page {
    let folder = try place.open()
    guard let file = try folder.fileIfPresent(RunFolder.samples) else {
      state.withLock { $0.forget() }
      return Page(total: 0, steps: nil, isIndexed: true, samples: [], problems: [])
    }
    let snapshot = try snapshot(file, query.selection)
    var index = snapshot.index
    if !snapshot.isIndexed, let step = query.selection.step { index = try SampleIndex(step: step, in: file) }
    let positions = try snapshot.positions ?? select(query.selection, index, file)
    if snapshot.positions == nil, snapshot.isIndexed { keep(positions, for: query.selection, of: snapshot.index) }
    let start = min(query.offset, positions.count)
    let end = start + min(query.limit, positions.count - start)
    let records = try positions[start..<end].compactMap { try Self.record(index.rows[Int($0)], in: file) }
    var steps: (first: Int, last: Int)?
    if snapshot.isIndexed, snapshot.index.isOrdered, let first = index.rows.first, let last = index.rows.last {
      steps = (Int(first.step), Int(last.step))
    } else if snapshot.isIndexed {
      let all = snapshot.index.rows.lazy.map { Int($0.step) }
      if let first = all.min(), let last = all.max() { steps = (first, last) }
    } else {
      steps = try StepLocator.ends(of: file)
    }
    return Page(
      total: positions.count, steps: steps, isIndexed: snapshot.isIndexed, samples: records,
      problems: snapshot.index.file.problems)
  }

  /// All samples of a step, at most `limit`.
  ///
  /// - Throws: ``FileProblem``.
  func samples(ofStep step: Int, limit: Int) throws -> [SampleRecord] {
    var query = SampleQuery()
    query.selection.step = step
    query.limit = limit
    return try page(query).samples
  }

  /// The rewards of each prompt, as far as the samples are in the index: reading them begins with the first question.
  ///
  /// - Throws: ``FileProblem``.
  func promptRewards() throws -> PromptRewards {
    let folder = try place.open()
    guard let file = try folder.fileIfPresent(RunFolder.samples) else { return PromptRewards() }
    return try snapshot(file, SampleQuery.Selection()).index.rewards
  }

  /// The steps that have a prompt, ascending; nil as long as not all samples are in the index.
  ///
  /// - Throws: ``FileProblem``.
  func steps(of prompt: String) throws -> [Int]? {
    let folder = try place.open()
    guard let file = try folder.fileIfPresent(RunFolder.samples) else { return nil }
    let snapshot = try snapshot(file, SampleQuery.Selection())
    guard snapshot.isIndexed, let number = snapshot.index.number(of: prompt) else { return nil }
    return snapshot.index.rewards.steps(of: number)
  }

  /// One sample; nil where there is none.
  ///
  /// - Throws: ``FileProblem``.
  func sample(step: Int, index: Int) throws -> SampleRecord? {
    let folder = try place.open()
    guard let file = try folder.fileIfPresent(RunFolder.samples) else { return nil }
    let snapshot = try snapshot(file, SampleQuery.Selection())
    let rows = snapshot.isIndexed ? snapshot.index : try SampleIndex(step: step, in: file)
    let found = rows.positions(ofStep: step).first { Int(rows.rows[Int($0)].index) == index }
    return try found.flatMap { try Self.record(rows.rows[Int($0)], in: file) }
  }

  /// Reads the line of a row; nil where the file has changed in between.
  private static func record(_ row: SampleRow, in file: borrowing OpenFile) throws(FileProblem) -> SampleRecord? {
    let line = try file.read(from: row.offset, count: Int(row.length))
    return line.withUnsafeBufferPointer { bytes in
      var scanner = JSONScanner(bytes)
      return try? SampleRecord(&scanner)
    }
  }

  private func select(
    _ selection: SampleQuery.Selection, _ index: SampleIndex, _ file: borrowing OpenFile
  ) throws(FileProblem) -> [Int32] {
    var positions = selection.step.map { index.positions(ofStep: $0) } ?? index.rows.indices.map { Int32($0) }
    if !selection.text.isEmpty {
      var search = TextSearch(selection.text, prompts: index.prompts)
      positions = try search.matches(positions, rows: index.rows, in: file)
    }
    return selection.sorted(positions, rows: index.rows)
  }

  /// Reads on for a while, starts the background where that is not enough, and tells what there is.
  private func snapshot(
    _ file: borrowing OpenFile, _ selection: SampleQuery.Selection
  ) throws(FileProblem) -> Snapshot {
    var startsIndexing = false
    let snapshot = try state.withLock { state throws(FileProblem) in
      try Self.advance(&state, file)
      if !state.isIndexed, !state.isIndexing {
        state.isIndexing = true
        startsIndexing = true
      }
      let known = state.results.first { $0.selection == selection }
      return Snapshot(
        index: state.index, isIndexed: state.isIndexed, positions: state.isIndexed ? known?.positions : nil)
    }
    if startsIndexing { Self.queue.async { self.indexRest() } }
    return snapshot
  }

  private static func advance(_ state: inout State, _ file: borrowing OpenFile) throws(FileProblem) {
    let count = state.index.rows.count
    let end = state.index.file.offset
    state.isIndexed = try state.index.advance(file, limit: atOnce)
    if state.index.rows.count != count || state.index.file.offset != end { state.results = [] }
  }

  private func indexRest() {
    var isDone = false
    while !isDone {
      // Requests come between two pieces.
      usleep(500)
      isDone = state.withLock { state in
        do {
          let folder = try place.open()
          let file = try folder.file(RunFolder.samples)
          try Self.advance(&state, file)
          if state.isIndexed { state.isIndexing = false }
          return state.isIndexed
        } catch {
          state.isIndexing = false
          return true
        }
      }
    }
  }

  private func keep(_ positions: [Int32], for selection: SampleQuery.Selection, of index: SampleIndex) {
    state.withLock { state in
      guard state.index.file.offset == index.file.offset, state.index.rows.count == index.rows.count else { return }
      state.results.append((selection, positions))
      if state.results.count > 6 { state.results.removeFirst() }
    }
  }
}
