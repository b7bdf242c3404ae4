import Foundation
import Runs
import Synchronization

/// The runs that are served: the folders that the user named, and the run folders in them.
final class RunCatalogue: Sendable {
  private struct State {
    var runs: [RunPlace: WatchedRun] = [:]
    var byID: [String: WatchedRun] = [:]
    /// When runs are looked for next.
    var due: ContinuousClock.Instant?
  }

  /// How deep in a folder runs are looked for.
  private static let depth = 4
  /// How many folders are looked into at most each time.
  private static let mostFolders = 4_096

  private let folders: [URL]
  private let state = Mutex(State())

  init(_ folders: [URL]) { self.folders = folders }

  /// The folders that runs are looked for in.
  var places: [String] {
    folders.map { folder in Self.resolved(folder) ?? folder.standardizedFileURL.path(percentEncoded: false) }
  }

  /// All runs, those that have gone among them.
  ///
  /// New ones are looked for at most twice a second, and less often where that takes long.
  func runs() -> [WatchedRun] {
    state.withLock { state in
      let start = ContinuousClock.now
      if let due = state.due, start < due { return Array(state.runs.values) }
      let places = folders.flatMap { Self.places($0, besides: state.runs) }.filter { state.runs[$0] == nil }
      for place in places where state.runs[place] == nil {
        var id = place.id
        while state.byID[id] != nil { id += "0" }
        let run = WatchedRun(place: place, id: id)
        state.runs[place] = run
        state.byID[id] = run
      }
      if !places.isEmpty { Self.tellApart(Array(state.runs.values)) }
      let end = ContinuousClock.now
      state.due = end + max(Duration.milliseconds(500), start.duration(to: end) * 20)
      return Array(state.runs.values)
    }
  }

  /// Gives runs of one name as many of the folders above them as tell them apart.
  private static func tellApart(_ runs: [WatchedRun]) {
    for (name, same) in Dictionary(grouping: runs, by: \.place.name) {
      var names = same.map { _ in name }
      for count in 1...64 where Set(names).count < names.count {
        names = same.map { $0.place.name(withFolders: count) }
      }
      for (run, name) in zip(same, names) { run.rename(name) }
    }
  }

  /// The run with an id.
  ///
  /// - Throws: ``HTTPProblem`` where there is none.
  func run(_ id: String) throws -> WatchedRun {
    if let run = state.withLock({ $0.byID[id] }) { return run }
    _ = runs()
    guard let run = state.withLock({ $0.byID[id] }) else { throw HTTPProblem(404, "there is no such run") }
    return run
  }

  /// A folder without the links on the way to it, which the user named; nil where it is not there.
  private static func resolved(_ folder: URL) -> String? {
    guard let resolved = realpath(folder.path(percentEncoded: false), nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// The runs at or in a folder that the user named, where they are not known already.
  private static func places(_ folder: URL, besides known: [RunPlace: WatchedRun]) -> [RunPlace] {
    guard let root = resolved(folder) else { return [] }
    var found: [RunPlace] = []
    var looked = 0
    // A level after the other, so that a folder with too many in it hides none that is nearer.
    var level = [RunPlace(root: root)]
    for depth in 0...depth {
      var next: [RunPlace] = []
      for place in level where known[place] == nil && looked < mostFolders {
        looked += 1
        // A link in a folder that the user named may lead anywhere: it is not followed.
        guard let folder = try? place.open() else { continue }
        if folder.stamp(RunFolder.manifest) != nil {
          found.append(place)
        } else if depth < Self.depth {
          let names = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
          next += names.filter { !$0.hasPrefix(".") }.sorted().map { place.appending($0) }
        }
      }
      level = next
    }
    return found
  }
}
