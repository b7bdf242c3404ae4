import Foundation
import JSON
import Runs
import Synchronization

/// Tells pages what has changed in the runs since they last asked.
///
/// A page asks about once a second while somebody sees it. A stream that stays open would be news a little earlier, but
/// browsers keep at most six connections to a host: the sixth page would hang them all.
final class Follower: Sendable {
  /// A run as it was last seen, and the version in which each part of it changed last.
  private struct Seen {
    var status: String
    var isLive: Bool
    var step: Int
    var doing: String?
    var generation: Int
    var isGone: Bool
    var stepVersion = 0
    var resetVersion = 0
    var goneVersion = 0
  }

  private struct State {
    var version = 0
    var listVersion = 0
    var seen: [String: Seen] = [:]
    var looked: ContinuousClock.Instant?
    var lookedThoroughly: ContinuousClock.Instant?
  }

  /// Two pages that ask within this time get the same answer.
  private static let interval = Duration.milliseconds(200)
  /// Runs that do not seem to go on are looked at only so often.
  private static let thoroughInterval = Duration.seconds(1)

  private let catalogue: RunCatalogue
  private let state = Mutex(State())
  /// Tells versions of this server from those of one that had the port before.
  private let epoch = String(UInt64.random(in: .min ... .max), radix: 16)

  init(_ catalogue: RunCatalogue) { self.catalogue = catalogue }

  /// What has changed since the version that the page knows, which is `since` of its query; it waits for the disk.
  ///
  /// - Returns: an object: `version` to ask with next time; `all`, where anything may have changed; `runs`, where the list
  ///   has; `steps`, the runs that went on, with their last finished step and how far they are in the next; `resets`, the runs
  ///   that were begun again in their folders; `gone`, those whose folders are no more.
  func answer(_ request: HTTPRequest) -> HTTPAnswer {
    state.withLock { state in
      look(&state)
      let parts = (request["since"] ?? "").split(separator: ".")
      let known = parts.count == 2 && parts[0] == epoch ? Int(parts[1]) : nil
      let since = known ?? state.version
      let changed = state.seen.sorted { $0.key < $1.key }
      return HTTPAnswer(
        body: .bytes(
          jsonObject { writer in
            writer.member("version", "\(epoch).\(state.version)", first: true)
            writer.member("all", known == nil)
            writer.member("runs", state.listVersion > since)
            writer.member("steps", list: changed.filter { $0.value.stepVersion > since }) { run, writer in
              writer.raw("{")
              writer.member("run", run.key, first: true)
              writer.member("step", run.value.step)
              writer.member("doing", run.value.doing)
              writer.raw("}")
            }
            writer.member("resets", strings: changed.filter { $0.value.resetVersion > since }.map(\.key))
            writer.member("gone", strings: changed.filter { $0.value.goneVersion > since }.map(\.key))
          }))
    }
  }

  private func look(_ state: inout State) {
    let now = ContinuousClock.now
    if let looked = state.looked, now - looked < Self.interval { return }
    let isThorough = state.lookedThoroughly.map { now - $0 >= Self.thoroughInterval } ?? true
    state.looked = now
    if isThorough { state.lookedThoroughly = now }
    let time = Date().timeIntervalSince1970
    let version = state.version + 1
    var isChanged = false
    for run in catalogue.runs() {
      let known = state.seen[run.id]
      if let known, !isThorough, !known.isLive { continue }
      let sight = run.look()
      var seen = Seen(
        status: sight.status, isLive: sight.isLive(at: time), step: sight.last?.step ?? 0, doing: sight.doing,
        generation: sight.generation, isGone: sight.isGone, stepVersion: known?.stepVersion ?? 0,
        resetVersion: known?.resetVersion ?? 0,
        goneVersion: known?.goneVersion ?? 0)
      if seen.status != known?.status || seen.isLive != known?.isLive {
        state.listVersion = version
        isChanged = true
      }
      if let known {
        if seen.isGone, !known.isGone { seen.goneVersion = version }
        if seen.generation != known.generation { seen.resetVersion = version }
        if seen.step != known.step || seen.doing != known.doing, !seen.isGone { seen.stepVersion = version }
        if [seen.goneVersion, seen.resetVersion, seen.stepVersion].contains(version) { isChanged = true }
      }
      state.seen[run.id] = seen
    }
    if isChanged { state.version = version }
  }
}
