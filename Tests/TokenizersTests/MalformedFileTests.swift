import Foundation
import TestSupport
import Testing
import Tokenizers

@Suite struct MalformedFileTests {
  private func load(_ files: [String: String]) throws -> any Tokenizer {
    try loadTokenizer { files[$0].map { Data($0.utf8) } }
  }

  /// A byte-level BPE in few words, with parts to replace.
  private func bpe(
    vocab: String = #"{"a": 0, "b": 1, "ab": 2}"#, merges: String = #"["a b"]"#, model: String = "",
    split: String = #"{"type": "ByteLevel", "add_prefix_space": false}"#, rest: String = ""
  ) -> [String: String] {
    [
      "tokenizer.json": """
      {"added_tokens": [], "pre_tokenizer": \(split), "decoder": {"type": "ByteLevel"}\(rest),
      "model": {"type": "BPE", "vocab": \(vocab), "merges": \(merges)\(model)}}
      """
    ]
  }

  private func wordPiece(vocab: String = #"{"[UNK]": 0, "a": 1}"#, rest: String = "") -> [String: String] {
    [
      "tokenizer.json": """
      {"pre_tokenizer": {"type": "BertPreTokenizer"}\(rest), "model": {"type": "WordPiece", "vocab": \(vocab)}}
      """
    ]
  }

  private func expectRefusal(
    _ files: [String: String], _ words: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    do {
      _ = try load(files)
      Issue.record("accepted \(files)", sourceLocation: sourceLocation)
    } catch let error as TokenizerError {
      #expect(!error.description.contains("\n"), sourceLocation: sourceLocation)
      #expect(error.localizedDescription == error.description, sourceLocation: sourceLocation)
      for word in words {
        #expect(error.description.contains(word), "\(error)", sourceLocation: sourceLocation)
      }
    } catch {
      Issue.record("another error: \(error)", sourceLocation: sourceLocation)
    }
  }

  @Test func `The small files that the others are made from are accepted`() throws {
    #expect(try load(bpe()).encode("abba") == [2, 1, 0])
    #expect(try load(wordPiece()).encode("a b") == [1, 0])
  }

  @Test func `A folder without a tokenizer says what it looked for`() {
    expectRefusal([:], "tokenizer.json", "vocab.json", "vocab.txt")
    expectRefusal(["vocab.json": "{}"], "merges.txt")
  }

  @Test(arguments: [
    "", " ", "{", "[1,]", #"{"a":}"#, #"{"a" 1}"#, "{a: 1}", "{'a': 1}", #"{"a": 1,}"#, "nul", "truE", "01", "1.", "1e",
    "-", "+1", ".5", "1e999", "0x10", "NaN", #""a"#, #""\x""#, #""\u12"#, #""\u12G4""#, #""\ud800""#,
    #""\ud800\u0041""#, #""\udc00""#, "\"\n\"", "\"\u{1}\"", "{} {}", "[1] x", "\u{FEFF}{}", "\"\\", "[\"a\" \"b\"]",
    String(repeating: "[", count: 100_000), String(repeating: "{\"a\":", count: 1000),
  ])
  func `What is not JSON is refused with its place`(_ text: String) {
    expectRefusal(["tokenizer.json": text], "tokenizer.json is not valid JSON at byte")
  }

  @Test func `Bytes that are no UTF-8 are refused with their place`() throws {
    let sequences: [[UInt8]] = [
      [0x80], [0xC0, 0x80], [0xC3], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xE2, 0x82],
    ]
    for bytes in sequences {
      let content = Data(Array("{\"a\": \"".utf8) + bytes + Array("\"}".utf8))
      #expect(
        throws: TokenizerError.malformedJSON(file: "tokenizer.json", offset: 7, reason: "the bytes are not UTF-8")
      ) { try loadTokenizer { $0 == "tokenizer.json" ? content : nil } }
    }
    #expect(throws: TokenizerError.self) {
      try loadTokenizer { $0 == "vocab.txt" ? Data([0x61, 0x0A, 0xFF, 0x0A]) : nil }
    }
  }

  @Test func `Every beginning of a file is refused`() throws {
    let whole = try #require(bpe(rest: #", "x": [1.5e3, "\u00e9\ud83d\ude00", null, true]"#)["tokenizer.json"])
    _ = try load(["tokenizer.json": whole])
    for count in 0..<(whole.utf8.count) {
      let part = Data(whole.utf8.prefix(count))
      #expect(throws: TokenizerError.self) { try loadTokenizer { $0 == "tokenizer.json" ? part : nil } }
    }
  }

  @Test func `A vocabulary that is none is refused`() {
    for vocab in ["[]", "1", "{}", "null", #"{"a": "0"}"#, #"{"a": 0.5}"#, #"{"a": null}"#] {
      expectRefusal(bpe(vocab: vocab, merges: "[]"), "tokenizer.json")
      expectRefusal(wordPiece(vocab: vocab), "tokenizer.json")
    }
    expectRefusal(bpe(vocab: #"{"a": -1}"#, merges: "[]"), "\"a\"", "-1")
    expectRefusal(bpe(vocab: #"{"a": 4294967296}"#, merges: "[]"), "4294967296")
    expectRefusal(bpe(vocab: #"{"a": 9223372036854775807}"#, merges: "[]"), "9223372036854775807")
    expectRefusal(bpe(vocab: #"{"a": 99999999999999999999}"#, merges: "[]"), "whole number")
    expectRefusal(bpe(vocab: #"{"a": 0, "b": 0}"#, merges: "[]"), "another token")
    expectRefusal(bpe(vocab: #"{"a": 0, "a": 1}"#, merges: "[]"), "two entries")
    expectRefusal(wordPiece(vocab: #"{"a": 1}"#), "[UNK]")
  }

  @Test func `Merges that are none are refused`() {
    expectRefusal(bpe(merges: "{}"), "list")
    expectRefusal(bpe(merges: "null"), "missing")
    for merge in [#""ab""#, #""a  b""#, #""a b c""#, #"["a"]"#, #"["a", "b", "c"]"#, #"["a", 1]"#, "1"] {
      expectRefusal(bpe(merges: "[\(merge)]"), "merge 1", "two tokens")
    }
    expectRefusal(bpe(merges: #"["a c"]"#), "merge 1", "\"c\"")
    expectRefusal(bpe(merges: #"["a b", "b a"]"#), "merge 2", "\"ba\"")
    let vocabulary = #"{"a": 0, "b": 1, "ab": 2}"#
    expectRefusal(["vocab.json": vocabulary, "merges.txt": "#version: 0.2\na b\n\n"], "merges.txt", "merge 2")
    expectRefusal(["vocab.json": vocabulary, "merges.txt": "a c"], "merges.txt", "\"c\"")
  }

  @Test func `What is not supported is refused by name`() {
    expectRefusal(bpe(rest: #", "normalizer": {"type": "NFKC"}"#), "normalizer")
    expectRefusal(bpe(model: #", "dropout": 0.1"#), "dropout")
    expectRefusal(bpe(model: #", "byte_fallback": true"#), "byte_fallback")
    expectRefusal(bpe(model: #", "end_of_word_suffix": "</w>""#), "end_of_word_suffix")
    expectRefusal(bpe(model: #", "continuing_subword_prefix": "@@""#), "continuing_subword_prefix")
    expectRefusal(bpe(model: #", "unk_token": "?""#), "unk_token")
    expectRefusal(bpe(split: "null"), "ByteLevel")
    expectRefusal(bpe(split: #"{"type": "Whitespace"}"#), "ByteLevel")
    expectRefusal(bpe(split: #"{"type": "Sequence", "pretokenizers": []}"#), "ByteLevel")
    expectRefusal(bpe(rest: #", "post_processor": {"type": "New"}"#), "\"New\"")
    expectRefusal(wordPiece(rest: #", "normalizer": {"type": "NFC"}"#), "\"NFC\"")
    expectRefusal(wordPiece(rest: #", "decoder": {"type": "BPEDecoder"}"#), "decoder")
    expectRefusal(["tokenizer.json": #"{"model": {"type": "Unigram", "vocab": []}}"#], "\"Unigram\"")
  }

  @Test func `Post-processors that name no tokens are refused`() {
    func template(_ single: String, _ special: String) -> String {
      #", "post_processor": {"type": "TemplateProcessing", "single": [\#(single)], "special_tokens": {\#(special)}}"#
    }
    let text = #"{"Sequence": {"id": "A"}}"#
    expectRefusal(wordPiece(rest: template("", "")), "text")
    expectRefusal(wordPiece(rest: template(#"{"SpecialToken": {"id": "X"}}, "# + text, "")), "\"X\"")
    expectRefusal(wordPiece(rest: template(text + "," + text, "")), "template")
    expectRefusal(wordPiece(rest: template(#"{"SpecialToken": {"id": "X"}}, "# + text, #""X": {"ids": [7]}"#)), "7")
    expectRefusal(wordPiece(rest: template(#"{"SpecialToken": {"id": "X"}}, "# + text, #""X": {"ids": [-1]}"#)), "ids")
    expectRefusal(wordPiece(rest: #", "post_processor": {"type": "BertProcessing", "sep": ["x"]}"#), "cls")
    expectRefusal(
      wordPiece(rest: #", "post_processor": {"type": "BertProcessing", "cls": ["a", 1], "sep": ["b", 9]}"#), "9")
  }

  @Test func `Added tokens in the wrong place are refused`() {
    func added(_ tokens: String) -> [String: String] { wordPiece(rest: #", "added_tokens": [\#(tokens)]"#) }
    expectRefusal(added(#"{"id": 7, "content": "x"}"#), "added_tokens[0]", "7", "2")
    expectRefusal(added(#"{"id": 0, "content": "a"}"#), "added_tokens[0]")
    expectRefusal(added(#"{"id": 2}"#), "content")
    expectRefusal(added(#"{"id": "2", "content": "x"}"#), "whole number")
    expectRefusal(added("1"), "added_tokens[0]", "object")
  }

  @Test func `vocab.txt without its special tokens is refused`() {
    expectRefusal(["vocab.txt": ""], "[UNK]")
    expectRefusal(["vocab.txt": "[UNK]\n[CLS]\n"], "[SEP]")
    expectRefusal(["vocab.txt": "[UNK]\n[CLS]\n[SEP]\na\na\n"], "vocab.txt", "two entries")
    expectRefusal(["vocab.txt": "[UNK]\n[CLS]\n[SEP]\n", "tokenizer_config.json": "[]"], "tokenizer_config.json")
    expectRefusal(
      ["vocab.txt": "[UNK]\n[CLS]\n[SEP]\n", "tokenizer_config.json": #"{"do_lower_case": 1}"#], "do_lower_case")
  }
}
