import Foundation
import TestSupport
import Testing

private struct ExportLine: Decodable {
  static let keys: Set = ["run", "svg", "html", "metrics_csv", "samples_csv", "tensorboard"]
  var metricsCSV: String
  var samplesCSV: String
  var tensorboard: String

  enum CodingKeys: String, CodingKey {
    case tensorboard
    case metricsCSV = "metrics_csv"
    case samplesCSV = "samples_csv"
  }
}

extension CommandTests {
  @Suite struct ExportTests {
    private func align(in folder: URL, _ more: String...) throws -> CommandResult {
      try CommandRunner(product: "tinyalign").run(
        ["align", "--steps", "3", "--samples", "4", "--out", "run"] + more, in: folder)
    }

    @Test func `align and report write the same for TensorBoard`() throws {
      try withTemporaryFolder { folder in
        _ = output(of: try align(in: folder, "--tensorboard"))
        let events = folder.appending(path: "run/tensorboard")
        let live = try #require(try names(in: events).first)
        #expect(try names(in: events).count == 1 && live.hasPrefix("events.out.tfevents."))
        let contents = try Data(contentsOf: events.appending(path: live))
        #expect(contents.count > 3_000)
        let lines = output(of: try tinyalign("report", "run", "--tensorboard", in: folder)).split(separator: "\n")
        let again = try names(in: events)
        #expect(again.count == 1 && again != [live], "a fresh file replaces the older one")
        #expect(try Data(contentsOf: events.appending(path: again[0])) == contents)
        #expect(lines.count == 3 && lines[2].hasSuffix("run/tensorboard/\(again[0])"))
      }
    }

    @Test func `report writes tables and says where everything is`() throws {
      try withTemporaryFolder { folder in
        _ = output(of: try align(in: folder))
        #expect(!(try names(in: folder.appending(path: "run")).contains("tensorboard")), "only where it is asked for")
        let json = output(of: try tinyalign("report", "run", "--csv", "--tensorboard", "--json", in: folder))
        let line = try #require(try jsonLines(ExportLine.self, keys: ExportLine.keys, of: json).first)
        #expect(FileManager.default.fileExists(atPath: line.tensorboard))
        let metrics = try text(URL(filePath: line.metricsCSV)).split(separator: "\r\n")
        #expect(metrics.count == 4 && metrics[0].hasPrefix("step,reward_mean,"))
        let samples = try text(URL(filePath: line.samplesCSV)).split(separator: "\r\n")
        #expect(samples.first?.hasPrefix("step,index,prompt,text,reward,advantage,log_probability,log_ratio,") == true)
        #expect(samples.filter { $0.hasPrefix("3,") }.count == 4)
      }
    }

    @Test func `a figure of several runs takes no export with it`() throws {
      try withTemporaryFolder { folder in
        for flag in ["--csv", "--tensorboard"] {
          expectRefusal(
            try tinyalign("report", "run", "--compare", "a.svg", flag, in: folder), status: 2, saying: "--compare")
        }
        expectRefusal(try tinyalign("report", "run", "--csv", in: folder), status: 1, saying: "not a run folder")
      }
    }

    @Test func `a run goes on where nothing can be written for TensorBoard`() throws {
      try withTemporaryFolder { folder in
        let command = try CommandRunner(product: "tinyalign").start(
          ["align", "--steps", "100000", "--samples", "8", "--tensorboard", "--out", "run"], in: folder)
        let events = folder.appending(path: "run/tensorboard")
        try command.wait { (try? names(in: events).isEmpty) == false }
        try FileManager.default.removeItem(at: events)
        let metrics = folder.appending(path: "run/metrics.jsonl")
        let before = try text(metrics).split(separator: "\n").count
        try command.wait { (try? text(metrics).split(separator: "\n").count) ?? 0 > before + 3 }
        command.send(SIGINT)
        let result = try command.wait()
        #expect(result.status == 130)
        #expect(result.errors.components(separatedBy: "No more is written for TensorBoard").count == 2, "said once")
        _ = output(of: try tinyalign("report", "run", "--tensorboard", in: folder))
        #expect(try names(in: events).count == 1)
      }
    }
  }
}
