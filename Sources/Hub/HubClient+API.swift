import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// What the Hub says of a repository at a revision.
struct RepositoryInfo: Sendable {
  /// The commit that the revision stands for.
  let commit: String
  /// The files at that commit.
  let files: [RemoteFile]
}

extension HubClient {
  /// Asks the API for a repository's commit and files.
  ///
  /// - Throws: ``HubError``.
  func info(
    _ name: HubName, connectionAttempts: Int? = nil, report: (PullEvent) -> Void
  ) throws -> RepositoryInfo {
    let revision = name.revision ?? "main"
    guard let escaped = revision.addingPercentEncoding(withAllowedCharacters: .unreserved),
      let url = URL(
        string: "\(settings.endpoint.absoluteString)/api/models/\(name.repository)/revision/\(escaped)?blobs=true")
    else { throw HubError.invalidName(name: name.description, reason: "it cannot be part of an address") }
    let data = try retrying(name.repository, connectionAttempts: connectionAttempts, report: report) {
      let answer = try open(url)
      guard answer.head.status == 200 else { throw refusal(of: answer, name: name, file: nil) }
      return try body(of: answer)
    }
    let info: Answer
    do {
      info = try JSONDecoder().decode(Answer.self, from: data)
    } catch {
      let isPage = data.prefix(256).contains(UInt8(ascii: "<"))
      throw HubError.badAnswer(
        server: server,
        reason: isPage ? "it sends a web page where a listing is expected" : "its listing cannot be read")
    }
    guard HubName.isPlainName(info.sha) else {
      throw HubError.badAnswer(server: server, reason: "it gives the commit '\(info.sha)'")
    }
    return RepositoryInfo(commit: info.sha, files: try info.siblings.map(remoteFile))
  }

  /// Where a file's bytes are.
  ///
  /// - Throws: ``HubError/invalidName(name:reason:)``.
  func address(of file: String, _ name: HubName, commit: String) throws -> URL {
    guard let path = file.addingPercentEncoding(withAllowedCharacters: .unreservedAndSlash),
      let url = URL(string: "\(settings.endpoint.absoluteString)/\(name.repository)/resolve/\(commit)/\(path)")
    else { throw HubError.invalidName(name: file, reason: "it cannot be part of an address") }
    return url
  }

  /// What an answer other than success means: an error for the user, or a reason to ask again.
  func refusal(of answer: HubAnswer, name: HubName, file: String?) -> any Error {
    answer.exchange.cancel()
    let head = answer.head
    let code = head["X-Error-Code"] ?? ""
    let status = "status \(head.status)"
    switch (head.status, code) {
    case (_, "RepoNotFound"),
      (404, "") where file == nil && name.revision == nil:
      return HubError.notFound(
        what: "repository \(name.repository) at \(server)",
        hint: settings.token == nil
          ? "check its name, or set HF_TOKEN if it is private" : "check its name, and that HF_TOKEN may read it")
    case (404, "RevisionNotFound"),
      (404, "") where file == nil:
      return HubError.notFound(
        what: "revision \(name.revision ?? "main") of \(name.repository) at \(server)",
        hint: "check the name, or the branch, tag or commit after @")
    case (404, _) where answer.isFromHub:
      return HubError.notFound(
        what: "file \(file ?? "") in \(name.repository) at \(server)", hint: "check its name and the revision")
    case (401, _) where answer.isFromHub, (403, _) where answer.isFromHub:
      return HubError.denied(
        name: name.repository, server: server, hasToken: settings.token != nil,
        reason: code == "GatedRepo" ? "its terms have to be accepted" : status)
    case (408, _), (429, _), (500, _), (502..., _):
      return Retry(reason: "\(place(answer.url)) answers with \(status)", after: retryAfter(head["Retry-After"]))
    case (_, _) where !answer.isFromHub:
      // The addresses that the Hub redirects to are valid for a while only; another attempt gets a new one.
      return Retry(reason: "\(place(answer.url)) answers with \(status)")
    default:
      return HubError.badAnswer(server: server, reason: "it answers with \(status)")
    }
  }

  private func retryAfter(_ text: String?) -> Double? {
    guard let text else { return nil }
    if let seconds = Double(text), seconds.isFinite { return max(0, seconds) }
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
    return format.date(from: text).map { max(0, $0.timeIntervalSinceNow) }
  }

  private func remoteFile(_ sibling: Answer.Sibling) throws -> RemoteFile {
    let bytes = sibling.lfs?.size ?? sibling.size
    if let bytes, bytes < 0 {
      throw HubError.badAnswer(server: server, reason: "it lists '\(sibling.rfilename)' with \(bytes) bytes")
    }
    return RemoteFile(
      path: sibling.rfilename, bytes: bytes, sha256: hexadecimal(sibling.lfs?.sha256, count: 64),
      // In large file storage, the git blob is a pointer to the file.
      gitSHA1: sibling.lfs == nil ? hexadecimal(sibling.blobId, count: 40) : nil)
  }

  /// The part of the API's answer that is used.
  private struct Answer: Decodable {
    struct Sibling: Decodable {
      struct LargeFile: Decodable {
        var sha256: String?
        var size: Int?
      }
      var rfilename: String
      var size: Int?
      var blobId: String?
      var lfs: LargeFile?
    }
    var sha: String
    var siblings: [Sibling]
  }
}

/// The text in lower case where it is so many hexadecimal digits.
func hexadecimal(_ text: String?, count: Int) -> String? {
  guard let text = text?.lowercased(), text.utf8.count == count,
    text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
  else { return nil }
  return text
}

extension CharacterSet {
  /// What stands in an address as it is.
  fileprivate static let unreserved = CharacterSet(
    charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
  fileprivate static let unreservedAndSlash = unreserved.union(CharacterSet(charactersIn: "/"))
}
