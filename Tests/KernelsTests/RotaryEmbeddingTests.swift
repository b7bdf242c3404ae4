import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct RotaryEmbeddingTests {
    private static let headDimensions = [2, 4, 6, 14, 16, 18, 34, 64]

    /// Cosines and sines of `positions`.
    private func table(_ rotary: RotaryEmbedding, _ positions: [Int]) -> Guarded {
      let table = Guarded(overwritten: positions.count * rotary.headDimension)
      rotary.fill(table.pointer, positions: positions.map { Int32($0) }, rows: positions.count)
      return table
    }

    @Test func `frequencies fall from one by equal factors`() {
      for dimension in Self.headDimensions {
        for base: Float in [100, 10_000, 500_000] {
          let rotary = RotaryEmbedding(headDimension: dimension, base: base)
          let frequencies = rotary.frequencies.map(Double.init)
          #expect(rotary.headDimension == dimension && frequencies.count == dimension / 2)
          #expect(frequencies.first == 1)
          // headDimension / 2 steps lead from one to 1 / base.
          for (frequency, next) in zip(frequencies, frequencies.dropFirst()) {
            var product = Double(base)
            for _ in 0..<dimension / 2 { product *= next / frequency }
            #expect(abs(product - 1) < 2e-7 * Double(dimension), "\(dimension), \(base): \(next)")
          }
        }
      }
      // base 10,000 and a head of 8, as every text has them.
      let known = RotaryEmbedding(headDimension: 8, base: 10_000).frequencies.map(Double.init)
      #expect(Comparison(known, [1, 0.1, 0.01, 0.001]).matches(absolute: 1e-7))
    }

    @Test func `the table holds the cosines, then the sines, of each position`() {
      for dimension in Self.headDimensions {
        let rotary = RotaryEmbedding(headDimension: dimension, base: 10_000)
        let positions = [0, 1, 2, 7, 63, 511, 8_191, 131_071]
        let table = table(rotary, positions)
        #expect(table.isMarginIntact)
        for (row, position) in positions.enumerated() {
          let entry = table.values[row * dimension..<(row + 1) * dimension].map(Double.init)
          for (index, frequency) in rotary.frequencies.enumerated() {
            let turned = Reference.rotated(
              [1, 0], positions: [position], frequencies: [Double(frequency)], headCount: 1)
            // The angle is a float: half of its last place.
            let tolerance = 1e-7 + 6e-8 * Double(position) * Double(frequency)
            #expect(abs(entry[index] - turned[0]) <= tolerance, "cosine \(index) at \(position)")
            #expect(abs(entry[dimension / 2 + index] - turned[1]) <= tolerance, "sine \(index) at \(position)")
          }
        }
      }
    }

    private func verify(dimension: Int, headCount: Int, isInverse: Bool, seed: Int) {
      var random = TestRandom(seed)
      let rotary = RotaryEmbedding(headDimension: dimension, base: 100)
      // Not in order, repeated, as the nodes of a tree have them; with three heads, enough rows to be shared out.
      let positions = (0..<(headCount == 3 ? 400 : 7)).map { _ in random.int(0..<60) }
      let size = headCount * dimension
      let margin = (left: 2, right: 3)
      let stride = margin.left + size + margin.right
      let rows = Guarded(random.floats(positions.count * stride))
      let before = rows.values
      let table = table(rotary, positions)
      rotary.rotate(
        rows.pointer + margin.left, stride: stride, headCount: headCount, table: table.readOnly,
        rowCount: positions.count, isInverse: isInverse)
      var expected = before.doubles
      for (row, position) in positions.enumerated() {
        let columns = row * stride + margin.left..<row * stride + margin.left + size
        let turned = Reference.rotated(
          Array(expected[columns]), positions: [position], frequencies: rotary.frequencies.map { Double($0) },
          headCount: headCount, isInverse: isInverse)
        expected.replaceSubrange(columns, with: turned)
      }
      check(rows, expected, within: 4e-6, floor: 1, "\(headCount) heads of \(dimension)")
      for (index, value) in rows.values.enumerated() {
        let column = index % stride - margin.left
        if !(0..<size).contains(column) { #expect(value == before[index], "element \(index) beside the heads") }
      }
      checkMargins(table)
    }

    @Test func `heads are turned in place as plain loops turn them, and nothing beside them`() {
      withThreadCounts { _ in
        for (seed, dimension) in Self.headDimensions.enumerated() {
          for headCount in [1, 2, 3, 9] {
            verify(dimension: dimension, headCount: headCount, isInverse: false, seed: seed * 10 + headCount)
            verify(dimension: dimension, headCount: headCount, isInverse: true, seed: seed * 10 + headCount)
          }
        }
      }
    }

    @Test func `turning back undoes turning, and position zero turns nothing`() {
      var random = TestRandom(4)
      let rotary = RotaryEmbedding(headDimension: 16, base: 10_000)
      let positions = [0, 5, 1_000]
      let rows = Guarded(random.floats(3 * 32))
      let before = rows.values
      let table = table(rotary, positions)
      rotary.rotate(rows.pointer, stride: 32, headCount: 2, table: table.readOnly, rowCount: 3)
      #expect(Array(rows.values[..<32]) == Array(before[..<32]))
      #expect(rows.values[32...] != before[32...])
      rotary.rotate(rows.pointer, stride: 32, headCount: 2, table: table.readOnly, rowCount: 3, isInverse: true)
      check(rows, before.doubles, within: 5e-7, floor: 1, "there and back")
      checkMargins(table)
    }

    @Test func `the product of a query and a key depends on their distance alone`() {
      var random = TestRandom(5)
      let rotary = RotaryEmbedding(headDimension: 32, base: 10_000)
      let query = random.floats(32)
      let key = random.floats(32)
      func product(_ queryPosition: Int, _ keyPosition: Int) -> Double {
        let rows = Guarded(query + key)
        let table = table(rotary, [queryPosition, keyPosition])
        rotary.rotate(rows.pointer, stride: 32, headCount: 1, table: table.readOnly, rowCount: 2)
        checkMargins(rows, table)
        return zip(rows.values[..<32], rows.values[32...]).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      }
      for distance in [0, 1, 3, 40] {
        for start in [0, 7, 100] {
          #expect(abs(product(start + distance, start) - product(distance, 0)) < 2e-5)
        }
      }
      #expect(abs(product(3, 0) - product(0, 3)) > 1e-3)
    }

    @Test func `any number of threads gives the same bits`() {
      var random = TestRandom(6)
      let rotary = RotaryEmbedding(headDimension: 18, base: 10_000)
      let positions = (0..<2_000).map { $0 % 700 }
      let input = random.floats(positions.count * 3 * 18)
      var bits: [[UInt32]] = []
      withThreadCounts([1, 2, 3]) { _ in
        let rows = Guarded(input)
        let table = table(rotary, positions)
        rotary.rotate(rows.pointer, stride: 54, headCount: 3, table: table.readOnly, rowCount: positions.count)
        bits.append(rows.bits + table.bits)
      }
      #expect(bits[1] == bits[0] && bits[2] == bits[0])
    }
  }
}
