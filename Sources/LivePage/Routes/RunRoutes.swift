import Foundation
import JSON
import Reports
import Runs

extension PageRoutes {
  /// All runs, the newest first.
  func runList() -> HTTPAnswer {
    let now = Date().timeIntervalSince1970
    let runs = catalogue.runs().map { (run: $0, sight: $0.look()) }.sorted { first, second in
      let firstDate = first.sight.manifest?.created ?? .distantPast
      let secondDate = second.sight.manifest?.created ?? .distantPast
      if firstDate != secondDate { return firstDate > secondDate }
      return (first.run.name, first.run.id) < (second.run.name, second.run.id)
    }
    return HTTPAnswer(
      body: .bytes(
        jsonObject { writer in
          writer.member("runs", list: runs, first: true) { $0.run.write($0.sight, now: now, to: &$1) }
          writer.member("folders", strings: catalogue.places)
          writer.member("most_runs", Self.mostRuns)
        }))
  }

  /// Figures and observations of each run, and what tells their recipes apart.
  func overview(_ request: HTTPRequest) throws -> HTTPAnswer {
    let now = Date().timeIntervalSince1970
    let runs = try runs(request).map { run in
      let metrics = run.metrics()
      let sight = run.look()
      let rewards = sight.manifest?.hasOnePrompt == false ? try? run.samples.promptRewards() : nil
      return (run: run, sight: sight, metrics: metrics.steps, problems: metrics.problems, rewards: rewards)
    }
    let bytes = jsonObject { writer in
      writer.member("runs", list: runs, first: true) { run, writer in
        let said =
          run.sight.manifest.map {
            observations(of: $0, metrics: run.metrics, skipped: run.run.skippedSteps(), rewards: run.rewards)
          }
          ?? observations(of: run.metrics)
        writer.raw("{")
        writer.member("id", run.run.id, first: true)
        writer.member("name", run.run.name)
        let planned = run.sight.isLive(at: now) ? run.sight.setting("steps")?.integerValue : nil
        writer.member("tiles", list: runTiles(run.metrics, rewards: run.rewards, planned: planned)) { tile, writer in
          writer.raw("{")
          writer.member("name", tile.name, first: true)
          writer.member("value", tile.value)
          writer.member("note", tile.note)
          writer.raw("}")
        }
        writer.member("observations_html", observationsHTML(said))
        writer.member("problems", strings: run.problems)
        writer.raw("}")
      }
      writer.member("differences", list: Self.differences(runs.map(\.sight.manifest))) { difference, writer in
        writer.raw("{")
        writer.member("key", difference.key, first: true)
        writer.member("values", strings: difference.values)
        writer.raw("}")
      }
    }
    return HTTPAnswer(body: .bytes(bytes))
  }

  /// What tells recipes apart; a run whose recipe cannot be read has a dash everywhere.
  private static func differences(_ manifests: [RunManifest?]) -> [RecipeDifference] {
    recipeDifferences(manifests.compactMap { $0 }).map { difference in
      var values = difference.values.makeIterator()
      return RecipeDifference(key: difference.key, values: manifests.map { $0 == nil ? "–" : values.next() ?? "–" })
    }
  }

  /// Every setting of a run and what it ran on.
  func recipe(_ request: HTTPRequest) throws -> HTTPAnswer {
    let sight = try run(request).look()
    guard let manifest = sight.manifest else { throw HTTPProblem(404, sight.problem ?? "the run has no recipe yet") }
    let html = "\(ReportTables.recipe(manifest))\n\(ReportTables.provenance(manifest))"
    return HTTPAnswer(body: .bytes(jsonObject { $0.member("html", html, first: true) }))
  }

  /// The curves of the runs.
  func charts(_ request: HTTPRequest) throws -> HTTPAnswer {
    let runs = try runs(request).map { (run: $0, metrics: $0.metrics()) }
    var key = "charts"
    for (run, metrics) in runs {
      key += " \(run.id) \(metrics.generation) \(metrics.steps.count) \(metrics.steps.last?.step ?? 0)"
    }
    let bytes = cache.bytes(key) {
      let panels = metricPanels(runs.map { $0.run.curve($0.metrics.steps) })
      return jsonObject { writer in
        writer.member("panels", list: panels, first: true) { panel, writer in
          writer.raw("{")
          writer.member("key", panel.key, first: true)
          writer.member("title", panel.title)
          writer.member("help", panel.help)
          writer.member("svg", panel.chart.embedded())
          writer.raw("}")
        }
        writer.member("steps", runs.map { $0.metrics.steps.last?.step ?? 0 }.max() ?? 0)
      }
    }
    return HTTPAnswer(body: .bytes(bytes))
  }
}

extension WatchedRun {
  /// The run as a curve.
  func curve(_ metrics: [StepMetrics]) -> RunCurve {
    RunCurve(label: name, metrics: metrics, clip: look().manifest?.clip)
  }
}
