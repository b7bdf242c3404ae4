import Foundation
import TestSupport
import Testing
import Tokenizers

@Suite struct BehaviourTests {
  private func bpe() throws -> any Tokenizer { try goldenTokenizer(["tokenizer.json": "bpe-tokenizer.json"]) }

  @Test func `Decoding what was encoded gives the same bytes`() throws {
    let tokenizer = try bpe()
    for item in try goldenValue("bpe-cases.json", as: Cases.self).encoded where !item.text.contains("<|endoftext|>") {
      #expect(Array(tokenizer.decode(tokenizer.encode(item.text)).utf8) == Array(item.text.utf8))
    }
  }

  @Test func `Canonically equivalent spellings are different tokens`() throws {
    let files = [
      "vocab.txt": "[UNK]\n[CLS]\n[SEP]\n\u{E9}\ne\u{301}\n",
      "tokenizer_config.json": #"{"do_lower_case": false}"#,
    ]
    let tokenizer = try loadTokenizer { files[$0].map { Data($0.utf8) } }
    #expect(tokenizer.encode("\u{E9} e\u{301}") == [1, 3, 4, 2])
    #expect(tokenizer.token(for: 3).map { Array($0.utf8) } == [0xC3, 0xA9])
    #expect(tokenizer.token(for: 4).map { Array($0.utf8) } == [0x65, 0xCC, 0x81])
  }

  @Test func `Streaming never gives out a part of a character`() throws {
    let tokenizer = try ByteLevelBPETrainer(vocabularySize: 257).train(on: ["x"])
    let text = "a🐱é中\u{10FFFF}"
    var decoder = StreamingDecoder(tokenizer: tokenizer)
    let pieces = tokenizer.encode(text).map { decoder.append($0) }
    #expect(decoder.finish().isEmpty)
    #expect(pieces.filter { !$0.isEmpty } == ["a", "🐱", "é", "中", "\u{10FFFF}"])
    #expect(pieces.count == text.utf8.count)
  }

  @Test func `An incomplete character at the end becomes a replacement character`() throws {
    let tokenizer = try ByteLevelBPETrainer(vocabularySize: 257).train(on: ["x"])
    let ids = Array(tokenizer.encode("a🐱").dropLast())
    var decoder = StreamingDecoder(tokenizer: tokenizer)
    #expect(ids.map { decoder.append($0) }.joined() == "a")
    #expect(decoder.finish() == "\u{FFFD}")
    #expect(tokenizer.decode(ids) == "a\u{FFFD}")
  }

  @Test func `Unknown ids are skipped and have no token`() throws {
    for tokenizer in [try bpe(), try goldenTokenizer(["tokenizer.json": "wordpiece-tokenizer.json"])] {
      let size = tokenizer.vocabularySize
      #expect(tokenizer.decode([-1, size, .max, .min]).isEmpty)
      for id in [-1, size, Int.max, Int.min] { #expect(tokenizer.token(for: id) == nil) }
      #expect(tokenizer.token(for: size - 1) != nil)
    }
  }

  @Test func `Long words without spaces take no quadratic time`() throws {
    let tokenizer = try bpe()
    let clock = ContinuousClock()
    for unit in ["a", "the", "ab", "🐱"] {
      let text = String(repeating: unit, count: 200_000 / unit.utf8.count)
      var ids: [Int] = []
      // Quadratic time would be minutes.
      #expect(clock.measure { ids = tokenizer.encode(text) } < .seconds(5))
      #expect(tokenizer.decode(ids) == text)
    }
  }

  @Test func `Long and short words merge alike`() throws {
    // A heap serves long words and a scan short ones: a word repeated with spaces must come out as alone.
    let tokenizer = try changedTokenizer("bpe-tokenizer.json") { root in
      var split = try #require(root["pre_tokenizer"] as? [String: Any])
      split["use_regex"] = false
      root["pre_tokenizer"] = split
    }
    let words = "Once upon a time there was a little child. Its name was Lily and they looked"
    let parts = try bpe().encode(words)
    #expect(tokenizer.encode(words) == parts)
  }

  @Test func `One tokenizer serves many threads`() async throws {
    let tokenizer = try bpe()
    let cases = try goldenValue("bpe-cases.json", as: Cases.self).encoded
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask { cases.allSatisfy { tokenizer.encode($0.text) == $0.ids } }
      }
      for await agrees in group { #expect(agrees) }
    }
  }

  @Test func `Token lists make the same tokenizer as files`() throws {
    let file = try #require(try bpe() as? ByteLevelBPE)
    let tokens = (0..<file.vocabularySize).compactMap { file.token(for: $0) }
    let lists = try ByteLevelBPE(tokens: tokens, merges: file.mergeLines, specialTokenIDs: [0], endOfTextID: 0)
    expectAgreement(lists, try goldenValue("bpe-cases.json"))
    #expect(throws: TokenizerError.self) {
      try ByteLevelBPE(tokens: tokens, merges: ["a b c"], specialTokenIDs: [])
    }
    #expect(throws: TokenizerError.self) {
      try ByteLevelBPE(tokens: tokens, merges: ["a unheard-of"], specialTokenIDs: [])
    }
    #expect(throws: TokenizerError.self) { try ByteLevelBPE(tokens: tokens, merges: [], specialTokenIDs: [600]) }
    #expect(throws: TokenizerError.self) { try ByteLevelBPE(tokens: ["a", "a"], merges: [], specialTokenIDs: []) }
  }

  @Test func `The end of text is what tokenizer_config.json names`() throws {
    let data = try golden("bpe-tokenizer.json", in: .module)
    func end(_ configuration: String) throws -> Int? {
      let files = ["tokenizer.json": data, "tokenizer_config.json": Data(configuration.utf8)]
      return try loadTokenizer { files[$0] }.endOfTextID
    }
    #expect(try end("{}") == 0)
    #expect(try end(#"{"eos_token": "<|endoftext|>"}"#) == 0)
    #expect(try end(#"{"eos_token": {"content": "!"}}"#) == 1)
    // One that the vocabulary lacks is added to it, as transformers does.
    let count = try loadTokenizer { $0 == "tokenizer.json" ? data : nil }.vocabularySize
    #expect(try end(#"{"eos_token": "unheard-of"}"#) == count)
  }
}
