import Foundation
import TestSupport
import Testing

extension CommandTests {
  @Suite struct SignalTests {
    /// Starts the command with signals ignored, as `nohup` and a shell's background jobs do.
    private func start(ignoring signals: String, _ arguments: [String], in folder: URL) throws -> RunningCommand {
      let program = try CommandRunner(product: "tinyalign").executable.path
      return try CommandRunner(executable: URL(filePath: "/bin/sh")).start(
        ["-c", #"trap '' \#(signals); exec "$0" "$@""#, program] + arguments, in: folder)
    }

    private static let longRun = [
      "align", "--steps", "100000", "--samples", "4", "--max-new-tokens", "1", "--json", "--out", "run",
    ]

    @Test(arguments: [("HUP", SIGHUP), ("INT", SIGINT), ("TERM", SIGTERM)])
    func `a signal that is ignored on entry stays ignored`(name: String, ignored: Int32) throws {
      try withTemporaryFolder { folder in
        let command = try start(ignoring: name, Self.longRun, in: folder)
        let metrics = folder.appending(path: "run/metrics.jsonl")
        func lines() -> Int { (try? text(metrics).split(separator: "\n").count) ?? 0 }
        try command.wait { lines() > 0 }
        command.send(ignored)
        let before = lines()
        // A run that took the signal would have ended with the step under way.
        try command.wait { lines() > before + 2 }
        command.send(ignored == SIGTERM ? SIGINT : SIGTERM)
        let result = try command.wait()
        #expect(result.status == 130)
        #expect(result.errors.contains("To go on: tinyalign align --resume run"))
      }
    }

    @Test func `watch ignores what is ignored on entry`() throws {
      try withTemporaryFolder { folder in
        let command = try start(ignoring: "HUP INT", ["watch", "--no-open", "--json", "."], in: folder)
        try command.wait { command.output.contains("url") }
        command.send(SIGHUP)
        command.send(SIGINT)
        command.send(SIGTERM)
        #expect(try command.wait().status == 130)
      }
    }

    @Test func `an interrupted step is said to be finished at once, and a second signal ends the run`() throws {
      try withTemporaryFolder { folder in
        // A step of this size takes seconds.
        let command = try CommandRunner(product: "tinyalign").start(
          ["align", "--steps", "2", "--samples", "65536", "--max-new-tokens", "40", "--out", "run"], in: folder)
        try command.wait { command.errors.contains("Steering") }
        command.send(SIGINT)
        try command.wait { command.errors.contains("Finishing the step under way; another Ctrl-C ends at once.") }
        #expect(command.isRunning)
        command.send(SIGINT)
        let result = try command.wait()
        #expect(result.status == 130)
        #expect(!result.errors.contains("Interrupted after"))
      }
    }

    @Test func `an interruption while a run is loading ends at once and leaves nothing`() throws {
      try withTemporaryFolder { folder in
        // Loading waits for whoever writes the recipe.
        try #require(mkfifo(folder.appending(path: "recipe.yaml").path, 0o600) == 0)
        let command = try CommandRunner(product: "tinyalign").start(
          ["align", "--recipe", "recipe.yaml", "--out", "run"], in: folder)
        usleep(200_000)
        command.send(SIGINT)
        let result = try command.wait()
        #expect([130, -SIGINT].contains(result.status))
        #expect(try names(in: folder) == ["recipe.yaml"])
      }
    }
  }
}
