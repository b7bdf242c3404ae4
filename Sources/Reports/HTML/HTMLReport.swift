public import Foundation
public import Runs

/// The report of a run: one HTML page that needs nothing else, light and dark, for screens of any width and for paper.
///
/// - Throws: `RunError` where the run cannot be read.
public func htmlReport(_ run: RunReader) throws -> String {
  let data = try ReportData(run)
  let headline = ReportHeadline(data: data)
  let stories = ReportStories(data)
  let sections = [
    headline.html,
    curves(data.metrics),
    stories.beforeAndAfter() ?? "",
    stories.bestAndWorst() ?? "",
    ReportTables.recipe(data.manifest),
    ReportTables.provenance(data.manifest),
    ReportTables.glossary(),
  ]
  // The policy keeps the page from loading anything, whatever a story may say.
  return """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8"/>
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
    <meta name="viewport" content="width=device-width, initial-scale=1"/>
    <title>\(escaped(headline.title)) – TinyAlign</title>
    <style>\(ReportStyle.sheet)</style>
    </head>
    <body>
    <main>
    \(sections.filter { !$0.isEmpty }.joined(separator: "\n"))
    <footer>Written by TinyAlign \(escaped(data.manifest.programVersion)) from <code>\(RunFolder.manifest)</code>, \
    <code>\(RunFolder.metrics)</code> and <code>\(RunFolder.samples)</code>; it loads nothing from elsewhere.</footer>
    </main>
    </body>
    </html>

    """
}

/// Writes `training_metrics.svg` and `report.html` into a run folder.
///
/// - Returns: Where they are.
/// - Throws: `RunError` where the run cannot be read or the files cannot be written.
@discardableResult
public func writeReport(runFolder: URL) throws -> (svg: URL, html: URL) {
  let run = try RunReader(folder: runFolder)
  let svg = runFolder.appending(path: RunFolder.figure)
  let html = runFolder.appending(path: RunFolder.report)
  let figure = trainingMetricsSVG([RunCurve(label: runFolder.lastPathComponent, metrics: try run.metrics())])
  for (url, text) in [(svg, figure), (html, try htmlReport(run))] {
    do {
      try Data(text.utf8).write(to: url, options: .atomic)
    } catch {
      throw RunError.cannotWrite(path: url.path, reason: error.localizedDescription)
    }
  }
  return (svg, html)
}

/// The charts of a report.
private func curves(_ metrics: [StepMetrics]) -> String {
  guard !metrics.isEmpty else { return "" }
  let steps = metrics.map { Double($0.step) }
  func chart(_ title: String, _ value: (StepMetrics) -> Double, includesZero: Bool = false) -> LineChart {
    LineChart(title: title, series: [Series(label: nil, x: steps, y: metrics.map(value))], includesZero: includesZero)
  }
  let charts = [
    rewardChart(metrics, withMaximum: true),
    klChart(metrics),
    chart("Entropy (nats per token)", \.entropy, includesZero: true),
    chart("Distinct stories in a step", { Double($0.distinctStories) }, includesZero: true),
    chart("Gradient norm", \.gradientNorm, includesZero: true),
    timeChart(metrics),
  ]
  let panels = charts.map { "<figure class=\"panel\">\($0.embedded())</figure>" }
  return """
    <h2>How it went</h2>
    <p class="intro">Reward should rise; KL says what that cost in likeness to the original model. The other curves show \
    early when language starts to suffer.</p>
    <div class="charts">\(panels.joined(separator: "\n"))</div>
    """
}

/// Where the seconds of each step went, one on top of the other.
private func timeChart(_ metrics: [StepMetrics]) -> LineChart {
  let parts: [(String, (StepMetrics) -> Double)] = [
    ("rollout", { $0.secondsSplit.rollout }), ("reward", { $0.secondsSplit.reward }),
    ("reference", { $0.secondsSplit.reference }), ("backward", { $0.secondsSplit.backward }),
    ("optimizer", { $0.secondsSplit.optimizer }),
  ]
  let steps = metrics.map { Double($0.step) }
  var floor = metrics.map { _ in 0.0 }
  var series: [Series] = []
  for (color, (label, value)) in parts.enumerated() {
    let ceiling = zip(floor, metrics).map { $0 + value($1) }
    series.append(Series(label: label, x: steps, y: ceiling, lower: floor, upper: ceiling, color: color, style: .area))
    floor = ceiling
  }
  return LineChart(title: "Seconds a step", series: series, includesZero: true)
}
