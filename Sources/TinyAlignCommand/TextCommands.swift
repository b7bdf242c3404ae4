import Alignment
import ArgumentParser
import Checkpoints
import Foundation
import JSON
import Rewards
import Runs
import Tokenizers

struct Score: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Log-probabilities of texts under a model, and their bits per byte.")

  @Option(
    help: .init("Model: a folder or file, a name of the Hub that was pulled, or tinystories.", valueName: "model"))
  var model = EmbeddedModel.name
  @Flag(
    help:
      "Put the beginning-of-text token (or, where there is none, end-of-text) before each text, so that its first token is scored too."
  )
  var bos = false
  @OptionGroup var texts: TextOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let textModel = try TextModel(named: model)
    Terminal.notes(of: textModel)
    if bos, textModel.beginningOfTextID == nil {
      throw AlignmentError.model(name: model, reason: "has no token to begin a text with; leave --bos out")
    }
    let texts = try texts.read()
    let ids = texts.map { textModel.tokenizer.encode($0, addingSpecialTokens: false) }
    for ids in ids { try textModel.requireRows(for: ids) }
    let scorer = Scorer(textModel.model, beginning: bos ? textModel.beginningOfTextID : nil)
    let scores = scorer.logProbabilities(of: ids)
    var nats = 0.0
    var bytes = 0
    for index in texts.indices {
      let textNats = scores[index].reduce(0.0) { $0 - Double($1 ?? 0) }
      let textBytes = texts[index].utf8.count
      nats += textNats
      bytes += textBytes
      let bits = textNats / log(2) / Double(max(1, textBytes))
      if common.json {
        try printJSON([
          .init("token_ids", .tokens(ids[index])),
          .init("log_probabilities", .array(scores[index].map { $0.map { .number(Double($0)) } ?? .null })),
          .init("nats", .number(textNats)), .init("bytes", .integer(textBytes)), .init("bits_per_byte", .number(bits)),
        ])
      } else {
        try Output.line(
          "\(fixed(bits, 4)) bits/byte  \(fixed(textNats, 2)) nats  \(ids[index].count) tokens  \(excerpt(texts[index]))"
        )
      }
    }
    if texts.count > 1, !common.json {
      try Output.line(
        "\(fixed(nats / log(2) / Double(max(1, bytes)), 4)) bits/byte over \(texts.count) texts, \(bytes) bytes")
    }
  }
}

struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Token ids of texts, or the text of token ids.")

  @Option(help: .init("Model: a folder with a tokenizer, or tinystories.", valueName: "model"))
  var model = EmbeddedModel.name
  @Option(help: .init("Comma-separated token ids to turn into text. (default: none)", valueName: "ids"))
  var decode: String?
  @Argument(help: "Texts. (default: those of --file, or of a pipe)")
  var text: [String] = []
  @Option(
    help: .init(
      "Text file with documents separated by lines that read <|endoftext|>; - is standard input. (default: none)",
      valueName: "file"))
  var file: String?
  @OptionGroup var common: CommonOptions

  func validate() throws {
    let sources = [!text.isEmpty, file != nil, decode != nil].count { $0 }
    guard sources == 1 || sources == 0 && hasPipedInput else {
      throw ValidationError("give one of: texts, --file, --decode")
    }
  }

  func run() throws {
    let tokenizer = try TextModel.tokenizer(of: model)
    if let decode {
      let ids = try decode.split(separator: ",", omittingEmptySubsequences: false).map { part in
        guard let id = Int(part.trimmingCharacters(in: .whitespaces)), (0..<tokenizer.vocabularySize).contains(id)
        else {
          throw AlignmentError.setting(
            name: "--decode", reason: "holds '\(part)', which is no token id below \(tokenizer.vocabularySize)")
        }
        return id
      }
      try write(ids, tokenizer, text: tokenizer.decode(ids))
      return
    }
    let texts = text.isEmpty ? try TextOptions.documents(of: file ?? "-") : text
    for text in texts { try write(tokenizer.encode(text), tokenizer, text: nil) }
  }

  private func write(_ ids: [Int], _ tokenizer: any Tokenizer, text: String?) throws {
    let tokens = ids.map { tokenizer.token(for: $0) ?? "" }
    if common.json {
      try printJSON(
        [.init("token_ids", .tokens(ids)), .init("tokens", .array(tokens.map { .string($0) }))]
          + (text.map { [.init("text", .string($0))] } ?? []))
    } else {
      try Output.line(text ?? zip(ids, tokens).map { "\($0) \($1)" }.joined(separator: "  "))
    }
  }
}

struct Embed: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "embed", abstract: "Sentence embeddings of texts.")

  @Option(
    help: .init(
      "Folder of a sentence-embedding model. (default: the reward model that set-up fetched)", valueName: "model"))
  var model: String?
  @OptionGroup var texts: TextOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let texts = try texts.read()
    let embedder = try loadEmbedder(model)
    noteTruncated(texts, embedder)
    for (text, embedding) in zip(texts, try embedder.embed(texts)) {
      if common.json {
        try printJSON([
          .init("text", .string(text)), .init("embedding", .array(embedding.map { .float($0) })),
        ])
      } else {
        let start = embedding.prefix(6).map { fixed(Double($0), 4) }.joined(separator: ", ")
        try Output.line("[\(start), … \(embedding.count) numbers]  \(excerpt(text))")
      }
    }
  }
}

struct RewardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reward", abstract: "What texts earn: the cosine similarity of their embeddings to a target's.")

  @Option(help: .init("The text to be similar to.", valueName: "text"))
  var toward = "cat"
  @Option(
    help: .init(
      "Folder of a sentence-embedding model. (default: the reward model that set-up fetched)", valueName: "model"))
  var model: String?
  @OptionGroup var texts: TextOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard toward.contains(where: { !$0.isWhitespace }) else {
      throw ValidationError("--toward is empty; give a word or text")
    }
  }

  func run() throws {
    let texts = try texts.read()
    let embedder = try loadEmbedder(model)
    noteTruncated(texts + [toward], embedder)
    let rewards = try SimilarityReward(toward: toward, embedder: embedder, blankReward: AlignmentRun.blankReward)
      .rewards(for: texts)
    for (text, reward) in zip(texts, rewards) {
      if common.json {
        try printJSON([.init("text", .string(text)), .init("reward", .float(reward))])
      } else {
        try Output.line("\(fixed(Double(reward), 4))  \(excerpt(text))")
      }
    }
  }
}

private func loadEmbedder(_ folder: String?) throws -> SentenceEmbedder {
  try SentenceEmbedder(
    source: folder.map { .folder(URL(filePath: $0, directoryHint: .isDirectory)) } ?? RewardModelLocation.source())
}

/// Says how many texts are longer than the model reads.
private func noteTruncated(_ texts: [String], _ embedder: SentenceEmbedder) {
  let count = texts.count(where: embedder.isTruncated)
  guard count > 0 else { return }
  Terminal.note(
    "\(counted(count, "text")) \(count == 1 ? "is" : "are") longer than the \(embedder.tokenLimit - 2) word pieces that the "
      + "model reads; what is beyond is left out.")
}

/// The beginning of a text, on one line.
private func excerpt(_ text: String) -> String {
  let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
  return line.count > 60 ? line.prefix(59) + "…" : line
}
