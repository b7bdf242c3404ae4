import Foundation
import TestSupport
import Testing

extension CommandTests {
  @Suite struct SettingsInForceTests {
    @Test func `run.json and the report tell every setting in force, and times with their zone`() throws {
      try withTemporaryFolder { folder in
        _ = output(
          of: try tinyalign(
            "align", "--steps", "1", "--samples", "2", "--max-new-tokens", "2", "--lora-rank", "2", "--out", "run",
            in: folder))
        let run = folder.appending(path: "run")
        let manifest = try #require(
          try JSONSerialization.jsonObject(with: Data(contentsOf: run.appending(path: "run.json"))) as? [String: Any])
        let recipe = try #require(manifest["recipe"] as? [String: Any])
        #expect(recipe["weight_decay"] as? Double == 0.01 && recipe["lora_alpha"] as? Double == 4)
        for unset in ["max_gradient_norm", "lora_targets", "keep_best_below_kl", "memory", "reference", "system"] {
          #expect(recipe[unset] is NSNull, "\(unset)")
        }
        let report = try text(run.appending(path: "report.html"))
        for (name, value) in [
          ("weight_decay", "0.01"), ("lora_alpha", "4"), ("max_gradient_norm", "none: gradients are not clipped"),
        ] {
          #expect(report.contains("<tr><th scope=\"row\">\(name)</th><td>\(value)</td></tr>"), "\(name)")
        }
        let created = try #require(manifest["created"] as? String).prefix(16).replacing("T", with: " ")
        #expect(report.components(separatedBy: "\(created) UTC").count == 3)
      }
    }
  }
}
