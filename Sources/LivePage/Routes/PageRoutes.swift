import Foundation
import Reports
import Runs
import Synchronization

/// What the page asks for: a route is a path, and nothing of a request ever becomes a part of a file's name.
struct PageRoutes: Sendable {
  /// How many runs can be shown together.
  static let mostRuns = 24

  let catalogue: RunCatalogue
  let cache = AnswerCache()

  /// Answers a request, whose method and origin have been checked.
  ///
  /// It waits for the disk.
  ///
  /// - Throws: ``HTTPProblem``, or what made a file unreadable.
  func answer(_ request: HTTPRequest) throws -> HTTPAnswer {
    switch request.path {
    case "/": text("text/html; charset=utf-8", ["page.html"])
    case "/page.css": text("text/css; charset=utf-8", ["theme.css", "pictures.css", "page.css"])
    case "/page.js":
      text("text/javascript; charset=utf-8", ["charts.js", "tree.js", "heatmap.js", "recipe.js", "page.js"])
    case "/api/runs": runList()
    case "/api/overview": try overview(request)
    case "/api/charts": try charts(request)
    case "/api/samples": try samples(request)
    case "/api/sample": try sample(request)
    case "/api/followed": try followed(request)
    case "/api/followed-map": try followedMap(request)
    case "/api/tree": try tree(request)
    case "/api/recipe": try recipe(request)
    case "/api/glossary": HTTPAnswer(body: .bytes(jsonObject { $0.member("html", glossaryHTML(), first: true) }))
    case "/api/export": try export(request)
    default: throw HTTPProblem(404, "there is no such page")
    }
  }

  /// Embedded files, one after the other.
  private func text(_ type: String, _ names: [String]) -> HTTPAnswer {
    HTTPAnswer(contentType: type, body: .bytes(Array(names.map(pageAsset).joined(separator: "\n").utf8)))
  }

  /// The run that a request names.
  func run(_ request: HTTPRequest) throws -> WatchedRun {
    guard let id = request["run"], !id.isEmpty else { throw HTTPProblem(400, "run is missing: give a run's id") }
    return try catalogue.run(id)
  }

  /// The runs that a request names, in its order.
  func runs(_ request: HTTPRequest) throws -> [WatchedRun] {
    var ids: [String] = []
    for id in (request["runs"] ?? "").split(separator: ",").map(String.init) where !ids.contains(id) { ids.append(id) }
    guard !ids.isEmpty else { throw HTTPProblem(400, "runs is missing: give runs' ids, separated by commas") }
    guard ids.count <= Self.mostRuns else { throw HTTPProblem(400, "at most \(Self.mostRuns) runs can be compared") }
    return try ids.map(catalogue.run)
  }

  /// What a request gets where a file cannot be read.
  static func problem(_ error: any Error) -> HTTPProblem {
    switch error {
    case let problem as HTTPProblem: problem
    case FileProblem.missing: HTTPProblem(404, "the run's folder, or a file of it, has gone")
    case FileProblem.refused(let reason): HTTPProblem(403, "a file of the run cannot be read: \(reason)")
    default: HTTPProblem(500, "\(error)")
    }
  }
}

/// Answers that took a while, kept for the next page that asks the same.
final class AnswerCache: Sendable {
  private static let size = 32
  private let answers = Mutex<[(key: String, bytes: [UInt8])]>([])

  /// The answer with a key that tells all it depends on, made where it is not there.
  func bytes(_ key: String, _ make: () throws -> [UInt8]) rethrows -> [UInt8] {
    if let known = answers.withLock({ $0.first { $0.key == key }?.bytes }) { return known }
    let made = try make()
    answers.withLock { answers in
      answers.removeAll { $0.key == key }
      answers.append((key, made))
      if answers.count > Self.size { answers.removeFirst() }
    }
    return made
  }
}
