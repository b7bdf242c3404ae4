import Foundation
import Hub
import TestSupport
import Testing

/// What the Hub answers to the question what it has.
@Suite struct AnswerTests {
  /// The error of a pull from a Hub whose API answers so.
  private func failure(
    _ name: String = "org/model", environment: [String: String] = [:], attempts: Int = 6,
    answer: @escaping @Sendable (HTTPRequest, Int) -> HTTPResponse?
  ) throws -> HubError {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles) { _, request, count in answer(request, count) }
      let pull = Pulling(cache: folder)
      var policy = TransferPolicy.quick
      policy.attempts = attempts
      let error = try #require(throws: HubError.self) {
        try pull(name, from: server.hub.url, policy: policy, environment: environment)
      }
      #expect(!error.description.contains("\n") && error.description.count < 600, "\(error)")
      #expect(try pull.paths().isEmpty)
      return error
    }
  }

  @Test func `what is not there is named: repository, revision, file`() throws {
    let repository = try failure("org/other") { _, _ in nil }
    #expect(repository.description.contains("there is no repository org/other at http://127.0.0.1"))
    let hidden = try failure { _, _ in .text("", status: 401, [("X-Error-Code", "RepoNotFound")]) }
    #expect(hidden.description.contains("repository org/model"))
    let revision = try failure("org/model@nope") { _, _ in
      .text("", status: 404, [("X-Error-Code", "RevisionNotFound")])
    }
    #expect(revision.description.contains("revision nope of org/model"))
    let bare = try failure("org/model@nope") { _, _ in .text("", status: 404) }
    #expect(bare.description.contains("revision nope of org/model"))
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles) { _, request, _ in
        request.path.hasSuffix("/config.json") ? .text("", status: 404, [("X-Error-Code", "EntryNotFound")]) : nil
      }
      let file = #expect(throws: HubError.self) { try Pulling(cache: folder)(from: server.hub.url) }
      #expect(file?.description.contains("there is no file 1_Pooling/config.json in org/model") == true)
    }
  }

  @Test func `a model that wants permission says how to get it`() throws {
    for status in [401, 403] {
      let gated: @Sendable (HTTPRequest, Int) -> HTTPResponse? = { _, _ in
        .text("", status: status, [("X-Error-Code", "GatedRepo"), ("WWW-Authenticate", "Bearer")])
      }
      let without = try failure(environment: ["HF_TOKEN": ""], answer: gated)
      #expect(without.description.contains("set HF_TOKEN to an access token, and accept"))
      let with = try failure(answer: gated)
      #expect(with.description.contains("check that HF_TOKEN is valid"))
      #expect(!with.description.contains(FakeHub.token))
    }
  }

  @Test func `a server in trouble is asked again, as late as it wishes`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles) { place, request, count in
        if request.path.hasPrefix("/api"), count < 2 { return .text("oh", status: count == 0 ? 500 : 503) }
        if place == .cdn, count == 0 { return .text("", status: 429, [("Retry-After", "1")]) }
        return nil
      }
      let pull = Pulling(cache: folder)
      let begin = Date()
      _ = try pull(from: server.hub.url)
      #expect(Date().timeIntervalSince(begin) >= 1)
      #expect(pull.retries.map { $0.suffix(3) } == ["500", "503", "429"])
      #expect(
        pull.events.contains {
          if case .retrying("model.safetensors", _, let seconds) = $0 { seconds >= 1 } else { false }
        })
    }
    let never = try failure(attempts: 3) { _, _ in .text("", status: 502) }
    guard case .transfer(_, let reason) = never else {
      Issue.record("\(never)")
      return
    }
    #expect(reason.contains("status 502"))
    let late = try failure { _, _ in .text("", status: 429, [("Retry-After", "86400")]) }
    #expect(late.description.contains("asks to wait for 86400 s"))
  }

  @Test func `redirects that lead in circles, nowhere or to files are refused`() throws {
    let circle = try failure { request, _ in .text("", status: 302, [("Location", request.target)]) }
    #expect(circle.description.contains("redirects in a circle"))
    for place in ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://", ""] {
      let bad = try failure { _, _ in .text("", status: 302, [("Location", place)]) }
      guard case .badAnswer(_, let reason) = bad else {
        Issue.record("\(place): \(bad)")
        continue
      }
      #expect(reason.contains("redirects"), "\(place): \(reason)")
    }
    let nowhere = try failure { _, _ in .text("", status: 302) }
    #expect(nowhere.description.contains("redirects to 'nowhere'"))
  }

  @Test func `a renamed repository is followed with the token`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles) { _, request, _ in
        guard request.target.contains("/old/") else { return nil }
        let target = request.target.replacingOccurrences(of: "/old/", with: "/org/")
        return .text("", status: 307, [("Location", target)])
      }
      let model = try Pulling(cache: folder)("old/model", from: server.hub.url)
      #expect(model.location.path.contains("models--old--model"))
      #expect(server.hub.requests.allSatisfy { $0["Authorization"] != nil })
    }
  }

  @Test func `an answer that is no listing is no listing`() throws {
    let page = try failure { _, _ in .text("<!doctype html><title>Sign in</title>") }
    #expect(page.description.contains("sends a web page"))
    let listing = #"{"sha": "0123456789abcdef", "siblings": [{"rfilename": "config.json"}]}"#
    let texts = [
      "", "{", "[]", "null", #"{"sha": "x"}"#, String(listing.dropLast()), "\u{0}", "{\"sha\": 5, \"siblings\": []}",
      #"{"sha": "a", "siblings": [{"rfilename": "config.json", "size": 1e400}]}"#,
      #"{"sha": "a", "siblings": [{"rfilename": "config.json", "size": 99999999999999999999}]}"#,
      String(repeating: "[", count: 200_000), String(repeating: #"{"sha":"#, count: 100_000),
    ]
    for text in texts {
      let bad = try failure { _, _ in .text(text) }
      #expect(bad.description.contains("its listing cannot be read"), "\(text.prefix(100)): \(bad)")
    }
    for commit in ["", "..", "../../x", "a/b", ".git", "a\\u0000b"] {
      let bad = try failure { _, _ in .text(#"{"sha": "\#(commit)", "siblings": []}"#) }
      #expect(bad.description.contains("it gives the commit"), "\(commit): \(bad)")
    }
    let negative = try failure { _, _ in
      .text(#"{"sha": "abc", "siblings": [{"rfilename": "config.json", "size": -1}]}"#)
    }
    #expect(negative.description.contains("-1 bytes"))
    let empty = try failure { _, _ in .text(#"{"sha": "abc", "siblings": []}"#) }
    #expect(empty.description.contains("it holds no files"))
  }

  @Test func `an answer without an end is cut off`() throws {
    let huge = Data(count: 33 << 20)
    let bad = try failure { _, _ in HTTPResponse(body: huge) }
    #expect(bad.description.contains("more than 32 MiB"))
  }

  @Test func `names in a listing cannot lead out of the cache`() throws {
    let names = ["../evil.gguf", "/evil.gguf", "a/../../evil.gguf", "a//evil.gguf", "./evil.gguf", "evil\\u0000.gguf"]
    for name in names {
      let listing = """
        {"sha": "abc", "siblings": [{"rfilename": "\(name)", "size": 4, "blobId": "\(gitSHA1(Data("evil".utf8)))"}]}
        """
      let bad = try failure { request, _ in
        request.path.hasPrefix("/api") ? .text(listing) : HTTPResponse(body: Data("evil".utf8))
      }
      guard case .noWeights = bad else {
        Issue.record("\(name): \(bad)")
        continue
      }
    }
    // A tag that is no name of a file is no name of a blob either.
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, listsHashes: false) { _, request, _ in
        request.path.hasPrefix("/api") ? nil : HTTPResponse(fields: [("ETag", "\"../../x\"")], body: Data("{}".utf8))
      }
      let pull = Pulling(cache: folder)
      let error = #expect(throws: HubError.self) { try pull(from: server.hub.url) }
      #expect(error?.description.contains("no ETag") == true)
      #expect(try pull.paths().isEmpty)
    }
  }

  @Test func `a Hub out of reach is noticed, and what is in the cache serves`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles)
      let url = server.hub.url
      let pull = Pulling(cache: folder)
      _ = try pull(from: url)
      server.hub.stop()
      let model = try pull(from: url)
      #expect(model.commit == FakeHub.commit)
      guard case .unchecked("org/model", let reason) = pull.events.last else {
        Issue.record("\(pull.events)")
        return
      }
      #expect(reason.contains("\(url) is out of reach"))
      let error = #expect(throws: HubError.self) { try pull("org/other", from: url) }
      #expect(error?.description.contains("cannot reach \(url): no connection;") == true)
    }
  }

  @Test func `a cache that cannot be written says so`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: modelFiles, large: largeFiles)
      let file = folder.appending(path: "file")
      try Data().write(to: file)
      let error = #expect(throws: HubError.self) {
        try Pulling(cache: file.appending(path: "cache"))(from: server.hub.url, environment: ["HOME": folder.path])
      }
      #expect(error?.description.contains("a file is in the way") == true)
    }
  }
}
