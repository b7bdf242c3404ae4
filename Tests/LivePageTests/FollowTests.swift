import Foundation
import JSON
import Runs
import Testing

/// A page that asks again and again what is new.
private struct NewsReader {
  let page: PageClient
  private var version: String

  /// Asks for the first time.
  init(_ page: PageClient) async throws {
    self.page = page
    let news = try await page.json("/api/news")
    #expect(news["all"] == true)
    version = try #require(news["version"]?.stringValue)
  }

  /// Asks until there is what `isWanted` looks for; whether it came. The limit is for a computer that is busy with other tests.
  mutating func wait(seconds: Double = 30, for isWanted: (JSONValue) -> Bool) async throws -> Bool {
    let start = ContinuousClock.now
    while (ContinuousClock.now - start) / .seconds(1) < seconds {
      let news = try await page.json("/api/news?since=\(version)")
      #expect(news["all"] == false)
      version = try #require(news["version"]?.stringValue)
      if isWanted(news) { return true }
      try await Task.sleep(for: .milliseconds(50))
    }
    return false
  }

  mutating func wait(forReset id: String) async throws -> Bool {
    try await wait { $0["resets"] == .array([.string(id)]) }
  }
}

@Suite(.serialized) struct FollowTests {
  @Test func `a step is told soon after its line, and can be read then`() async throws {
    try await withFolder { folder in
      let run = try WrittenRun(folder.appending(path: "a"))
      try run.step(1)
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        var news = try await NewsReader(page)
        for step in 2...5 {
          try run.step(step)
          let isTold = try await news.wait {
            #expect($0["resets"] == [] && $0["gone"] == [])
            let told = $0["steps"]?.arrayValue ?? []
            return told.count == 1 && told[0]["run"] == .string(id) && told[0]["step"] == .integer(step)
          }
          #expect(isTold, "step \(step)")
          #expect(try await page.json("/api/charts?runs=\(id)")["steps"]?.integerValue == step)
          #expect(try await page.json("/api/samples?run=\(id)&step=\(step)")["total"] == 6)
        }
      }
    }
  }

  @Test func `a new run and a changed status are told`() async throws {
    try await withFolder { folder in
      let first = try WrittenRun(folder.appending(path: "a"))
      try await withServer([folder]) { page async throws in
        var news = try await NewsReader(page)
        _ = try WrittenRun(folder.appending(path: "b"), seed: 2)
        #expect(try await news.wait { $0["runs"] == true })
        _ = try await page.id("b")
        try first.writer.update(status: .interrupted)
        #expect(try await news.wait { $0["runs"] == true })
        let runs = try await page.json("/api/runs")["runs"]?.arrayValue
        #expect(runs?.first { $0["name"] == "a" }?["status"] == "interrupted")
      }
    }
  }

  @Test func `a run that is begun again in its folder is told and read anew`() async throws {
    try await withFolder { folder in
      let place = folder.appending(path: "a")
      var run = try WrittenRun(place)
      for step in 1...4 { try run.step(step) }
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        #expect(try await page.json("/api/charts?runs=\(id)")["steps"] == 4)
        #expect(try await page.json("/api/samples?run=\(id)")["total"] == 24)
        #expect(try await page.json("/api/followed?run=\(id)")["steps"] == [0, 1, 2, 4])
        var news = try await NewsReader(page)
        run.writer.close()
        try FileManager.default.removeItem(at: place)
        run = try WrittenRun(place, seed: 9)
        try run.step(1)
        #expect(try await news.wait(forReset: id))
        #expect(try await page.json("/api/charts?runs=\(id)")["steps"] == 1)
        #expect(try await page.json("/api/samples?run=\(id)")["total"] == 6)
        #expect(try await page.json("/api/followed?run=\(id)")["steps"] == [0, 1])
        #expect(try await page.json("/api/tree?run=\(id)")["steps"] == [0, 1])
        let runs = try await page.json("/api/runs")["runs"]?.arrayValue
        #expect(runs?.map { $0["seed"] } == [9])
      }
    }
  }

  @Test func `files that are cut, also when they have grown again, are read anew`() async throws {
    try await withFolder { folder in
      let place = folder.appending(path: "a")
      _ = try WrittenRun(finished: place, steps: 6)
      let names = ["metrics.jsonl", "samples.jsonl", "followed_stories.jsonl", "story_trees.jsonl"]
      let whole = try names.map { try Data(contentsOf: place.appending(path: $0)) }
      /// Writes into the same file, as a run does that is resumed.
      func write(_ data: Data, _ name: String) throws {
        let handle = try FileHandle(forWritingTo: place.appending(path: name))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: data)
        try handle.close()
      }
      func firstLines(_ data: Data, _ count: Int) -> Data {
        Data(
          data.split(separator: 0x0A, omittingEmptySubsequences: false).prefix(count).joined(separator: [0x0A]) + [0x0A]
        )
      }
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        func counts() async throws -> [JSONValue?] {
          [
            try await page.json("/api/charts?runs=\(id)")["steps"],
            try await page.json("/api/samples?run=\(id)")["total"],
            try await page.json("/api/followed?run=\(id)")["steps"],
            try await page.json("/api/tree?run=\(id)")["steps"],
          ]
        }
        #expect(try await counts() == [6, 36, [0, 1, 2, 4], [0, 1, 2, 4]])
        var news = try await NewsReader(page)
        for (name, (data, count)) in zip(names, zip(whole, [2, 12, 4, 2])) { try write(firstLines(data, count), name) }
        #expect(try await news.wait(forReset: id))
        #expect(try await counts() == [2, 12, [0, 1], [0, 1]])
        for (name, data) in zip(names, whole) { try write(data, name) }
        #expect(try await counts() == [6, 36, [0, 1, 2, 4], [0, 1, 2, 4]])
        // Longer than before, and other: only its content tells that it was cut in between.
        let samples = (1...9).flatMap { step in (0..<6).map { WrittenRun.sample(step: step, index: $0 + 1) } }
        var writer = JSONWriter()
        for sample in samples {
          sample.write(to: &writer)
          writer.raw(0x0A)
        }
        try write(Data(writer.bytes), "samples.jsonl")
        let answer = try await page.json("/api/samples?run=\(id)&limit=100")
        #expect(answer["samples"]?.arrayValue?.map { $0["text"]?.stringValue } == samples.map(\.text))
        try write(Data(), "samples.jsonl")
        #expect(try await page.json("/api/samples?run=\(id)")["total"] == 0)
        try FileManager.default.removeItem(at: place.appending(path: "samples.jsonl"))
        let missing = try await page.get("/api/samples?run=\(id)")
        #expect(missing.status == 200)
        #expect(try missing.json()["total"] == 0)
      }
    }
  }

  @Test func `a run that is deleted is told, and what was read of it stays`() async throws {
    try await withFolder { folder in
      let run = try WrittenRun(folder.appending(path: "a"))
      try run.step(1)
      try run.step(2)
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        #expect(try await page.json("/api/charts?runs=\(id)")["steps"] == 2)
        var news = try await NewsReader(page)
        try FileManager.default.removeItem(at: folder.appending(path: "a"))
        #expect(try await news.wait { $0["gone"] == .array([.string(id)]) })
        let runs = try await page.json("/api/runs")["runs"]?.arrayValue
        #expect(runs?.map { $0["status"] } == ["gone"])
        #expect(runs?.map { $0["is_live"] } == [false])
        #expect(try await page.json("/api/charts?runs=\(id)")["steps"] == 2)
        #expect(try await page.get("/api/overview?runs=\(id)").status == 200)
        let samples = try await page.get("/api/samples?run=\(id)")
        #expect(samples.status == 404)
        #expect(try samples.message()?.isEmpty == false)
        // It comes back.
        let again = try WrittenRun(folder.appending(path: "a"), seed: 2)
        try again.step(1)
        #expect(try await news.wait(forReset: id))
        #expect(try await page.json("/api/charts?runs=\(id)")["steps"] == 1)
      }
    }
  }

  @Test func `a page of a server that was here before asks for everything again`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"))
      try await withServer([folder]) { page async throws in
        for version in ["", "1", "x.y", "0.0", "%F0%9F%90%B1.1"] {
          #expect(try await page.json("/api/news?since=\(version)")["all"] == true)
        }
      }
    }
  }

  @Test func `twenty pages at once get the same answers`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"), steps: 40, samplesPerStep: 200)
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        let targets = [
          "/", "/api/overview?runs=\(id)", "/api/charts?runs=\(id)", "/api/samples?run=\(id)&step=40",
          "/api/tree?run=\(id)", "/api/followed?run=\(id)", "/api/sample?run=\(id)&step=3&index=5",
        ]
        let answers = try await withThrowingTaskGroup(of: [String].self) { group in
          for _ in 0..<20 {
            group.addTask {
              try await PageClient.away {
                let connection = try PageConnection(port: page.port)
                return try targets.map { target in
                  connection.send("GET \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(page.port)\r\n\r\n")
                  let answer = try connection.answer()
                  return "\(answer.status) \(answer.text)"
                }
              }
            }
          }
          return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.count == 20)
        // The first answers may come before all samples are in the index.
        let same = answers.map { $0.map { $0.replacing("\"indexed\":false", with: "\"indexed\":true") } }
        #expect(Set(same).count == 1)
        #expect(same.first?.allSatisfy { $0.hasPrefix("200 ") } == true)
      }
    }
  }
}
