import Foundation
import JSON
import Runs

/// Settings of a recipe that are paths, or names that may be paths.
enum PathSetting {
  /// Their keys.
  static let keys: Set<Recipe.CodingKeys> = [.model, .reference, .rewardModel, .promptFile]

  /// The absolute path of what a recipe or flag names; the name as it is where nothing is there, as with a model of the Hub.
  ///
  /// - Parameters:
  ///   - folder: where relative paths lead from first; the working directory comes after it, and is all there is for nil.
  ///   - isFile: whether the name is a file's, so that `-` is standard input.
  static func located(_ name: String, beside folder: URL?, isFile: Bool) -> String {
    if name == EmbeddedModel.name { return name }
    if name == "-" { return isFile ? inputFile(name).path : name }
    let path = userPath(name)
    let places = [folder.map { URL(filePath: path, relativeTo: $0) }, URL(filePath: path)].compactMap(\.self)
    if let found = places.first(where: { FileManager.default.fileExists(atPath: $0.path) }) { return found.path }
    return path
  }

  /// The path of what a run was begun with, where it is now: as it was written; else, for a run or project that was moved and
  /// for a relative path, the longest end of it that leads somewhere from the run folder or a folder above it.
  ///
  /// What is found is compared by its SHA-256 with what the run began with.
  static func located(_ name: String, run: URL) -> String {
    let isThere = { FileManager.default.fileExists(atPath: $0) }
    if name == EmbeddedModel.name || isThere(name) { return name }
    let parts = name.split(separator: "/").filter { $0 != "." }
    for count in stride(from: parts.count, to: 0, by: -1) {
      let end = parts.suffix(count).joined(separator: "/")
      var place = URL(filePath: run.path, directoryHint: .isDirectory)
      while true {
        let candidate = place.appending(path: end).path
        if isThere(candidate) { return candidate }
        guard place.path != "/" else { break }
        place = place.deletingLastPathComponent()
      }
    }
    return name
  }

  /// A path with the user's home folder in the place of `~`: a shell leaves that to the program in `--model=~/x` and in files.
  private static func userPath(_ path: String) -> String {
    path.hasPrefix("~/") ? NSString(string: path).expandingTildeInPath : path
  }
}

extension Recipe {
  /// The keys of a recipe's file.
  static var yamlKeys: YAMLKeys {
    let texts: [CodingKeys] = [
      .model, .reference, .rewardModel, .promptTexts, .promptFile, .promptColumn, .system, .toward, .loraTargets,
      .memory,
    ]
    let given =
      (try? Recipe().json).map { json in CodingKeys.allCases.filter { (json[$0.rawValue] ?? .null) != .null } } ?? []
    return YAMLKeys(
      all: CodingKeys.allCases.map(\.rawValue), texts: Set(texts.map(\.rawValue)),
      nullable: Set(CodingKeys.allCases.map(\.rawValue)).subtracting(given.map(\.rawValue)))
  }

  /// The same settings with the paths where they lead now, for the run in `folder`.
  func located(run folder: URL) -> Recipe {
    var recipe = self
    recipe.model = PathSetting.located(model, run: folder)
    recipe.reference = reference.map { PathSetting.located($0, run: folder) }
    recipe.rewardModel = rewardModel.map { PathSetting.located($0, run: folder) }
    recipe.promptFile = promptFile.map { PathSetting.located($0, run: folder) }
    return recipe
  }
}
