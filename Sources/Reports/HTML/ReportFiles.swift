public import Foundation
import Runs

/// Writes a run's figures and report into its folder: `training_metrics.svg`, `report.html`, and in `figures` an SVG file
/// for each panel of the report, the story tree and the heat map.
///
/// - Returns: Where the first two are.
/// - Throws: `RunError` where the run cannot be read or the files cannot be written.
@discardableResult
public func writeReport(runFolder: URL) throws -> (svg: URL, html: URL) {
  let data = try ReportData(try RunReader(folder: runFolder))
  let run = RunCurve(label: runFolder.lastPathComponent, metrics: data.metrics, clip: data.manifest.clip)
  let svg = runFolder.appending(path: RunFolder.figure)
  let html = runFolder.appending(path: RunFolder.report)
  try write(trainingMetricsSVG([run]), to: svg)
  try write(HTMLReport(data).page, to: html)
  let figures = runFolder.appending(path: RunFolder.figures, directoryHint: .isDirectory)
  do {
    try FileManager.default.createDirectory(at: figures, withIntermediateDirectories: true)
  } catch {
    throw RunError.cannotWrite(path: figures.path, reason: error.localizedDescription)
  }
  for panel in metricPanels([run]) { try write(panel.svg, to: figures.appending(path: "\(panel.key).svg")) }
  for (index, tree) in data.treePictures.enumerated() {
    // The first has the name that it has where there is one prompt.
    try write(tree.svg, to: figures.appending(path: index == 0 ? "story_tree.svg" : "story_tree_\(index + 1).svg"))
  }
  if let map = data.heatMap { try write(map.svg, to: figures.appending(path: "heat_map.svg")) }
  return (svg, html)
}

private func write(_ text: String, to url: URL) throws {
  try replaceFile(path: url.path, with: [UInt8](text.utf8))
}
