import Foundation
import JSON
import Reports
import Runs
import Testing

@Suite struct SampleTests {
  /// The samples of a run as the page must show them, by the plainest means.
  private static func expected(
    _ records: [SampleRecord], step: Int? = nil, text: String = "", sort: String = "index", isDescending: Bool = false
  ) -> [SampleRecord] {
    let chosen = records.filter { record in
      (step == nil || record.step == step)
        && (text.isEmpty || (record.prompt + record.text).lowercased().contains(text.lowercased()))
    }
    func key(_ record: SampleRecord) -> Float? {
      switch sort {
      case "reward": record.reward
      case "advantage": record.advantage
      case "length": Float(record.tokenIDs.count)
      case "kl": record.logRatio.map { Float($0) }
      default: nil
      }
    }
    if sort == "index" { return isDescending ? chosen.reversed() : chosen }
    let known = chosen.enumerated().filter { key($0.element) != nil }
    let unknown = chosen.filter { key($0) == nil }
    let sorted = known.sorted { first, second in
      guard let a = key(first.element), let b = key(second.element), a != b else { return first.offset < second.offset }
      return isDescending ? a > b : a < b
    }
    return sorted.map(\.element) + unknown
  }

  private static func places(_ answer: JSONValue) -> [[Int?]]? {
    answer["samples"]?.arrayValue?.map { [$0["step"]?.integerValue, $0["index"]?.integerValue] }
  }

  /// Asks until everything is in the index.
  private static func indexed(_ page: PageClient, _ target: String) async throws -> JSONValue {
    for _ in 0..<100 {
      let answer = try await page.json(target)
      if answer["indexed"] == true { return answer }
      try await Task.sleep(for: .milliseconds(50))
    }
    return try #require(nil, "never indexed")
  }

  @Test func `a sample is shown as it was written`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"))
      let records = try RunReader(folder: folder.appending(path: "a")).samples(steps: 1...4)
      try await withServer([folder]) { page async throws in
        let answer = try await page.json("/api/samples?run=\(try await page.id("a"))")
        #expect(answer.keys == ["total", "first_step", "last_step", "indexed", "problems", "samples"])
        #expect(answer["total"] == 24)
        #expect(answer["first_step"] == 1)
        #expect(answer["last_step"] == 4)
        #expect(answer["indexed"] == true)
        #expect(answer["problems"] == [])
        let samples = try #require(answer["samples"]?.arrayValue)
        #expect(samples.count == 24)
        for (sample, record) in zip(samples, records) {
          #expect(
            sample.keys == [
              "step", "index", "prompt", "words", "text", "reward", "advantage", "kl", "tokens", "finish_reason",
            ])
          #expect(sample["step"]?.integerValue == record.step)
          #expect(sample["index"]?.integerValue == record.index)
          #expect(sample["prompt"]?.stringValue == record.prompt)
          #expect(sample["text"]?.stringValue == record.text)
          #expect(sample["reward"]?.doubleValue.map { Float($0) } == record.reward)
          #expect(sample["advantage"]?.doubleValue.map { Float($0) } == record.advantage)
          #expect(sample["kl"] == (record.logRatio.map { .number($0) } ?? .null))
          #expect(sample["tokens"]?.integerValue == record.tokenIDs.count)
          #expect(sample["finish_reason"]?.stringValue == record.finishReason.rawValue)
        }
      }
    }
  }

  @Test func `search and sort agree with plain filtering and sorting of all samples`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"), steps: 12, samplesPerStep: 40)
      let records = try RunReader(folder: folder.appending(path: "a")).samples(steps: 1...12)
      let texts = [
        "", "cat", "CAT", "dog", "bär", "BÄR", "\n", "\"", "fox\"", "<SCRIPT>", "& co", "\\", "was cat", "as",
        "once upon",
        "WAS \"FOX", "nothing like it", "owl & co cat", "r\n bär",
      ]
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        var found = 0
        for text in texts {
          let query = text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
          for sort in ["index", "reward", "kl", "advantage", "length"] {
            for order in ["asc", "desc"] {
              for step in [nil, 7, 12] as [Int?] {
                let target =
                  "/api/samples?run=\(id)&q=\(query)&sort=\(sort)&order=\(order)&step=\(step.map(String.init) ?? "all")"
                let answer = try await page.json("\(target)&limit=500")
                let wanted = Self.expected(
                  records, step: step, text: text, sort: sort, isDescending: order == "desc")
                #expect(answer["total"]?.integerValue == wanted.count, "\(target)")
                #expect(Self.places(answer) == wanted.map { [$0.step, $0.index] }, "\(target)")
                found += wanted.count
              }
            }
          }
        }
        #expect(found > 10_000)
        let pages = try await page.json("/api/samples?run=\(id)&sort=reward&offset=30&limit=7")
        let wanted = Self.expected(records, sort: "reward", isDescending: true)[30..<37]
        #expect(Self.places(pages) == wanted.map { [$0.step, $0.index] })
        #expect(pages["total"] == 480)
      }
    }
  }

  @Test func `a step is found before everything is indexed`() async throws {
    try await withFolder { folder in
      // Far more than is read at once.
      _ = try WrittenRun(finished: folder.appending(path: "a"), steps: 60, samplesPerStep: 700)
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        let first = try await page.json("/api/samples?run=\(id)&step=all&limit=1")
        #expect(first["indexed"] == false)
        #expect(first["first_step"] == 1)
        #expect(first["last_step"] == 60)
      }
      for step in [1, 2, 30, 59, 60, 61] {
        try await withServer([folder]) { page async throws in
          let id = try await page.id("a")
          let answer = try await page.json("/api/samples?run=\(id)&step=\(step)&limit=500&offset=300&sort=index")
          let wanted = step > 60 ? [] : (300..<700).map { [step, $0] }
          #expect(answer["total"]?.integerValue == (step > 60 ? 0 : 700))
          #expect(Self.places(answer) == wanted)
          #expect(try await page.get("/api/sample?run=\(id)&step=\(step)&index=699").status == (step > 60 ? 404 : 200))
        }
      }
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        let all = try await Self.indexed(page, "/api/samples?run=\(id)&step=all&limit=1&order=desc&sort=index")
        #expect(all["total"] == 42_000)
        #expect(Self.places(all) == [[60, 699]])
        let step = try await page.json("/api/samples?run=\(id)&step=31&limit=500")
        #expect(Self.places(step)?.first == [31, 0])
        #expect(step["total"] == 700)
      }
    }
  }

  @Test func `a story's heat map has its advantages and the tree that the model had before`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"))
      let reader = try RunReader(folder: folder.appending(path: "a"))
      let samples = try reader.samples(steps: [4])
      let tree = try #require(try reader.storyTrees().trees.first { $0.step == 2 })
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        let answer = try await page.json("/api/sample?run=\(id)&step=4&index=3")
        #expect(answer["sample"]?["index"] == 3)
        #expect(answer["sample"]?["step"] == 4)
        let advantages = prefixAdvantages(of: samples[3], among: samples)
        #expect(
          answer["heat_map"]?.stringValue == HeatMap(sample: samples[3], advantages: advantages, tree: tree).html)
      }
    }
  }

  @Test func `runs of older versions without numbers for each token are shown`() async throws {
    try await withFolder { folder in
      let run = folder.appending(path: "a")
      _ = try WrittenRun(finished: run, steps: 1)
      let line =
        "{\"step\": 1, \"index\": 0, \"prompt\": \"P\", \"token_ids\": [1, 2], \"text\": \"caf\\u00e9 \\ud83d\\ude00\", "
        + "\"reward\": 0.5, \"advantage\": 0.1, \"log_probability\": -1.5, \"finish_reason\": \"stop\", \"new\": {\"a\": [1]}}\n"
      try Data(line.utf8).write(to: run.appending(path: "samples.jsonl"))
      for name in ["followed_stories.jsonl", "story_trees.jsonl"] {
        try FileManager.default.removeItem(at: run.appending(path: name))
      }
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        for query in ["", "&q=CAF%C3%89", "&q=%F0%9F%98%80", "&q=pcaf"] {
          let answer = try await page.json("/api/samples?run=\(id)\(query)")
          #expect(answer["samples"]?.arrayValue?.map { $0["text"]?.stringValue } == ["café 😀"], "\(query)")
          #expect(answer["samples"]?.arrayValue?.map { $0["kl"] } == [.null], "\(query)")
        }
        #expect(try await page.get("/api/sample?run=\(id)&step=1&index=0").status == 200)
        let followed = try await page.json("/api/followed?run=\(id)")
        #expect(followed["stories"] == [])
        #expect(try await page.json("/api/tree?run=\(id)")["prompts"] == [])
      }
    }
  }
}
