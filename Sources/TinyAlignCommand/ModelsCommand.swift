import Alignment
import ArgumentParser
import Checkpoints
import Foundation
import Hub
import Runs
import Transformers

struct Models: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "List the models in this program and in the Hub cache, and what can be loaded.")

  @OptionGroup var common: CommonOptions

  func run() throws {
    let models = try [ListedModel.embedded()] + HubCache.entries().map(ListedModel.init(entry:))
    if common.json {
      for model in models { try printJSON(model.json) }
      try printJSON([
        .init("where", "supported"), .init("model_types", .array(supportedModelTypes.map { .string($0) })),
        .init("formats", .array(ListedModel.formats.map { .string($0) })),
      ])
      return
    }
    try Output.line(table([ListedModel.heading] + models.map(\.row)))
    let missing = KnownModel.all.filter { known in !models.contains { $0.name == known.repository } }
    try Output.line("")
    try Output.line("Model types that can be loaded: \(supportedModelTypes.joined(separator: ", "))")
    try Output.line("Formats: \(ListedModel.formats.joined(separator: ", "))")
    try Output.line("Cache: \(HubCache().folder.path)")
    for known in missing { try Output.line("To get \(known.summary): tinyalign pull \(known.name)") }
  }

  /// Columns as wide as their widest cell; numbers to the right.
  private func table(_ rows: [[String]]) -> String {
    let widths = ListedModel.heading.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        return ListedModel.rightAligned.contains(column) ? padding + row[column] : row[column] + padding
      }.joined(separator: "  ").trimmingSuffix(" ")
    }.joined(separator: "\n")
  }
}

/// A row of `models`.
private struct ListedModel {
  static let heading = ["MODEL", "REVISION", "FORMAT", "SIZE", "PARAMETERS", "TYPE", "LOADS"]
  static let rightAligned: Set = [3, 4]
  /// The formats of weights that this program reads.
  static let formats = [HubCache.Format.safetensors, .pytorch, .gguf].map(\.rawValue) + ["llama2.c"]

  var location: String
  var name: String
  var revisions: [String]
  var commit: String?
  var format: HubCache.Format
  var bytes: Int
  var parameters: Int?
  var modelType: String?
  var path: String?

  static func embedded() throws -> ListedModel {
    let source = EmbeddedModel.source
    return ListedModel(
      location: "embedded", name: EmbeddedModel.name, revisions: [], format: .safetensors,
      bytes: try source.requiredFile("model.safetensors").count,
      parameters: try parameterCount(of: source),
      modelType: try source.decodeJSON(Kind.self, from: "config.json").modelType)
  }

  init(
    location: String, name: String, revisions: [String], commit: String? = nil, format: HubCache.Format, bytes: Int,
    parameters: Int?, modelType: String?, path: String? = nil
  ) {
    self.location = location
    self.name = name
    self.revisions = revisions
    self.commit = commit
    self.format = format
    self.bytes = bytes
    self.parameters = parameters
    self.modelType = modelType
    self.path = path
  }

  /// A model in the cache; what cannot be read of it stays unknown.
  init(entry: HubCache.Entry) {
    let source = try? TextModel.source(named: entry.folder.path)
    self.init(
      location: "cache", name: entry.name, revisions: entry.revisions, commit: entry.commit, format: entry.format,
      bytes: entry.bytes, parameters: source.flatMap { try? Self.parameterCount(of: $0) },
      modelType: (try? source?.decodeJSON(Kind.self, from: "config.json"))?.modelType, path: entry.folder.path)
  }

  /// Elements of all tensors.
  private static func parameterCount(of source: ModelSource) throws -> Int {
    let weights = try source.weights()
    return weights.tensorNames.reduce(0) { $0 + (weights.shape(of: $1) ?? []).reduce(1, *) }
  }

  /// What the program can do with it: "yes", "as reward model", or "no".
  var loads: String {
    // The encoder of sentence embeddings is no language model.
    if modelType == "bert" { return "as reward model" }
    return modelType.map(supportedModelTypes.contains) == true ? "yes" : "no"
  }

  var row: [String] {
    [
      name, location == "embedded" ? "in this program" : revisions.first ?? String((commit ?? "").prefix(12)),
      format.rawValue, byteCount(bytes), parameters.map(rounded) ?? "-", modelType ?? "-", loads,
    ]
  }

  var json: [JSONValue.Member] {
    [
      .init("where", .string(location)), .init("name", .string(name)),
      .init("revisions", .array(revisions.map { .string($0) })), .init("commit", commit.map { .string($0) } ?? .null),
      .init("format", format == .unknown ? .null : .string(format.rawValue)), .init("bytes", .integer(bytes)),
      .init("parameters", parameters.map { .integer($0) } ?? .null),
      .init("model_type", modelType.map { .string($0) } ?? .null), .init("loads", .string(loads)),
      .init("path", path.map { .string($0) } ?? .null),
    ]
  }

  /// The part of `config.json` that says what kind of model it is.
  private struct Kind: Decodable {
    var modelType: String?

    enum CodingKeys: String, CodingKey {
      case modelType = "model_type"
    }
  }
}

extension String {
  /// The text without the spaces at its end.
  fileprivate func trimmingSuffix(_ character: Character) -> String {
    var text = self[...]
    while text.last == character { text.removeLast() }
    return String(text)
  }
}
