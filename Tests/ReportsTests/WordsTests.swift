import Foundation
import JSON
import Reports
import Runs
import TestSupport
import Testing

private func manifest(_ recipe: JSONValue, seed: UInt64 = 1, sum: String = "aa", threads: Int = 2) -> RunManifest {
  RunManifest(
    programVersion: "1", recipe: recipe, seed: seed, model: .init(name: "m", sha256: sum), platform: "p",
    threadCount: threads)
}

@Suite("Words and figures") struct WordsTests {
  @Test func `runs alike differ in nothing, and one run differs from none`() {
    let one = manifest(["steps": 80, "kl": ["coefficient": 0.1]])
    #expect(recipeDifferences([one, one, one]).isEmpty)
    #expect(recipeDifferences([one]).isEmpty)
    #expect(recipeDifferences([]).isEmpty)
    // The same number, written in another way.
    #expect(recipeDifferences([one, manifest(["steps": 80.0, "kl": ["coefficient": 0.1]])]).isEmpty)
  }

  @Test func `differences are named with their values, in the order of the recipe`() {
    let runs = [
      manifest(["toward": "cat", "steps": 80, "kl": ["coefficient": 0.1, "direction": "forward"], "clip": .null]),
      manifest(["toward": "dog", "steps": 80, "kl": ["coefficient": 0, "direction": "forward"]], seed: 2, sum: "bb"),
      manifest(["toward": "cat", "steps": 80, "kl": ["coefficient": 0.1], "extra": true], threads: 4),
    ]
    #expect(
      recipeDifferences(runs) == [
        RecipeDifference(key: "toward", values: ["cat", "dog", "cat"]),
        RecipeDifference(key: "kl.coefficient", values: ["0.1", "0", "0.1"]),
        RecipeDifference(key: "kl.direction", values: ["forward", "forward", "–"]),
        RecipeDifference(key: "clip", values: ["none", "–", "–"]),
        RecipeDifference(key: "extra", values: ["–", "–", "yes"]),
        RecipeDifference(key: "model, SHA-256", values: ["aa", "bb", "aa"]),
        RecipeDifference(key: "seed", values: ["1", "2", "1"]),
        RecipeDifference(key: "threads", values: ["2", "2", "4"]),
      ])
  }

  @Test func `long lists are shortened, and still told apart by their ends`() {
    func prompts(_ last: String) -> JSONValue {
      .object([.init("prompt", .array((0..<500).map { _ in "once" } + [.string(last)]))])
    }
    let found = recipeDifferences([manifest(prompts("a")), manifest(prompts("b"))])
    #expect(found.map(\.key) == ["prompt"])
    #expect(found.first?.values.allSatisfy { $0.count == 160 && $0.hasSuffix("…") } == true)
  }

  @Test func `a recipe that is no object, or has a key twice, is compared all the same`() {
    let odd = manifest(.object([.init("a", 1), .init("a", 2)]))
    #expect(recipeDifferences([odd, manifest("text")]).map(\.key) == ["a"])
    #expect(recipeDifferences([manifest(.null), manifest([])]).isEmpty)
  }

  @Test func `tiles tell first and last, plainly`() {
    let metrics = SyntheticRun().metrics
    let tiles = runTiles(metrics)
    #expect(tiles.map(\.name) == ["Mean reward", "KL to the reference", "Entropy", "Stories told", "Time", "Speed"])
    #expect(
      tiles.first?.value
        == "\(Numbers.fixed(metrics[0].rewardMean, 3)) → \(Numbers.fixed(metrics[79].rewardMean, 3))")
    #expect(tiles[3].value == "10,240")
    #expect(tiles.allSatisfy { !$0.value.contains("<") && !$0.note.isEmpty })
    #expect(runTiles([]).isEmpty)
    #expect(runTiles(Array(metrics.prefix(1))).first?.value == Numbers.fixed(metrics[0].rewardMean, 3))
  }

  @Test func `tiles of numbers out of range are tiles, too`() {
    var metrics = SyntheticRun(steps: 2).metrics
    metrics[0].tokens = Int.max
    metrics[1].tokens = Int.max
    metrics[0].seconds = 0
    metrics[1].seconds = 0
    metrics[1].distinctStories = Int.min
    metrics[1].meanLength = 1e-300
    metrics[1].klForward = .nan
    #expect(runTiles(metrics).count == 6)
    #expect(runTiles(metrics).last?.value == "–")
  }

  @Test func `the glossary explains every metric with its unit`() throws {
    let html = glossaryHTML()
    let markup = Markup(html)
    let line = try JSONValue(parsing: try SyntheticRun(steps: 1).metrics[0].jsonLine())
    guard case .object(let members) = line else {
      Issue.record("metrics are no object")
      return
    }
    #expect(members.count == 17)
    let keys = Set(
      html.components(separatedBy: "<code>").dropFirst()
        .flatMap { ($0.components(separatedBy: "</code>").first ?? "").components(separatedBy: ", ") })
    for member in members {
      let isThere = keys.contains(member.key)
      #expect(isThere, "\(member.key)")
    }
    for part in ["rollout", "reward", "reference", "backward", "optimizer"] {
      #expect(markup.text.contains("(\(part))"))
    }
    let terms = markup.elements.filter { $0.name == "dt" }.count
    #expect(terms == markup.elements.filter { $0.name == "dd" }.count)
    #expect(terms == markup.elements.filter { $0.name == "i" }.count)
    #expect(terms >= 15)
  }
}
