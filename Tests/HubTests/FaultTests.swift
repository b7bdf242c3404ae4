import Foundation
import Hub
import Synchronization
import TestSupport
import Testing

/// What goes wrong while bytes arrive: nothing but the right bytes ever gets a name.
@Suite struct TransferFaultTests {
  private let weights = modelFiles["model.safetensors"] ?? Data()

  /// Pulls through a fault in the large file; the result must be whole.
  private func pulling(
    policy: TransferPolicy = .quick, fault: @escaping FakeHub.Fault,
    _ check: (FakeHub, Pulling) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles, fault: fault)
      let pull = Pulling(cache: folder)
      let model = try pull(from: server.hub.url, policy: policy)
      #expect(try Data(contentsOf: model.location.appending(path: "model.safetensors")) == weights)
      #expect(try !pull.paths().contains { $0.hasSuffix(".incomplete") || $0.hasSuffix(".tmp") })
      try check(server, pull)
    }
  }

  /// Pulls through a fault that never ends; nothing of the large file may be left under a name.
  private func failing(
    fault: @escaping FakeHub.Fault, policy: TransferPolicy = .quick, _ check: (HubError, Pulling) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles, fault: fault)
      let pull = Pulling(cache: folder)
      let error = try #require(throws: HubError.self) { try pull(from: server.hub.url, policy: policy) }
      let paths = try pull.paths()
      #expect(!paths.contains("models--org--model/blobs/\(sha256(weights))"))
      #expect(!paths.contains { $0.hasSuffix("model.safetensors") || $0.contains("/refs/") })
      #expect(!error.description.contains("\n"))
      try check(error, pull)
    }
  }

  @Test func `a connection that is cut goes on where it stopped`() throws {
    try pulling { place, _, count in
      guard place == .cdn, count == 0 else { return nil }
      return HTTPResponse(body: self.weights, cutAfter: 100_000)
    } _: { server, pull in
      #expect(server.cdn.requests.map { $0["Range"] } == [nil, "bytes=100000-"])
      // The other server's tags are its own.
      #expect(server.cdn.requests[1]["If-Range"] == nil)
      #expect(pull.retries.count == 1)
    }
  }

  @Test func `a server that falls silent is asked again`() throws {
    var policy = TransferPolicy.quick
    policy.stallTimeout = 0.3
    try pulling(policy: policy) { place, _, count in
      guard place == .cdn, count == 0 else { return nil }
      return HTTPResponse(body: self.weights, stallAfter: 50_000)
    } _: { server, pull in
      #expect(server.cdn.requests.last?["Range"] == "bytes=50000-")
      #expect(pull.retries.first?.contains("nothing came for 0.3 s") == true)
    }
  }

  @Test func `a server that does not begin to answer is asked again, and given up in the end`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles) { _, _, _ in
        Thread.sleep(forTimeInterval: 0.3)
        return nil
      }
      var policy = TransferPolicy.quick
      policy.answerTimeout = 0.1
      policy.connectionAttempts = 2
      let pull = Pulling(cache: folder)
      let error = #expect(throws: HubError.self) { try pull(from: server.hub.url, policy: policy) }
      #expect(error?.description.contains("cannot reach \(server.hub.url): nothing came for 0.1 s") == true)
      #expect(pull.retries.count == 1)
    }
  }

  @Test func `what an earlier download left is gone on with, right or wrong`() throws {
    for isRight in [true, false] {
      try withTemporaryFolder { folder in
        let server = try FakeHub(files: modelFiles, large: largeFiles)
        let blobs = folder.appending(path: "models--org--model/blobs")
        try FileManager.default.createDirectory(at: blobs, withIntermediateDirectories: true)
        try (isRight ? weights.prefix(70_000) : noise(70_000, seed: 99))
          .write(to: blobs.appending(path: "\(sha256(weights)).incomplete"))
        let pull = Pulling(cache: folder)
        let model = try pull(from: server.hub.url)
        #expect(try Data(contentsOf: model.location.appending(path: "model.safetensors")) == weights)
        #expect(server.cdn.requests.map { $0["Range"] } == ["bytes=70000-"] + (isRight ? [] : [nil]))
        #expect(pull.events.contains(.started(file: "model.safetensors", bytes: 300_000, resumedAt: 70_000)))
        #expect(try !pull.paths().contains { $0.hasSuffix(".incomplete") })
      }
    }
  }

  @Test func `an earlier download that is complete, or too long, needs no part from the server`() throws {
    for extra in [0, 5] {
      try withTemporaryFolder { folder in
        let server = try FakeHub(files: modelFiles, large: largeFiles)
        let blobs = folder.appending(path: "models--org--model/blobs")
        try FileManager.default.createDirectory(at: blobs, withIntermediateDirectories: true)
        try (weights + Data(count: extra)).write(to: blobs.appending(path: "\(sha256(weights)).incomplete"))
        let model = try Pulling(cache: folder)(from: server.hub.url)
        #expect(try Data(contentsOf: model.location.appending(path: "model.safetensors")) == weights)
        #expect(server.cdn.requests.map { $0["Range"] } == (extra == 0 ? [] : [nil]))
      }
    }
  }

  @Test func `a server that knows no parts sends the file from its start`() throws {
    try pulling { place, _, count in
      guard place == .cdn else { return nil }
      return HTTPResponse(body: self.weights, cutAfter: count == 0 ? 1_000 : nil)
    } _: { server, _ in
      #expect(server.cdn.requests.map { $0["Range"] } == [nil, "bytes=1000-"])
    }
  }

  @Test func `a part that was not asked for is refused`() throws {
    try pulling { place, request, count in
      guard place == .cdn, count < 2 else { return nil }
      if count == 0 { return HTTPResponse(body: self.weights, cutAfter: 1_000) }
      return HTTPResponse(
        status: 206, fields: [("Content-Range", "bytes 0-299999/300000")], body: self.weights)
    } _: { server, _ in
      #expect(server.cdn.requests.map { $0["Range"] } == [nil, "bytes=1000-", nil])
    }
  }

  @Test func `other bytes than announced are refused and not kept`() throws {
    let other = noise(300_000, seed: 7)
    try failing { place, _, _ in
      place == .cdn ? HTTPResponse(body: other) : nil
    } _: { error, pull in
      guard case .wrongBytes(let file, let reason) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(file == "model.safetensors of org/model")
      #expect(reason.contains(sha256(other)) && reason.contains(sha256(self.weights)))
      let paths = try pull.paths()
      #expect(!paths.contains { $0.hasSuffix(".incomplete") })
    }
  }

  @Test func `a small file is held against its git hash`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles) { _, request, _ in
        request.path.hasSuffix("/tokenizer.json") ? HTTPResponse(body: noise(3_000, seed: 77)) : nil
      }
      let pull = Pulling(cache: folder)
      let error = #expect(throws: HubError.self) { try pull(from: server.hub.url) }
      #expect(error?.description.contains("git SHA-1") == true)
      #expect(try !pull.paths().contains { $0.hasSuffix("/tokenizer.json") })
    }
  }

  @Test func `sizes that lie are noticed`() throws {
    // Longer than listed: cut off at once.
    try failing { place, _, _ in
      place == .cdn ? HTTPResponse(body: self.weights + noise(50_000)) : nil
    } _: { error, pull in
      #expect(error.description.contains("more than the 300000 bytes"))
      let left = try pull.paths().first { $0.hasSuffix(".incomplete") }
      if let left {
        let size = try FileManager.default.attributesOfItem(atPath: pull.cache.path + "/" + left)[.size] as? Int
        #expect(try #require(size) <= 300_000)
      }
    }
    // Shorter than listed, and consistently so.
    try failing { place, request, _ in
      guard place == .cdn else { return nil }
      return request["Range"] == nil
        ? HTTPResponse(body: self.weights.prefix(1_000))
        : HTTPResponse(status: 416, fields: [("Content-Range", "bytes */1000")])
    } _: { error, _ in
      guard case .transfer = error else {
        Issue.record("\(error)")
        return
      }
    }
    // Content-Length promises more than comes.
    try failing { place, _, _ in
      place == .cdn ? HTTPResponse(body: self.weights.prefix(1_000), announcedLength: 300_000) : nil
    } _: { error, _ in
      #expect(error.description.contains("run the same command again"))
    }
    // Without a length, the end of the connection says nothing.
    try pulling { place, _, count in
      guard place == .cdn, count == 0 else { return nil }
      return HTTPResponse(body: self.weights.prefix(9_000), hasNoLength: true)
    } _: { server, _ in
      #expect(server.cdn.requests.last?["Range"] == "bytes=9000-")
    }
    // The redirect announces another size than the listing.
    try failing { place, request, _ in
      guard place == .hub, request.path.hasSuffix("/model.safetensors") else { return nil }
      return HTTPResponse(fields: [("X-Linked-Size", "299999")], body: self.weights)
    } _: { error, _ in
      #expect(error.description.contains("299999"))
    }
  }

  @Test func `an address of the other server that has run out is renewed`() throws {
    try pulling { place, _, count in
      place == .cdn && count == 0 ? .text("expired", status: 403) : nil
    } _: {
      server, _ in
      #expect(server.fetched.count { $0 == "model.safetensors" } == 2)
    }
  }

  @Test func `a file that changes between two attempts is begun anew`() throws {
    let old = noise(300_000, seed: 8)
    try withTemporaryFolder { folder in
      // Neither listed with hashes, nor redirected: the tag is all there is to go by.
      let server = try FakeHub(files: modelFiles, listsHashes: false) { _, request, count in
        guard request.path.hasSuffix("/model.safetensors"), request.method == "GET", count == 0 else { return nil }
        return HTTPResponse(fields: [("ETag", "\"\(gitSHA1(self.weights))\"")], body: old, cutAfter: 10_000)
      }
      let pull = Pulling(cache: folder)
      let model = try pull(from: server.hub.url)
      #expect(try Data(contentsOf: model.location.appending(path: "model.safetensors")) == weights)
      let requests = server.hub.requests.filter { $0.path.hasSuffix("/model.safetensors") && $0.method == "GET" }
      #expect(requests.map { $0["Range"] } == [nil, "bytes=10000-", nil])
      #expect(requests[1]["If-Range"] == "\"\(gitSHA1(weights))\"")
    }
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, listsHashes: false) { _, request, count in
        guard request.path.hasSuffix("/model.safetensors"), count == 0 else { return nil }
        // The first answers, to HEAD and to GET, are of an older file.
        return HTTPResponse(fields: [("ETag", "\"\(gitSHA1(old))\"")], body: old, cutAfter: 10_000)
      }
      let pull = Pulling(cache: folder)
      let model = try pull(from: server.hub.url)
      #expect(try Data(contentsOf: model.location.appending(path: "model.safetensors")) == weights)
      #expect(pull.retries.contains { $0.contains("it changed on the server") })
      #expect(try !pull.paths().contains { $0.contains(gitSHA1(old)) })
    }
  }

  @Test func `an interrupted download keeps what came`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles) { place, _, count in
        place == .cdn && count == 0 ? HTTPResponse(body: self.weights, stallAfter: 60_000) : nil
      }
      let pull = Pulling(cache: folder)
      let path = folder.appending(path: "models--org--model/blobs/\(sha256(weights)).incomplete").path
      #expect(throws: HubError.interrupted) {
        try pull(from: server.hub.url) {
          let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
          return size == 60_000
        }
      }
      _ = try pull(from: server.hub.url)
      #expect(server.cdn.requests.map { $0["Range"] } == [nil, "bytes=60000-"])
    }
  }
}
