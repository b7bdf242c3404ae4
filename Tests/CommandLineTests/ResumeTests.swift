import Foundation
import TestSupport
import Testing

extension CommandTests {
  /// Runs that are killed, limited and gone on with; `Scripts/faults` has the long versions.
  @Suite struct ResumeTests {
    private static let settings = ["--steps", "10", "--samples", "16", "--checkpoint-every", "3"]

    /// What must be the same of a resumed run and of one that was never stopped.
    private struct Content: Equatable {
      var metrics: [String]
      var files: [String: Data] = [:]

      init(_ run: URL) throws {
        // The seconds stand together, and what follows them does not depend on the clock.
        metrics = try text(run.appending(path: "metrics.jsonl")).split(separator: "\n").map { line in
          String(line).replacing(/"seconds":.*\}(?=,)/, with: "")
        }
        for name in ["samples.jsonl", "followed_stories.jsonl", "story_trees.jsonl"] {
          files[name] = try Data(contentsOf: run.appending(path: name))
        }
        let checkpoints = run.appending(path: "checkpoints")
        // A run that failed or was interrupted leaves its last state, too.
        for step in try names(in: checkpoints) where ["03", "06", "09", "10"].contains(step.suffix(2)) {
          files[step] = try Data(contentsOf: checkpoints.appending(path: "\(step)/model.safetensors"))
        }
      }
    }

    private func whole(in folder: URL) throws -> Content {
      _ = output(of: try tinyalign(["align", "--out", "whole"] + Self.settings, in: folder))
      return try Content(folder.appending(path: "whole"))
    }

    @Test func `a run that is killed again and again is in the end the run that was never stopped`() throws {
      try withTemporaryFolder { folder in
        let whole = try whole(in: folder)
        let run = folder.appending(path: "run")
        for kill in 0..<6 {
          let isNew = !FileManager.default.fileExists(atPath: run.appending(path: "run.json").path)
          if isNew { try? FileManager.default.removeItem(at: run) }
          let command = try CommandRunner(product: "tinyalign").start(
            (isNew ? ["align", "--out", "run"] + Self.settings : ["align", "--resume", "run"])
              + ["--state-interval", kill % 2 == 0 ? "0" : "30"], in: folder)
          let lines = (try? text(run.appending(path: "metrics.jsonl")).count { $0 == "\n" }) ?? 0
          // It may end by itself first.
          try? command.wait {
            let now = (try? text(run.appending(path: "metrics.jsonl")).count { $0 == "\n" }) ?? 0
            return now > lines || !command.isRunning
          }
          Thread.sleep(forTimeInterval: Double.random(in: 0...0.03))
          command.send(SIGKILL)
          _ = try command.wait()
        }
        let last = try tinyalign("align", "--resume", "run", in: folder)
        #expect(last.status == 0 || last.errors.contains("is finished"), "\(last.errors)")
        // What is said at the end is of the whole run.
        if last.status == 0 {
          let rewards = whole.metrics.compactMap {
            $0.firstMatch(of: /"reward_mean":(-?[0-9.e-]+)/).flatMap { Double($0.1) }
          }
          let said = "Mean reward \(String(format: "%.3f", rewards[0])) → \(String(format: "%.3f", rewards[9])), "
          #expect(last.errors.contains(said), "\(said)")
        }
        #expect(try Content(run) == whole)
        #expect(!(try names(in: run).contains { $0.hasSuffix(".tmp") }))
      }
    }

    /// 512-byte blocks that no file may pass: from one to less than the largest file of the run.
    @Test(arguments: [1, 3, 16, 64, 100, 1_000, 18_000])
    func `a run that may not write on ends in one line, and goes on from there`(blocks: Int) throws {
      try withTemporaryFolder { folder in
        let whole = try whole(in: folder)
        let program = try CommandRunner(product: "tinyalign").executable.path
        let result = try CommandRunner(executable: URL(filePath: "/bin/sh")).run(
          ["-c", #"ulimit -f "$1"; shift; exec "$@""#, "sh", "\(blocks)", program, "align", "--out", "run"]
            + Self.settings
            + ["--state-interval", "0"], in: folder)
        #expect(result.status == 1)
        let errors = result.errorLines.filter { $0.hasPrefix("tinyalign: ") }
        #expect(errors.count == 1 && errors[0].contains("cannot write"), "\(result.errors)")
        let run = folder.appending(path: "run")
        // Whatever is there under its name is whole.
        for step in (try? names(in: run.appending(path: "checkpoints"))) ?? [] where step.hasPrefix("step-") {
          _ = output(of: try tinyalign("score", "--model", "run/checkpoints/\(step)", "a cat", in: folder))
        }
        guard FileManager.default.fileExists(atPath: run.appending(path: "run.json").path) else { return }
        _ = output(of: try tinyalign("align", "--resume", "run", in: folder))
        #expect(try Content(run) == whole)
      }
    }

    #if os(Linux)
      // Sanitizers reserve far more than they use.
      @Test(
        .enabled(if: ProcessInfo.processInfo.environment["TINYALIGN_SANITIZER"] == nil),
        arguments: [200_000, 300_000, 400_000, 500_000])
      func `memory that is not to be had is one clear line`(kibibytes: Int) throws {
        try withTemporaryFolder { folder in
          let program = try CommandRunner(product: "tinyalign").executable.path
          let result = try CommandRunner(executable: URL(filePath: "/bin/sh")).run(
            ["-c", #"ulimit -v "$1"; shift; exec "$@""#, "sh", "\(kibibytes)", program, "align", "--out", "run"],
            in: folder)
          #expect(result.status == 1)
          let errors = result.errorLines.filter { $0.hasPrefix("tinyalign: ") }
          #expect(errors.count == 1 && result.errorLines.last == errors.first, "\(result.errors)")
          #expect(errors[0].contains("gives no memory") || errors[0].contains("Cannot allocate memory"), "\(errors)")
        }
      }
    #endif

    @Test func `what cannot be resumed says why`() throws {
      try withTemporaryFolder { folder in
        expectRefusal(
          try tinyalign("align", "--resume", "nowhere", in: folder), status: 1, saying: "nowhere is not a run folder")
        _ = output(of: try tinyalign(["align", "--out", "run"] + Self.settings, in: folder))
        // A power cut may have brought back what was removed at the end.
        let progress = folder.appending(path: "run/progress.json")
        try Data(#"{"host":"here","locked":true}"#.utf8).write(to: progress)
        expectRefusal(try tinyalign("align", "--resume", "run", in: folder), status: 1, saying: "is finished")
        #expect(!FileManager.default.fileExists(atPath: progress.path))
        // What a longer run goes on from.
        #expect(try names(in: folder.appending(path: "run")).contains("training_state.safetensors"))
        expectRefusal(
          try tinyalign("align", "--resume", "run", "--steps", "5", in: folder), status: 2,
          saying: "--steps is 5, and the run in")
        for more in [["--samples", "5"], ["--out", "other"], ["--recipe", "tinycatstories"]] {
          expectRefusal(
            try tinyalign(["align", "--resume", "run"] + more, in: folder), status: 2, saying: "give no other settings")
        }
        let command = try CommandRunner(product: "tinyalign").start(
          ["align", "--steps", "100000", "--samples", "16", "--out", "long"], in: folder)
        let metrics = folder.appending(path: "long/metrics.jsonl")
        try command.wait { (try? text(metrics).contains("\n")) ?? false }
        expectRefusal(
          try tinyalign("align", "--resume", "long", in: folder), status: 1,
          saying: "another process is writing to the run folder")
        command.send(SIGINT)
        #expect(try command.wait().status == 130)
      }
    }

    @Test func `verify says whether a step comes out the same`() throws {
      try withTemporaryFolder { folder in
        _ = output(of: try tinyalign(["align", "--out", "run"] + Self.settings, in: folder))
        let same = output(of: try tinyalign("verify", "run", in: folder))
        #expect(same == "step 1: the same to the last bit\nstep 10: the same to the last bit\n")
        let step = output(of: try tinyalign("verify", "run", "--step", "4", "--json", in: folder))
        #expect(step.contains(#""step":4,"verdict":"exact""#))
        expectRefusal(
          try tinyalign("verify", "run", "--step", "5", in: folder), status: 2, saying: "the steps 1, 4, 7, 10")
        let samples = folder.appending(path: "run/samples.jsonl")
        let changed = try text(samples).replacing(#""index":3,"prompt":"Once"#, with: #""index":3,"prompt":"Twice"#)
        try Data(changed.utf8).write(to: samples)
        let other = try tinyalign("verify", "run", in: folder)
        #expect(other.status == 1 && other.output.contains("step 1: DIFFERENT: story 3 is"))
      }
    }
  }
}
