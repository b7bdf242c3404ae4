import Foundation
import TestSupport
import Testing
import Tokenizers

@Suite struct MalformedVocabularyTests {
  private func expectRefusal(
    _ words: String..., sourceLocation: SourceLocation = #_sourceLocation, of body: () throws -> Void
  ) {
    do {
      try body()
      Issue.record("accepted", sourceLocation: sourceLocation)
    } catch let error as TokenizerError {
      #expect(!error.description.contains("\n"), sourceLocation: sourceLocation)
      for word in words { #expect(error.description.contains(word), "\(error)", sourceLocation: sourceLocation) }
    } catch {
      Issue.record("another error: \(error)", sourceLocation: sourceLocation)
    }
  }

  // MARK: tokenizer.json

  private func load(_ json: String) throws -> any Tokenizer {
    try loadTokenizer { $0 == "tokenizer.json" ? Data(json.utf8) : nil }
  }

  private let replace = #"{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}"#

  private func llama(
    normalizer: String = "null", splitter: String = #"{"type": "Metaspace"}"#, decoder: String? = nil,
    model: String = ""
  ) -> String {
    let decoder = decoder ?? #"{"type": "Sequence", "decoders": [\#(replace), {"type": "Fuse"}]}"#
    return #"""
      {"normalizer": \#(normalizer), "pre_tokenizer": \#(splitter), "decoder": \#(decoder), "model": {"type": "BPE",
      "vocab": {"▁": 0, "a": 1, "▁a": 2, "b": 3}, "merges": [["▁", "a"]]\#(model)}}
      """#
  }

  private func byteLevel(split: String, normalizer: String = "null") -> String {
    #"""
    {"normalizer": \#(normalizer), "pre_tokenizer": {"type": "Sequence", "pretokenizers": [\#(split),
    {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}, "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}
    """#
  }

  @Test func `The small files that the others are made from are accepted`() throws {
    #expect(try load(llama()).encode("a ab") == [2, 2, 3])
    let split = #"{"type": "Split", "pattern": {"Regex": "\#(gpt2)"}, "behavior": "Isolated", "invert": false}"#
    #expect(try load(byteLevel(split: split, normalizer: #"{"type": "NFC"}"#)).encode("aa") == [0, 0])
  }

  private let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"#

  @Test func `What is not supported of SentencePiece's kind is refused by name`() {
    func refuse(_ json: String, _ word: String, sourceLocation: SourceLocation = #_sourceLocation) {
      expectRefusal("tokenizer.json", word, sourceLocation: sourceLocation) { _ = try load(json) }
    }
    refuse(llama(normalizer: #"{"type": "NFKC"}"#), "\"NFKC\"")
    refuse(llama(normalizer: #"{"type": "Prepend", "prepend": "x"}"#, splitter: "null"), "prepends")
    refuse(llama(normalizer: #"{"type": "Prepend"}"#, splitter: "null"), "prepends")
    refuse(llama(normalizer: #"{"type": "Replace", "pattern": {"Regex": " "}, "content": "▁"}"#), "replaces")
    refuse(llama(normalizer: #"{"type": "Prepend", "prepend": "▁"}"#), "Metaspace together")
    refuse(llama(normalizer: #"{"type": "Sequence", "normalizers": [1]}"#), "normalizers[0]")
    refuse(llama(splitter: #"{"type": "Whitespace"}"#), "\"Whitespace\"")
    refuse(llama(splitter: #"{"type": "Metaspace", "replacement": "_"}"#), "U+2581")
    refuse(llama(splitter: #"{"type": "Metaspace", "prepend_scheme": "last"}"#), "\"last\"")
    refuse(llama(splitter: #"{"type": "Metaspace", "split": 1}"#), "split")
    refuse(llama(decoder: #"{"type": "Metaspace", "replacement": "_"}"#), "U+2581")
    func sequence(_ decoders: String) -> String { llama(decoder: #"{"type": "Sequence", "decoders": [\#(decoders)]}"#) }
    refuse(sequence(#"{"type": "CTC"}"#), "\"CTC\"")
    refuse(sequence(#"{"type": "Strip", "content": " ", "start": 1, "stop": 0}"#), "\"Strip\"")
    refuse(sequence(#"{"type": "Fuse"}, {"type": "Strip", "content": "x", "start": 1, "stop": 0}"#), "Strip")
    refuse(sequence(#"{"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 1}"#), "Strip")
    refuse(sequence(#"{"type": "Fuse"}, {"type": "Strip", "content": " ", "start": -1, "stop": 0}"#), "Strip")
    refuse(sequence(#"{"type": "ByteFallback"}, \#(replace)"#), "\"Replace\"")
    refuse(sequence(#"{"type": "Replace", "pattern": {"String": "_"}, "content": " "}"#), "U+2581")
    refuse(llama(model: #", "dropout": 0.5"#), "dropout")
    refuse(llama(model: #", "unk_token": "?""#), "unk_token")
    refuse(llama(model: #", "byte_fallback": 1"#), "byte_fallback")
  }

  @Test func `Split patterns and normalisers that are not known are refused by name`() {
    func refuse(_ json: String, _ word: String, sourceLocation: SourceLocation = #_sourceLocation) {
      expectRefusal("tokenizer.json", word, sourceLocation: sourceLocation) { _ = try load(json) }
    }
    refuse(byteLevel(split: #"{"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated"}"#), "\\\\w+")
    refuse(byteLevel(split: #"{"type": "Split", "pattern": {"String": " "}, "behavior": "Isolated"}"#), "isolated")
    refuse(byteLevel(split: #"{"type": "Split", "pattern": {"Regex": "\#(gpt2)"}, "behavior": "Removed"}"#), "isolated")
    refuse(byteLevel(split: #"{"type": "Split", "behavior": "Isolated"}"#), "pattern")
    refuse(byteLevel(split: #"{"type": "Digits", "individual_digits": false}"#), "individual_digits")
    refuse(byteLevel(split: #"{"type": "Punctuation"}"#), "\"Punctuation\"")
    let digits = #"{"type": "Digits", "individual_digits": true}"#
    refuse(byteLevel(split: digits, normalizer: #"{"type": "NFD"}"#), "\"NFD\"")
  }

  @Test func `Ids far beyond the number of tokens are refused`() {
    expectRefusal("4000000", "most ids") {
      _ = try load(
        #"{"decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"a": 4000000}, "merges": []}}"#)
    }
  }

  // MARK: Vocabularies

  private let small = TokenizerVocabulary(
    model: "llama", tokens: ["<unk>", "▁", "a", "▁a"], scores: [0, -2, -1, 0], types: [2, 1, 1, 1], unknownID: 0)
  private let smallGPT2 = TokenizerVocabulary(model: "gpt2", pre: "gpt-2", tokens: ["a", "b", "ab"], merges: ["a b"])

  @Test func `Vocabularies that are inconsistent are refused`() throws {
    func refuse(
      _ vocabulary: TokenizerVocabulary, _ word: String, sourceLocation: SourceLocation = #_sourceLocation,
      _ change: (inout TokenizerVocabulary) -> Void
    ) {
      var vocabulary = vocabulary
      vocabulary.source = "model.gguf"
      change(&vocabulary)
      expectRefusal("model.gguf", word, sourceLocation: sourceLocation) { _ = try vocabulary.tokenizerFiles() }
    }
    _ = try small.tokenizerFiles()
    _ = try smallGPT2.tokenizerFiles()
    refuse(small, "\"bert\"") { $0.model = "bert" }
    refuse(small, "no tokens") { $0.tokens = [] }
    refuse(small, "scores") { $0.scores = [0] }
    refuse(small, "types") { $0.types = [1] }
    refuse(small, "neither merges nor scores") { $0.scores = nil }
    refuse(small, "score of token 2") { $0.scores?[2] = .nan }
    refuse(small, "score of token 3") { $0.scores?[3] = -.infinity }
    refuse(small, "unknown token has the id 4") { $0.unknownID = 4 }
    refuse(small, "end token has the id -1") { $0.endID = -1 }
    refuse(small, "begins a text") { $0.addsBeginning = true }
    refuse(small, "ends a text") { $0.addsEnd = true }
    refuse(small, "two entries") { $0.tokens[2] = "▁" }
    refuse(small, "1025 bytes") { $0.tokens[2] = String(repeating: "a", count: 1025) }
    refuse(small, "merge 1") { $0.merges = ["a a"] }
    refuse(smallGPT2, "no merges") { $0.merges = nil }
    refuse(smallGPT2, "merge 1") { $0.merges = ["ab"] }
    refuse(smallGPT2, "\"bc\"") { $0.merges = ["a b", "bc a"] }
    refuse(smallGPT2, "qwen2") { $0.pre = "unheard-of" }
    refuse(smallGPT2, "smollm") { $0.pre = "" }
  }

  @Test func `Tokens that can be cut in very many ways are refused`() {
    let tokens = (1...1000).map { String(repeating: "a", count: $0) }
    let vocabulary = TokenizerVocabulary(model: "llama", tokens: tokens, scores: tokens.indices.map { -Float($0) })
    expectRefusal("more ways") { _ = try vocabulary.tokenizerFiles() }
  }

  @Test func `Tokenizers that GGUF has no form for are refused`() throws {
    func refuse(_ json: String, _ word: String, sourceLocation: SourceLocation = #_sourceLocation) {
      expectRefusal("tokenizer.json", word, sourceLocation: sourceLocation) {
        _ = try TokenizerVocabulary(tokenizerJSON: Data(json.utf8), configuration: nil)
      }
    }
    refuse(llama(), "GGUF")
    refuse(byteLevel(split: #"{"type": "Digits", "individual_digits": true}"#), "GGUF")
    let wordPiece = try golden("wordpiece-tokenizer.json", in: .module)
    refuse(String(decoding: wordPiece, as: UTF8.self), "WordPiece")
    refuse("{", "byte 1")
  }

  // MARK: tokenizer.bin

  @Test func `Every beginning of a tokenizer.bin is refused, and more than all of it`() throws {
    let data = try golden("llama-tokenizer.bin", in: .module)
    let whole = try TokenizerVocabulary(tokenizerJSON: golden("llama-llama2.json", in: .module), configuration: nil)
    let count = whole.tokens.count
    for length in 0..<data.count {
      expectRefusal("tokenizer.bin", "byte") {
        _ = try TokenizerVocabulary(llama2C: data.prefix(length), vocabularySize: count)
      }
    }
    // A slice's indices do not begin at 0.
    let slice = (Data([1, 2, 3]) + data)[3...]
    #expect(try TokenizerVocabulary(llama2C: slice, vocabularySize: count).tokens == whole.tokens)
    expectRefusal("goes on") { _ = try TokenizerVocabulary(llama2C: data + [0], vocabularySize: count) }
    expectRefusal("goes on") { _ = try TokenizerVocabulary(llama2C: data, vocabularySize: count - 1) }
    expectRefusal("ends at byte \(data.count)") {
      _ = try TokenizerVocabulary(llama2C: data, vocabularySize: count + 1)
    }
    for size in [-1, 0, 258, Int.max, Int.min] {
      expectRefusal("\(size)") { _ = try TokenizerVocabulary(llama2C: data, vocabularySize: size) }
    }
  }

  @Test func `A tokenizer.bin with impossible tokens is refused with their place`() throws {
    let data = try golden("llama-tokenizer.bin", in: .module)
    let count = try TokenizerVocabulary(tokenizerJSON: golden("llama-llama2.json", in: .module), configuration: nil)
      .tokens.count
    func refuse(
      at offset: Int, _ bytes: [UInt8], _ words: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
      var data = data
      data.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
      expectRefusal(words, sourceLocation: sourceLocation) {
        _ = try TokenizerVocabulary(llama2C: data, vocabularySize: count)
      }
    }
    // Token 0 stands at byte 4: score, length 5, "<unk>"; token 3, the byte 0, at byte 44.
    refuse(at: 4, [0, 0, 0xC0, 0x7F], "score of token 0 at byte 4")
    refuse(at: 8, [0, 0, 0, 0], "token 0 at byte 4 cannot have 0 bytes")
    refuse(at: 8, [0xFF, 0xFF, 0xFF, 0xFF], "token 0 at byte 4 cannot have -1 bytes")
    refuse(at: 8, [0xFF, 0xFF, 0xFF, 0x7F], "token 0 at byte 4 cannot have 2147483647 bytes")
    refuse(at: 12, [0xFF], "token 0 at byte 4 is not UTF-8")
    refuse(at: 56, [UInt8(ascii: "1")], "token 3 at byte 44 is not the byte 0")
  }

  // MARK: Damaged files

  /// Encodes and decodes with whatever a damaged file still gives.
  private func use(_ tokenizer: any Tokenizer) {
    let text = " The cat 123 caf\u{65}\u{301}\n\n🐱 don'T <s> \u{2581}a"
    let ids = tokenizer.encode(text)
    _ = tokenizer.decode(ids)
    var decoder = StreamingDecoder(tokenizer: tokenizer)
    for id in [-1, 0, 1, 2, 300, .max] + ids { _ = decoder.append(id) }
    _ = decoder.finish()
    #expect(ids.allSatisfy { (0..<tokenizer.vocabularySize).contains($0) })
  }

  @Test(arguments: ["smollm", "llama3", "qwen2", "llama2"])
  func `No damaged tokenizer.json does harm`(_ name: String) throws {
    let whole = [UInt8](try golden("llama-\(name).json", in: .module))
    try forEachMutation(of: whole, rounds: fuzzRounds(default: 250), seed: 1) { bytes in
      do {
        use(try loadTokenizer { $0 == "tokenizer.json" ? Data(bytes) : nil })
        let files = try TokenizerVocabulary(tokenizerJSON: Data(bytes), configuration: nil).tokenizerFiles()
        use(try loadTokenizer { files[$0] })
      } catch is TokenizerError {}
    }
  }

  @Test func `No damaged tokenizer.bin does harm`() throws {
    let whole = [UInt8](try golden("llama-tokenizer.bin", in: .module))
    let json = try TokenizerVocabulary(tokenizerJSON: golden("llama-llama2.json", in: .module), configuration: nil)
    try forEachMutation(of: whole, rounds: fuzzRounds(default: 1000), seed: 2) { bytes in
      do {
        let vocabulary = try TokenizerVocabulary(llama2C: Data(bytes), vocabularySize: json.tokens.count)
        let files = try vocabulary.tokenizerFiles()
        use(try loadTokenizer { files[$0] })
      } catch is TokenizerError {}
    }
  }

  @Test func `No damaged tokenizer_config.json does harm`() throws {
    let data = try golden("llama-smollm.json", in: .module)
    let whole = Array(
      #"""
      {"bos_token": "<|im_start|>", "eos_token": {"content": "<|im_end|>"}, "add_bos_token": true,
      "chat_template": [{"name": "default", "template": "{{ \"\u00e9\\n\" }}"}]}
      """#.utf8)
    try forEachMutation(of: whole, rounds: fuzzRounds(default: 500), seed: 3) { bytes in
      do {
        let files = ["tokenizer.json": data, "tokenizer_config.json": Data(bytes)]
        _ = try loadChatTemplate { files[$0] }
        use(try loadTokenizer { files[$0] })
        _ = try TokenizerVocabulary(tokenizerJSON: data, configuration: Data(bytes)).tokenizerFiles()
      } catch is TokenizerError {}
    }
  }
}
