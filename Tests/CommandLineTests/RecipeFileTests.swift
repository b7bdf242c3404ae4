import Foundation
import TestSupport
import Testing

extension CommandTests {
  /// The recipe that a report shows, as a file.
  @Suite struct RecipeFileTests {
    /// The YAML of a report, unescaped.
    private func yaml(ofReport report: URL) throws -> String {
      let page = try text(report)
      let pre = try #require(page.firstRange(of: "<pre"))
      let rest = page[pre.upperBound...]
      let start = try #require(rest.firstIndex(of: ">"))
      let end = try #require(rest.firstRange(of: "</pre>"))
      return [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
        .reduce(String(rest[rest.index(after: start)..<end.lowerBound])) { $0.replacing($1.0, with: $1.1) }
    }

    @Test func `a report tells every setting in force, and its YAML makes the same run`() throws {
      try withTemporaryFolder { folder in
        let flags = [
          "--steps", "2", "--samples", "8", "--seed", "18446744073709551615", "--lora-rank", "2", "--optimizer", "sgd",
          "--prompt", "Once \"upon\"\u{2028}a: time\n# \\ \u{1F600}\u{85}\u{202E}", "--prompt", "0x10", "--toward",
          "no",
        ]
        _ = output(of: try tinyalign(["align", "--out", "first"] + flags, in: folder))
        let first = folder.appending(path: "first")
        let page = try text(first.appending(path: "report.html"))
        for (name, value) in [
          ("weight_decay", "0"), ("lora_alpha", "4"), ("max_gradient_norm", "none: gradients are not clipped"),
          ("seed", "18446744073709551615"), ("samples_per_prompt", "4"), ("model", "tinystories"),
        ] {
          #expect(page.contains("<th scope=\"row\">\(name)</th><td>\(value)</td>"), "\(name)")
        }
        let recipe = try yaml(ofReport: first.appending(path: "report.html"))
        #expect(recipe.contains("# model tinystories, SHA-256 "))
        #expect(recipe.contains("# TinyAlign 0."))
        try Data(recipe.utf8).write(to: folder.appending(path: "again.yaml"))
        _ = output(of: try tinyalign("align", "--recipe", "again.yaml", "--out", "second", in: folder))
        let second = folder.appending(path: "second")
        #expect(
          try Data(contentsOf: second.appending(path: "samples.jsonl"))
            == Data(contentsOf: first.appending(path: "samples.jsonl")))
        #expect(
          try yaml(ofReport: second.appending(path: "report.html")).split(separator: "\n").dropFirst()
            == recipe.split(separator: "\n").dropFirst())
      }
    }
  }
}
