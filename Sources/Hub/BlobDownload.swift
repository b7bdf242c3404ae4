import Foundation

/// One file from the Hub into the cache: resumed where it broke off, checked before it gets its name.
struct BlobDownload {
  let client: HubClient
  let store: BlobStore
  let name: HubName
  let commit: String
  let file: RemoteFile
  let report: (PullEvent) -> Void

  /// The file was replaced on the server while it arrived.
  private struct Changed: Error {}

  /// Fetches the file unless it is there, and links it into the snapshot.
  ///
  /// - Throws: ``HubError``.
  func run() throws {
    for _ in 0..<client.policy.attempts {
      do {
        return try runOnce()
      } catch is Changed {
        report(.retrying(what: file.path, reason: "it changed on the server", seconds: 0))
      }
    }
    throw HubError.transfer(what: file.path, reason: "it changes on the server all the time")
  }

  private func runOnce() throws {
    // A commit's files do not change.
    if let bytes = store.ownBytes(of: file.path, commit: commit), file.bytes == nil || file.bytes == bytes {
      return report(.cached(file: file.path, bytes: bytes))
    }
    let url = try client.address(of: file.path, name, commit: commit)
    var blob = file.blobName
    // A listing without hashes: the file's own header has the name of the blob.
    if blob == nil { blob = try client.retrying(file.path, report: report) { try askForTag(url) } }
    guard let blob else {
      throw HubError.badAnswer(server: client.server, reason: "it gives no ETag for \(file.path)")
    }
    let wasThere = store.hasBlob(blob, bytes: file.bytes)
    if !wasThere {
      var hasSaidSo = false
      try store.withLock(blob) {
        if !hasSaidSo { report(.waiting(file: file.path)) }
        hasSaidSo = true
        try client.sleep(0.1)
      } _: {
        // Another download may have fetched it meanwhile.
        if !store.hasBlob(blob, bytes: file.bytes) { try fetch(url, blob: blob) }
      }
    }
    let bytes = PartialFile.existingBytes(store.blob(blob).path)
    try store.link(file.path, to: blob, commit: commit, isNew: !wasThere)
    report(wasThere ? .cached(file: file.path, bytes: bytes) : .finished(file: file.path, bytes: bytes))
  }

  private func askForTag(_ url: URL) throws -> String? {
    let answer = try client.open(url, method: "HEAD")
    guard (200..<400).contains(answer.head.status) else {
      throw client.refusal(of: answer, name: name, file: file.path)
    }
    answer.exchange.cancel()
    return answer.entityTag
  }

  private func expectation(_ blob: String) -> Expectation {
    Expectation(
      bytes: file.bytes, sha256: file.sha256 ?? hexadecimal(blob, count: 64),
      gitSHA1: file.gitSHA1 ?? hexadecimal(blob, count: 40))
  }

  private func fetch(_ url: URL, blob: String) throws {
    let partial = try PartialFile(store.blob(blob).path + ".incomplete")
    var expected = expectation(blob)
    report(.started(file: file.path, bytes: file.bytes, resumedAt: partial.count))
    var damaged = 0
    var furthest = partial.count
    while true {
      try client.retrying(file.path, report: report) {
        do {
          try receive(url, blob: blob, into: partial, expected: &expected)
        } catch var retry as Retry {
          // Counted from where no attempt came before, or a server that knows no parts would be asked for ever.
          retry.hasProgress = partial.count - furthest >= 1 << 20
          furthest = max(furthest, partial.count)
          throw retry
        }
      }
      guard let mismatch = try expected.mismatch(of: partial.path) else { break }
      // What an earlier download left may be of another file: once more from the start.
      damaged += 1
      guard damaged < 2 else {
        partial.discard()
        throw HubError.wrongBytes(file: "\(file.path) of \(name.repository)", reason: mismatch)
      }
      report(.retrying(what: file.path, reason: mismatch, seconds: 0))
      try partial.restart()
    }
    try partial.rename(to: store.blob(blob).path)
  }

  /// One attempt to get the rest of the file.
  private func receive(_ url: URL, blob: String, into partial: PartialFile, expected: inout Expectation) throws {
    if let bytes = expected.bytes {
      if partial.count > bytes { try partial.restart() }
      if partial.count == bytes, bytes > 0 { return }
    }
    let start = partial.count
    let headers = start > 0 ? ["Range": "bytes=\(start)-", "If-Range": "\"\(blob)\""] : [:]
    let answer = try client.open(url, headers: headers)
    try checkTag(answer, blob: blob, partial)
    let announced = try beginning(answer, into: partial, expected: &expected)
    let exchange = answer.exchange
    defer { exchange.cancel() }
    while true {
      switch try client.event(of: exchange, within: client.policy.stallTimeout, url: answer.url) {
      case .head: break
      case .data(let data):
        if let bytes = expected.bytes ?? announced, data.count > bytes - partial.count {
          try partial.restart()
          throw Retry(reason: "\(client.place(answer.url)) sends more than the \(bytes) bytes announced")
        }
        try partial.append(data)
        report(.progress(file: file.path, done: partial.count, bytes: expected.bytes ?? announced))
      case .end(let problem?):
        throw Retry(reason: "\(client.place(answer.url)): \(problem.reason)")
      case .end(nil):
        if let bytes = expected.bytes ?? announced, partial.count < bytes {
          throw Retry(reason: "\(client.place(answer.url)) ended after \(partial.count) of \(bytes) bytes")
        }
        return
      }
    }
  }

  /// Refuses a file that is another than the listing says: it changed meanwhile.
  private func checkTag(_ answer: HubAnswer, blob: String, _ partial: PartialFile) throws {
    guard (200..<300).contains(answer.head.status), let tag = answer.entityTag, tag != blob else { return }
    // Only like can be compared with like: some mirrors give tags of their own.
    guard tag.utf8.count == blob.utf8.count || file.blobName == nil else { return }
    answer.exchange.cancel()
    partial.discard()
    throw Changed()
  }

  /// Reads the head of an answer: where its bytes belong, and how many the whole file has.
  private func beginning(
    _ answer: HubAnswer, into partial: PartialFile, expected: inout Expectation
  ) throws -> Int? {
    let head = answer.head
    if let linked = answer.linkedSize, let bytes = expected.bytes, linked != bytes {
      answer.exchange.cancel()
      throw Retry(reason: "\(client.server) announces \(linked) bytes, and \(bytes) in its listing")
    }
    let length = head["Content-Length"].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
    switch head.status {
    case 200:
      // The server takes no part of a file, or the file is another one: from the start.
      if partial.count > 0 { try partial.restart() }
      return answer.linkedSize ?? length
    case 206:
      guard let range = ContentRange(head["Content-Range"]), range.start == partial.count else {
        answer.exchange.cancel()
        try partial.restart()
        throw Retry(reason: "\(client.place(answer.url)) sends another part than the one asked for")
      }
      return answer.linkedSize ?? range.total
    case 416:
      // There is no such part: what is here is as long as the file, or longer.
      answer.exchange.cancel()
      if let total = ContentRange(head["Content-Range"])?.total, total == partial.count, expected.bytes == nil {
        expected.bytes = total
        throw Retry(reason: "all of it is here")
      }
      try partial.restart()
      throw Retry(reason: "\(client.place(answer.url)) has no such part")
    default:
      throw client.refusal(of: answer, name: name, file: file.path)
    }
  }
}

/// The field `Content-Range: bytes START-END/TOTAL`.
struct ContentRange {
  let start: Int?
  let total: Int?

  init?(_ text: String?) {
    guard let text, text.hasPrefix("bytes ") else { return nil }
    let parts = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    start = parts[0].split(separator: "-", omittingEmptySubsequences: false).first.flatMap { Int($0) }
    total = Int(parts[1])
  }
}
