import Foundation
import JSON
import Runs
import Testing

@Suite struct SecurityTests {
  private static let policy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; "
    + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

  @Test func `every answer keeps the browser from running, keeping or sharing anything`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"))
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        let targets = [
          "/", "/page.css", "/page.js", "/api/runs", "/api/overview?runs=\(id)", "/api/charts?runs=\(id)",
          "/api/samples?run=\(id)", "/api/sample?run=\(id)&step=1&index=0", "/api/followed?run=\(id)",
          "/api/followed-map?run=\(id)&index=0&step=0", "/api/tree?run=\(id)", "/api/glossary",
          "/api/export?run=\(id)&what=samples.csv", "/nowhere", "/api/samples?run=none", "/api/samples",
        ]
        for target in targets {
          let answer = try await page.get(target)
          #expect([200, 400, 404].contains(answer.status), "\(target)")
          #expect(answer.headers["content-security-policy"] == Self.policy, "\(target)")
          #expect(answer.headers["x-content-type-options"] == "nosniff", "\(target)")
          #expect(answer.headers["referrer-policy"] == "no-referrer", "\(target)")
          #expect(answer.headers["cross-origin-resource-policy"] == "same-origin", "\(target)")
          #expect(answer.headers["cache-control"] == "no-store", "\(target)")
          #expect(answer.headers["access-control-allow-origin"] == nil, "\(target)")
        }
      }
    }
  }

  @Test func `only this computer's names are answered`() async throws {
    try await withFolder { folder in
      try await withServer([folder]) { page async throws in
        let port = page.port
        for host in ["127.0.0.1:\(port)", "localhost:\(port)", "[::1]:\(port)", "LOCALHOST:\(port)"] {
          #expect(try await page.get("/api/runs", host: host).status == 200, "\(host)")
        }
        let foreign = [
          "evil.example", "evil.example:\(port)", "localhost.evil.example:\(port)", "",
          "127.0.0.1:\(port).evil.example", "user@127.0.0.1:\(port)", "127.0.0.1:\(port)/", "0.0.0.0:\(port)",
        ]
        for host in foreign {
          let answer = try await page.get("/api/runs", host: host)
          #expect(answer.status == 403, "\(host)")
          #expect(try answer.message()?.isEmpty == false)
        }
        #expect(try await page.send("GET / HTTP/1.1\r\n\r\n").status == 403)
        let twice = "GET / HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nHost: evil.example\r\n\r\n"
        #expect(try await page.send(twice).status == 400)
      }
    }
  }

  @Test func `other pages' requests are refused, but a link to the page is not`() async throws {
    try await withFolder { folder in
      try await withServer([folder]) { page async throws in
        func status(_ headers: [String: String], _ target: String = "/api/runs") async throws -> Int {
          try await page.get(target, headers: headers).status
        }
        #expect(try await status(["Origin": "http://127.0.0.1:\(page.port)"]) == 200)
        #expect(try await status(["Origin": "http://localhost:\(page.port)"]) == 200)
        for origin in [
          "null", "http://evil.example", "https://127.0.0.1:\(page.port)", "http://127.0.0.1:1", "http://127.0.0.1",
          "http://localhost:\(page.port).evil.example",
        ] {
          #expect(try await status(["Origin": origin]) == 403, "\(origin)")
          #expect(try await status(["Origin": origin], "/api/news") == 403, "\(origin)")
        }
        #expect(try await status(["Sec-Fetch-Site": "same-origin"]) == 200)
        #expect(try await status(["Sec-Fetch-Site": "none"]) == 200)
        for site in ["cross-site", "same-site", "nonsense"] {
          #expect(try await status(["Sec-Fetch-Site": site]) == 403)
          #expect(try await status(["Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"]) == 403)
          #expect(try await status(["Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"]) == 403)
          let frame = ["Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"]
          #expect(try await status(frame) == 403)
          let link = ["Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"]
          #expect(try await status(link, "/") == 200)
        }
      }
    }
  }

  @Test func `nothing but GET and HEAD is answered`() async throws {
    try await withFolder { folder in
      try await withServer([folder]) { page async throws in
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "GETT", "PROPFIND"] {
          let answer = try await page.get("/api/runs", method: method)
          #expect(answer.status == 405, "\(method)")
          #expect(answer.headers["allow"] == "GET, HEAD", "\(method)")
        }
        let body = ["Content-Length": "5", "Content-Type": "application/json"]
        #expect(try await page.get("/api/runs", method: "POST", headers: body).status == 405)
      }
    }
  }

  @Test func `no path leads to a file`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "runs/a"))
      try Data("secret".utf8).write(to: folder.appending(path: "secret.txt"))
      try await withServer([folder.appending(path: "runs")]) { page async throws in
        let id = try await page.id("a")
        let paths = [
          "/../secret.txt", "/a/run.json", "/run.json", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/%00",
          "//etc/passwd",
          "/etc/passwd", "/page.js/../../secret.txt", "/page.js%00", "/page.js/", "/./page.js", "/API/runs",
          "/api/runs/",
          "/api/../api/runs", "/%61pi/runs", "/api/runs;x", "/\\..\\secret.txt", "/api", "/favicon.ico",
        ]
        for path in paths {
          let answer = try await page.get(path)
          #expect(answer.status == 404, "\(path)")
          #expect(!answer.text.contains("secret"), "\(path)")
        }
        let absolute = folder.appending(path: "runs/a").path
        let ids = [
          "", "a", "../a", "..", ".", "/", absolute, "%2e%2e%2fa", "%00", "\(id)%00", "\(id)/../\(id)", "\(id)0",
          id.uppercased(), "0000000000000000", String(repeating: "f", count: 5_000), "%F0%9F%90%B1", "\(id),\(id)x",
        ]
        for other in ids where other != id {
          for route in [
            "samples?run", "tree?run", "followed?run", "overview?runs", "charts?runs", "export?what=metrics.csv&run",
          ] {
            let answer = try await page.get("/api/\(route)=\(other.replacing(" ", with: "+"))")
            #expect([400, 404].contains(answer.status), "\(route)=\(other)")
            #expect(try answer.message()?.isEmpty == false, "\(route)=\(other)")
          }
        }
      }
    }
  }

  @Test func `symbolic links are skipped or refused`() async throws {
    try await withFolder { folder in
      let runs = folder.appending(path: "runs")
      let outside = folder.appending(path: "outside")
      _ = try WrittenRun(finished: outside)
      _ = try WrittenRun(finished: runs.appending(path: "sound"))
      let files = FileManager.default
      try files.createSymbolicLink(at: runs.appending(path: "linked"), withDestinationURL: outside)
      // A run whose run.json is a link is none.
      try files.createDirectory(at: runs.appending(path: "borrowed"), withIntermediateDirectories: true)
      try files.createSymbolicLink(
        at: runs.appending(path: "borrowed/run.json"), withDestinationURL: outside.appending(path: "run.json"))
      // One whose other files are links shows nothing of them.
      _ = try WrittenRun(finished: runs.appending(path: "hollow"), seed: 2)
      for name in ["samples.jsonl", "metrics.jsonl", "followed_stories.jsonl", "story_trees.jsonl"] {
        let place = runs.appending(path: "hollow/\(name)")
        try files.removeItem(at: place)
        try files.createSymbolicLink(at: place, withDestinationURL: outside.appending(path: name))
      }
      try await withServer([runs]) { page async throws in
        let list = try #require(try await page.json("/api/runs")["runs"]?.arrayValue)
        #expect(list.compactMap { $0["name"]?.stringValue }.sorted() == ["hollow", "sound"])
        let id = try await page.id("hollow")
        #expect(list.first { $0["name"] == "hollow" }?["last_reward"] == .null)
        let targets = [
          "samples?run=\(id)", "sample?run=\(id)&step=1&index=0", "followed?run=\(id)", "tree?run=\(id)",
          "followed-map?run=\(id)&index=0&step=0", "export?what=samples.csv&run=\(id)",
        ]
        for target in targets {
          let answer = try await page.get("/api/\(target)")
          #expect(answer.status == 403, "\(target)")
          #expect(try answer.message()?.contains("symbolic link") == true, "\(target)")
        }
        #expect(try await page.json("/api/charts?runs=\(id)")["steps"] == 0)
      }
      // A link that the user names is meant.
      try await withServer([runs.appending(path: "linked")]) { page async throws in
        #expect(try await page.json("/api/samples?run=\(try await page.id("outside"))")["total"] == 24)
      }
    }
  }

  @Test func `a pipe or a folder in a file's place is refused at once`() async throws {
    try await withFolder { folder in
      let run = folder.appending(path: "a")
      _ = try WrittenRun(finished: run)
      try FileManager.default.removeItem(at: run.appending(path: "samples.jsonl"))
      #expect(mkfifo(run.appending(path: "samples.jsonl").path, 0o644) == 0)
      try FileManager.default.removeItem(at: run.appending(path: "story_trees.jsonl"))
      try FileManager.default.createDirectory(
        at: run.appending(path: "story_trees.jsonl"), withIntermediateDirectories: false)
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        #expect(try await page.get("/api/samples?run=\(id)").status == 403)
        #expect(try await page.get("/api/tree?run=\(id)").status == 403)
      }
    }
  }

  @Test func `what runs and stories say stays text`() async throws {
    try await withFolder { folder in
      let name = "<img src=x onerror=alert(1)>\"'&"
      let run = try WrittenRun(
        folder.appending(path: name), recipe: [.init("toward", .string("</script><script>alert(1)</script>"))])
      try run.step(1)
      try run.writer.update(status: .failed, message: "<script>alert(2)</script>\u{202E}")
      try await withServer([folder]) { page async throws in
        let id = try await page.id(name)
        let html = [
          try await page.json("/api/overview?runs=\(id)")["runs"]?.arrayValue?.first?["observations_html"],
          try await page.json("/api/sample?run=\(id)&step=1&index=3")["heat_map"],
          try await page.json("/api/followed-map?run=\(id)&index=0&step=1")["heat_map"],
          try await page.json("/api/tree?run=\(id)")["html"],
          try await page.json("/api/charts?runs=\(id)")["panels"]?.arrayValue?.first?["svg"],
        ]
        for (index, text) in html.enumerated() {
          let text = try #require(text?.stringValue)
          #expect(!text.isEmpty)
          for tag in ["<script", "<img", "<x-evil>", "onerror=alert(1)>", "\u{202E}"] {
            #expect(!text.contains(tag), "answer \(index) has \(tag)")
          }
        }
      }
    }
  }
}
