import Foundation
import TestSupport
import Testing

extension CommandTests {
  @Suite struct InterruptionTests {
    /// Starts a run of a hundred thousand steps and waits for its first metrics.
    private func startLongRun(in folder: URL, _ more: String...) throws -> RunningCommand {
      let command = try CommandRunner(product: "tinyalign").start(
        ["align", "--steps", "100000", "--samples", "16", "--checkpoint-every", "2", "--json", "--out", "run"] + more,
        in: folder)
      let metrics = folder.appending(path: "run/metrics.jsonl")
      try command.wait { (try? text(metrics).contains("\n")) ?? false }
      return command
    }

    /// Checks that the run kept all that it had; returns the number of steps.
    @discardableResult
    private func expectKept(_ folder: URL) throws -> Int {
      let run = folder.appending(path: "run")
      let metrics = try jsonLines(Metrics.self, keys: Metrics.keys, of: text(run.appending(path: "metrics.jsonl")))
      let samples = try jsonLines(
        SampleLine.self, keys: SampleLine.keys, of: text(run.appending(path: "samples.jsonl")))
      #expect(metrics.map(\.step) == Array(1...metrics.count))
      #expect(samples.map(\.step) == metrics.flatMap { [Int](repeating: $0.step, count: 16) })
      let manifest = try ManifestFile(run: run)
      #expect(manifest.status == "interrupted")
      #expect(manifest.completedSteps == metrics.count)
      for name in ["report.html", "training_metrics.svg", "followed_stories.jsonl"] {
        #expect(FileManager.default.fileExists(atPath: run.appending(path: name).path), "\(name)")
      }
      let last = try #require(names(in: run.appending(path: "checkpoints")).last)
      #expect(Int(last.suffix(6)) == metrics.count)
      let story = try tinyalign(
        "sample", "--model", "run/checkpoints/\(last)", "--max-new-tokens", "3", "--json", in: folder)
      #expect(try jsonLines(StoryLine.self, keys: StoryLine.keys, of: output(of: story)).count == 1)
      return metrics.count
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func `an interrupted run ends with status 130 and keeps what it had`(signal: Int32) throws {
      try withTemporaryFolder { folder in
        let command = try startLongRun(in: folder)
        command.send(signal)
        let result = try command.wait()
        #expect(result.status == 130)
        let steps = try expectKept(folder)
        #expect(try result.output == text(folder.appending(path: "run/metrics.jsonl")))
        #expect(result.errorLines.last?.contains("nterrupted after step \(steps) of 100000") == true)
        #expect(result.errorLines.last?.hasSuffix("tinyalign align --resume run") == true)
      }
    }

    @Test func `an interruption before the first step is done leaves no run`() throws {
      try withTemporaryFolder { folder in
        let command = try CommandRunner(product: "tinyalign").start(
          ["align", "--steps", "100000", "--samples", "4096", "--out", "run"], in: folder)
        let manifest = folder.appending(path: "run/run.json")
        try command.wait { FileManager.default.fileExists(atPath: manifest.path) }
        command.send(SIGINT)
        let result = try command.wait()
        #expect(result.status == 130)
        #expect(!result.errors.contains("tinyalign: "), "it said: \(result.errors)")
        // It may have come just after the first step.
        let steps = try? ManifestFile(run: folder.appending(path: "run")).completedSteps
        #expect(try names(in: folder).isEmpty || steps == 1)
      }
    }

    @Test func `pretraining that is interrupted keeps the best model`() throws {
      try withTemporaryFolder { folder in
        try makeTinyModel(in: folder)
        try FileManager.default.removeItem(at: folder.appending(path: "model"))
        let settings = try text(folder.appending(path: "tiny.yaml")).replacing("passes: 3", with: "passes: 10000")
        try settings.write(to: folder.appending(path: "long.yaml"), atomically: true, encoding: .utf8)
        let command = try CommandRunner(product: "tinyalign").start(
          ["pretrain", "--config", "long.yaml", "--data", "stories.txt", "--out", "model"], in: folder)
        let weights = folder.appending(path: "model/model.safetensors").path
        try command.wait { FileManager.default.fileExists(atPath: weights) }
        command.send(SIGINT)
        let result = try command.wait()
        #expect(result.status == 130)
        #expect(result.output.isEmpty)
        _ = output(of: try tinyalign("score", "--model", "model", "the cat", in: folder))
        #expect(!(try names(in: folder).contains { $0.hasPrefix(".") }), "no temporary folder is left")
      }
    }

    /// Runs `tinyalign` with a reader that goes away after the first line.
    private func intoHead(_ arguments: [String], in folder: URL) throws -> CommandResult {
      let program = try CommandRunner(product: "tinyalign").executable.path
      return try CommandRunner(executable: URL(filePath: "/bin/sh"))
        .run(["-c", #""$0" "$@" | head -n 1"#, program] + arguments, in: folder)
    }

    @Test(arguments: [["--json"], []])
    func `a reader that goes away ends sample quietly`(more: [String]) throws {
      try withTemporaryFolder { folder in
        let result = try intoHead(["sample", "-n", "50", "--max-new-tokens", "30"] + more, in: folder)
        #expect(output(of: result).split(separator: "\n").count == 1)
        #expect(result.errors.isEmpty, "it said: \(result.errors)")
      }
    }

    @Test func `a reader that goes away does not spoil a run`() throws {
      try withTemporaryFolder { folder in
        let result = try intoHead(
          ["align", "--steps", "10", "--samples", "16", "--json", "--out", "run"], in: folder)
        #expect(output(of: result).split(separator: "\n").count == 1)
        #expect(!result.errors.contains("Fatal"))
        #expect(["finished", "interrupted"].contains(try ManifestFile(run: folder.appending(path: "run")).status))
      }
    }

    #if os(Linux)
      @Test(arguments: [
        ["sample", "--max-new-tokens", "3"], ["sample", "--max-new-tokens", "3", "--json"], ["score", "the cat"],
        ["score", "the cat", "--json"], ["tokenize", "the cat"], ["--help"],
      ])
      func `output that cannot be written is a failure, not a crash`(arguments: [String]) throws {
        try withTemporaryFolder { folder in
          let program = try CommandRunner(product: "tinyalign").executable.path
          let result = try CommandRunner(executable: URL(filePath: "/bin/sh"))
            .run(["-c", #""$0" "$@" > /dev/full"#, program] + arguments, in: folder)
          expectRefusal(result, status: 1, saying: "standard output")
        }
      }
    #endif
  }
}
