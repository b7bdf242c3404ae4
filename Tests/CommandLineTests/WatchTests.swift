import Foundation
import TestSupport
import Testing

extension CommandTests {
  @Suite struct WatchTests {
    private static func address(_ port: UInt16) -> sockaddr_in {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      return address
    }

    /// A socket, and what `body` makes of it and an address of 127.0.0.1.
    private static func withSocket<Result>(
      _ port: UInt16, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws -> Result
    ) throws -> Result {
      #if canImport(Darwin)
        let type = SOCK_STREAM
      #else
        let type = Int32(SOCK_STREAM.rawValue)
      #endif
      let descriptor = socket(AF_INET, type, 0)
      defer { close(descriptor) }
      var address = address(port)
      return try withUnsafePointer(to: &address) { pointer in
        try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          try body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }

    /// A port that nobody listens on.
    private static func freePort() throws -> UInt16 {
      try withSocket(0) { descriptor, address, length in
        try #require(bind(descriptor, address, length) == 0)
        var bound = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &bound) { pointer in
          pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        try #require(result == 0)
        return UInt16(bigEndian: bound.sin_port)
      }
    }

    /// What a server on `port` answers to a GET, head and body; nil where nobody listens.
    private static func get(_ path: String, host: String? = nil, port: UInt16) throws -> String? {
      try withSocket(port) { descriptor, address, length in
        guard connect(descriptor, address, length) == 0 else { return nil }
        let host = host ?? "127.0.0.1:\(port)"
        let request = Array("GET \(path) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n".utf8)
        #expect(write(descriptor, request, request.count) == request.count)
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
          let count = read(descriptor, &buffer, buffer.count)
          if count <= 0 { return String(decoding: answer, as: UTF8.self) }
          answer += buffer[..<count]
        }
      }
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `watch serves the runs of a folder until a signal ends it at once`(signal: Int32) throws {
      try withTemporaryFolder { folder in
        _ = output(of: try tinyalign("align", "--steps", "1", "--samples", "4", "--out", "runs/one", in: folder))
        let port = try Self.freePort()
        let command = try CommandRunner(product: "tinyalign").start(
          ["watch", "--port", "\(port)", "--no-open", "--token", "a-secret-of-ours"], in: folder)
        try command.wait { try Self.get("/api/runs", port: port) != nil }
        #expect(try Self.get("/api/runs", port: port)?.hasPrefix("HTTP/1.1 403 ") == true)
        let answer = try #require(try Self.get("/api/runs?token=a-secret-of-ours", port: port))
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("\"name\":\"one\",\"status\":\"finished\""))
        let another = try tinyalign("watch", "--port", "\(port)", "--no-open", in: folder)
        expectRefusal(another, status: 1, saying: "port \(port) of 127.0.0.1 is taken")
        command.send(signal)
        let result = try command.wait(timeout: 5)
        #expect(result.status == 130)
        #expect(result.output.isEmpty)
        #expect(result.errors == "Live page: http://127.0.0.1:\(port)/?token=a-secret-of-ours (Ctrl-C ends it)\n")
      }
    }

    @Test func `watch tells programs its address as JSON`() throws {
      try withTemporaryFolder { folder in
        let port = try Self.freePort()
        let command = try CommandRunner(product: "tinyalign").start(
          ["watch", ".", "--port", "\(port)", "--no-open", "--json"], in: folder,
          environment: ["TINYALIGN_TOKEN": "a-secret-of-ours"])
        try command.wait { try Self.get("/", port: port) != nil }
        command.send(SIGTERM)
        let result = try command.wait(timeout: 5)
        #expect(result.status == 130)
        #expect(result.errors.isEmpty)
        struct Line: Decodable { let url: String }
        let lines = try jsonLines(Line.self, keys: ["url"], of: result.output)
        #expect(lines.map(\.url) == ["http://127.0.0.1:\(port)/?token=a-secret-of-ours"])
      }
    }

    @Test func `watch refuses what it cannot serve`() throws {
      try withTemporaryFolder { folder in
        try Data().write(to: folder.appending(path: "file"))
        expectRefusal(try tinyalign("watch", "nowhere", in: folder), status: 1, saying: "there is no folder nowhere")
        expectRefusal(try tinyalign("watch", "file", in: folder), status: 1, saying: "file is a file")
        for port in ["0", "-1", "65536", "x"] {
          expectRefusal(try tinyalign("watch", "--port=\(port)", in: folder), status: 2, saying: "port")
        }
        for (arguments, words) in [
          (["--host", "example.org"], "--host is “example.org”"), (["--allow-host", "a:80"], "--allow-host is “a:80”"),
          (["--base-path", "runs"], "--base-path is “runs”"), (["--token", "short"], "--token must have 8 to 256"),
          (["--token", "long-enough", "--no-token"], "--token or --no-token"),
          (["--host", "0.0.0.0", "--no-token"], "such a page needs a token; leave out --no-token"),
        ] {
          expectRefusal(try tinyalign(["watch"] + arguments, in: folder), status: 2, saying: words)
        }
        expectRefusal(
          try tinyalign("align", "--port", "8421", "--out", "x", in: folder), status: 2, saying: "belong to --watch")
      }
    }

    @Test func `a page for other computers says so, and answers to the names that were allowed`() throws {
      try withTemporaryFolder { folder in
        let port = try Self.freePort()
        let command = try CommandRunner(product: "tinyalign").start(
          [
            "watch", ".", "--port", "\(port)", "--no-open", "--host", "0.0.0.0", "--allow-host", "gpu.example.org",
            "--base-path", "/tinyalign",
          ], in: folder)
        try command.wait { try Self.get("/", port: port) != nil }
        command.send(SIGTERM)
        let result = try command.wait(timeout: 5)
        let lines = result.errorLines
        #expect(lines.count == 2)
        let address = try #require(lines.first?.split(separator: " ").first { $0.hasPrefix("http://") })
        #expect(address.contains(":\(port)/tinyalign/?token="))
        #expect(address.split(separator: "=").last?.count == 32)
        #expect(lines.last?.hasPrefix("Other computers reach this page") == true)
      }
    }

    @Test func `without a token the page is open, and says so`() throws {
      try withTemporaryFolder { folder in
        let port = try Self.freePort()
        let command = try CommandRunner(product: "tinyalign").start(
          ["watch", ".", "--port", "\(port)", "--no-open", "--no-token", "--allow-host", "gpu.example.org"], in: folder)
        try command.wait { try Self.get("/", port: port) != nil }
        for host in ["localhost:9000", "gpu.example.org", "127.0.0.1:\(port)"] {
          #expect(try Self.get("/api/runs", host: host, port: port)?.hasPrefix("HTTP/1.1 200 ") == true)
        }
        #expect(try Self.get("/api/runs", host: "evil.example", port: port)?.hasPrefix("HTTP/1.1 403 ") == true)
        command.send(SIGTERM)
        let result = try command.wait(timeout: 5)
        #expect(
          result.errors
            == "Live page: http://127.0.0.1:\(port)/ (Ctrl-C ends it)\n"
            + "The page has no token: every user of this computer can read the runs.\n")
      }
    }

    @Test func `align keeps its page when it is done, until a signal`() throws {
      try withTemporaryFolder { folder in
        let command = try CommandRunner(product: "tinyalign").start(
          [
            "align", "--steps", "2", "--samples", "4", "--out", "run", "--watch", "--no-open", "--json", "--port",
            "\(try Self.freePort())",
          ], in: folder)
        let report = folder.appending(path: "run/report.html")
        try command.wait { FileManager.default.fileExists(atPath: report.path) }
        // It says so last, and goes on.
        usleep(1_000_000)
        command.send(SIGINT)
        let result = try command.wait(timeout: 5)
        #expect(result.status == 0)
        #expect(result.errors.contains("Live page: http://127.0.0.1:"))
        #expect(result.errorLines.last?.hasPrefix("The run is done; its page stays at http://127.0.0.1:") == true)
        #expect(result.output.split(separator: "\n").count == 2)
      }
    }
  }
}
