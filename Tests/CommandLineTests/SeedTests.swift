import Foundation
import TestSupport
import Testing

extension CommandTests {
  /// Seeds that neither a signed 64-bit number nor a double holds.
  @Suite struct SeedTests {
    private static let settings = ["--steps", "4", "--samples", "8"]

    /// Makes a finished run one that was killed after its second step, with nothing else kept.
    private func forget(_ run: URL, replacing seed: String? = nil, with other: String = "") throws {
      let file = run.appending(path: "run.json")
      var manifest = try text(file).replacing(#""status": "finished""#, with: #""status": "running""#)
      if let seed {
        // The recipe's own line ends without a quote; the one beside it is in quotes and stays.
        try #require(manifest.contains(#""seed": \#(seed)"#))
        manifest = manifest.replacing(#""seed": \#(seed)"#, with: #""seed": \#(other)"#)
      }
      try Data(manifest.utf8).write(to: file)
      let metrics = run.appending(path: "metrics.jsonl")
      let lines = try text(metrics).split(separator: "\n").prefix(2).map { $0 + "\n" }
      try Data(lines.joined().utf8).write(to: metrics)
      try FileManager.default.removeItem(at: run.appending(path: "checkpoints"))
    }

    @Test(arguments: ["9223372036854775807", "9223372036854775833", "18446744073709551615"])
    func `a run with a large seed keeps every digit, and goes on with it`(seed: String) throws {
      try withTemporaryFolder { folder in
        _ = output(of: try tinyalign(["align", "--out", "run", "--seed", seed] + Self.settings, in: folder))
        let run = folder.appending(path: "run")
        let samples = try Data(contentsOf: run.appending(path: "samples.jsonl"))
        let manifest = try text(run.appending(path: "run.json"))
        // Beside the recipe and in it.
        #expect(manifest.ranges(of: seed).count == 2)
        _ = output(of: try tinyalign("report", "run", in: folder))
        #expect(try text(run.appending(path: "report.html")).contains(seed))
        try forget(run)
        let resumed = try tinyalign("align", "--resume", "run", in: folder)
        #expect(resumed.status == 0 && !resumed.errors.contains("otherwise"), "\(resumed.errors)")
        #expect(try Data(contentsOf: run.appending(path: "samples.jsonl")) == samples)
        #expect(try text(run.appending(path: "run.json")).ranges(of: seed).count == 2)
      }
    }

    @Test(arguments: [
      ("9223372036854775833", "9.223372036854776e+18"), ("18446744073709551615", "1.8446744073709552e+19"),
    ])
    func `a run of version 0.1.0, whose recipe has the seed rounded, goes on with the right one`(
      seed: String, rounded: String
    ) throws {
      try withTemporaryFolder { folder in
        _ = output(of: try tinyalign(["align", "--out", "run", "--seed", seed] + Self.settings, in: folder))
        let run = folder.appending(path: "run")
        let samples = try Data(contentsOf: run.appending(path: "samples.jsonl"))
        try forget(run, replacing: seed, with: rounded)
        _ = output(of: try tinyalign("align", "--resume", "run", in: folder))
        #expect(try Data(contentsOf: run.appending(path: "samples.jsonl")) == samples)
        #expect(output(of: try tinyalign("verify", "run", in: folder)).contains("step 1: the same to the last bit"))
      }
    }
  }
}
