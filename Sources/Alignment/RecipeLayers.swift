import Checkpoints
import Foundation
import Yams

/// A recipe under construction: a preset or a file, then single settings on top.
public struct RecipeLayers {
  private var mapping: [(key: String, value: Node)] = []
  private let name: String
  /// Whether a setting was put on top.
  public private(set) var isChanged = false

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
    name = nameOrPath
    let keys = Recipe.CodingKeys.allCases.map(\.rawValue)
    let text: String
    if let preset = Self.presetText(nameOrPath) {
      text = preset
    } else if FileManager.default.fileExists(atPath: nameOrPath) {
      text = try readYAML(URL(filePath: nameOrPath))
    } else {
      throw AlignmentError.recipe(
        file: nameOrPath,
        reason:
          "there is neither such a file nor such a recipe; the recipes are \(Self.presets.joined(separator: ", "))")
    }
    // Decoding checks the values while lines are still known.
    _ = try decodeYAML(Recipe.self, text: text, name: nameOrPath, keys: keys)
    for (key, value) in try Yams.compose(yaml: text)?.mapping ?? [:] { mapping.append((key.string ?? "", value)) }
  }

  /// Puts a single setting on top; nil leaves what is there.
  ///
  /// Prompts and a file of prompts take each other's place.
  public mutating func set(_ key: Recipe.CodingKeys, _ value: (some CustomStringConvertible)?) {
    guard let value else { return }
    replace(key, with: value is String ? Self.text(value.description) : Node(value.description, .implicit, .any))
    if key == .promptFile { remove(.promptTexts) }
    if key == .promptTexts { remove(.promptFile, .promptColumn) }
  }

  /// Puts prompts on top; an empty list leaves what is there.
  public mutating func set(prompts: [String]) {
    guard !prompts.isEmpty else { return }
    replace(.promptTexts, with: Node(prompts.map(Self.text)))
    remove(.promptFile, .promptColumn)
  }

  /// Puts a list of texts on top; nil leaves what is there.
  public mutating func set(_ key: Recipe.CodingKeys, list: [String]?) {
    guard let list else { return }
    replace(key, with: Node(list.map(Self.text)))
  }

  private mutating func remove(_ keys: Recipe.CodingKeys...) {
    mapping.removeAll { (key, _) in keys.contains { $0.rawValue == key } }
  }

  private mutating func replace(_ key: Recipe.CodingKeys, with node: Node) {
    remove(key)
    isChanged = true
    mapping.append((key.rawValue, node))
  }

  private static func text(_ text: String) -> Node { Node(text, Tag(.str), .doubleQuoted) }

  /// The recipe, checked.
  ///
  /// - Throws: ``AlignmentError``.
  public func resolved() throws -> Recipe {
    let node = Node.mapping(.init(mapping.map { (Node($0.key), $0.value) }))
    let recipe = try decodeYAML(Recipe.self, from: node, name: name)
    try recipe.validate()
    return recipe
  }
}
