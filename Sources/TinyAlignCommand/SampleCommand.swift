import Alignment
import ArgumentParser
import Foundation
import JSON
import Kernels
import Runs
import Tokenizers
import Transformers

struct Sample: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample", abstract: "Let a model tell stories.")

  @Option(
    help: .init("Model: a folder or file, a name of the Hub that was pulled, or tinystories.", valueName: "model"))
  var model = EmbeddedModel.name
  @OptionGroup var prompts: PromptOptions
  @Option(
    name: [.customShort("n"), .customLong("count")], help: .init("How many stories of each prompt.", valueName: "n"))
  var count = 1
  @Option(help: .init("Tokens after the prompt, at most.", valueName: "n"))
  var maxNewTokens = 200
  @Option(
    help: .init(
      "1 is the model's own distribution; lower is safer, 0 always takes the most likely token.", valueName: "x"))
  var temperature: Float = 0.8
  @Option(help: .init("Draw from this many of the most likely tokens only. (default: all)", valueName: "n"))
  var topK: Int?
  @Option(
    help: .init(
      "Draw from the most likely tokens that together reach this probability only. (default: all)", valueName: "x"))
  var topP: Float?
  @Option(help: .init("What random numbers are drawn with: the same seed tells the same stories.", valueName: "n"))
  var seed: UInt64 = 1
  @OptionGroup var common: CommonOptions

  func validate() throws {
    func check(_ isValid: Bool, _ message: String) throws {
      guard isValid else { throw ValidationError(message) }
    }
    try check(
      prompts.promptColumn == nil || prompts.prompts != nil, "--prompt-column needs --prompts with a file")
    try check((1...1_000_000).contains(count), "-n is \(count); it must lie between 1 and 1000000")
    try check((1...1_000_000).contains(maxNewTokens), "--max-new-tokens is \(maxNewTokens); it must be at least 1")
    try check(
      temperature >= 0 && temperature <= 1_000, "--temperature is \(temperature); it must lie between 0 and 1000")
    try check(topK.map { $0 >= 1 } ?? true, "--top-k must be at least 1")
    try check(topP.map { $0 > 0 && $0 <= 1 } ?? true, "--top-p must lie above 0 and at most at 1")
  }

  func run() throws {
    let textModel = try TextModel(named: model)
    Terminal.notes(of: textModel)
    let settings = Storyteller.Settings(
      maxNewTokens: maxNewTokens, filter: SamplingFilter(temperature: temperature, topK: topK, topP: topP), seed: seed)
    let teller = Storyteller(textModel)
    let chat = PromptSet.Chat(wrapsTexts: self.prompts.chat ?? false, system: self.prompts.system)
    let prompts = try promptSet()
    if chat.system != nil, !chat.wrapsTexts { try prompts.checkSystemMessage() }
    let read = try textModel.read(prompts, newTokens: maxNewTokens, chat: chat)
    guard read.count <= 1_000_000 / count else {
      throw ValidationError("-n is \(count), for \(read.count) prompts; a million stories at most are told at once")
    }
    if count == 1, read.count == 1, !common.json {
      try tellAsItComes(teller, textModel, read[0], settings)
      return
    }
    let stories = teller.tell(prompts: read, count: count, settings: settings)
    for (index, story) in stories.enumerated() {
      let prompt = read[index / count]
      let text = textModel.text(of: story.tokens, after: prompt)
      if common.json {
        try printJSON([
          .init("prompt", .string(prompt.text)), .init("text", .string(text)),
          .init("token_ids", .tokens(story.tokens)),
          .init("finish_reason", .string(story.isFinished ? "stop" : "length")),
        ])
      } else {
        if index > 0 { try Output.line("\n———\n") }
        try Output.line(prompt.lead + text)
      }
    }
  }

  private func promptSet() throws -> PromptSet {
    if let file = prompts.prompts { return try PromptSet(file: inputFile(file), column: prompts.promptColumn) }
    return PromptSet(texts: prompts.prompt.isEmpty ? ["Once upon a time"] : prompts.prompt)
  }

  /// Prints a single story token by token.
  private func tellAsItComes(
    _ teller: Storyteller, _ textModel: TextModel, _ prompt: ModelPrompt, _ settings: Storyteller.Settings
  ) throws {
    var decoder = StreamingDecoder(tokenizer: textModel.tokenizer, isContinuation: !prompt.lead.isEmpty)
    var isFirst = true
    _ = try teller.tell(prompts: [prompt], count: 1, settings: settings) { _, token in
      if isFirst { try Output.text(prompt.lead) }
      isFirst = false
      try Output.text(decoder.append(token))
    }
    try Output.line(decoder.finish())
  }
}
