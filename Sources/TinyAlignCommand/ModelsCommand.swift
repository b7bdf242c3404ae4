import Alignment
import ArgumentParser
import Checkpoints
import Foundation
import Hub
import JSON
import Runs
import Transformers

struct Models: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "List the models in this program and in the Hub cache, and what can be loaded.")

  @OptionGroup var common: CommonOptions

  func run() throws {
    let models = [ListedModel.embedded] + HubCache.entries().flatMap(ListedModel.models)
    if common.json {
      for model in models { try printJSON(model.json) }
      try printJSON([
        .init("where", "supported"), .init("model_types", .array(supportedModelTypes.map { .string($0) })),
        .init("formats", .array(ListedModel.formats.map { .string($0) })),
      ])
      return
    }
    try Output.line(table([ListedModel.heading] + models.map(\.row)))
    try Output.line("")
    try Output.line("Model types: \(supportedModelTypes.joined(separator: ", ")), and bert as a reward model")
    try Output.line("Formats: \(ListedModel.formats.joined(separator: ", "))")
    try Output.line("Cache: \(HubCache().folder.path)")
    for known in KnownModel.all where !models.contains(where: { $0.repository == known.repository }) {
      try Output.line("tinyalign pull \(known.name) gets \(known.summary)")
    }
  }

  /// Columns as wide as their widest cell; numbers to the right.
  private func table(_ rows: [[String]]) -> String {
    let widths = ListedModel.heading.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        if ListedModel.rightAligned.contains(column) { return padding + row[column] }
        return column == row.indices.last ? row[column] : row[column] + padding
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }
}

/// A row of `models`.
private struct ListedModel {
  static let heading = ["MODEL", "REVISION", "FORMAT", "SIZE", "PARAMETERS", "TYPE", "LOADS"]
  static let rightAligned: Set = [3, 4]
  /// The formats of weights that this program reads.
  static let formats = ["safetensors", "PyTorch", "GGUF", "llama2.c"]

  /// `ORGANISATION/NAME`; nil for the model in this program.
  var repository: String?
  /// What `--model` calls it.
  var name: String
  var revisions: [String] = []
  var commit: String?
  var path: String?
  var format: String
  /// The size on disk of all its files, in bytes.
  var bytes: Int
  var parameters: Int?
  var modelType: String?
  /// Why it cannot be loaded, where it cannot.
  var problem: String?

  /// The model in this program.
  static var embedded: ListedModel {
    var model = ListedModel(name: EmbeddedModel.name, format: "safetensors", bytes: 0)
    model.inspect { EmbeddedModel.source }
    model.bytes = (try? EmbeddedModel.source.weightFiles().reduce(0) { $0 + $1.count }) ?? 0
    return model
  }

  /// The models of a snapshot: that of the folder, else each file that is one.
  static func models(of entry: HubCache.Entry) -> [ListedModel] {
    func model(_ file: HubCache.File?, _ format: String) -> ListedModel {
      let path = file.map { entry.folder.appending(path: $0.name) } ?? entry.folder
      return ListedModel(
        repository: entry.name, name: entry.name + (file.map { ":" + $0.name } ?? ""), revisions: entry.revisions,
        commit: entry.commit, path: path.path, format: format, bytes: file?.bytes ?? entry.bytes)
    }
    if entry.format == .safetensors || entry.format == .pytorch {
      var folder = model(nil, entry.format.rawValue)
      folder.inspect { .folder(entry.folder) }
      return [folder]
    }
    let files = entry.files.filter { $0.name.lowercased().hasSuffix(".gguf") || $0.name.hasSuffix(".bin") }
      .compactMap { file -> ListedModel? in
        let url = entry.folder.appending(path: file.name)
        guard let bytes = try? MappedBytes(file: url) else { return nil }
        var one = model(file, GGUFFile.isPlausible(bytes) ? "GGUF" : "llama2.c")
        if GGUFFile.isPlausible(bytes) {
          one.inspect {
            let gguf = try GGUFFile(bytes, name: url.path)
            return .converted(
              ConvertedModel(
                name: url.path, files: ["config.json": try gguf.huggingFaceConfiguration()],
                weights: try gguf.huggingFaceWeights(), weightFile: bytes))
          }
        } else if Llama2CFile.isPlausible(bytes) {
          one.inspect {
            let llama = try Llama2CFile(bytes, name: url.path)
            return .converted(
              ConvertedModel(
                name: url.path, files: ["config.json": llama.huggingFaceConfiguration()],
                weights: llama.huggingFaceWeights(), weightFile: bytes))
          }
        } else {
          return nil
        }
        return one
      }
    if !files.isEmpty { return files }
    var rest = model(nil, "-")
    rest.problem = "no weights"
    return [rest]
  }

  /// Finds type and size in the heads of the files; the weights stay unread.
  private mutating func inspect(_ open: () throws -> ModelSource) {
    do {
      let source = try open()
      modelType = try source.decodeJSON(Kind.self, from: "config.json").modelType
      let weights = try source.weights()
      // BERT's list of positions is no parameter.
      parameters = weights.tensorNames.filter { !$0.hasSuffix("position_ids") }.reduce(0 as Int?) { sum, tensor in
        guard let sum, let shape = weights.shape(of: tensor) else { return nil }
        let count = shape.reduce((1, false)) { product, size in
          let (value, overflow) = product.0.multipliedReportingOverflow(by: size)
          return (value, overflow || product.1)
        }
        let (total, overflow) = sum.addingReportingOverflow(count.0)
        return count.1 || overflow ? nil : total
      }
      if !supportedModelTypes.contains(modelType ?? ""), modelType != "bert" { problem = "type not supported" }
    } catch CheckpointError.missingFile(let path, _) {
      problem = "\(URL(filePath: path).lastPathComponent) is missing"
    } catch {
      problem = "\(error)"
    }
  }

  /// "yes", "as reward model", or "no".
  private var loads: String {
    // The encoder of sentence embeddings is no language model.
    problem == nil ? modelType == "bert" ? "as reward model" : "yes" : "no"
  }

  var row: [String] {
    [
      name, repository == nil ? "embedded" : revisions.first ?? String((commit ?? "").prefix(12)), format,
      byteCount(bytes), parameters.map(rounded) ?? "-", modelType ?? "-",
      problem.map { "\(loads): " + ($0.count > 60 ? $0.prefix(59) + "…" : $0) } ?? loads,
    ]
  }

  var json: [JSONValue.Member] {
    func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
    return [
      .init("where", repository == nil ? "embedded" : "cache"), .init("name", .string(name)),
      .init("revisions", .array(revisions.map { .string($0) })), .init("commit", text(commit)),
      .init("path", text(path)), .init("format", format == "-" ? .null : .string(format)),
      .init("bytes", .integer(bytes)), .init("parameters", parameters.map { .integer($0) } ?? .null),
      .init("model_type", text(modelType)), .init("loads", .string(loads)), .init("problem", text(problem)),
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
