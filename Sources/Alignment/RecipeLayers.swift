import Checkpoints
import Foundation
import Yams

/// A recipe under construction: a preset, or a file on top of the default recipe; then single settings on top.
///
/// A file's relative paths lead from the file's folder or, where nothing is there, from the working directory; those of single
/// settings lead from the working directory. What is found is kept as an absolute path, so that a run can be taken up elsewhere.
public struct RecipeLayers {
  private var mapping: [(key: String, value: Node)] = []
  private let name: String
  private let keysOfFile: Set<String>?
  private var changed: Set<Recipe.CodingKeys> = []
  /// Whether the learning rate is a choice for this run, and not that of the default preset.
  private var hasChosenLearningRate: Bool {
    let key = Recipe.CodingKeys.learningRate
    return changed.contains(key) || keysOfFile?.contains(key.rawValue) ?? (name != Self.defaultName)
  }
  /// Whether a setting was put on top.
  public var isChanged: Bool { !changed.isEmpty }

  /// Names of the presets in the program.
  public static var presets: [String] {
    embeddedFiles(in: "recipes").keys.map { String($0.dropLast(".yaml".count)) }.sorted()
  }

  /// The text of a preset, comments included; nil where there is no such preset.
  public static func presetText(_ name: String) -> String? {
    embeddedFiles(in: "recipes")["\(name).yaml"].map { String(decoding: $0.data, as: UTF8.self) }
  }

  /// Starts from a preset's name or the path of a YAML file.
  ///
  /// - Throws: ``AlignmentError/recipe(file:reason:)`` for an unknown name or a file that is no recipe.
  public init(_ nameOrPath: String) throws {
    let file = inputFile(nameOrPath)
    if let preset = Self.presetText(nameOrPath) {
      name = nameOrPath
      keysOfFile = nil
      mapping = try Self.read(preset, name: name)
    } else if FileManager.default.fileExists(atPath: file.path) {
      name = nameOrPath == "-" ? displayName(file) : nameOrPath
      let settings = try Self.read(readYAML(file), name: name)
      keysOfFile = Set(settings.map(\.key))
      mapping = try Self.read(Self.presetText(Self.defaultName) ?? "", name: Self.defaultName)
      // On the default recipe, the one would take the other's place.
      let hasFile = settings.contains { $0.key == Recipe.CodingKeys.promptFile.rawValue && $0.value.null == nil }
      if hasFile, keysOfFile?.contains(Recipe.CodingKeys.promptTexts.rawValue) == true {
        throw AlignmentError.setting(name: "--prompts", reason: Recipe.promptConflict)
      }
      let folder = isStream(file) ? nil : file.deletingLastPathComponent()
      for (key, value) in settings {
        guard let setting = Recipe.CodingKeys(rawValue: key) else { continue }
        let path = PathSetting.keys.contains(setting) ? value.scalar.map(\.string) : nil
        let isGiven = path.map { !["", "~", "null"].contains($0) } ?? false
        put(
          setting,
          isGiven ? Self.text(PathSetting.located(path ?? "", beside: folder, isFile: setting == .promptFile)) : value)
      }
    } else {
      throw AlignmentError.recipe(
        file: nameOrPath,
        reason:
          "there is neither such a file nor such a recipe; the recipes are \(Self.presets.joined(separator: ", "))")
    }
  }

  /// The recipe that a file's settings lie on.
  private static let defaultName = "default"

  /// The settings of a recipe's text.
  private static func read(_ text: String, name: String) throws -> [(key: String, value: Node)] {
    // Decoding checks the values while lines are still known.
    _ = try decodeYAML(Recipe.self, text: text, name: name, keys: Recipe.yamlKeys)
    return try Yams.compose(yaml: text)?.mapping?.map { ($0.key.string ?? "", $0.value) } ?? []
  }

  /// What a file leaves to the default recipe that version 0.1.0 took otherwise; nil where there is nothing.
  public var note: String? {
    guard let keysOfFile else { return nil }
    let left = [Recipe.CodingKeys.learningRate, .learningRateSchedule, .lengthNormalizer, .klCoefficient]
      .filter { !keysOfFile.contains($0.rawValue) && !changed.contains($0) }
      .compactMap { key in mapping.last { $0.key == key.rawValue }?.value.string.map { "\(key.rawValue) \($0)" } }
    return left.isEmpty ? nil : "\(name) leaves to the default recipe: \(left.joined(separator: ", "))."
  }

  /// Puts a single setting on top; nil leaves what is there.
  ///
  /// Prompts and a file of prompts take each other's place.
  public mutating func set(_ key: Recipe.CodingKeys, _ value: (some CustomStringConvertible)?) {
    guard let value else { return }
    changed.insert(key)
    var text = value.description
    if PathSetting.keys.contains(key), !text.isEmpty {
      text = PathSetting.located(text, beside: nil, isFile: key == .promptFile)
    }
    put(key, value is String ? Self.text(text) : Node(text, .implicit, .any))
  }

  /// Puts prompts on top; an empty list leaves what is there.
  public mutating func set(prompts: [String]) {
    guard !prompts.isEmpty else { return }
    changed.insert(.promptTexts)
    put(.promptTexts, Node(prompts.map(Self.text)))
  }

  /// Puts a list of texts on top; nil leaves what is there.
  public mutating func set(_ key: Recipe.CodingKeys, list: [String]?) {
    guard let list else { return }
    changed.insert(key)
    put(key, Node(list.map(Self.text)))
  }

  private mutating func remove(_ keys: Recipe.CodingKeys...) {
    mapping.removeAll { (key, _) in keys.contains { $0.rawValue == key } }
  }

  private mutating func put(_ key: Recipe.CodingKeys, _ node: Node) {
    remove(key)
    if key == .promptFile { remove(.promptTexts) }
    if key == .promptTexts { remove(.promptFile, .promptColumn) }
    mapping.append((key.rawValue, node))
  }

  private static func text(_ text: String) -> Node { Node(text, Tag(.str), .doubleQuoted) }

  /// The recipe, checked.
  ///
  /// - Throws: ``AlignmentError``.
  public func resolved() throws -> Recipe {
    let node = Node.mapping(.init(mapping.map { (Node($0.key), $0.value) }))
    var recipe = try decodeYAML(Recipe.self, from: node, name: name)
    recipe.isLearningRateDefault = !hasChosenLearningRate
    try recipe.validate()
    try recipe.readPromptStream()
    try recipe.checkSystemMessage()
    return recipe
  }
}
