import Foundation
import JSON
import LivePage
import Runs
import Testing

@Suite struct HostileRequestTests {
  @Test func `queries that cannot be meant get one line, and the server goes on`() async throws {
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"))
      try await withServer([folder]) { page async throws in
        let id = try await page.id("a")
        let bad = [
          "limit=-1", "limit=1e9", "limit=NaN", "limit=", "limit=+5%2B", "limit=0x10", "limit=1.5", "offset=-1",
          "offset=x",
          "offset=99999999999999999999", "step=99999999999999999999", "step=-1", "step=NaN", "step=1,2", "step=ALL",
          "sort=nothing", "sort=Reward", "sort=", "order=up", "order=", "q=%", "q=%4", "q=%zz", "q=%FF", "q=%C3%28",
          "limit=%D9%A3",
        ]
        for query in bad {
          let answer = try await page.get("/api/samples?run=\(id)&\(query)")
          #expect(answer.status == 400, "\(query)")
          let message = try #require(try answer.message())
          #expect(!message.contains("\n") && !message.isEmpty, "\(query)")
        }
        let good = [
          "limit=0": 0, "limit=1000000000": 24, "limit=9223372036854775807": 24, "offset=9223372036854775807": 0,
          "offset=9223372036854775807&limit=9223372036854775807": 0, "step=9223372036854775807": 0, "step=0": 0,
          "step=2147483648": 0, "q=": 24, "q=%00": 0, "q=a%00": 0, "unknown=1": 24, "&&=&==": 24,
          "q=%22fox%22&step=1": 2,
          "limit=5&limit=x": 5, "q=" + String(repeating: "a", count: 9_000): 0,
        ]
        for (query, count) in good {
          let answer = try await page.json("/api/samples?run=\(id)&\(query)")
          #expect(answer["samples"]?.arrayValue?.count == count, "\(query)")
        }
        #expect(try await page.get("/api/sample?run=\(id)&step=1&index=99999999999999999999").status == 400)
        #expect(try await page.get("/api/sample?run=\(id)&step=1&index=99999").status == 404)
        #expect(try await page.get("/api/sample?run=\(id)&step=1").status == 400)
        let many = (0..<25).map { "\(id)\($0)" }.joined(separator: ",")
        #expect(try await page.get("/api/charts?runs=\(many)").status == 400)
        #expect(try await page.get("/api/charts?runs=,,,").status == 400)
        #expect(try await page.json("/api/charts?runs=\(id),,\(id)")["steps"] == 4)
      }
    }
  }

  @Test func `what is no request gets an error, and the server goes on`() async throws {
    try await withFolder { folder in
      try await withServer([folder]) { page async throws in
        let host = "Host: 127.0.0.1:\(page.port)\r\n"
        let requests = [
          "\r\n\r\n": 400, "GET\r\n\r\n": 400, "GET /\r\n\r\n": 400, "GET / HTTP/2.0\r\n\(host)\r\n": 400,
          "GET  / HTTP/1.1\r\n\(host)\r\n": 400, "GET / HTTP/1.1 x\r\n\(host)\r\n": 400, "\u{16}\u{3}\u{1}\n\n": 400,
          "GET http://127.0.0.1:\(page.port)/ HTTP/1.1\r\n\(host)\r\n": 400, "GET * HTTP/1.1\r\n\(host)\r\n": 400,
          "GET / HTTP/1.1\r\n\(host)no colon\r\n\r\n": 400, "GET / HTTP/1.1\r\n\(host): x\r\n\r\n": 400,
          "GET / HTTP/1.1\r\n\(host) folded: x\r\n\r\n": 400, "GET / HTTP/1.1\r\n\(host)a\u{0}b: x\r\n\r\n": 400,
          "GET / HTTP/1.1\r\nHost : 127.0.0.1:\(page.port)\r\n\r\n": 400,
          "GET / HTTP/1.1\r\n\(host)X: \(String(repeating: "x", count: 40_000))": 431,
          "GET /\(String(repeating: "x", count: 40_000))": 431,
          "GET / HTTP/1.1\r\n\(host)\(String(repeating: "a:b\r\n", count: 200))\r\n": 431,
          "GET /nowhere HTTP/1.1\n\(host)\n": 404,
        ]
        for (request, status) in requests {
          #expect(try await page.send(request).status == status, "\(request.prefix(60).debugDescription)")
        }
        #expect(try await page.get("/").status == 200)
      }
    }
  }

  @Test func `a request with a body ends its connection, so that the body is never taken for a request`() async throws {
    try await withFolder { folder in
      try await withServer([folder]) { page async throws in
        let body = "GET /api/runs HTTP/1.1\r\nHost: 127.0.0.1:\(page.port)\r\n\r\n"
        for header in ["Content-Length: \(body.utf8.count)", "Transfer-Encoding: chunked", "Content-Length: -1"] {
          let (first, isClosed) = try await PageClient.away {
            let connection = try PageConnection(port: page.port)
            connection.send("GET /api/glossary HTTP/1.1\r\nHost: 127.0.0.1:\(page.port)\r\n\(header)\r\n\r\n\(body)")
            return (try connection.answer(), connection.isClosed(within: 60))
          }
          #expect(first.status == 200)
          #expect(first.headers["connection"] == "close")
          #expect(isClosed)
        }
      }
    }
  }

  @Test func `requests may come in pieces or several at once`() async throws {
    try await withFolder { folder in
      try await withServer([folder]) { page async throws in
        let answers = try await PageClient.away {
          let connection = try PageConnection(port: page.port)
          let request = "GET /api/runs HTTP/1.1\r\nHost: 127.0.0.1:\(page.port)\r\n\r\n"
          for byte in request.utf8 { connection.send([byte]) }
          var answers = [try connection.answer()]
          connection.send(request)
          answers.append(try connection.answer())
          return answers
        }
        #expect(answers.map(\.status) == [200, 200])
        let old = try await page.send("GET /api/runs HTTP/1.0\r\nHost: 127.0.0.1:\(page.port)\r\n\r\n")
        #expect(old.headers["connection"] == "close")
      }
    }
  }

  @Test func `clients that keep the server waiting are let go`() async throws {
    var limits = ConnectionLimits()
    limits.headSeconds = 0.5
    limits.idleSeconds = 0.7
    try await withFolder { folder in
      try await withServer([folder], limits: limits) { page async throws in
        let (slow, idle) = try await PageClient.away {
          let slow = try PageConnection(port: page.port)
          slow.send("GET / HTT")
          let idle = try PageConnection(port: page.port)
          return (try slow.answer().status, idle.isClosed(within: 60))
        }
        #expect(slow == 408)
        #expect(idle)
        // One byte now and then does not help.
        let dripped = try await PageClient.away {
          let connection = try PageConnection(port: page.port)
          for byte in "GET /aaaaaaaaaaaaaaaa".utf8 {
            connection.send([byte])
            usleep(60_000)
          }
          return try connection.answer().status
        }
        #expect(dripped == 408)
      }
    }
  }

  @Test func `a client that takes nothing is let go, so that another gets its place`() async throws {
    var limits = ConnectionLimits()
    limits.connections = 1
    limits.writeSeconds = 0.5
    try await withFolder { folder in
      _ = try WrittenRun(finished: folder.appending(path: "a"), steps: 100, samplesPerStep: 1_000)
      try await withServer([folder], limits: limits) { page async throws in
        let id = try await page.id("a")
        let stuck = try PageConnection(port: page.port)
        stuck.send(
          "GET /api/export?run=\(id)&what=samples.csv HTTP/1.1\r\nHost: 127.0.0.1:\(page.port)\r\n\r\n")
        #expect(try await Self.statusOnceServed(page) == 200)
        let taken = try await PageClient.away {
          var count = 0
          while true {
            let bytes = stuck.receive(seconds: 5)
            if bytes.isEmpty { return count }
            count += bytes.count
          }
        }
        let whole = try await page.get("/api/export?run=\(id)&what=samples.csv")
        #expect(taken > 0)
        #expect(taken < whole.body.count)
      }
    }
  }

  @Test func `connections beyond the limit are turned away until others have left`() async throws {
    var limits = ConnectionLimits()
    limits.connections = 3
    try await withFolder { folder in
      try await withServer([folder], limits: limits) { page async throws in
        let refused = try await PageClient.away {
          let held = try (0..<3).map { _ in try PageConnection(port: page.port) }
          for connection in held {
            connection.send("GET / HTTP/1.1\r\nHost: 127.0.0.1:\(page.port)\r\n\r\n")
            _ = try connection.answer()
          }
          return try withExtendedLifetime(held) { try PageConnection(port: page.port).answer() }
        }
        #expect(refused.status == 503)
        #expect(try refused.message()?.contains("too many connections") == true)
        #expect(try await Self.statusOnceServed(page) == 200)
      }
    }
  }

  /// Asks until there is a place, for some seconds.
  private static func statusOnceServed(_ page: PageClient) async throws -> Int {
    var status = 503
    for _ in 0..<40 where status != 200 {
      status = try await page.get("/").status
      if status != 200 { try await Task.sleep(for: .milliseconds(100)) }
    }
    return status
  }

  @Test func `a taken port is one clear line`() async throws {
    try await withFolder { folder in
      let first = try LivePageServer(runs: [folder], options: LivePageOptions(token: nil))
      #expect(throws: LivePageError.portTaken(host: "127.0.0.1", port: first.port)) {
        try LivePageServer(runs: [folder], options: LivePageOptions(port: first.port))
      }
      let text = LivePageError.portTaken(host: "127.0.0.1", port: 8_000).description
      #expect(
        text == "port 8000 of 127.0.0.1 is taken: stop the program that listens there, or choose another port")
    }
  }

  @Test func `the server ends at once when it is asked to, also with pages open`() async throws {
    try await withFolder { folder in
      let server = try LivePageServer(runs: [folder], options: LivePageOptions(token: nil))
      let task = Task.detached { try await server.run() }
      let page = PageClient(port: server.port)
      let listening = try await PageClient.away {
        let connection = try PageConnection(port: page.port)
        connection.send("GET /api/news HTTP/1.1\r\nHost: 127.0.0.1:\(page.port)\r\n\r\n")
        _ = connection.receive()
        return connection
      }
      task.cancel()
      _ = await task.result
      #expect(try await PageClient.away { listening.isClosed(within: 60) })
      await #expect(throws: ConnectionFailure.self) { try await page.get("/") }
    }
  }
}
