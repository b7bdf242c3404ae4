import Foundation
import JSON
import Reports
import Runs
import Testing

@Suite struct RouteTests {
  @Test func `runs are listed with what run.json and the last step say, the newest first`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "old"), steps: 3, seed: 1)
      let young = try WrittenRun(folder.appending(path: "young"), seed: 2)
      try young.step(1)
      try await withServer([folder]) { page async throws in
        let runs = try #require(try await page.json("/api/runs")["runs"]?.arrayValue)
        #expect(runs.map { $0["name"]?.stringValue } == ["young", "old"])
        #expect(runs.map { $0["status"]?.stringValue } == ["running", "finished"])
        #expect(runs.map { $0["is_live"] } == [true, false])
        #expect(runs.map { $0["completed_steps"]?.integerValue } == [1, 3])
        #expect(
          runs[1].keys == [
            "id", "name", "status", "folder", "message", "steps", "completed_steps", "samples", "model", "toward",
            "prompts",
            "created", "seed", "last_reward", "last_kl", "is_live", "is_dead", "doing",
          ])
        #expect(runs[1]["steps"] == 3)
        #expect(runs[1]["samples"] == 6)
        #expect(runs[1]["model"] == "tiny & <b>")
        #expect(runs[1]["toward"] == "cat")
        #expect(runs[1]["prompts"] == 1)
        #expect(runs[1]["created"] == "2023-11-14T22:13:21Z")
        #expect(runs[1]["seed"] == 1)
        #expect(runs[1]["last_reward"]?.doubleValue == 0.1 + 0.03)
        #expect(runs[1]["last_kl"]?.doubleValue == 0.03)
        let ids = runs.compactMap { $0["id"]?.stringValue }
        #expect(Set(ids).count == 2)
        #expect(ids.allSatisfy { $0.count == 16 && $0.allSatisfy(\.isHexDigit) })
        // The lock of its folder lives as long as its writer.
        withExtendedLifetime(young) {}
      }
    }
  }

  @Test func `a run folder that is named itself is served, also before it is there`() async throws {
    try await withFolder { folder in
      let place = folder.appending(path: "to-come")
      try await withServer([place]) { page async throws in
        #expect(try await page.json("/api/runs")["runs"] == [])
        _ = try WrittenRun(finished: place)
        try await Task.sleep(for: .milliseconds(600))
        _ = try await page.id("to-come")
      }
    }
  }

  @Test func `a seed that JavaScript would round is in quotes`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"), seed: .max)
      try await withServer([folder]) { page async throws in
        let runs = try await page.json("/api/runs")["runs"]?.arrayValue
        #expect(runs?.first?["seed"] == "18446744073709551615")
      }
    }
  }

  @Test func `the overview has figures and observations of each run and the recipes' differences`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"))
      let other = try WrittenRun(folder.appending(path: "b"), seed: 2, recipe: [.init("learning_rate", 0.001)])
      try other.step(1)
      try await withServer([folder]) { page async throws in
        let ids = [try await page.id("b"), try await page.id("a")]
        let overview = try await page.json("/api/overview?runs=\(ids.joined(separator: ","))")
        let runs = try #require(overview["runs"]?.arrayValue)
        #expect(runs.map { $0["id"]?.stringValue } == ids)
        for (run, name) in zip(runs, ["b", "a"]) {
          let metrics = try RunReader(folder: folder.appending(path: name)).metrics()
          let tiles = try #require(run["tiles"]?.arrayValue)
          #expect(tiles.map { $0["name"]?.stringValue } == runTiles(metrics).map(\.name))
          #expect(tiles.map { $0["value"]?.stringValue } == runTiles(metrics).map(\.value))
          #expect(run["observations_html"]?.stringValue == observationsHTML(observations(of: metrics)))
        }
        let differences = try #require(overview["differences"]?.arrayValue)
        let rate = try #require(differences.first { $0["key"] == "learning_rate" })
        #expect(rate["values"] == ["0.001", "0.0004"])

        try other.writer.append(skipped: SkippedStep(step: 2, reason: "the <gradient> is not finite"))
        let later = try await page.json("/api/overview?runs=\(ids[0])")["runs"]?.arrayValue?[0]
        let said = try #require(later?["observations_html"]?.stringValue)
        #expect(said.contains("Steps were skipped") && said.contains("the &lt;gradient&gt; is not finite"))
      }
    }
  }

  @Test func `charts are those of the report's code`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"))
      try await withServer([folder]) { page async throws in
        let answer = try await page.json("/api/charts?runs=\(try await page.id("a"))")
        let metrics = try RunReader(folder: folder.appending(path: "a")).metrics()
        let expected = metricPanels([RunCurve(label: "a", metrics: metrics)])
        let panels = try #require(answer["panels"]?.arrayValue)
        #expect(!expected.isEmpty)
        #expect(panels.map { $0["key"]?.stringValue } == expected.map(\.key))
        #expect(panels.map { $0["svg"]?.stringValue } == expected.map { $0.chart.embedded() })
        #expect(answer["steps"] == 4)
      }
    }
  }

  @Test func `followed stories are told step by step`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"))
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        let answer = try await page.json("/api/followed?run=\(id)")
        #expect(answer["steps"] == [0, 1, 2, 4])
        let stories = try #require(answer["stories"]?.arrayValue)
        #expect(stories.map { $0["index"] } == [0, 1])
        #expect(stories[0]["prompt"]?.stringValue == WrittenRun.prompt)
        let tellings = try #require(stories[1]["tellings"]?.arrayValue)
        #expect(tellings.map { $0["step"] } == [0, 1, 2, 4])
        #expect(tellings[3]["text"] == " cat & <x-evil>4</x-evil> 1")
        #expect(tellings[3]["reward"]?.doubleValue == 1.4)
        #expect(tellings[3]["finish_reason"] == "length")
        let map = try await page.json("/api/followed-map?run=\(id)&index=1&step=4")
        let stored = try RunReader(folder: folder.appending(path: "a")).followedStories().stories
        let story = try #require(stored.first { $0.index == 1 && $0.step == 4 })
        #expect(map["heat_map"]?.stringValue == HeatMap(story: story).html)
        #expect(try await page.get("/api/followed-map?run=\(id)&index=1&step=3").status == 404)
        #expect(try await page.get("/api/followed-map?run=\(id)").status == 400)
      }
    }
  }

  @Test func `the story tree is drawn for the steps that are asked for`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"))
      let trees = try RunReader(folder: folder.appending(path: "a")).storyTrees().trees
      let last = try #require(trees.last)
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        let plain = try await page.json("/api/tree?run=\(id)")
        #expect(plain["prompts"]?.arrayValue == [.string(WrittenRun.prompt)])
        #expect(plain["steps"] == [0, 1, 2, 4])
        let reference = StoryTreePicture.Side(label: "original model", tree: last, probability: .reference)
        let after = StoryTreePicture.Side(label: "after 4 updates", tree: last, probability: .policy)
        #expect(plain["html"]?.stringValue == StoryTreePicture(before: reference, after: after).html)
        let steps = try await page.json("/api/tree?run=\(id)&prompt=0&before=0&after=1")
        let before = StoryTreePicture.Side(label: "before training", tree: trees[0], probability: .policy)
        let one = StoryTreePicture.Side(label: "after 1 update", tree: trees[1], probability: .policy)
        #expect(steps["html"]?.stringValue == StoryTreePicture(before: before, after: one).html)
        #expect(try await page.get("/api/tree?run=\(id)&prompt=1").status == 404)
        #expect(try await page.get("/api/tree?run=\(id)&after=3").status == 404)
        #expect(try await page.get("/api/tree?run=\(id)&before=x").status == 400)
      }
    }
  }

  @Test func `exports are files with names`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a \"b\"\n;ü"))
      let reader = try RunReader(folder: folder.appending(path: "a \"b\"\n;ü"))
      let metrics = try reader.metrics()
      var samples: [UInt8] = []
      try samplesCSV(reader) { samples += $0 }
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a \"b\"\n;ü")
        let table = try await page.get("/api/export?run=\(id)&what=metrics.csv")
        #expect(table.status == 200)
        #expect(table.headers["content-disposition"] == "attachment; filename=\"a__b____-metrics.csv\"")
        #expect(table.text == metricsCSV(metrics))
        let all = try await page.get("/api/export?run=\(id)&what=samples.csv")
        #expect(all.headers["content-type"] == "text/csv; charset=utf-8")
        #expect(all.body == samples)
        let panel = try #require(metricPanels([RunCurve(label: "a \"b\"\n;ü", metrics: metrics)]).first)
        let figure = try await page.get("/api/export?run=\(id)&what=panel-\(panel.key).svg")
        #expect(figure.headers["content-type"] == "image/svg+xml")
        #expect(figure.text == panel.svg)
        let tree = try await page.get("/api/export?run=\(id)&what=tree.svg")
        #expect(tree.status == 200)
        #expect(tree.text.contains("<svg"))
        for what in ["", "panel-.svg", "panel-nothing.svg", "run.json", "../run.json", "panel-reward"] {
          #expect(try await page.get("/api/export?run=\(id)&what=\(what)").status == 404)
        }
      }
    }
  }

  @Test func `the page, its style and its script are the embedded files`() async throws {
    try await withFolder { folder in
      try await withServer([folder]) { page async throws in
        let html = try await page.get("/")
        #expect(html.headers["content-type"] == "text/html; charset=utf-8")
        #expect(html.text == pageAsset("page.html"))
        let style = try await page.get("/page.css")
        #expect(style.headers["content-type"] == "text/css; charset=utf-8")
        #expect(style.text == ["theme.css", "pictures.css", "page.css"].map(pageAsset).joined(separator: "\n"))
        let script = try await page.get("/page.js")
        #expect(script.headers["content-type"] == "text/javascript; charset=utf-8")
        let scripts = ["charts.js", "tree.js", "heatmap.js", "recipe.js", "page.js"]
        #expect(script.text == scripts.map(pageAsset).joined(separator: "\n"))
        #expect(try await page.json("/api/glossary")["html"]?.stringValue == glossaryHTML())
      }
    }
  }

  @Test func `HEAD has the headers of GET and no body, on a connection that goes on`() async throws {
    try await withFolder { folder in
      try await withServer([folder]) { page async throws in
        let full = try await page.get("/api/glossary")
        let request = "HEAD /api/glossary HTTP/1.1\r\nHost: 127.0.0.1:\(page.port)\r\n\r\n"
        let answers = try await PageClient.away {
          let connection = try PageConnection(port: page.port)
          connection.send(request)
          let first = try connection.answer(isHead: true)
          connection.send(request.replacing("HEAD", with: "GET"))
          return [first, try connection.answer()]
        }
        #expect(answers.map(\.status) == [200, 200])
        #expect(answers[0].headers == full.headers)
        #expect(answers[1].body == full.body)
      }
    }
  }
}
