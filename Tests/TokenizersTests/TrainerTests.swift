import Foundation
import TestSupport
import Testing
import Tokenizers

@Suite struct TrainerTests {
  private struct Training: Decodable {
    let documents: [String]
    let size: Int
    let merges: [String]
  }

  @Test(arguments: ["training.json", "training-ties.json"])
  func `Training finds the merges that the reference finds`(_ name: String) throws {
    let training = try goldenValue(name, as: Training.self)
    let tokenizer = try ByteLevelBPETrainer(vocabularySize: training.size).train(on: training.documents)
    #expect(tokenizer.mergeLines == training.merges)
    #expect(tokenizer.endOfTextID == 0)
    #expect(tokenizer.token(for: 0) == "<|endoftext|>")
  }

  @Test func `A trained tokenizer, written and read, gives the reference's ids`() throws {
    let training = try goldenValue("training.json", as: Training.self)
    let cases = try goldenValue("bpe-cases.json", as: Cases.self)
    let trained = try ByteLevelBPETrainer(vocabularySize: training.size).train(on: training.documents)
    expectAgreement(trained, cases, "trained")
    let files = ["tokenizer.json": trained.tokenizerJSON(), "tokenizer_config.json": trained.tokenizerConfigJSON()]
    let again = try loadTokenizer { files[$0] }
    #expect(again.endOfTextID == 0)
    #expect(again.vocabularySize == trained.vocabularySize)
    expectAgreement(again, cases, "read")
    for id in 0..<trained.vocabularySize { #expect(trained.token(for: id) == again.token(for: id)) }
  }

  @Test func `Progress counts up to the vocabulary's size`() throws {
    var seen: [Int] = []
    let trainer = ByteLevelBPETrainer(vocabularySize: 260)
    _ = try trainer.train(on: ["the cat the cat the dog"]) { progress in
      #expect(progress.target == 260)
      seen.append(progress.tokens)
    }
    #expect(seen == [258, 259, 260])
  }

  @Test func `Text with too few pairs gives a smaller vocabulary`() throws {
    let tokenizer = try ByteLevelBPETrainer(vocabularySize: 1000).train(on: ["ab"])
    #expect(tokenizer.vocabularySize == 258)
    #expect(tokenizer.encode("abab").count == 2)
  }

  @Test func `Impossible training is refused in one line`() {
    #expect(throws: TokenizerError.self) { try ByteLevelBPETrainer(vocabularySize: 256).train(on: ["text"]) }
    #expect(throws: TokenizerError.self) { try ByteLevelBPETrainer(vocabularySize: 300).train(on: []) }
    #expect(throws: TokenizerError.self) { try ByteLevelBPETrainer(vocabularySize: 300).train(on: [""]) }
    #expect(throws: TokenizerError.self) {
      try ByteLevelBPETrainer(vocabularySize: 300, endOfText: "").train(on: ["text"])
    }
    #expect(throws: TokenizerError.self) {
      try ByteLevelBPETrainer(vocabularySize: 300, endOfText: "a").train(on: ["text"])
    }
  }
}
