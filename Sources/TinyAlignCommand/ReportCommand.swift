import ArgumentParser
import Foundation
import Reports
import Runs

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write training_metrics.svg and report.html of runs again.")

  @Argument(help: "Run folders.")
  var runs: [String]
  @OptionGroup var common: CommonOptions

  func run() throws {
    for run in runs {
      let report = try writeReport(runFolder: URL(filePath: run, directoryHint: .isDirectory))
      if common.json {
        try printJSON([
          .init("run", .string(run)), .init("svg", .string(report.svg.path)), .init("html", .string(report.html.path)),
        ])
      } else {
        print(report.svg.path, report.html.path, separator: "\n")
      }
    }
  }
}
