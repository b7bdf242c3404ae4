import Foundation
import TestSupport
import Testing
import Tokenizers

/// What the reference says of the texts of llama-cases.json.
struct LlamaCases: Decodable {
  struct Answers: Decodable {
    let ids: [[Int]]
    /// The ids without special tokens around the text, where these differ.
    let bare: [[Int]]?
    let decoded: [Cases.Decoded]
  }
  let texts: [String]
  let few: [String]
  let tokenizers: [String: Answers]
}

/// Compares every id and every byte, with and without special tokens, at once and streamed.
func expectAgreement(_ tokenizer: any Tokenizer, _ texts: [String], _ answers: LlamaCases.Answers, _ label: String) {
  #expect(!texts.isEmpty && texts.count == answers.ids.count && !answers.decoded.isEmpty)
  let bare = answers.bare ?? answers.ids
  let encoded = zip(texts, answers.ids).map { Cases.Encoded(text: $0, ids: $1) }
  expectAgreement(tokenizer, Cases(encoded: encoded, decoded: answers.decoded), label)
  for (text, ids) in zip(texts, bare) {
    #expect(tokenizer.encode(text, addingSpecialTokens: false) == ids, "\(label) \(text.debugDescription)")
  }
}

@Suite struct LlamaReferenceTests {
  @Test(arguments: [("smollm", 0, nil), ("llama3", 1, 0), ("qwen2", 0, nil), ("llama2", 2, 1)] as [(_, _, Int?)])
  func `Tokenizers of the Llama family give the reference's ids and texts`(
    _ name: String, end: Int, beginning: Int?
  ) throws {
    let cases = try goldenValue("llama-cases.json", as: LlamaCases.self)
    let tokenizer = try goldenTokenizer(["tokenizer.json": "llama-\(name).json"])
    #expect(tokenizer.endOfTextID == end)
    #expect(tokenizer.beginningOfTextID == beginning)
    expectAgreement(tokenizer, cases.texts, try #require(cases.tokenizers[name]), name)
  }

  @Test func `Each setting of SentencePiece's kind gives the reference's ids and texts`() throws {
    let data = try golden("llama-variants.json", in: .module)
    let few = try goldenValue("llama-cases.json", as: LlamaCases.self).few
    let variants = try #require(JSONSerialization.jsonObject(with: data) as? [String: [String: Any]])
    let answers = try JSONDecoder().decode([String: LlamaCases.Answers].self, from: data)
    #expect(variants.count == 13)
    for (name, variant) in variants {
      let change = try #require(variant["change"] as? [String: Any])
      let tokenizer = try changedTokenizer("llama-llama2.json") { root in
        for (key, value) in change where key != "model" && key != "fewer" { root[key] = value }
        guard let model = change["model"] as? [String: Any] else { return }
        root["model"] = try changedModel(
          try #require(root["model"] as? [String: Any]), model, hasFewerBytes: change["fewer"] as? Bool == true)
      }
      expectAgreement(tokenizer, few, try #require(answers[name]), name)
    }
  }

  /// Half of the bytes taken out of a vocabulary, as the script does it, and other values set.
  private func changedModel(
    _ model: [String: Any], _ changes: [String: Any], hasFewerBytes: Bool
  ) throws -> [String: Any] {
    var model = model.merging(changes) { $1 }
    guard hasFewerBytes else { return model }
    let vocabulary = try #require(model["vocab"] as? [String: Int])
    let kept = vocabulary.sorted { $0.value < $1.value }.map(\.key).filter { !$0.hasPrefix("<0x") || $0 >= "<0x80" }
    #expect(kept.count == vocabulary.count - 128)
    model["vocab"] = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($1, $0) })
    return model
  }

  @Test func `Every Unicode scalar is cut and composed as by the reference`() throws {
    struct Scalars: Decodable {
      let block: UInt32
      let llama3: [String]
      let qwen2: [String]
      let composed: [String]
    }
    let expected = try goldenValue("llama-scalars.json", as: Scalars.self)
    let splitters = [WordSplitter(.llama3), WordSplitter(.qwen2)]
    var cuts: [[String]] = [[], []]
    var composed: [String] = []
    for start in stride(from: UInt32(0), to: 0x110000, by: Int(expected.block)) {
      var sums = [UInt64](repeating: 0xCBF2_9CE4_8422_2325, count: 3)
      for value in start..<(start + expected.block) {
        guard let x = Unicode.Scalar(value) else { continue }
        var text = "a\(x)1\(x)! \(x)\n\(x)'\(x) '\(x)\(x)"
        text.withUTF8 { bytes in
          for (i, splitter) in splitters.enumerated() { hash(Self.cuts(bytes, splitter) + ";", into: &sums[i]) }
        }
        var marks = "e\(x)\u{323}\u{301}\(x)\(x)\u{334}\u{1100}\(x)\u{11A8}"
        let bytes = marks.withUTF8 { UnicodeComposer.shared.compose($0) }
        hash(String(decoding: bytes, as: UTF8.self) + ";", into: &sums[2])
      }
      for i in 0..<2 { cuts[i].append(String(sums[i])) }
      composed.append(String(sums[2]))
    }
    #expect(cuts[0] == expected.llama3)
    #expect(cuts[1] == expected.qwen2)
    #expect(composed == expected.composed)
  }

  private static func cuts(_ bytes: UnsafeBufferPointer<UInt8>, _ splitter: WordSplitter) -> String {
    var offsets: [String] = []
    var i = 0
    while i < bytes.count {
      offsets.append(String(bytes[..<i].count { $0 & 0xC0 != 0x80 }))
      i = splitter.end(bytes, from: i)
    }
    return offsets.joined(separator: "|")
  }

  private func hash(_ text: String, into value: inout UInt64) {
    for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }

  @Test func `Streaming gives out bytes when their run ends`() throws {
    let tokenizer = try goldenTokenizer(["tokenizer.json": "llama-llama2.json"])
    var decoder = StreamingDecoder(tokenizer: tokenizer)
    let word = try #require(tokenizer.encode("a", addingSpecialTokens: false).last)
    let cat = Array("🐱".utf8).map { Int($0) + 3 }
    // A character of bytes is complete once a token that is no byte follows.
    #expect((cat + [word]).map { decoder.append($0) } == ["", "", "", "", "🐱 a"])
    #expect(decoder.finish().isEmpty)
    #expect((cat.dropLast() + [1]).map { decoder.append($0) }.joined().isEmpty)
    #expect(decoder.finish() == "\u{FFFD}\u{FFFD}\u{FFFD}")
    // The decoder is at a new start: one leading space is left out again.
    #expect(decoder.append(0x20 + 3).isEmpty && decoder.append(0x20 + 3).isEmpty && decoder.finish() == " ")
  }

  @Test func `Long text of SentencePiece's kind takes no quadratic time`() throws {
    let tokenizer = try goldenTokenizer(["tokenizer.json": "llama-llama2.json"])
    // Merges across words make the whole text one piece.
    let joined = try changedTokenizer("llama-llama2.json") { root in
      var model = try #require(root["model"] as? [String: Any])
      var vocabulary = try #require(model["vocab"] as? [String: Int])
      vocabulary["e▁"] = vocabulary.count
      model["vocab"] = vocabulary
      model["merges"] = try #require(model["merges"] as? [Any]) + [["e", "▁"]]
      root["model"] = model
    }
    let clock = ContinuousClock()
    for unit in ["a", " ", "the ", "ab", "🐱"] {
      let text = String(repeating: unit, count: 100_000 / unit.utf8.count)
      for tokenizer in [tokenizer, joined] {
        var ids: [Int] = []
        // Quadratic time would be minutes.
        #expect(clock.measure { ids = tokenizer.encode(text) } < .seconds(10))
        #expect(tokenizer.decode(ids) == text)
      }
    }
  }
}
