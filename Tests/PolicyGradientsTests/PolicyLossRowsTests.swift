import PolicyGradients
import Testing

struct PolicyLossRowsTests {
  /// Weights by node and token, and KL weights by node, sample after sample.
  struct Naive {
    var targets: [[Int]: Double] = [:]
    var divergences: [Int: Double] = [:]
    var counts: [Int: Int] = [:]

    init(_ paths: [SampledPath], _ advantages: [Float], sampleCount: Int, normalizer: Double, klWeight: Double) {
      for (path, advantage) in zip(paths, advantages) {
        for (token, node) in zip(path.tokens, path.nodes) {
          targets[[node, token], default: 0] += Double(advantage) / Double(sampleCount) / normalizer
          divergences[node, default: 0] += klWeight / Double(sampleCount) / normalizer
          counts[node, default: 0] += 1
        }
      }
    }

    func check(_ rows: PolicyLossRows) {
      #expect(rows.nodes == counts.keys.sorted())
      #expect(rows.sampleCounts == rows.nodes.map { counts[$0] ?? 0 })
      #expect(rows.targetStarts.count == rows.nodes.count + 1)
      #expect(rows.targetStarts.first == 0 && rows.targetStarts.last == rows.targetTokens.count)
      #expect(rows.targetTokens.count == targets.count && rows.targetWeights.count == targets.count)
      #expect(rows.klWeights.count == rows.nodes.count)
      for (row, node) in rows.nodes.enumerated() {
        let range = rows.targetStarts[row]..<rows.targetStarts[row + 1]
        let tokens = rows.targetTokens[range].map(Int.init)
        #expect(tokens == tokens.sorted() && Set(tokens).count == tokens.count && !tokens.isEmpty)
        for (token, weight) in zip(tokens, rows.targetWeights[range]) {
          guard let expected = targets[[node, token]] else {
            Issue.record("token \(token) was never drawn at node \(node)")
            continue
          }
          #expect(abs(Double(weight) - expected) < 1e-7)
        }
        #expect(abs(Double(rows.klWeights[row]) - (divergences[node] ?? .nan)) < 1e-7)
      }
    }
  }

  // Nodes: 2 is the prompt's last; 3 and 4 follow it, 5 follows 4.
  let paths = [
    SampledPath(tokens: [7, 1, 2], nodes: [2, 4, 5]),
    SampledPath(tokens: [3, 9], nodes: [2, 3]),
    SampledPath(tokens: [7, 1, 2], nodes: [2, 4, 5]),
    SampledPath(tokens: [0], nodes: [2]),
    SampledPath(tokens: [7, 8], nodes: [2, 4]),
  ]
  let advantages: [Float] = [0.5, -1, 0.25, 2, -0.125]

  func rows(_ range: Range<Int>, klWeight: Float = 0.3) -> PolicyLossRows {
    PolicyLossRows(
      paths: Array(paths[range]), advantages: Array(advantages[range]), sampleCount: paths.count, lengthNormalizer: 4,
      klWeightPerNat: klWeight)
  }

  @Test func `rows of a small tree are those computed by hand`() {
    let rows = rows(0..<5)
    #expect(rows.nodes == [2, 3, 4, 5])
    #expect(rows.sampleCounts == [5, 1, 3, 2])
    #expect(rows.targetStarts == [0, 3, 4, 6, 7])
    #expect(rows.targetTokens == [0, 3, 7, 9, 1, 8, 2])
    let weights: [Float] = [2, -1, 0.625, -1, 0.75, -0.125, 0.75].map { $0 / 20 }
    #expect(zip(rows.targetWeights, weights).allSatisfy { abs($0 - $1) < 1e-8 })
    let divergences: [Float] = [5, 1, 3, 2].map { $0 * 0.3 / 20 }
    #expect(zip(rows.klWeights, divergences).allSatisfy { abs($0 - $1) < 1e-8 })
  }

  @Test func `rows equal a sum over samples`() {
    Naive(paths, advantages, sampleCount: 5, normalizer: 4, klWeight: Double(Float(0.3))).check(rows(0..<5))
    // Many samples of a deep tree in which a node is named by its prefix.
    var state: UInt64 = 5
    func draw(_ count: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % count
    }
    var many: [SampledPath] = []
    for _ in 0..<300 {
      var node = 1
      var path = SampledPath(tokens: [], nodes: [])
      for _ in 0...draw(5) {
        let token = draw(4)
        path.tokens.append(token)
        path.nodes.append(node)
        node = node * 5 + token
      }
      many.append(path)
    }
    let rewards = many.indices.map { _ in Float(draw(2_000) - 1_000) / 1_000 }
    let rows = PolicyLossRows(
      paths: many, advantages: rewards, sampleCount: 300, lengthNormalizer: 10, klWeightPerNat: 0.75)
    Naive(many, rewards, sampleCount: 300, normalizer: 10, klWeight: 0.75).check(rows)
    #expect(rows.sampleCounts.reduce(0, +) == many.reduce(0) { $0 + $1.tokens.count })
  }

  @Test(arguments: [1, 2, 3, 4]) func `parts add up to the whole`(size: Int) {
    let whole = rows(0..<5)
    var targets: [[Int]: Float] = [:]
    var divergences: [Int: Float] = [:]
    var counts: [Int: Int] = [:]
    for start in stride(from: 0, to: 5, by: size) {
      let part = rows(start..<min(5, start + size))
      for (row, node) in part.nodes.enumerated() {
        divergences[node, default: 0] += part.klWeights[row]
        counts[node, default: 0] += part.sampleCounts[row]
        for target in part.targetStarts[row]..<part.targetStarts[row + 1] {
          targets[[node, Int(part.targetTokens[target])], default: 0] += part.targetWeights[target]
        }
      }
    }
    #expect(counts.count == whole.nodes.count)
    #expect(targets.count == whole.targetTokens.count)
    for (row, node) in whole.nodes.enumerated() {
      #expect(counts[node] == whole.sampleCounts[row])
      #expect(abs((divergences[node] ?? .nan) - whole.klWeights[row]) < 1e-7)
      for target in whole.targetStarts[row]..<whole.targetStarts[row + 1] {
        let weight = targets[[node, Int(whole.targetTokens[target])]] ?? .nan
        #expect(abs(weight - whole.targetWeights[target]) < 1e-7)
      }
    }
  }

  @Test func `no paths make no rows`() {
    let rows = PolicyLossRows(
      paths: [], advantages: [], sampleCount: 4, lengthNormalizer: 10, klWeightPerNat: 1)
    #expect(rows.nodes.isEmpty && rows.targetTokens.isEmpty && rows.targetStarts == [0])
    #expect(rows.klWeights.isEmpty)
  }
}
