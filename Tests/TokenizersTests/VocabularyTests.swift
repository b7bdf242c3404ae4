import Foundation
import TestSupport
import Testing
import Tokenizers

/// The same numbers on every run.
private struct Congruential: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ state >> 33
  }
}

@Suite struct VocabularyTests {
  private struct Llama2C: Decodable {
    let texts: [String]
    let ids: [[Int]]
  }

  private func load(_ vocabulary: TokenizerVocabulary) throws -> any Tokenizer {
    let files = try vocabulary.tokenizerFiles()
    #expect(Set(files.keys) == ["tokenizer.json", "tokenizer_config.json"])
    return try loadTokenizer { files[$0] }
  }

  private func vocabulary(_ name: String, configuration: String? = nil) throws -> TokenizerVocabulary {
    try TokenizerVocabulary(
      tokenizerJSON: golden("llama-\(name).json", in: .module), configuration: configuration.map { Data($0.utf8) })
  }

  @Test(arguments: [("smollm", "smollm"), ("llama3", "llama-bpe"), ("qwen2", "qwen2"), ("llama2", nil)])
  func `A folder made a vocabulary and a folder again gives the same ids`(_ name: String, pre: String?) throws {
    let cases = try goldenValue("llama-cases.json", as: LlamaCases.self)
    let answers = try #require(cases.tokenizers[name])
    let vocabulary = try vocabulary(name)
    #expect(vocabulary.model == (name == "llama2" ? "llama" : "gpt2"))
    #expect(vocabulary.pre == pre)
    let tokenizer = try load(vocabulary)
    // GGUF has no normaliser: Qwen's composes accents.
    let isComposed = { (text: String) in name != "qwen2" || text.unicodeScalars.allSatisfy { $0.value < 0x300 } }
    let pairs = zip(cases.texts, answers.ids).filter { isComposed($0.0) }
    #expect(pairs.count > 60)
    let encoded = pairs.map { Cases.Encoded(text: $0.0, ids: $0.1) }
    expectAgreement(tokenizer, Cases(encoded: encoded, decoded: answers.decoded), name)
    // Once more, and nothing changes.
    let files = try vocabulary.tokenizerFiles()
    let again = try TokenizerVocabulary(
      tokenizerJSON: try #require(files["tokenizer.json"]), configuration: files["tokenizer_config.json"])
    #expect(again.tokens == vocabulary.tokens && again.types == vocabulary.types)
    #expect(again.scores == vocabulary.scores && again.merges == vocabulary.merges)
    #expect(again.beginningID == vocabulary.beginningID && again.endID == vocabulary.endID)
    #expect(again.pre == vocabulary.pre && again.addsBeginning == vocabulary.addsBeginning)
  }

  @Test func `llama2.c's tokenizer.bin gives the ids of its encode and the text of its decode`() throws {
    let cases = try goldenValue("llama-llama2c.json", as: Llama2C.self)
    let data = try golden("llama-tokenizer.bin", in: .module)
    let count = try vocabulary("llama2").tokens.count
    let tokenizer = try load(TokenizerVocabulary(llama2C: data, vocabularySize: count))
    #expect(tokenizer.beginningOfTextID == 1 && tokenizer.endOfTextID == 2 && tokenizer.vocabularySize == count)
    #expect(!cases.texts.isEmpty && cases.texts.count == cases.ids.count)
    for (text, ids) in zip(cases.texts, cases.ids) {
      #expect(tokenizer.encode(text, addingSpecialTokens: false) == ids, "\(text.debugDescription)")
      #expect(tokenizer.encode(text) == [1] + ids)
      #expect(Array(tokenizer.decode([1] + ids).utf8) == Array(text.utf8))
    }
  }

  @Test func `tokenizer.bin and tokenizer.json of one vocabulary are the same vocabulary`() throws {
    let data = try golden("llama-tokenizer.bin", in: .module)
    let json = try vocabulary("llama2")
    let binary = try TokenizerVocabulary(llama2C: data, vocabularySize: json.tokens.count)
    #expect(binary.tokens == json.tokens)
    #expect(binary.scores == json.scores)
    #expect(binary.addsBeginning == json.addsBeginning && binary.unknownID == json.unknownID)
    // tokenizer.json calls the unknown token a special one, and says nothing of merges that the scores do not.
    #expect(binary.types == json.types)
    #expect(json.merges == nil)
  }

  @Test func `Merges that scores cannot say are kept`() throws {
    let tokenizer = try changedTokenizer("llama-llama2.json") { root in
      var model = try #require(root["model"] as? [String: Any])
      model["merges"] = Array(try #require(model["merges"] as? [Any]).dropFirst(3).reversed())
      root["model"] = model
    }
    let data = try #require(tokenizer as? SentencePieceBPE).tokenizerJSON()
    let vocabulary = try TokenizerVocabulary(tokenizerJSON: data, configuration: nil)
    #expect(vocabulary.merges != nil)
    let again = try load(vocabulary)
    for text in try goldenValue("llama-cases.json", as: LlamaCases.self).texts {
      #expect(again.encode(text) == tokenizer.encode(text), "\(text.debugDescription)")
    }
  }

  @Test func `Merges from scores are those of the greedy search`() throws {
    // Vocabularies as a trainer makes them, each token of two before it; all texts of ten letters.
    var random = Congruential(state: 1)
    for _ in 0..<20 {
      var made = ["a", "b"]
      while made.count < 10 {
        let token = (made.randomElement(using: &random) ?? "") + (made.randomElement(using: &random) ?? "")
        if token.count < 8 && !made.contains(token) { made.append(token) }
      }
      let scores = Dictionary(uniqueKeysWithValues: made.enumerated().map { ($1, -Float($0)) })
      let vocabulary = TokenizerVocabulary(
        model: "llama", tokens: ["<unk>"] + made, scores: [0] + made.indices.map { -Float($0) }, unknownID: 0,
        addsSpacePrefix: false)
      let tokenizer = try load(vocabulary)
      for bits in 0..<1024 {
        let text = String((0..<10).map { bits >> $0 & 1 == 0 ? "a" : "b" })
        var symbols = text.map { String($0) }
        while true {
          let pairs = symbols.indices.dropLast().compactMap { i in scores[symbols[i] + symbols[i + 1]].map { (i, $0) } }
          guard let best = pairs.max(by: { $0.1 != $1.1 ? $0.1 < $1.1 : $0.0 > $1.0 }) else { break }
          symbols.replaceSubrange(best.0...(best.0 + 1), with: [symbols[best.0] + symbols[best.0 + 1]])
        }
        #expect(tokenizer.encode(text).map { tokenizer.token(for: $0) } == symbols, "\(made) \(text)")
      }
    }
  }

  @Test func `Special tokens and settings come from and go to tokenizer_config.json`() throws {
    let configuration = #"""
      {"bos_token": "<|im_start|>", "eos_token": {"content": "<|im_end|>"}, "unk_token": "<|endoftext|>",
      "pad_token": "<|im_end|>", "chat_template": "{{ \"é\\n\" }}"}
      """#
    let vocabulary = try vocabulary("smollm", configuration: configuration)
    #expect(vocabulary.beginningID == 1 && vocabulary.endID == 2)
    #expect(vocabulary.unknownID == 0 && vocabulary.paddingID == 2)
    #expect(vocabulary.addsBeginning == false && !vocabulary.addsEnd)
    #expect(vocabulary.chatTemplate == "{{ \"é\\n\" }}")
    #expect(vocabulary.types?.prefix(4) == [3, 3, 3, 1])
    let files = try vocabulary.tokenizerFiles()
    let tokenizer = try loadTokenizer { files[$0] }
    #expect(tokenizer.beginningOfTextID == 1 && tokenizer.endOfTextID == 2)
    let source = ChatTemplateSource(template: "{{ \"é\\n\" }}", bosToken: "<|im_start|>", eosToken: "<|im_end|>")
    #expect(try loadChatTemplate { files[$0] } == source)
  }

  @Test func `llama.cpp's defaults decide whether a text gets its first token`() throws {
    var vocabulary = try vocabulary("llama3")
    #expect(vocabulary.addsBeginning == true)
    vocabulary.addsBeginning = nil
    #expect(try load(vocabulary).encode("a").first == 0)
    vocabulary.addsBeginning = false
    #expect(try load(vocabulary).encode("a").first != 0)
    vocabulary.addsEnd = true
    vocabulary.endID = 1
    #expect(try load(vocabulary).encode("a").last == 1)
    vocabulary.pre = "gpt-2"
    vocabulary.addsBeginning = nil
    #expect(try load(vocabulary).encode("a").first != 0)
  }

  @Test func `The end of text is the configuration's, else a well-known one`() throws {
    let data = try golden("llama-smollm.json", in: .module)
    func end(_ files: [String: String]) throws -> Int? {
      try loadTokenizer { $0 == "tokenizer.json" ? data : files[$0].map { Data($0.utf8) } }.endOfTextID
    }
    #expect(try end([:]) == 0)
    #expect(try end(["tokenizer_config.json": #"{"eos_token": "<|im_end|>"}"#]) == 2)
    #expect(try end(["special_tokens_map.json": #"{"eos_token": {"content": "<|im_end|>"}}"#]) == 2)
    #expect(
      try end([
        "tokenizer_config.json": #"{"eos_token": "<|im_start|>"}"#,
        "special_tokens_map.json": #"{"eos_token": "<|im_end|>"}"#,
      ]) == 2)
  }

  @Test func `Chat templates come from their own file, a string or a list`() throws {
    func template(_ files: [String: String]) throws -> String? {
      try loadChatTemplate { files[$0].map { Data($0.utf8) } }?.template
    }
    #expect(try template([:]) == nil)
    #expect(try template(["tokenizer_config.json": "{}"]) == nil)
    #expect(try template(["tokenizer_config.json": #"{"chat_template": "x"}"#]) == "x")
    #expect(try template(["tokenizer_config.json": #"{"chat_template": "x"}"#, "chat_template.jinja": "y"]) == "y")
    let list = #"{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}"#
    #expect(try template(["tokenizer_config.json": list]) == "d")
    #expect(throws: TokenizerError.self) { try template(["tokenizer_config.json": #"{"chat_template": []}"#]) }
    #expect(throws: TokenizerError.self) { try template(["tokenizer_config.json": #"{"chat_template": 1}"#]) }
  }
}
