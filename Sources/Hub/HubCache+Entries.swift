public import Foundation

extension HubCache {
  /// A file of a snapshot.
  public struct File: Sendable, Equatable {
    /// Its path in the repository.
    public let name: String
    /// Its size in bytes.
    public let bytes: Int
  }

  /// How a cached model's weights are kept.
  public enum Format: String, Sendable {
    /// `model.safetensors`, or its parts.
    case safetensors
    /// `pytorch_model.bin`, or its parts.
    case pytorch = "PyTorch"
    /// GGUF files.
    case gguf = "GGUF"
    /// No weights that this program knows of.
    case unknown = "-"
  }

  /// A model in the cache at one commit.
  public struct Entry: Sendable {
    /// `ORGANISATION/NAME`.
    public let name: String
    /// The commit, or what stands for one where the model came from a package.
    public let commit: String
    /// The branches and tags that stand for this commit, sorted.
    public let revisions: [String]
    /// The folder with its files.
    public let folder: URL
    /// The files that are there, by name.
    public let files: [File]
    /// What they take on disk, in bytes.
    public let bytes: Int
    /// The format of the weights.
    public let format: Format
  }

  /// The models in the user's cache, by name; none where there is no cache.
  public static func entries(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> [Entry] {
    HubCache(environment: environment).entries()
  }

  /// The models in this cache, by name and commit.
  public func entries() -> [Entry] {
    Self.names(in: folder).flatMap { repositoryName -> [Entry] in
      let parts = repositoryName.components(separatedBy: "--")
      guard parts.count == 2 || parts.count == 3, parts[0] == "models",
        let name = try? HubName(repository: parts.dropFirst().joined(separator: "/"))
      else { return [] }
      let repository = folder.appending(path: repositoryName, directoryHint: .isDirectory)
      let snapshots = repository.appending(path: "snapshots", directoryHint: .isDirectory)
      let references = Self.references(in: repository)
      return Self.names(in: snapshots).compactMap { commit in
        let folder = snapshots.appending(path: commit, directoryHint: .isDirectory)
        guard Self.isFolder(folder) else { return nil }
        let files = Self.files(in: folder)
        return Entry(
          name: name.repository, commit: commit, revisions: references[commit, default: []].sorted(), folder: folder,
          files: files.map { File(name: $0.name, bytes: $0.bytes) },
          // Two names of one blob take its place once.
          bytes: Dictionary(files.map { ($0.blob, $0.bytes) }, uniquingKeysWith: { first, _ in first })
            .values.reduce(0, +),
          format: FileChoice.format(files.map(\.name)))
      }
    }
  }

  /// The commits of a repository with the branches and tags that stand for them.
  private static func references(in repository: URL) -> [String: [String]] {
    let folder = repository.appending(path: "refs", directoryHint: .isDirectory)
    var references: [String: [String]] = [:]
    for name in paths(in: folder) {
      guard let text = try? String(contentsOfFile: folder.path + "/" + name, encoding: .utf8) else { continue }
      references[text.trimmingCharacters(in: .whitespacesAndNewlines), default: []].append(name)
    }
    return references
  }

  /// The files of a snapshot whose bytes are there, by name.
  static func files(in snapshot: URL) -> [(name: String, bytes: Int, blob: String)] {
    paths(in: snapshot).compactMap { name in
      let path = snapshot.path + "/" + name
      var status = stat()
      // Follows the link: without its blob, a file is not there.
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
      return (name, Int(status.st_size), "\(status.st_dev):\(status.st_ino)")
    }
  }

  /// The paths of all that is no folder below a folder, sorted; a few levels deep and no more than 10,000.
  private static func paths(in folder: URL) -> [String] {
    var found: [String] = []
    var folders = [""]
    while let prefix = folders.popLast(), found.count < 10_000 {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path + "/" + prefix)) ?? []
      for name in names where HubName.isSafePath(name) {
        let path = prefix + name
        var status = stat()
        guard lstat(folder.path + "/" + path, &status) == 0 else { continue }
        if status.st_mode & S_IFMT != S_IFDIR {
          found.append(path)
        } else if path.utf8.count(where: { $0 == UInt8(ascii: "/") }) < 8 {
          folders.append(path + "/")
        }
      }
    }
    return found.sorted()
  }
}
