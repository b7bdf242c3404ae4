public import Foundation

/// The cache that all tools for the Hugging Face Hub share, in huggingface_hub's layout.
///
///     models--ORGANISATION--NAME/
///       blobs/ETAG                  the bytes: ETAG is their SHA-256, or for small files their git blob's SHA-1
///       refs/REVISION               the commit that a branch or tag stood for
///       snapshots/COMMIT/FILE       a relative link to the blob
public struct HubCache: Sendable {
  /// The folder that holds a folder for each repository.
  public let folder: URL

  /// The cache in a folder, whether that exists or not.
  public init(folder: URL) { self.folder = folder }

  /// The cache that the environment variables name; see ``HubSettings/cache``.
  public init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    folder = HubSettings.cacheFolder(environment: environment)
  }

  /// The folder of a model in the user's cache, or its one GGUF file, or nil where it is not there.
  ///
  /// - Parameters:
  ///   - name: as for ``HubName``: `NAME`, `ORGANISATION/NAME`, with `@REVISION` and `:FILE`, or a short name.
  ///   - revision: a branch, a tag or a commit; the one in `name` where nil, else that of `refs/main`, else the only
  ///     or newest one there is.
  /// - Throws: ``HubError/invalidName(name:reason:)``, or ``HubError/choiceNeeded(name:files:)`` where the model is
  ///   one of several GGUF files and `name` chooses none.
  public static func snapshot(
    of name: String, revision: String? = nil, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> URL? {
    let parsed = try HubName(name)
    return try HubCache(environment: environment).location(
      of: HubName(repository: parsed.repository, revision: revision ?? parsed.revision, file: parsed.file))
  }

  /// The folder of a model, or its one GGUF file, or nil where it is not there; see ``snapshot(of:revision:environment:)``.
  ///
  /// - Throws: ``HubError/choiceNeeded(name:files:)`` where the model is one of several GGUF files.
  public func location(of name: HubName) throws -> URL? {
    guard let snapshot = snapshotFolder(of: name) else { return nil }
    let files = Self.files(in: snapshot)
    if let wanted = name.file {
      guard let file = FileChoice.match(wanted, in: files.map(\.name)) else { return nil }
      return snapshot.appending(path: file, directoryHint: .notDirectory)
    }
    let names = files.map(\.name)
    if names.isEmpty { return nil }
    if FileChoice.hasFolderWeights(names) { return snapshot }
    let models = names.filter(FileChoice.isGGUF)
    if models.count > 1 { throw HubError.choiceNeeded(name: name.repository, files: models) }
    return models.first.map { snapshot.appending(path: $0, directoryHint: .notDirectory) } ?? snapshot
  }

  /// The folder of a repository.
  func repositoryFolder(_ repository: String) -> URL {
    folder.appending(
      path: "models--" + repository.split(separator: "/").joined(separator: "--"), directoryHint: .isDirectory)
  }

  /// The snapshot that a revision stands for, where it is there.
  private func snapshotFolder(of name: HubName) -> URL? {
    let repository = repositoryFolder(name.repository)
    let snapshots = repository.appending(path: "snapshots", directoryHint: .isDirectory)
    func existing(_ commit: String?) -> URL? {
      guard let commit, HubName.isPlainName(commit) else { return nil }
      let folder = snapshots.appending(path: commit, directoryHint: .isDirectory)
      return Self.isFolder(folder) ? folder : nil
    }
    if let revision = name.revision {
      if let found = existing(Self.reference(revision, in: repository)) ?? existing(revision) { return found }
      // The beginning of a commit, as git shows it.
      guard revision.utf8.count >= 7 else { return nil }
      let matches = Self.names(in: snapshots).filter { $0.hasPrefix(revision) }
      return matches.count == 1 ? existing(matches[0]) : nil
    }
    if let main = existing(Self.reference("main", in: repository)) { return main }
    return Self.names(in: snapshots).compactMap(existing)
      .max { (Self.modificationDate($0), $0.path) < (Self.modificationDate($1), $1.path) }
  }

  /// The commit that `refs/NAME` holds.
  private static func reference(_ name: String, in repository: URL) -> String? {
    let file = repository.appending(path: "refs/\(name)", directoryHint: .notDirectory)
    guard let handle = FileHandle(forReadingAtPath: file.path) else { return nil }
    defer { try? handle.close() }
    guard let bytes = try? handle.read(upToCount: 256), let text = String(bytes: bytes, encoding: .utf8) else {
      return nil
    }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// The names in a folder, sorted; none where it cannot be read.
  static func names(in folder: URL) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter(HubName.isPlainName).sorted()
  }

  static func isFolder(_ url: URL) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) && isFolder.boolValue
  }

  static func modificationDate(_ url: URL) -> Date {
    let attributes = try? FileManager.default.attributesOfItem(atPath: url.path)
    return attributes?[.modificationDate] as? Date ?? .distantPast
  }
}
