import Foundation
import Runs
import Synchronization

/// Something that a page wants to know at once.
enum PageEvent: Sendable, Hashable {
  /// The list of runs or a run's status has changed.
  case runs
  case step(run: String, step: Int)
  /// The run was begun again in its folder.
  case reset(run: String)
  case gone(run: String)

  /// As a stream of events has it.
  var text: String {
    switch self {
    case .runs: "event: runs\ndata: {}\n\n"
    case .step(let run, let step): "event: step\ndata: {\"run\":\"\(run)\",\"step\":\(step)}\n\n"
    case .reset(let run): "event: reset\ndata: {\"run\":\"\(run)\"}\n\n"
    case .gone(let run): "event: gone\ndata: {\"run\":\"\(run)\"}\n\n"
    }
  }

  /// Whether it says all that `other` says: a page that has not been told of either need not hear of the other.
  fileprivate func replaces(_ other: PageEvent) -> Bool {
    if case .step(let run, _) = self, case .step(let otherRun, _) = other { return run == otherRun }
    return self == other
  }
}

/// What one page has not been told yet: never more than a few events for each run, however slow the page.
final class EventQueue: Sendable {
  private struct State {
    var text: [PageEvent] = []
    var needsSign = false
    var isEnded = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  func add(_ event: PageEvent) {
    change { state in
      state.text.removeAll { event.replaces($0) }
      state.text.append(event)
    }
  }

  /// Sends a comment, which shows a page that has left.
  func addSignOfLife() { change { $0.needsSign = true } }

  func end() { change { $0.isEnded = true } }

  /// What is new, once something is; nil at the end.
  func next() async -> [UInt8]? {
    while true {
      let (bytes, isEnded) = state.withLock { state -> ([UInt8], Bool) in
        var text = state.text.map(\.text).joined()
        if text.isEmpty, state.needsSign { text = ": still here\n\n" }
        state.text = []
        state.needsSign = false
        return (Array(text.utf8), state.isEnded)
      }
      if !bytes.isEmpty { return bytes }
      if isEnded || Task.isCancelled { return nil }
      await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          let isReady = state.withLock { state in
            let isReady = !state.text.isEmpty || state.needsSign || state.isEnded || Task.isCancelled
            if !isReady { state.waiter = continuation }
            return isReady
          }
          if isReady { continuation.resume() }
        }
      } onCancel: {
        end()
      }
    }
  }

  private func change(_ body: (inout sending State) -> Void) {
    let waiter = state.withLock { state in
      body(&state)
      let waiter = state.waiter
      state.waiter = nil
      return waiter
    }
    waiter?.resume()
  }
}

/// Looks at the runs while at least one page listens, and tells all pages what has changed.
final class Follower: Sendable {
  private struct Seen: Equatable {
    var status: String
    var step: Int
    var generation: Int
    var isGone: Bool
    var isLive: Bool
  }

  private struct State {
    var queues: [Int: EventQueue] = [:]
    var next = 0
    var seen: [String: Seen]?
  }

  /// A page, listed as long as its stream of events is there.
  private final class Listener: Sendable {
    let events = EventQueue()
    private let follower: Follower
    private let number: Int

    init(_ follower: Follower) {
      self.follower = follower
      number = follower.state.withLock { [events] state in
        state.next += 1
        state.queues[state.next] = events
        return state.next
      }
    }

    deinit { follower.state.withLock { [number] state in _ = state.queues.removeValue(forKey: number) } }
  }

  private let catalogue: RunCatalogue
  private let queue = BlockingQueue("follower")
  private let state = Mutex(State())

  init(_ catalogue: RunCatalogue) { self.catalogue = catalogue }

  /// A page's stream of events: of all that changes from now on.
  func listen() async throws -> @Sendable () async throws -> [UInt8]? {
    let listener = Listener(self)
    listener.events.addSignOfLife()
    if state.withLock({ $0.seen == nil }) { _ = try await queue.run { self.look() } }
    return { await listener.events.next() }
  }

  /// How many pages listen.
  var listenerCount: Int { state.withLock { $0.queues.count } }

  /// Follows until the task is cancelled.
  func run() async throws {
    var ticks = 0
    while true {
      try await Task.sleep(for: .milliseconds(250))
      ticks += 1
      let queues = state.withLock { state in
        // What happens unseen is no news: a page that comes reads everything.
        if state.queues.isEmpty { state.seen = nil }
        return Array(state.queues.values)
      }
      guard !queues.isEmpty else { continue }
      let isThorough = ticks % 4 == 0
      let events = try await queue.run { self.look(isThorough: isThorough) }
      for queue in queues {
        for event in events { queue.add(event) }
        if ticks % 40 == 0 { queue.addSignOfLife() }
      }
    }
  }

  /// What has changed since the last look; runs that do not seem to go on are looked at only where it is thorough.
  private func look(isThorough: Bool = true) -> [PageEvent] {
    let now = Date().timeIntervalSince1970
    let before = state.withLock { $0.seen }
    var seen: [String: Seen] = [:]
    for run in catalogue.runs() {
      if !isThorough, let known = before?[run.id], !known.isLive {
        seen[run.id] = known
        continue
      }
      let sight = run.look()
      seen[run.id] = Seen(
        status: sight.status, step: sight.last?.step ?? 0, generation: sight.generation, isGone: sight.isGone,
        isLive: sight.isLive(at: now))
    }
    state.withLock { [seen] in $0.seen = seen }
    guard let before else { return [] }
    var events: [PageEvent] = []
    var listChanged = before.count != seen.count
    for (id, run) in seen {
      guard let old = before[id] else {
        listChanged = true
        continue
      }
      if run.status != old.status || run.isLive != old.isLive { listChanged = true }
      if run.isGone, !old.isGone { events.append(.gone(run: id)) }
      if run.generation != old.generation { events.append(.reset(run: id)) }
      if run.step != old.step, !run.isGone { events.append(.step(run: id, step: run.step)) }
    }
    if listChanged { events.append(.runs) }
    return events
  }
}
