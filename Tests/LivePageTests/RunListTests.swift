import Foundation
import JSON
import Runs
import Testing

@testable import LivePage

/// Which runs are found, what they are called, and which of them go on.
@Suite struct RunListTests {
  private static func names(_ page: PageClient) async throws -> [String] {
    try await page.json("/api/runs")["runs"]?.arrayValue?.compactMap { $0["name"]?.stringValue }.sorted() ?? []
  }

  @Test func `runs are found in folders of folders, and runs of one name are told apart`() async throws {
    try await withFolder { folder in
      for place in [
        "one/runs/cats", "one/runs/sweep/a", "one/runs/sweep/deep/er/b", "two/runs/cats", "two/runs/.hidden/c",
      ] {
        _ = try WrittenRun(finished: folder.appending(path: place), steps: 1)
      }
      // What is in a run is no run; what is behind a link is not looked at.
      _ = try WrittenRun(finished: folder.appending(path: "one/runs/cats/checkpoints/inner"), steps: 1)
      _ = try WrittenRun(finished: folder.appending(path: "outside/d"), steps: 1)
      try FileManager.default.createSymbolicLink(
        at: folder.appending(path: "one/runs/sweep/linked"), withDestinationURL: folder.appending(path: "outside"))
      try await withServer([folder.appending(path: "one/runs"), folder.appending(path: "two/runs")]) {
        page async throws in
        #expect(
          try await Self.names(page) == ["one/runs/cats", "sweep/a", "sweep/deep/er/b", "two/runs/cats"])
        let id = try await page.id("sweep/deep/er/b")
        #expect(try await page.json("/api/samples?run=\(id)")["total"] == 6)
        let file = try await page.get("/api/export?run=\(id)&what=metrics.csv").headers["content-disposition"]
        #expect(file == "attachment; filename=\"sweep_deep_er_b-metrics.csv\"")
        let answer = try await page.json("/api/runs")
        #expect(answer["most_runs"] == 24)
        let folders = answer["folders"]?.arrayValue?.compactMap(\.stringValue) ?? []
        #expect(folders.count == 2 && folders[0].hasSuffix("one/runs") && folders[1].hasSuffix("two/runs"))
        let run = answer["runs"]?.arrayValue?.first { $0["id"] == .string(id) }
        #expect(run?["folder"]?.stringValue?.hasSuffix("one/runs/sweep/deep/er/b") == true)
      }
    }
  }

  /// What the list says of a run's life, `seconds` after its files were written.
  private static func life(_ run: WatchedRun, after seconds: Double = 0) -> [Bool] {
    let sight = run.look()
    return [sight.isLive(at: Double(sight.modified) / 1e9 + seconds), sight.isDead]
  }

  @Test func `a run lives as long as its program holds the folder's lock, whatever the time`() async throws {
    try await withFolder { folder in
      let place = folder.appending(path: "a")
      var written: WrittenRun? = try WrittenRun(place)
      try written?.step(1)
      let root = try #require(realpath(folder.path, nil).map { String(cString: $0) })
      let run = WatchedRun(place: RunPlace(root: root, folders: ["a"]), id: "a")
      for seconds in [-1e7, 0, 59, 3_600, 1e7] {
        #expect(Self.life(run, after: seconds) == [true, false], "\(seconds)")
      }
      let whole = try Data(contentsOf: place.appending(path: "progress.json"))
      // Killed: the lock is gone, the files say that it goes on.
      withExtendedLifetime(written) {}
      written?.writer.close()
      written = nil
      try whole.write(to: place.appending(path: "progress.json"))
      for seconds in [-1e7, 0, 59, 1e7] { #expect(Self.life(run, after: seconds) == [false, true], "\(seconds)") }
      #expect(run.look().message?.contains("align --resume") == true)
      // Trained on another computer, whose locks are not seen here, or by a version that tells nothing: the time tells.
      let other = String(decoding: whole, as: UTF8.self).replacing(runHostName(), with: "another-computer")
      for text in [other, "{}", "damaged"] {
        try Data(text.utf8).write(to: place.appending(path: "progress.json"))
        #expect(Self.life(run, after: 59) == [true, false])
        for seconds in [-1e6, 61, 1e7] { #expect(Self.life(run, after: seconds) == [false, false], "\(seconds)") }
      }
    }
  }

  @Test func `a lock that readers look at can be taken, and a second writer is refused`() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tinyalign-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let writer = try WrittenRun(folder, steps: 4)
    #expect(throws: RunError.inUse(path: folder.path)) {
      try RunWriter(
        resuming: folder, samplesPerStep: 6, following: (step: { _ in false }, isWhole: { _, _, _ in true }))
    }
    let descriptor = open(folder.path, O_RDONLY | O_DIRECTORY)
    defer { close(descriptor) }
    #expect(Runs.isLocked(descriptor) == true)
    writer.writer.close()
    for _ in 0..<100 {
      #expect(Runs.isLocked(descriptor) == false)
      let again = try RunWriter(
        resuming: folder, samplesPerStep: 6, following: (step: { _ in false }, isWhole: { _, _, _ in true }))
      #expect(Runs.isLocked(descriptor) == true)
      again.close()
    }
  }

  @Test func `how far a long step is can be seen, until it is done`() async throws {
    try await withFolder { folder in
      let written = try WrittenRun(folder.appending(path: "a"))
      try await withServer([folder]) { page async throws in
        func doing() async throws -> JSONValue? {
          try await page.json("/api/runs")["runs"]?.arrayValue?.first?["doing"]
        }
        #expect(try await doing() == .null)
        written.writer.note(RunProgress(step: 0, phase: .following))
        #expect(try await doing() == "before step 1: looking at the untrained model")
        written.writer.note(RunProgress(step: 1, phase: .generating, done: 12, total: 32))
        #expect(try await doing() == "step 1: generating, 37%")
        let version = try #require(try await page.json("/api/news")["version"]?.stringValue)
        written.writer.note(RunProgress(step: 1, phase: .updating, done: 2, total: 4))
        #expect(try await doing() == "step 1: updating, part 2 of 4")
        try await Task.sleep(for: .milliseconds(250))
        let news = try await page.json("/api/news?since=\(version)")["steps"]?.arrayValue
        #expect(news?.first?["doing"] == "step 1: updating, part 2 of 4")
        try written.step(1)
        #expect(try await doing() == .null)
        try written.writer.update(status: .finished)
        written.writer.close()
        #expect(try await doing() == .null)
        #expect(
          !FileManager.default.fileExists(atPath: folder.appending(path: "a/progress.json").path))
      }
    }
  }
}
