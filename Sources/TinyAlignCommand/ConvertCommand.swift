import Alignment
import ArgumentParser
import Checkpoints
import Foundation
import JSON
import Runs
import Tokenizers
import Transformers

struct Convert: ParsableCommand {
  /// What can be written.
  enum Format: String, CaseIterable, ExpressibleByArgument {
    /// A Hugging Face folder.
    case huggingface
    /// One file for llama.cpp and Ollama.
    case gguf
  }

  static let configuration = CommandConfiguration(
    commandName: "convert", abstract: "Write a model in another format, or with other numbers.",
    discussion: """
      Reads whatever other commands read as --model, and writes a Hugging Face folder (any model) or a GGUF file (the Llama family \
      and GPT-2). A low-rank adapter is added to its model.
      """)

  @Option(help: .init("Model: a folder, a file, or tinystories.", valueName: "model"))
  var model: String
  @Option(help: .init("huggingface writes a folder, gguf a file. (default: by the name of --out)", valueName: "format"))
  var to: Format?
  @Option(
    help: .init(
      "How numbers are stored: F32, F16 or BF16, and Q8_0 for gguf. (default: F32 for huggingface, F16 for gguf)",
      valueName: "type"))
  var type: String?
  @Option(help: .init("Folder or file to write.", valueName: "path"))
  var out: String
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard !out.isEmpty else { throw ValidationError("--out is empty; give a folder or file") }
    if type != nil { _ = try (elementType(), matrixType()) }
  }

  private var format: Format { to ?? (out.lowercased().hasSuffix(".gguf") ? .gguf : .huggingface) }

  private func elementType() throws -> ElementType {
    guard format == .huggingface, let type else { return .float32 }
    guard let found = ElementType(rawValue: type.uppercased()) else {
      throw ValidationError("--type is '\(type)'; a Hugging Face folder takes F32, F16 or BF16")
    }
    return found
  }

  private func matrixType() throws -> GGUFMatrixType {
    guard format == .gguf, let type else { return .float16 }
    guard let found = GGUFMatrixType(rawValue: type.uppercased()) else {
      throw ValidationError(
        "--type is '\(type)'; GGUF takes \(GGUFMatrixType.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return found
  }

  func run() throws {
    let url = URL(filePath: out)
    guard !FileManager.default.fileExists(atPath: out) else {
      throw AlignmentError.setting(name: "--out", reason: "'\(out)' is there already; give another path, or remove it")
    }
    let textModel = try TextModel(named: model)
    Terminal.notes(of: textModel)
    switch format {
    case .huggingface: try textModel.save(textModel.model, to: url, elementType: elementType())
    case .gguf:
      let lost = try textModel.saveGGUF(to: url, matrices: matrixType())
      if !lost.isEmpty {
        let tokens = lost.map { "\($0) ('\(textModel.tokenizer.token(for: $0) ?? "")')" }.joined(separator: ", ")
        Terminal.note(
          "GGUF has places for \(textModel.stopTokens.count - lost.count) of the tokens that end a text: tinyalign stops at all "
            + "of them, llama.cpp goes on after \(tokens)")
      }
    }
    if common.json {
      try printJSON([.init("path", .string(url.path)), .init("format", .string(format.rawValue))])
    } else {
      Terminal.note("Wrote \(rounded(textModel.model.parameterCount)) parameters to \(url.path)")
    }
  }
}
