import ArgumentParser
import Checkpoints
import Foundation
import JSON
import Reports
import Runs

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write the report of runs again, or compare runs in one figure.",
    discussion: """
      Without --compare, training_metrics.svg and report.html are written into each run folder; --csv and --tensorboard \
      write there what other programs read. With --compare, one SVG figure shows all runs; folders named alike but for \
      a number at the end, such as cat-1 and cat-2, share a colour.
      """)

  @Argument(help: "Run folders.")
  var runs: [String]
  @Option(help: .init("SVG file to write a figure of all runs to. (default: none)", valueName: "file"))
  var compare: String?
  @Flag(help: "Also write metrics.csv and samples.csv into each run folder.")
  var csv = false
  @Flag(help: "Also write tensorboard/ into each run folder, whole again: `tensorboard --logdir RUN` shows it.")
  var tensorboard = false
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard compare == nil || !csv && !tensorboard else {
      throw ValidationError("--compare writes one figure: give --csv and --tensorboard without it")
    }
  }

  func run() throws {
    let folders = runs.map { URL(filePath: $0, directoryHint: .isDirectory) }
    if let compare {
      let svg = trainingMetricsSVG(try folders.map(curve))
      try writeAtomically(Data(svg.utf8), to: URL(filePath: compare))
      if common.json { try printJSON([.init("svg", .string(compare))]) } else { try Output.line(compare) }
      return
    }
    for (run, folder) in zip(runs, folders) {
      let report = try writeReport(runFolder: folder)
      var files = [("svg", report.svg), ("html", report.html)]
      if csv {
        let tables = try writeCSV(runFolder: folder)
        files += [("metrics_csv", tables.metrics), ("samples_csv", tables.samples)]
      }
      if tensorboard { files.append(("tensorboard", try writeTensorBoard(runFolder: folder))) }
      if common.json {
        try printJSON([.init("run", .string(run))] + files.map { .init($0, .string($1.path)) })
      } else {
        for (_, file) in files { try Output.line(file.path) }
      }
    }
  }

  /// A run with its folder's name as label; the same recipe under several seeds is one group, named without the seed.
  private func curve(_ folder: URL) throws -> RunCurve {
    let reader = try RunReader(folder: folder)
    let name = folder.lastPathComponent
    let parts = name.split(separator: "-")
    let isNumbered = parts.count > 1 && parts.last.flatMap { Int($0) } != nil
    let group = isNumbered ? parts.dropLast().joined(separator: " ") : nil
    return RunCurve(label: name, group: group, metrics: try reader.metrics())
  }
}
