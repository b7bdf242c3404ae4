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
    private static func get(_ path: String, port: UInt16) throws -> String? {
      try withSocket(port) { descriptor, address, length in
        guard connect(descriptor, address, length) == 0 else { return nil }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n".utf8)
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
          ["watch", "--port", "\(port)", "--no-open"], in: folder)
        try command.wait { try Self.get("/api/runs", port: port) != nil }
        let answer = try #require(try Self.get("/api/runs", port: port))
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("\"name\":\"one\",\"status\":\"finished\""))
        let another = try tinyalign("watch", "--port", "\(port)", "--no-open", in: folder)
        expectRefusal(another, status: 1, saying: "port \(port) of 127.0.0.1 is taken")
        command.send(signal)
        let result = try command.wait(timeout: 5)
        #expect(result.status == 130)
        #expect(result.output.isEmpty)
        #expect(result.errors == "Live page: http://127.0.0.1:\(port)/ (Ctrl-C ends it)\n")
      }
    }

    @Test func `watch tells programs its address as JSON`() throws {
      try withTemporaryFolder { folder in
        let port = try Self.freePort()
        let command = try CommandRunner(product: "tinyalign").start(
          ["watch", ".", "--port", "\(port)", "--no-open", "--json"], in: folder)
        try command.wait { try Self.get("/", port: port) != nil }
        command.send(SIGTERM)
        let result = try command.wait(timeout: 5)
        #expect(result.status == 130)
        #expect(result.errors.isEmpty)
        struct Line: Decodable { let url: String }
        let lines = try jsonLines(Line.self, keys: ["url"], of: result.output)
        #expect(lines.map(\.url) == ["http://127.0.0.1:\(port)/"])
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
      }
    }

    @Test func `align keeps its page when it is done, until a signal`() throws {
      try withTemporaryFolder { folder in
        let command = try CommandRunner(product: "tinyalign").start(
          ["align", "--steps", "2", "--samples", "4", "--out", "run", "--watch", "--no-open", "--json"], in: folder)
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
