import Foundation
import Reports
import Runs

extension PageRoutes {
  /// A file to keep.
  func export(_ request: HTTPRequest) throws -> HTTPAnswer {
    let run = try run(request)
    let what = request["what"] ?? ""
    switch what {
    case "metrics.csv":
      return file(what, of: run, "text/csv; charset=utf-8", metricsCSV(run.metrics().steps))
    case "samples.csv":
      let table = try SampleExport(run.place)
      return HTTPAnswer(
        contentType: "text/csv; charset=utf-8", headers: [Self.disposition(what, of: run)],
        body: .stream { try await table.next() })
    case "recipe.yaml":
      let sight = run.look()
      guard let manifest = sight.manifest else { throw HTTPProblem(404, sight.problem ?? "the run has no recipe yet") }
      return file(what, of: run, "text/yaml; charset=utf-8", recipeYAML(manifest))
    case "tree.svg":
      let trees = try run.trees()
      let prompts = trees.prompts
      let number = try request.integer("prompt") ?? 0
      guard prompts.indices.contains(number) else { throw HTTPProblem(404, "the run has no tree of prompt \(number)") }
      let steps = trees.steps(of: prompts[number])
      let picture = try picture(request, trees, of: run, prompt: prompts[number], steps: steps).picture
      return file(what, of: run, "image/svg+xml", picture.svg)
    case _ where what.hasPrefix("panel-") && what.hasSuffix(".svg"):
      let key = what.dropFirst("panel-".count).dropLast(".svg".count)
      let panels = metricPanels([run.curve(run.metrics().steps)])
      guard let panel = panels.first(where: { $0.key == key }) else { throw HTTPProblem(404, "there is no such panel") }
      return file(what, of: run, "image/svg+xml", panel.svg)
    default:
      throw HTTPProblem(404, "what must be metrics.csv, samples.csv, recipe.yaml, tree.svg or panel-KEY.svg")
    }
  }

  private func file(_ name: String, of run: WatchedRun, _ type: String, _ text: String) -> HTTPAnswer {
    HTTPAnswer(
      contentType: type, headers: [Self.disposition(name, of: run)], body: .bytes(Array(text.utf8)))
  }

  /// Says that the answer is a file; its name has only characters that no system finds hard.
  static func disposition(_ name: String, of run: WatchedRun) -> (name: String, value: String) {
    let safe = String(
      String.UnicodeScalarView(
        run.name.unicodeScalars.prefix(60).map { scalar in
          let isKept = scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
          return isKept || scalar == "-" || scalar == "_" || scalar == "." ? scalar : "_"
        }))
    return ("Content-Disposition", "attachment; filename=\"\(safe)-\(name)\"")
  }
}
