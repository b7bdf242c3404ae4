/// A model on the Hub as a user names it: `NAME` or `ORGANISATION/NAME`, then `@REVISION` and `:FILE` where wanted.
///
/// The names of ``KnownModel`` are accepted too. The rules are those of huggingface_hub's `validate_repo_id`, so that
/// a name can neither leave the cache nor stand for two folders in it.
public struct HubName: Sendable, Equatable, CustomStringConvertible {
  /// `NAME` or `ORGANISATION/NAME`.
  public let repository: String
  /// A branch, a tag or a commit, where one is named.
  public let revision: String?
  /// A file of the repository, where one is named.
  public let file: String?

  /// Reads a name.
  ///
  /// - Throws: ``HubError/invalidName(name:reason:)``.
  public init(_ text: String) throws {
    let (head, file) = Self.split(text, at: ":")
    let (repository, revision) = Self.split(head, at: "@")
    try self.init(repository: repository, revision: revision, file: file)
  }

  /// A name from its parts.
  ///
  /// - Throws: ``HubError/invalidName(name:reason:)`` where one of them breaks the Hub's rules.
  public init(repository: String, revision: String? = nil, file: String? = nil) throws {
    let known = KnownModel.named(repository)
    let repository = known?.repository ?? repository
    if let reason = Self.problem(repository: repository) {
      throw HubError.invalidName(name: repository, reason: reason)
    }
    if let revision, !Self.isRevision(revision) {
      throw HubError.invalidName(
        name: "\(repository)@\(revision)", reason: "after @ stands a branch, a tag or a commit, such as main")
    }
    if let file, !Self.isSafePath(file) {
      throw HubError.invalidName(name: "\(repository):\(file)", reason: "after : stands the name of a file in it")
    }
    self.repository = repository
    self.revision = revision
    self.file = file ?? known?.file
  }

  /// The name as a user would write it.
  public var description: String {
    repository + (revision.map { "@" + $0 } ?? "") + (file.map { ":" + $0 } ?? "")
  }

  private static func split(_ text: String, at separator: Character) -> (String, String?) {
    guard let index = text.firstIndex(of: separator) else { return (text, nil) }
    return (String(text[..<index]), String(text[text.index(after: index)...]))
  }

  private static func problem(repository: String) -> String? {
    let parts = repository.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, !parts.contains("") else { return "it reads like ORGANISATION/NAME" }
    for part in parts {
      guard part.utf8.count <= 96 else { return "its parts have at most 96 characters" }
      guard part.utf8.allSatisfy(isPlain) else { return "it holds letters, digits, '-', '_' and '.' only" }
      guard let first = part.utf8.first, let last = part.utf8.last,
        !"-.".utf8.contains(first), !"-.".utf8.contains(last)
      else { return "its parts neither begin nor end with '-' or '.'" }
    }
    if repository.contains("--") || repository.contains("..") { return "'--' and '..' are not allowed in it" }
    return repository.hasSuffix(".git") ? "it must not end in .git" : nil
  }

  private static func isRevision(_ text: String) -> Bool {
    isSafePath(text) && text.utf8.count <= 200 && text.utf8.allSatisfy { isPlain($0) || $0 == UInt8(ascii: "/") }
      && !text.split(separator: "/").contains { $0.hasPrefix(".") || $0.hasPrefix("-") }
  }

  /// Whether a path of a repository stays in it, and is one that every file system takes.
  static func isSafePath(_ path: String) -> Bool {
    guard !path.isEmpty, path.utf8.count <= 1_000 else { return false }
    let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return parts.allSatisfy { part in
      !part.isEmpty && part.count <= 255 && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
        && part.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }
    }
  }

  /// Whether a text can be the name of a blob, a snapshot or a reference in the cache.
  static func isPlainName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 255 && text.utf8.allSatisfy(isPlain) && text.utf8.first != UInt8(ascii: ".")
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }
}
