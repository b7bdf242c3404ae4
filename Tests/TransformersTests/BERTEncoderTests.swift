import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

@Suite struct BERTEncoderTests {
  @Test func `hidden states equal those of transformers`() throws {
    let golden = try BERTGolden.load()
    let encoder = try BERTEncoder(source: BERTGolden.source)
    let hidden = try encoder.hiddenStates(golden.texts)
    #expect(hidden.count == golden.texts.count)
    for (index, (actual, expected)) in zip(hidden, golden.hidden).enumerated() {
      let comparison = Comparison(actual, expected)
      #expect(comparison.matches(absolute: 1e-5), "text \(index): \(comparison)")
    }
  }

  @Test func `means of the hidden states equal those of transformers`() throws {
    let golden = try BERTGolden.load()
    let means = try BERTEncoder(source: BERTGolden.source).meanHiddenStates(golden.texts)
    #expect(means.count == golden.texts.count)
    for (index, (actual, expected)) in zip(means, golden.means).enumerated() {
      let comparison = Comparison(actual, expected)
      #expect(comparison.matches(absolute: 1e-5), "text \(index): \(comparison)")
    }
  }

  @Test func `many texts come out in their order, with the same bits on any number of threads`() throws {
    let golden = try BERTGolden.load()
    let encoder = try BERTEncoder(source: BERTGolden.source)
    let order = (0..<300).map { $0 * 5 % golden.texts.count }
    let threads = Threads.count
    defer { Threads.count = threads }
    var first: [[Float]] = []
    for count in [1, 2, 3] {
      Threads.count = count
      let hidden = try encoder.hiddenStates(order.map { golden.texts[$0] })
      if first.isEmpty { first = hidden }
      #expect(hidden == first, "\(count) threads")
    }
    for (text, hidden) in zip(order, first) {
      let comparison = Comparison(hidden, golden.hidden[text])
      #expect(comparison.matches(absolute: 1e-5), "text \(text): \(comparison)")
    }
  }

  #if !canImport(Accelerate)
    @Test func `a text has the same bits in any company and any order`() throws {
      let golden = try BERTGolden.load()
      let encoder = try BERTEncoder(source: BERTGolden.source)
      let alone = try golden.texts.map { try encoder.hiddenStates([$0])[0] }
      let means = try golden.texts.map { try encoder.meanHiddenStates([$0])[0] }
      // Steps that go through the texts in different orders, so that packs begin and end at different places.
      for (count, step) in [(golden.texts.count, 1), (7, 3), (300, 5), (301, 11), (150, 2)] {
        let order = (0..<count).map { ($0 * step + count) % golden.texts.count }
        let texts = order.map { golden.texts[$0] }
        #expect(try encoder.hiddenStates(texts) == order.map { alone[$0] }, "\(count) texts, every \(step)th")
        #expect(try encoder.meanHiddenStates(texts) == order.map { means[$0] }, "\(count) texts, every \(step)th")
      }
    }
  #endif

  @Test func `texts that the model cannot take are refused by number`() throws {
    let encoder = try BERTEncoder(source: BERTGolden.source)
    #expect(throws: BERTInputError.tooLong(text: 1, tokens: 25, limit: 24)) {
      try encoder.hiddenStates([[1], [Int](repeating: 1, count: 25)])
    }
    for id in [-1, 50, .max, .min] {
      #expect(throws: BERTInputError.unknownID(id, text: 2, vocabularySize: 50)) {
        try encoder.meanHiddenStates([[1], [49], [0, id]])
      }
    }
    #expect("\(BERTInputError.tooLong(text: 1, tokens: 25, limit: 24))".contains("25 tokens"))
    #expect("\(BERTInputError.unknownID(50, text: 2, vocabularySize: 50))".contains("0..<50"))
  }

  @Test func `no texts give nothing, and a text without tokens zeros`() throws {
    let golden = try BERTGolden.load()
    let encoder = try BERTEncoder(source: BERTGolden.source)
    #expect(try encoder.hiddenStates([]).isEmpty)
    #expect(try encoder.hiddenStates([[]]) == [[]])
    let means = try encoder.meanHiddenStates([[], golden.texts[1], []])
    #expect(means[0] == [Float](repeating: 0, count: 32) && means[2] == means[0])
    #expect(Comparison(means[1], golden.means[1]).matches(absolute: 1e-5))
  }

  @Test func `a task's model loads with its prefix, without pooler, and with old position ids`() throws {
    let golden = try BERTGolden.load()
    let extra = ["bert.embeddings.position_ids"]
    try withChangedBERT(prefix: "bert.", dropped: ["pooler."], extra: extra) { source in
      let hidden = try BERTEncoder(source: source).hiddenStates(golden.texts)
      #expect(hidden.count == golden.hidden.count)
      for (actual, expected) in zip(hidden, golden.hidden) {
        #expect(Comparison(actual, expected).matches(absolute: 1e-5))
      }
    }
  }

  @Test func `tensors that are missing, misshapen or unknown are named`() throws {
    let name = "encoder.layer.1.attention.self.key.bias"
    try withChangedBERT(dropped: [name]) { source in
      #expect(loadingFailure(source).contains("no tensor \"\(name)\""))
    }
    try withChangedBERT(shapes: [name: [4, 8]]) { source in
      #expect(loadingFailure(source).contains("\"\(name)\" has shape [4, 8] where [32] is needed"))
    }
    try withChangedBERT(extra: ["cls.predictions.bias"]) { source in
      #expect(loadingFailure(source).contains("\"cls.predictions.bias\""))
    }
    try withChangedBERT(["num_hidden_layers": 1]) { source in
      #expect(loadingFailure(source).contains("\"encoder.layer.1."))
    }
  }
}
