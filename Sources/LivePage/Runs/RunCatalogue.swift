import Foundation
import Runs
import Synchronization

/// The runs that are served: the folders that the user named, and the run folders in them.
final class RunCatalogue: Sendable {
  private struct State {
    var runs: [RunPlace: WatchedRun] = [:]
    var byID: [String: WatchedRun] = [:]
    var scanned: ContinuousClock.Instant?
  }

  private let folders: [URL]
  private let state = Mutex(State())

  init(_ folders: [URL]) { self.folders = folders }

  /// All runs, those that have gone among them.
  ///
  /// New ones are looked for at most twice a second.
  func runs() -> [WatchedRun] {
    state.withLock { state in
      let now = ContinuousClock.now
      if let scanned = state.scanned, now - scanned < .milliseconds(500) { return Array(state.runs.values) }
      state.scanned = now
      for place in folders.flatMap({ Self.places($0, besides: state.runs) }) where state.runs[place] == nil {
        var id = place.id
        while state.byID[id] != nil { id += "0" }
        let run = WatchedRun(place: place, id: id)
        state.runs[place] = run
        state.byID[id] = run
      }
      return Array(state.runs.values)
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

  /// The runs at or in a folder that the user named, where they are not known already.
  private static func places(_ folder: URL, besides known: [RunPlace: WatchedRun]) -> [RunPlace] {
    // The way to the folder may lead over links, since the user named it; what is in it may not.
    guard let resolved = realpath(folder.path, nil) else { return [] }
    defer { free(resolved) }
    let root = String(cString: resolved)
    let place = RunPlace(root: root, child: nil)
    if known[place] != nil { return [] }
    if isRun(place) { return [place] }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    return names.filter { !$0.hasPrefix(".") }.map { RunPlace(root: root, child: $0) }.filter {
      known[$0] == nil && isRun($0)
    }
  }

  private static func isRun(_ place: RunPlace) -> Bool {
    guard let folder = try? place.open() else { return false }
    return folder.stamp(RunFolder.manifest) != nil
  }
}
