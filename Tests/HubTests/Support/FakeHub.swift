import Crypto
import Foundation
import Hub
import Synchronization
import TestSupport

/// Which server a request reached.
enum Place: Sendable {
  case hub
  case cdn
}

/// A Hub with one repository, and another server that it redirects large files to.
final class FakeHub: Sendable {
  static let commit = "0123456789abcdef0123456789abcdef01234567"
  static let token = "hf_secret"

  let hub: LoopbackServer
  let cdn: LoopbackServer

  /// What a test changes: the answer to a request, or nil for the usual one; `count` requests for the same came before.
  typealias Fault = @Sendable (_ place: Place, _ request: HTTPRequest, _ count: Int) -> HTTPResponse?

  init(
    repository: String = "org/model", files: [String: Data], large: Set<String> = [],
    listsHashes: Bool = true, fault: @escaping Fault = { _, _, _ in nil }
  ) throws {
    let counts = Mutex<[String: Int]>([:])
    @Sendable func count(_ request: HTTPRequest, _ place: Place) -> Int {
      counts.withLock { counts in
        defer { counts["\(place) \(request.method) \(request.path)", default: 0] += 1 }
        return counts["\(place) \(request.method) \(request.path)", default: 0]
      }
    }
    let blobs = Dictionary(files.values.map { (sha256($0), $0) }, uniquingKeysWith: { first, _ in first })
    let cdn = try LoopbackServer { request in
      if let response = fault(.cdn, request, count(request, .cdn)) { return response }
      guard let data = blobs[String(request.path.dropFirst("/blob/".count))] else { return .text("", status: 404) }
      return part(of: data, request, tag: "its-own-tag")
    }
    self.cdn = cdn
    hub = try LoopbackServer { request in
      if let response = fault(.hub, request, count(request, .hub)) { return response }
      if request.path.hasPrefix("/api/models/\(repository)/revision/") {
        return listing(files, large: large, listsHashes: listsHashes)
      }
      let prefix = "/\(repository)/resolve/\(FakeHub.commit)/"
      guard request.path.hasPrefix(prefix) else {
        return .text("", status: 404, [("X-Error-Code", "RepoNotFound")])
      }
      let name = String(request.path.dropFirst(prefix.count))
      guard let data = files[name.removingPercentEncoding ?? ""] else {
        return .text("", status: 404, [("X-Error-Code", "EntryNotFound")])
      }
      guard large.contains(name) else {
        return part(of: data, request, tag: gitSHA1(data), [("X-Repo-Commit", FakeHub.commit)])
      }
      return .text(
        "Found. Redirecting", status: 302,
        [
          ("Location", "\(cdn.url)/blob/\(sha256(data))?Signature=x"), ("X-Linked-ETag", "\"\(sha256(data))\""),
          ("X-Linked-Size", "\(data.count)"), ("X-Repo-Commit", FakeHub.commit),
        ])
    }
  }

  deinit {
    hub.stop()
    cdn.stop()
  }

  /// The files that were asked for, by name, once for each request.
  var fetched: [String] {
    hub.requests.compactMap { request in
      request.path.components(separatedBy: "/resolve/\(FakeHub.commit)/").dropFirst().first
    }
  }
}

/// A file, or the part of it that a request asks for.
private func part(
  of data: Data, _ request: HTTPRequest, tag: String, _ fields: [(String, String)] = []
) -> HTTPResponse {
  let fields = fields + [("ETag", "\"\(tag)\""), ("Accept-Ranges", "bytes")]
  guard let range = request["Range"], request["If-Range"].map({ $0 == "\"\(tag)\"" }) ?? true,
    let start = Int(range.dropFirst("bytes=".count).dropLast())
  else { return HTTPResponse(fields: fields, body: data) }
  guard start < data.count else {
    return HTTPResponse(status: 416, fields: fields + [("Content-Range", "bytes */\(data.count)")])
  }
  return HTTPResponse(
    status: 206, fields: fields + [("Content-Range", "bytes \(start)-\(data.count - 1)/\(data.count)")],
    body: data.dropFirst(start))
}

/// The answer of the API.
private func listing(_ files: [String: Data], large: Set<String>, listsHashes: Bool) -> HTTPResponse {
  let siblings = files.keys.sorted().map { name -> [String: Any] in
    let data = files[name] ?? Data()
    guard listsHashes else { return ["rfilename": name] }
    var sibling: [String: Any] = ["rfilename": name, "size": data.count, "blobId": gitSHA1(data)]
    if large.contains(name) { sibling["lfs"] = ["sha256": sha256(data), "size": data.count, "pointerSize": 134] }
    return sibling
  }
  let answer: [String: Any] = ["id": "org/model", "sha": FakeHub.commit, "private": false, "siblings": siblings]
  let body = (try? JSONSerialization.data(withJSONObject: answer)) ?? Data()
  return HTTPResponse(fields: [("Content-Type", "application/json")], body: body)
}

func sha256(_ data: Data) -> String { SHA256.hash(data: data).map { hexadecimal($0) }.joined() }

func gitSHA1(_ data: Data) -> String {
  Insecure.SHA1.hash(data: Data("blob \(data.count)\0".utf8) + data).map { hexadecimal($0) }.joined()
}

private func hexadecimal(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

/// Bytes that repeat nothing.
func noise(_ count: Int, seed: UInt64 = 1) -> Data {
  var state = seed
  return Data(
    (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 56)
    })
}

/// What a pull left and said.
final class Pulling {
  let cache: URL
  private(set) var events: [PullEvent] = []

  init(cache: URL) { self.cache = cache }

  /// Pulls from a fake Hub.
  func callAsFunction(
    _ name: String = "org/model", from endpoint: String, source: ModelPull.Source = .automatic,
    policy: TransferPolicy = .quick, environment: [String: String] = [:], knownModels: [KnownModel] = [],
    packageCommand: [String] = ["false"], isCancelled: @escaping @Sendable () -> Bool = { false }
  ) throws -> PulledModel {
    let settings = [
      "HF_ENDPOINT": endpoint, "HF_HUB_CACHE": cache.path, "HOME": cache.path, "HF_TOKEN": FakeHub.token,
    ].merging(environment) { $1 }
    return try ModelPull(
      HubName(name), from: source, environment: settings, policy: policy, knownModels: knownModels,
      packageCommand: packageCommand, isCancelled: isCancelled
    ).run { self.events.append($0) }
  }

  /// The reasons for all repeated attempts.
  var retries: [String] {
    events.compactMap { if case .retrying(_, let reason, _) = $0 { reason } else { nil } }
  }

  /// The paths below the cache of all that is no folder, without locks.
  func paths() throws -> Set<String> {
    Set(
      try FileManager.default.subpathsOfDirectory(atPath: cache.path).filter { path in
        let attributes = try? FileManager.default.attributesOfItem(atPath: cache.path + "/" + path)
        return attributes?[.type] as? FileAttributeType != .typeDirectory && !path.hasPrefix(".locks")
      })
  }
}

extension TransferPolicy {
  /// As for a person, but in no time.
  static var quick: TransferPolicy {
    var policy = TransferPolicy()
    policy.firstWait = 0.005
    policy.longestWait = 0.02
    return policy
  }
}
