import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct SamplingTests {
    private struct Draw: Equatable {
      var index: Int
      var token: Int
      var logProbability: Float
    }

    private func draw(_ logits: Guarded, _ uniforms: [Double]) -> (draws: [Draw], normalizer: Float) {
      var draws: [Draw] = []
      let normalizer = drawTokens(logits.readOnly, count: logits.count, uniforms: uniforms) { index, token, log in
        draws.append(Draw(index: index, token: token, logProbability: log))
      }
      checkMargins(logits)
      return (draws, normalizer)
    }

    @Test func `evenly spread numbers draw each token as often as its probability says`() {
      var random = TestRandom(1)
      for (size, spread) in oddSizes.map({ ($0, Float(2)) }) + [(2_048, 5), (50_257, 1)] {
        let logits = Guarded(random.floats(size, in: -spread...spread))
        let probabilities = Reference.softmax(logits.values.doubles)
        let normalizer = Reference.logSumExp(logits.values.doubles)
        let count = 20_000
        let result = draw(logits, (0..<count).map { (Double($0) + 0.5) / Double(count) })
        #expect(abs(Double(result.normalizer) - normalizer) < 1e-5)
        #expect(result.draws.map(\.index) == Array(0..<count))
        var counts = [Int](repeating: 0, count: size)
        for draw in result.draws { counts[draw.token] += 1 }
        let values = logits.values
        check(
          result.draws.map(\.logProbability), result.draws.map { Double(values[$0.token]) - normalizer }, within: 1e-5,
          floor: 1, "log-probabilities among \(size)")
        // A grid meets an interval of length p in p * count points, give or take one.
        check(
          counts.map { Float($0) }, probabilities.map { $0 * Double(count) }, within: 1.1 / Double(count),
          floor: Double(count), "counts among \(size)")
        #expect(zip(result.draws, result.draws.dropFirst()).allSatisfy { $0.token <= $1.token })
      }
    }

    @Test func `a number draws the same token alone and in company`() {
      var random = TestRandom(2)
      let logits = Guarded(random.floats(1_003, in: -3...3))
      let uniforms = (0..<2_000).map { _ in Double.random(in: 0..<1, using: &random) }.sorted()
      let together = draw(logits, uniforms).draws
      for (index, uniform) in uniforms.enumerated() {
        let alone = draw(logits, [uniform]).draws
        #expect(alone.map(\.token) == [together[index].token])
      }
    }

    @Test func `the first and the last number draw tokens that can be drawn`() {
      for size in oddSizes where size > 2 {
        var values = [Float](repeating: 0, count: size)
        (values[0], values[size - 1]) = (-.infinity, -.infinity)
        let result = draw(Guarded(values), [0, 0x1p-53, 1 - 0x1p-53])
        #expect(result.draws.map(\.token) == [1, 1, size - 2])
      }
      #expect(draw(Guarded([1, 2]), []).draws.isEmpty)
    }

    @Test func `the most likely token is the first of equals`() {
      for size in oddSizes {
        for place in Set([0, size / 2, size - 1]) {
          var values = [Float](repeating: -1, count: size)
          for index in place..<size { values[index] = 3 }
          let memory = Guarded(values)
          #expect(mostLikely(memory.readOnly, count: size) == place)
          checkMargins(memory)
        }
      }
    }

    private func filtered(_ values: [Float], _ filter: SamplingFilter) -> [Float] {
      let memory = Guarded(values)
      filter.apply(to: memory.pointer, count: values.count)
      checkMargins(memory)
      return memory.values
    }

    @Test func `a filter that asks for nothing changes nothing`() {
      var random = TestRandom(3)
      #expect(SamplingFilter().isIdentity)
      #expect(!SamplingFilter(temperature: 0.5).isIdentity && !SamplingFilter(topK: 1).isIdentity)
      #expect(!SamplingFilter(topP: 0.5).isIdentity)
      for size in oddSizes {
        let values = random.floats(size)
        #expect(filtered(values, SamplingFilter()) == values)
        #expect(filtered(values, SamplingFilter(topK: size, topP: 1)) == values)
        #expect(filtered(values, SamplingFilter(topK: size + 5)) == values)
      }
    }

    @Test func `temperature divides, and at zero the most likely token remains`() {
      var random = TestRandom(4)
      for size in oddSizes {
        let values = random.floats(size, in: -3...3)
        check(
          filtered(values, SamplingFilter(temperature: 0.7)), values.map { Double($0) / Double(Float(0.7)) },
          within: 3e-7, "temperature over \(size) logits")
        let greedy = filtered(values, SamplingFilter(temperature: 0, topK: 3, topP: 0.5))
        #expect(greedy.count { $0 == -.infinity } == size - 1)
        #expect(greedy.max() == values.max())
      }
    }

    @Test func `the k most likely tokens remain, the first of equals`() {
      var random = TestRandom(5)
      for size in oddSizes {
        let values = (0..<size).map { _ in Float(random.int(0..<6)) }
        for k in Set([1, 2, 5, size]) where k <= size {
          let kept = filtered(values, SamplingFilter(topK: k))
          let order = values.indices.sorted { (-values[$0], $0) < (-values[$1], $1) }
          for (rank, index) in order.enumerated() { #expect(kept[index] == (rank < k ? values[index] : -.infinity)) }
        }
      }
    }

    @Test func `the fewest tokens that reach the probability remain, and at least one`() {
      var random = TestRandom(6)
      for size in oddSizes {
        let values = random.floats(size, in: -3...3)
        for (temperature, p) in [(1, 0.001), (1, 0.4), (1, 0.9), (0.5, 0.7), (1, 0.999)] as [(Float, Float)] {
          let kept = filtered(values, SamplingFilter(temperature: temperature, topP: p))
          let probabilities = Reference.softmax(values.map { Double($0) / Double(temperature) })
          var sum = 0.0
          var expected: Set<Int> = []
          for index in values.indices.sorted(by: { values[$0] > values[$1] }) where sum < Double(p) {
            expected.insert(index)
            sum += probabilities[index]
          }
          #expect(Set(kept.indices.filter { kept[$0] > -.infinity }) == expected, "\(p) of \(size)")
        }
      }
    }

    @Test func `addition agrees with plain loops`() {
      var random = TestRandom(7)
      withThreadCounts { _ in
        for size in oddSizes + [65_536 + 13] {
          let source = Guarded(random.floats(size))
          let target = Guarded(random.floats(size))
          let expected = zip(source.values, target.values).map { Double($0) + Double($1) }
          add(source.readOnly, to: target.pointer, count: size)
          check(target, expected, within: 1e-7, floor: 1, "\(size) numbers")
          checkMargins(source)
        }
      }
    }
  }
}
