import Foundation
import JSON
import Runs
import Testing

@Suite struct DamageTests {
  /// Replaces a file's lines.
  private static func edit(_ file: URL, _ change: (inout [String]) -> Void) throws {
    var lines = String(decoding: try Data(contentsOf: file), as: UTF8.self).components(separatedBy: "\n")
    change(&lines)
    try Data(lines.joined(separator: "\n").utf8).write(to: file)
  }

  @Test func `a damaged line is told, and the rest is shown`() async throws {
    try await withFolder { folder in
      let run = folder.appending(path: "a")
      _ = try WrittenRun(finished: run)
      try Self.edit(run.appending(path: "metrics.jsonl")) { $0[1] = "{\"step\":2,nonsense" }
      try Self.edit(run.appending(path: "samples.jsonl")) { lines in
        lines[2] = "{}"
        lines[7] = String(lines[7].dropLast(9))
        lines[8] = lines[8].replacing("\"reward\":", with: "\"reward\":1e999,\"x\":")
        lines.insert("", at: 4)
      }
      try Self.edit(run.appending(path: "followed_stories.jsonl")) { $0[0] = "\u{0}" }
      try Self.edit(run.appending(path: "story_trees.jsonl")) { lines in
        lines[1] = lines[1].replacing("\"parent\":0", with: "\"parent\":7")
      }
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        let overview = try await page.json("/api/overview?runs=\(id)")["runs"]?.arrayValue?.first
        let problems = try #require(overview?["problems"]?.arrayValue?.compactMap { $0.stringValue })
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("metrics.jsonl, line 2: ") == true)
        #expect(try await page.json("/api/charts?runs=\(id)")["steps"] == 4)
        let samples = try await page.json("/api/samples?run=\(id)")
        #expect(samples["total"] == 21)
        let lines = try #require(samples["problems"]?.arrayValue?.compactMap { $0.stringValue })
        #expect(lines.map { $0.prefix { $0 != ":" } } == [3, 9, 10].map { "samples.jsonl, line \($0)" })
        let followed = try await page.json("/api/followed?run=\(id)")
        #expect(followed["problems"]?.arrayValue?.count == 1)
        #expect(followed["stories"]?.arrayValue?.count == 2)
        let tree = try await page.json("/api/tree?run=\(id)")
        #expect(tree["steps"] == [0, 2, 4])
        #expect(tree["problems"]?.arrayValue?.count == 1)
      }
    }
  }

  @Test func `a last line that was torn off is not shown before it is whole`() async throws {
    try await withFolder { folder in
      let run = folder.appending(path: "a")
      _ = try WrittenRun(finished: run)
      for name in ["metrics.jsonl", "samples.jsonl", "followed_stories.jsonl", "story_trees.jsonl"] {
        let file = run.appending(path: name)
        try Data(try Data(contentsOf: file).dropLast(12)).write(to: file)
      }
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        #expect(try await page.json("/api/charts?runs=\(id)")["steps"] == 3)
        #expect(try await page.json("/api/samples?run=\(id)")["total"] == 23)
        let problems = try await page.json("/api/overview?runs=\(id)")["runs"]?.arrayValue?.first?["problems"]
        #expect(problems == [])
        let sample = WrittenRun.sample(step: 4, index: 5)
        var writer = JSONWriter()
        sample.write(to: &writer)
        let handle = try FileHandle(forWritingTo: run.appending(path: "samples.jsonl"))
        _ = try handle.seekToEnd()
        try handle.write(contentsOf: Data(writer.bytes.suffix(11) + [0x0A]))
        try handle.close()
        #expect(try await page.json("/api/samples?run=\(id)")["total"] == 24)
      }
    }
  }

  @Test func `a run.json that cannot be read is a failed run with the reason`() async throws {
    try await withFolder { folder in
      for (name, text) in [
        "empty": "", "list": "[]", "deep": String(repeating: "[", count: 200), "half": "{\"schema_version\":1,",
      ] {
        let run = folder.appending(path: name)
        _ = try WrittenRun(finished: run)
        try Data(text.utf8).write(to: run.appending(path: "run.json"))
      }
      let newer = folder.appending(path: "newer")
      _ = try WrittenRun(finished: newer)
      try Self.edit(newer.appending(path: "run.json")) { lines in
        lines = lines.map { $0.replacing("\"schema_version\": 1", with: "\"schema_version\": 99") }
      }
      try await withServer([folder]) { page async throws in
        let runs = try #require(try await page.json("/api/runs")["runs"]?.arrayValue)
        #expect(runs.count == 5)
        for run in runs {
          #expect(run["status"] == "failed")
          #expect(run["message"]?.stringValue?.isEmpty == false)
          #expect(run["created"] == .null)
          #expect(run["completed_steps"] == 4)
        }
        let id = try await page.id("half")
        let sound = try await page.id("newer")
        let overview = try await page.json("/api/overview?runs=\(id),\(sound)")
        #expect(overview["runs"]?.arrayValue?.count == 2)
        #expect(try await page.json("/api/samples?run=\(id)")["total"] == 24)
      }
    }
  }

  @Test func `whatever bytes the files hold, every route answers`() async throws {
    try await withFolder { folder in
      let sound = folder.appending(path: "sound")
      _ = try WrittenRun(finished: sound, steps: 2)
      let names = ["run.json", "metrics.jsonl", "samples.jsonl", "followed_stories.jsonl", "story_trees.jsonl"]
      var state: UInt64 = 5
      func random(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(bound))
      }
      let values = [
        "-1", "1e400", "99999999999999999999", "null", "1e300", "-0", "[]", "\"\"", "9223372036854775807", "0",
      ]
      for number in 0..<12 {
        let run = folder.appending(path: "run\(number)")
        try FileManager.default.copyItem(at: sound, to: run)
        for name in names {
          let file = run.appending(path: name)
          var text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
          // Numbers become others, so that the JSON stays sound and the values do not.
          for _ in 0..<6 {
            let digits = text.indices.filter { text[$0].isNumber && text[$0].isASCII }
            guard !digits.isEmpty else { break }
            let place = digits[random(digits.count)]
            var start = place
            while start > text.startIndex, "0123456789.-e".contains(text[text.index(before: start)]) {
              start = text.index(before: start)
            }
            var end = place
            while end < text.endIndex, "0123456789.-e".contains(text[end]) { end = text.index(after: end) }
            text.replaceSubrange(start..<end, with: values[random(values.count)])
          }
          try Data(text.utf8).write(to: file)
        }
      }
      try await withServer([folder]) { page async throws in
        let runs = try #require(try await page.json("/api/runs")["runs"]?.arrayValue)
        #expect(runs.count == 13)
        for run in runs {
          let id = try #require(run["id"]?.stringValue)
          for target in [
            "overview?runs=\(id)", "charts?runs=\(id)", "samples?run=\(id)&sort=kl", "samples?run=\(id)&step=1&q=a",
            "sample?run=\(id)&step=1&index=0", "sample?run=\(id)&step=2&index=5", "followed?run=\(id)",
            "tree?run=\(id)",
            "tree?run=\(id)&before=0&after=1", "followed-map?run=\(id)&index=0&step=0",
            "export?run=\(id)&what=tree.svg",
            "export?run=\(id)&what=samples.csv", "export?run=\(id)&what=metrics.csv",
          ] {
            let answer = try await page.get("/api/\(target)")
            #expect([200, 404].contains(answer.status), "\(target): \(answer.status) \(answer.text.prefix(200))")
            if !target.hasPrefix("export") { _ = try answer.json() }
          }
        }
        let all = runs.prefix(24).compactMap { $0["id"]?.stringValue }.joined(separator: ",")
        #expect(try await page.get("/api/charts?runs=\(all)").status == 200)
        #expect(try await page.get("/api/overview?runs=\(all)").status == 200)
      }
    }
  }
}
