import Alignment
import ArgumentParser
import Checkpoints
import Foundation
import Tokenizers
import Transformers

struct Pretrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract: "Train a tokenizer and a GPT-Neo model from plain text.",
    discussion: """
      The text file holds documents separated by lines that read <|endoftext|>. The folder that is written is a Hugging \
      Face model; it always holds the best model so far by validation, so training may be stopped at any time.
      """)

  @Option(
    help: .init(
      "YAML file with the settings; see Sources/EmbeddedAssets/tinystories/pretraining.yaml. (default: its settings)",
      valueName: "file"))
  var config: String?

  @Option(help: .init("Text file with the documents; may be given several times.", valueName: "file"))
  var data: [String]

  @Option(
    help: .init(
      "Text file in the same form that is trained on but never held out, such as text that a model wrote. (default: none)",
      valueName: "file"))
  var addedData: [String] = []

  @Option(help: .init("Folder to write the model to.", valueName: "folder"))
  var out: String

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard !out.isEmpty else { throw ValidationError("--out is empty; give a folder") }
  }

  func run() throws {
    let stop = InterruptSignal()
    let configuration = try config.map { try PretrainingConfiguration(file: inputFile($0)) } ?? .init()
    let documents = try data.flatMap { try TextOptions.documents(of: $0) }
    let added = try addedData.flatMap { try TextOptions.documents(of: $0) }
    let folder = URL(filePath: out, directoryHint: .isDirectory)
    try Self.requireEmpty(folder)
    let tokenizer = try makeTokenizer(configuration, documents)
    let trainer = try Pretrainer(
      configuration: configuration, documents: documents, addedDocuments: added, tokenizer: tokenizer.tokenizer)
    Terminal.note(
      "\(counted(documents.count + added.count, "document")), \(trainer.trainingTokenCount) tokens a pass; "
        + "\(rounded(trainer.model.parameterCount)) parameters, vocabulary \(tokenizer.tokenizer.vocabularySize)")
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    var validation: Double?
    var steps = (done: 0, all: 0)
    stop.begin(.step)
    let best = try trainer.train { progress in
      validation = progress.validationBitsPerByte ?? validation
      steps = (progress.step, progress.totalSteps)
      if common.json { try Output.json(try encoder.encode(progress) + [UInt8(ascii: "\n")]) }
      report(progress, validation)
      return !stop.isRaised
    } save: { _ in
      try writeFolderAtomically(folder) { folder in
        try trainer.model.save(to: folder, elementType: configuration.elementType)
        try tokenizer.save(folder)
      }
    }
    Terminal.endProgress()
    if stop.isRaised {
      let kept =
        best.map { "\(folder.path) holds the best model so far, \(Self.words($0))" } ?? "there was no model to keep yet"
      Terminal.note("Interrupted after step \(steps.done) of \(steps.all); \(kept).")
      throw ExitCode(130)
    }
    if let best { Terminal.note("\(folder.path): the best model, \(Self.words(best))") }
  }

  /// Which model was the best, and how good.
  private static func words(_ best: Pretrainer.Validation) -> String {
    "that of step \(best.step): \(fixed(best.bitsPerByte, 4)) bits per byte on held-out text"
  }

  /// Training takes long, and saving replaces the folder: what is there already must not be lost.
  private static func requireEmpty(_ folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw AlignmentError.text(reason: "the folder \(folder.path) cannot be made; choose another for --out")
    }
    guard try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty else {
      throw AlignmentError.text(reason: "the folder \(folder.path) is not empty; choose another for --out")
    }
  }

  private func report(_ progress: Pretrainer.Progress, _ validation: Double?) {
    let fraction = Double(progress.step) / Double(progress.totalSteps)
    let line =
      "\(Terminal.bar(fraction)) step \(progress.step)/\(progress.totalSteps)  loss \(fixed(progress.loss, 3))  "
      + "validation \(validation.map { fixed($0, 4) } ?? "–") bits/byte  "
      + "\(Int(Double(progress.tokens) / progress.seconds)) tokens/s  "
      + "\(Terminal.duration(progress.seconds / fraction * (1 - fraction))) left"
    if progress.validationBitsPerByte != nil {
      Terminal.endProgress()
      Terminal.note(line)
    } else {
      Terminal.progress(line)
    }
  }

  private func makeTokenizer(
    _ configuration: PretrainingConfiguration, _ documents: [String]
  ) throws -> (tokenizer: any Tokenizer, save: (URL) throws -> Void) {
    if let name = configuration.tokenizer {
      return (try TextModel.tokenizer(of: name), { try TextModel.copyTokenizer(of: name, to: $0) })
    }
    Terminal.note("training a tokenizer of \(configuration.vocabularySize) tokens")
    let tokenizer = try ByteLevelBPETrainer(vocabularySize: configuration.vocabularySize).train(on: documents)
    return (
      tokenizer,
      { folder in
        try writeAtomically(tokenizer.tokenizerJSON(), to: folder.appending(path: "tokenizer.json"))
        try writeAtomically(tokenizer.tokenizerConfigJSON(), to: folder.appending(path: "tokenizer_config.json"))
      }
    )
  }
}
