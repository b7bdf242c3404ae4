public import Checkpoints
public import Foundation
import Hub

/// Where the reward model is: `Scripts/fetch-reward-model` and `tinyalign pull minilm` put it where this finds it.
public enum RewardModelLocation {
  /// The model's name, and that of its folder in the cache.
  public static let modelName = "all-MiniLM-L6-v2"

  /// The model's name on the Hugging Face Hub.
  private static let hubName = "sentence-transformers/all-MiniLM-L6-v2"

  /// The folder that `TINYALIGN_REWARD_MODEL` names, else that of the model in the cache.
  public static func folder(environment: [String: String] = ProcessInfo.processInfo.environment) -> URL {
    if let path = setting("TINYALIGN_REWARD_MODEL", environment) {
      return expandedFolder(path, environment: environment)
    }
    return cacheFolder(environment: environment).appending(path: "models/\(modelName)", directoryHint: .isDirectory)
  }

  /// The folder for what can be fetched again: `TINYALIGN_CACHE`, else `tinyalign` in `XDG_CACHE_HOME`, else in the
  /// user's folder for caches.
  public static func cacheFolder(environment: [String: String] = ProcessInfo.processInfo.environment) -> URL {
    if let path = setting("TINYALIGN_CACHE", environment) { return expandedFolder(path, environment: environment) }
    // The XDG specification has relative paths ignored.
    if let path = setting("XDG_CACHE_HOME", environment).map({ expandedFolder($0, environment: environment) }),
      setting("XDG_CACHE_HOME", environment)?.first.map({ "/~$".contains($0) }) == true
    {
      return path.appending(path: "tinyalign", directoryHint: .isDirectory)
    }
    let home = setting("HOME", environment).map(folder(atPath:))
    #if os(macOS)
      let caches = "Library/Caches/tinyalign"
    #else
      let caches = ".cache/tinyalign"
    #endif
    return (home ?? FileManager.default.homeDirectoryForCurrentUser)
      .appending(path: caches, directoryHint: .isDirectory)
  }

  /// The reward model: from ``folder(environment:)``, or where that holds none and no variable names it, from the Hub
  /// cache.
  ///
  /// - Throws: ``RewardError/missingModel(folder:setting:)`` where it has not been fetched.
  public static func source(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> ModelSource {
    let folder = Self.folder(environment: environment)
    guard holdsWeights(folder) else {
      if setting("TINYALIGN_REWARD_MODEL", environment) == nil,
        let cached = try HubCache.snapshot(of: hubName, environment: environment),
        holdsWeights(cached)
      {
        return .folder(cached)
      }
      let names = ["TINYALIGN_REWARD_MODEL", "TINYALIGN_CACHE"]
      throw RewardError.missingModel(
        folder: folder.path, setting: names.first { setting($0, environment) != nil })
    }
    return .folder(folder)
  }

  /// Whether weights are in a folder, or where models of 2020 have them.
  private static func holdsWeights(_ folder: URL) -> Bool {
    let names = ["model.safetensors", "pytorch_model.bin"]
    return (names + names.flatMap { ["\($0).index.json", "0_Transformer/\($0)"] })
      .contains { FileManager.default.fileExists(atPath: folder.appending(path: $0).path) }
  }

  private static func folder(atPath path: String) -> URL { URL(filePath: path, directoryHint: .isDirectory) }

  /// An environment variable; one that is empty counts as not set.
  private static func setting(_ name: String, _ environment: [String: String]) -> String? {
    environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }
}
