import Foundation
import TestSupport
import Testing

extension CommandTests {
  /// Groups of completions that all earn the same.
  @Suite struct TieTests {
    private struct Line: Decodable {
      var step: Int
      var tiedGroups: Int

      enum CodingKeys: String, CodingKey {
        case step
        case tiedGroups = "tied_groups"
      }
    }

    @Test func `a step tells how many of its groups are tied`() throws {
      try withTemporaryFolder { folder in
        // One token a completion: two of them are often the same.
        _ = output(
          of: try tinyalign(
            "align", "--prompt", "Once upon a", "--prompt", "The big dog", "--prompt", "She said to", "--samples", "24",
            "--samples-per-prompt", "2", "--max-new-tokens", "1", "--steps", "2", "--out", "run", in: folder))
        func lines<Value: Decodable>(_ name: String, as type: Value.Type) throws -> [Value] {
          try text(folder.appending(path: "run/\(name)")).split(separator: "\n").map {
            try JSONDecoder().decode(type, from: Data($0.utf8))
          }
        }
        let samples = try lines("samples.jsonl", as: SampleLine.self)
        let metrics = try lines("metrics.jsonl", as: Line.self)
        try #require(samples.count == 48 && metrics.map(\.step) == [1, 2])
        for line in metrics {
          let rewards = samples.filter { $0.step == line.step }.map(\.reward)
          let tied = stride(from: 0, to: 24, by: 2).count { rewards[$0] == rewards[$0 + 1] }
          #expect(line.tiedGroups == tied)
          #expect(tied > 0 && tied < 12, "the test needs groups of both kinds")
        }
      }
    }
  }
}
