import Foundation
import TestSupport
import Testing

extension CommandTests {
  @Suite struct HelpTests {
    private static let options: [(command: String, options: [String])] = [
      (
        "align",
        [
          "--recipe", "--model", "--toward", "--prompt", "--steps", "--samples", "--max-new-tokens", "--learning-rate",
          "--optimizer", "--algorithm", "--kl-coefficient", "--kl-direction", "--kl-reduction", "--length-normalizer",
          "--reference", "--checkpoint-every", "--micro-batch", "--seed", "--out", "--json", "--prompts",
          "--prompt-column",
          "--system", "--samples-per-prompt", "--tensorboard",
        ]
      ),
      (
        "sample",
        [
          "--model", "--prompt", "--prompts", "--prompt-column", "--system", "-n", "--max-new-tokens", "--temperature",
          "--top-k", "--top-p", "--seed", "--json",
        ]
      ),
      ("score", ["--model", "--file", "--bos", "--json"]),
      ("tokenize", ["--model", "--file", "--decode", "--json"]),
      ("embed", ["--model", "--file", "--json"]),
      ("reward", ["--toward", "--file", "--json"]),
      ("pretrain", ["--config", "--data", "--out", "--json"]),
      ("report", ["--compare", "--csv", "--tensorboard", "--json"]),
    ]

    @Test(arguments: options)
    func `every command explains its options`(command: String, options: [String]) throws {
      try withTemporaryFolder { folder in
        let help = try tinyalign(command, "--help", in: folder)
        #expect(help.errors.isEmpty)
        let lines = output(of: help).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.first?.hasPrefix("OVERVIEW: ") == true)
        for option in options {
          #expect(lines.contains { $0.hasPrefix("  \(option) ") || $0.hasPrefix("  \(option),") }, "\(option)")
        }
        // A text that was broken into lines by hand is broken again by the parser, and gets short lines in between.
        let overview = lines.prefix { !$0.hasPrefix("USAGE:") }
        for (line, next) in zip(overview, overview.dropFirst()) {
          guard !line.isEmpty, let word = next.split(separator: " ").first else { continue }
          #expect(line.count + 1 + word.count >= 80, "a line that ends too early: \(line)")
        }
        #expect(try names(in: folder).isEmpty)
      }
    }

    @Test func `the program names its commands and its version`() throws {
      try withTemporaryFolder { folder in
        let help = output(of: try tinyalign("--help", in: folder))
        for (command, _) in Self.options { #expect(help.contains("\n  \(command) "), "\(command)") }
        let version = output(of: try tinyalign("--version", in: folder)).split(separator: ".")
        #expect(version.count == 3)
        #expect(version.first.flatMap { Int($0) } != nil)
      }
    }
  }
}
