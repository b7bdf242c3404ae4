import Foundation
import TestSupport
import Testing

extension CommandTests {
  @Suite struct RewardComparisonTests {
    @Test func `the end of a run compares the reward over the same prompts`() throws {
      try withTemporaryFolder { folder in
        // A learning rate at which nothing moves; each step has one of two prompts, which earn differently.
        let result = try tinyalign(
          "align", "--prompt", "The cat sat with the other cat", "--prompt", "Stocks fell today", "--steps", "7",
          "--samples", "4", "--samples-per-prompt", "4", "--max-new-tokens", "2", "--learning-rate", "1e-30",
          "--out", "run", in: folder)
        let lines = output(of: result).isEmpty ? result.errorLines : []
        let end = try #require(lines.first { $0.hasPrefix("Mean reward") })
        #expect(end.contains("over 2 prompts, the first and the last time each came"))
        let numbers = end.matches(of: /0\.\d{3}/).prefix(2).compactMap { Double($0.output) }
        try #require(numbers.count == 2)
        // The prompts are about 0.4 apart.
        #expect(abs(numbers[0] - numbers[1]) < 0.1, "\(end)")
      }
    }
  }
}
