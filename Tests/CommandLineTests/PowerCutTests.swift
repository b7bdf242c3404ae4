import Foundation
import TestSupport
import Testing

extension CommandTests {
  /// Runs whose power is cut, in a few of the ways that `Scripts/faults/power-cut` tries at length.
  @Suite struct PowerCutTests {
    #if os(Linux)
      // Under a sanitizer a process cannot be traced.
      @Test(.enabled(if: ProcessInfo.processInfo.environment["TINYALIGN_SANITIZER"] == nil))
      func `whatever a power cut leaves of a run goes on, and nothing that was saved is lost`() throws {
        try withTemporaryFolder { folder in
          let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../Scripts/faults/power-cut")
          let program = try CommandRunner(product: "tinyalign").executable.path
          let result = try CommandRunner(executable: URL(filePath: "/usr/bin/env")).run(
            ["python3", script.standardizedFileURL.path, "--command", program, "--states", "48", "--resumes", "4"],
            in: folder, environment: ["TMPDIR": folder.path], timeout: 600)
          let isSkipped = result.output.hasPrefix("skipped")
          if isSkipped { print("Power cuts: \(result.output)") }
          #expect(result.status == 0, "\(result.errors)")
          #expect(isSkipped || result.output.contains("nothing that was saved was lost"))
        }
      }
    #endif

    @Test func `a run that was killed is told apart from one that goes on`() throws {
      try withTemporaryFolder { folder in
        let command = try CommandRunner(product: "tinyalign").start(
          ["align", "--steps", "100000", "--samples", "16", "--out", "run"], in: folder)
        let run = folder.appending(path: "run")
        try command.wait { (try? text(run.appending(path: "metrics.jsonl")).contains("\n")) ?? false }
        func state() throws -> String {
          _ = output(of: try tinyalign("report", "run", in: folder))
          let line = try text(run.appending(path: "report.html")).firstMatch(of: /<p class="over">(.*)<\/p>/)
          return line.map { String($0.1) } ?? ""
        }
        #expect(try state().hasSuffix(" · running"))
        command.send(SIGKILL)
        _ = try command.wait()
        #expect(try ManifestFile(run: run).status == "running")
        #expect(try state().hasSuffix(" · killed; it can be resumed"))
      }
    }
  }
}
