import Foundation
import LivePage
import Testing

/// Who is let in: by the host's name, by the secret, and under which path.
@Suite struct AccessTests {
  private static let html = ["Accept": "text/html,application/xhtml+xml,*/*;q=0.8"]

  @Test func `through a tunnel the port is another one, and the name is what counts`() async throws {
    try await withFolder { folder in
      try await withServer([folder]) { page async throws in
        for host in ["localhost:9000", "127.0.0.1:1", "localhost", "127.0.0.1", "[::1]:9000", "localhost.:80"] {
          #expect(try await page.get("/api/runs", host: host).status == 200, "\(host)")
          let own = ["Origin": "http://\(host)", "Sec-Fetch-Site": "same-origin"]
          #expect(try await page.get("/api/runs", host: host, headers: own).status == 200, "\(host)")
        }
        // A page of another program on this computer.
        let other = ["Origin": "http://localhost:3000"]
        #expect(try await page.get("/api/runs", host: "localhost:9000", headers: other).status == 403)
        for host in [
          "rebound.example:9000", "localhost.example", "127.0.0.1.example:80", "192.168.0.7:9000", "localhost:90000x",
          "localhost:", "local host", "[::1", "a b", "localhost:9000:9000", "127.0.0.2",
        ] where host != "localhost:" {
          #expect(try await page.get("/api/runs", host: host).status == 403, "\(host)")
        }
      }
    }
  }

  @Test func `an allowed name is answered, whatever the port, and no other one`() async throws {
    try await withFolder { folder in
      let options = LivePageOptions(allowedHosts: ["GPU.example.org", "box"], token: nil)
      try await withServer([folder], options: options) { page async throws in
        for host in ["gpu.example.org", "gpu.example.org:443", "Gpu.Example.Org:80", "box:1", "localhost:7"] {
          #expect(try await page.get("/api/runs", host: host).status == 200, "\(host)")
        }
        for host in ["example.org", "evil.gpu.example.org", "gpu.example.org.evil.example", "boxy"] {
          #expect(try await page.get("/api/runs", host: host).status == 403, "\(host)")
        }
        // A proxy that speaks HTTPS outside and another Host inside.
        let proxied = ["Origin": "https://gpu.example.org"]
        #expect(try await page.get("/api/runs", headers: proxied).status == 200)
        #expect(try await page.get("/api/runs", headers: ["Origin": "https://other.example.org"]).status == 403)
      }
    }
  }

  @Test func `people get a page that says what to do, programs get JSON`() async throws {
    try await withFolder { folder in
      try await withServer([folder], options: LivePageOptions(token: "a-secret-of-ours")) { page async throws in
        for (target, host, status, word) in [
          ("/", "gpu.example.org:9000", 403, "--allow-host gpu.example.org"), ("/", nil, 403, "?token="),
          ("/nowhere?token=a-secret-of-ours", nil, 404, "no such page"),
        ] {
          let people = try await page.get(target, host: host, headers: Self.html)
          #expect(people.status == status)
          #expect(people.headers["content-type"] == "text/html; charset=utf-8")
          #expect(people.text.hasPrefix("<!DOCTYPE html>") && people.text.contains(word), "\(people.text)")
          let programs = try await page.get(target, host: host)
          #expect(programs.status == status)
          #expect(try programs.message()?.contains(word) == true)
          for answer in [people, programs] where !target.contains("secret") {
            #expect(!answer.text.contains("a-secret"), "\(answer.text)")
          }
        }
        let evil = try await page.get("/", host: "<script>alert(1)</script>", headers: Self.html)
        #expect(evil.status == 403 && !evil.text.contains("<script"))
      }
    }
  }

  @Test func `nothing is answered without the secret, and all of it with the cookie that the address leads to`()
    async throws
  {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"))
      try await withServer([folder], options: LivePageOptions(token: "a-secret-of-ours")) { page async throws in
        let targets = ["/", "/page.js", "/page.css", "/api/runs", "/api/news", "/api/export", "/nowhere"]
        for target in targets {
          let wrong = ["", "a-secret", "a-secret-of-ourS", "a-secret-of-ours2"]
          #expect(try await page.get(target).status == 403)
          for token in wrong {
            #expect(try await page.get("\(target)?token=\(token)").status == 403)
            let cookie = ["Cookie": "tinyalign-\(page.port)=\(token); tinyalign-1=a-secret-of-ours"]
            #expect(try await page.get(target, headers: cookie).status == 403)
            #expect(try await page.get(target, headers: ["Authorization": "Bearer \(token)"]).status == 403)
          }
        }
        #expect(try await page.get("/?ticket=").status == 403)
        let opened = try await page.get("/?token=a-secret-of-ours")
        #expect(opened.status == 200)
        let set = try #require(opened.headers["set-cookie"])
        #expect(set == "tinyalign-\(page.port)=a-secret-of-ours; Path=/; HttpOnly; SameSite=Strict")
        let cookie = ["Cookie": "theme=dark; \(set.prefix { $0 != ";" })"]
        for target in ["/", "/page.js", "/page.css", "/api/runs", "/api/news"] {
          #expect(try await page.get(target, headers: cookie).status == 200)
        }
        let bearer = ["Authorization": "Bearer a-secret-of-ours"]
        #expect(try await page.get("/api/runs", headers: bearer).status == 200)
        #expect(try await page.get("/api/runs?token=a-secret-of-ours").headers["set-cookie"] == nil)
        // Through a tunnel the cookie has the name of the port that the browser knows.
        let tunnelled = try await page.get("/?token=a-secret-of-ours", host: "localhost:9000")
        #expect(tunnelled.headers["set-cookie"]?.hasPrefix("tinyalign-9000=") == true)
        #expect(try await page.get("/?token=a-secret-of-ours", host: "evil.example").status == 403)
      }
    }
  }

  @Test func `the address for a browser's command line lets in once`() async throws {
    try await withFolder { folder in
      let server = try LivePageServer(runs: [folder])
      let address = server.makeTicketURL()
      #expect(!address.contains(try #require(server.options.token)))
      let task = Task.detached { try await server.run() }
      let page = PageClient(port: server.port)
      let target = "/?" + (address.split(separator: "?").last ?? "")
      #expect(try await page.get(target, method: "HEAD").status == 403)
      let first = try await page.get(target)
      #expect(first.status == 200)
      #expect(first.headers["set-cookie"]?.contains(server.options.token ?? "-") == true)
      #expect(try await page.get(target).status == 403)
      task.cancel()
      _ = await task.result
    }
  }

  @Test func `every page has another secret`() throws {
    let tokens = (0..<20).map { _ in LivePageOptions.randomToken() }
    #expect(Set(tokens).count == 20)
    #expect(tokens.allSatisfy { $0.count == 32 && $0.allSatisfy(\.isHexDigit) })
  }

  @Test func `behind a reverse proxy the page has a path of its own`() async throws {
    try await withFolder { folder in
      let options = LivePageOptions(basePath: "/tools/tinyalign/", token: "a-secret-of-ours")
      try await withServer([folder], options: options) { page async throws in
        let moved = try await page.get("/tools/tinyalign?token=a-secret-of-ours")
        #expect(moved.status == 303)
        #expect(moved.headers["location"] == "/tools/tinyalign/?token=a-secret-of-ours")
        let opened = try await page.get("/tools/tinyalign/?token=a-secret-of-ours")
        #expect(opened.status == 200)
        #expect(opened.headers["set-cookie"]?.contains("; Path=/tools/tinyalign;") == true)
        // Nothing in the page is asked for from the top of the host.
        #expect(!opened.text.contains("=\"/"))
        let known = ["Cookie": "tinyalign-\(page.port)=a-secret-of-ours"]
        for target in ["/tools/tinyalign/page.js", "/tools/tinyalign/api/runs", "/page.js", "/api/runs"] {
          #expect(try await page.get(target, headers: known).status == 200, "\(target)")
        }
        #expect(try await page.get("/tools/tinyalignx/api/runs", headers: known).status == 404)
        #expect(try await page.get("/tools/tinyalign/api/runs").status == 403)
      }
      let server = try LivePageServer(runs: [folder], options: options)
      #expect(server.url == "http://127.0.0.1:\(server.port)/tools/tinyalign/?token=a-secret-of-ours")
    }
  }

  @Test func `other computers are let in only with a secret, by address or by the computer's name`() async throws {
    try await withFolder { folder in
      var options = LivePageOptions(host: "0.0.0.0", token: "a-secret-of-ours")
      try await withServer([folder], options: options) { page async throws in
        for host in ["192.168.0.7:8421", "[fe80::1]:8421", "localhost:1", ProcessInfo.processInfo.hostName] {
          #expect(try await page.get("/?token=a-secret-of-ours", host: host).status == 200, "\(host)")
          #expect(try await page.get("/", host: host).status == 403)
        }
        #expect(try await page.get("/?token=a-secret-of-ours", host: "evil.example").status == 403)
      }
      options.token = nil
      #expect(throws: LivePageError.self) { try LivePageServer(runs: [folder], options: options) }
    }
  }

  @Test(arguments: [
    ("host", LivePageOptions(host: "example.org")), ("host", LivePageOptions(host: "")),
    ("allow-host", LivePageOptions(allowedHosts: ["a:80"])),
    ("allow-host", LivePageOptions(allowedHosts: ["http://a"])),
    ("allow-host", LivePageOptions(allowedHosts: [""])), ("allow-host", LivePageOptions(allowedHosts: ["*"])),
    ("base-path", LivePageOptions(basePath: "tinyalign")), ("base-path", LivePageOptions(basePath: "/a//b")),
    ("base-path", LivePageOptions(basePath: "/../a")), ("base-path", LivePageOptions(basePath: "/a\r\nSet-Cookie: x")),
    ("token", LivePageOptions(token: "short")), ("token", LivePageOptions(token: "with a space")),
    ("token", LivePageOptions(token: "semi;colon")), ("token", LivePageOptions(token: "")),
  ])
  func `options without a meaning are refused by name`(option: String, options: LivePageOptions) {
    do {
      _ = try LivePageServer(runs: [], options: options)
      Issue.record("\(options) was accepted")
    } catch {
      #expect("\(error)".hasPrefix("\(option) "), "\(error)")
    }
  }
}
