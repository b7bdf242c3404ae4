import Foundation
import TestSupport
import Testing
import Tokenizers

@Suite struct ReferenceTests {
  @Test func `Byte-level BPE gives the reference's ids and texts`() throws {
    let tokenizer = try goldenTokenizer(["tokenizer.json": "bpe-tokenizer.json"])
    #expect(tokenizer.vocabularySize == 500)
    #expect(tokenizer.endOfTextID == 0)
    expectAgreement(tokenizer, try goldenValue("bpe-cases.json"))
  }

  @Test func `vocab.json with merges.txt gives the same ids as tokenizer.json`() throws {
    let tokenizer = try goldenTokenizer(["vocab.json": "bpe-vocab.json", "merges.txt": "bpe-merges.txt"])
    #expect(tokenizer.endOfTextID == 0)
    expectAgreement(tokenizer, try goldenValue("bpe-cases.json"))
  }

  @Test func `Merges as pairs and as lines give the same ids`() throws {
    let cases = try goldenValue("bpe-cases.json", as: Cases.self)
    for asPairs in [false, true] {
      let tokenizer = try changedTokenizer("bpe-tokenizer.json") { root in
        var model = try #require(root["model"] as? [String: Any])
        let merges = try #require(model["merges"] as? [Any])
        let pairs = merges.map { $0 as? [String] ?? ($0 as? String ?? "").components(separatedBy: " ") }
        model["merges"] = asPairs ? pairs : pairs.map { $0.joined(separator: " ") }
        root["model"] = model
      }
      expectAgreement(tokenizer, cases, asPairs ? "pairs" : "lines")
    }
  }

  @Test func `Each option of byte-level BPE gives the reference's ids`() throws {
    let data = try golden("bpe-variants.json", in: .module)
    let variants = try #require(JSONSerialization.jsonObject(with: data) as? [String: [String: Any]])
    let cases = try JSONDecoder().decode([String: Cases].self, from: data)
    #expect(variants.count == 4)
    for (name, variant) in variants {
      let tokenizer = try changedTokenizer("bpe-tokenizer.json") { root in
        var model = try #require(root["model"] as? [String: Any])
        let merges = try #require(model["merges"] as? [Any])
        model["merges"] = Array(merges.prefix(try #require(variant["merges"] as? Int)))
        model["ignore_merges"] = variant["ignore_merges"]
        root["model"] = model
        root["pre_tokenizer"] = variant["pre_tokenizer"]
      }
      expectAgreement(tokenizer, try #require(cases[name]), name)
      // Written out and read again it is the same tokenizer.
      let written = try #require(tokenizer as? ByteLevelBPE).tokenizerJSON()
      let again = try loadTokenizer { $0 == "tokenizer.json" ? written : nil }
      expectAgreement(again, try #require(cases[name]), "\(name), written and read")
    }
  }

  @Test func `WordPiece gives the reference's ids and texts`() throws {
    let tokenizer = try goldenTokenizer(["tokenizer.json": "wordpiece-tokenizer.json"])
    #expect(tokenizer.endOfTextID == nil)
    expectAgreement(tokenizer, try goldenValue("wordpiece-cases.json"))
  }

  @Test func `vocab.txt gives the same ids as tokenizer.json`() throws {
    let tokenizer = try goldenTokenizer(["vocab.txt": "wordpiece-vocab.txt"])
    expectAgreement(tokenizer, try goldenValue("wordpiece-cases.json"))
  }

  @Test func `Each setting of BERT's normaliser gives the reference's ids`() throws {
    let data = try golden("wordpiece-variants.json", in: .module)
    let variants = try #require(JSONSerialization.jsonObject(with: data) as? [String: [String: Any]])
    let cases = try JSONDecoder().decode([String: Cases].self, from: data)
    #expect(variants.count == 16)
    for (name, variant) in variants {
      let tokenizer = try changedTokenizer("wordpiece-tokenizer.json") { $0["normalizer"] = variant["normalizer"] }
      expectAgreement(tokenizer, try #require(cases[name]), name)
    }
  }

  @Test func `do_lower_case of tokenizer_config.json decides the case of vocab.txt`() throws {
    let vocabulary = Data("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nA\na\nÉ\ne\n".utf8)
    func ids(_ configuration: String, _ text: String) throws -> [Int] {
      try loadTokenizer { name in
        name == "vocab.txt" ? vocabulary : name == "tokenizer_config.json" ? Data(configuration.utf8) : nil
      }.encode(text)
    }
    #expect(try ids("{}", "A É") == [2, 6, 8, 3])
    #expect(try ids(#"{"do_lower_case": true}"#, "A É") == [2, 6, 8, 3])
    #expect(try ids(#"{"do_lower_case": false}"#, "A É") == [2, 5, 7, 3])
    #expect(try ids(#"{"do_lower_case": false, "strip_accents": true}"#, "A É") == [2, 5, 1, 3])
  }

  @Test func `Added tokens with every flag are found as the reference finds them`() throws {
    let tokenizer = try goldenTokenizer(["tokenizer.json": "added-tokenizer.json"])
    expectAgreement(tokenizer, try goldenValue("added-cases.json"))
  }

  @Test func `Every Unicode scalar is cut and normalised as by the reference`() throws {
    struct Scalars: Decodable {
      let block: UInt32
      let cuts: [String]
      let normalized: [String]
    }
    let expected = try goldenValue("scalars.json", as: Scalars.self)
    let splitter = WordSplitter()
    let normalizer = BertNormalizer()
    var cuts: [String] = []
    var normalized: [String] = []
    for start in stride(from: UInt32(0), to: 0x110000, by: Int(expected.block)) {
      var cut: UInt64 = 0xCBF2_9CE4_8422_2325
      var lower = cut
      for value in start..<(start + expected.block) {
        guard let scalar = Unicode.Scalar(value) else { continue }
        var text = "a\(scalar)1\(scalar)! \(scalar)"
        text.withUTF8 { bytes in
          var offsets: [String] = []
          var i = 0
          while i < bytes.count {
            offsets.append(String(bytes[..<i].count { $0 & 0xC0 != 0x80 }))
            i = splitter.end(bytes, from: i)
          }
          hash((offsets.joined(separator: "|") + ";").utf8, into: &cut)
        }
        var word = "a\(scalar)b"
        let bytes = word.withUTF8 { normalizer.normalize($0) }
        hash(bytes + [UInt8(ascii: ";")], into: &lower)
      }
      cuts.append(String(cut))
      normalized.append(String(lower))
    }
    #expect(cuts == expected.cuts)
    #expect(normalized == expected.normalized)
  }

  private func hash(_ bytes: some Sequence<UInt8>, into value: inout UInt64) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }
}
