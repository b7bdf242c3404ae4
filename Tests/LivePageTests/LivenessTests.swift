import Foundation
import JSON
import Runs
import Testing

@Suite struct LivenessTests {
  @Test func `a run goes on as long as a process holds its lock, whatever the times of its files say`() async throws {
    try await withFolder { folder in
      let run = try WrittenRun(folder.appending(path: "a"))
      try run.step(1)
      func date(_ seconds: Double) throws {
        for name in [RunFolder.manifest, RunFolder.metrics] {
          try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: seconds)], ofItemAtPath: folder.path + "/a/" + name)
        }
      }
      try await withServer([folder]) { page async throws in
        // Its steps take hours, and its clock may go wrong.
        for seconds in [-86_400.0, 0, 86_400] {
          try date(seconds)
          #expect(try await page.json("/api/runs")["runs"]?.arrayValue?.map { $0["is_live"] } == [true])
        }
        // A program that is killed leaves what it said last.
        let progress = folder.appending(path: "a").appending(path: RunFolder.progress)
        let last = try Data(contentsOf: progress)
        run.writer.close()
        try last.write(to: progress)
        for seconds in [-86_400.0, 0, 86_400] {
          try date(seconds)
          let runs = try await page.json("/api/runs")["runs"]?.arrayValue
          #expect(runs?.map { $0["is_live"] } == [false] && runs?.map { $0["status"] } == ["running"])
        }
      }
    }
  }
}
