import Alignment
import Testing
import Transformers

struct ScorerTests {
  let model: GPTNeo
  let contextLength = 8

  init() throws { model = try randomModel(vocabularySize: 20, contextLength: 8) }

  func document(_ length: Int) -> [Int] { (0..<length).map { ($0 * $0 * 3 + $0 * 7 + length) % 20 } }

  @Test func `log-probabilities of documents that fit are those of one sequence`() {
    for beginning in [nil, 19] as [Int?] {
      let lead = beginning.map { [$0] } ?? []
      let documents = [1, 2, 5, 8, 9 - lead.count].map(document)
      let scores = Scorer(model, beginning: beginning).logProbabilities(of: documents)
      #expect(scores.map(\.count) == documents.map(\.count))
      for (ids, scores) in zip(documents, scores) {
        for (index, score) in scores.enumerated() {
          let before = lead + ids.prefix(index)
          guard !before.isEmpty else {
            #expect(score == nil)
            continue
          }
          let expected = model.nextLogProbabilities(before)[ids[index]]
          #expect(abs(Double(score ?? .nan) - expected) < 1e-5, "token \(index) of \(ids.count)")
        }
      }
    }
  }

  @Test(arguments: [nil, 19] as [Int?])
  func `each token of a long document is scored once, with half a context or more before it`(beginning: Int?) {
    let lead = beginning.map { [$0] } ?? []
    for length in [10, 17, 18, 40, 101] {
      let ids = document(length)
      let scores = Scorer(model, beginning: beginning).logProbabilities(of: [ids])[0]
      #expect(scores.count == length)
      let sequence = lead + ids
      for (index, score) in scores.enumerated() {
        let position = index + lead.count
        guard position > 0 else {
          #expect(score == nil)
          continue
        }
        let shortest = min(position, contextLength / 2)
        let possible = (shortest...min(position, contextLength)).map { window in
          model.nextLogProbabilities(Array(sequence[(position - window)..<position]))[ids[index]]
        }
        #expect(possible.contains { abs(Double(score ?? .nan) - $0) < 1e-5 }, "token \(index) of \(length)")
      }
    }
  }

  @Test func `documents do not see each other, however many there are`() {
    // More than are computed at once.
    let documents = (0..<1_200).map { document(1 + $0 % 12) }
    let scorer = Scorer(model, beginning: 19)
    let together = scorer.logProbabilities(of: documents)
    for index in stride(from: 0, to: documents.count, by: 37) {
      let alone = scorer.logProbabilities(of: [documents[index]])[0]
      #expect(zip(alone, together[index]).allSatisfy { abs(($0 ?? .nan) - ($1 ?? .nan)) < 1e-5 })
      #expect(alone.count == together[index].count)
    }
  }

  @Test func `empty documents have no scores`() {
    #expect(Scorer(model).logProbabilities(of: []).isEmpty)
    #expect(Scorer(model).logProbabilities(of: [[], [3]]) == [[], [nil]])
    #expect(Scorer(model, beginning: 19).logProbabilities(of: [[]]) == [[]])
  }

  @Test func `a context of a single token is enough`() throws {
    let model = try randomModel(vocabularySize: 20, contextLength: 1)
    let ids = [4, 7, 7, 1]
    let scores = Scorer(model).logProbabilities(of: [ids])[0]
    #expect(scores[0] == nil)
    for index in 1..<4 {
      let expected = model.nextLogProbabilities([ids[index - 1]])[ids[index]]
      #expect(abs(Double(scores[index] ?? .nan) - expected) < 1e-5)
    }
  }
}
