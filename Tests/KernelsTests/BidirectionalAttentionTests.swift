import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct BidirectionalAttentionTests {
    private func verify(lengths: [Int], heads: Int, dimension: Int, seed: Int) {
      var random = TestRandom(seed)
      let size = heads * dimension
      var texts: [Range<Int>] = []
      for length in lengths { texts.append((texts.last?.upperBound ?? 0)..<(texts.last?.upperBound ?? 0) + length) }
      let rows = lengths.reduce(0, +)
      let input = Guarded(random.floats(rows * 3 * size, in: -1.5...1.5))
      let expected = Reference.bidirectionalAttention(
        input.values.doubles, texts: texts, rows: rows, headCount: heads, headDimension: dimension)
      withThreadCounts { _ in
        let output = Guarded(overwritten: rows * size)
        bidirectionalAttention(
          input.readOnly, texts: texts, into: output.pointer, headCount: heads, headDimension: dimension)
        check(output, expected, within: 3e-6, floor: 1, "texts of \(lengths), \(heads) heads of \(dimension)")
      }
      checkMargins(input)
    }

    @Test func `each text attends to itself alone, as plain loops have it`() {
      for (index, length) in oddSizes.enumerated() {
        for heads in 1...3 {
          verify(
            lengths: [length, 1 + index % 5, length / 2 + 1], heads: heads,
            dimension: oddSizes[(index * 5 + heads) % 18],
            seed: index)
        }
      }
      verify(lengths: [3, 0, 70, 0, 2], heads: 2, dimension: 32, seed: 100)
    }

    @Test func `rows of no text are left alone`() {
      var random = TestRandom(1)
      let input = Guarded(random.floats(9 * 12))
      let output = Guarded([Float](repeating: 5, count: 9 * 4))
      bidirectionalAttention(
        input.readOnly, texts: [6..<8, 1..<4], into: output.pointer, headCount: 2, headDimension: 2)
      for row in 0..<9 {
        let isText = (1..<4).contains(row) || (6..<8).contains(row)
        #expect((output.values[row * 4..<row * 4 + 4].allSatisfy { $0 == 5 }) == !isText)
      }
      bidirectionalAttention(input.readOnly, texts: [], into: output.pointer, headCount: 2, headDimension: 2)
      checkMargins(input, output)
    }
  }
}
