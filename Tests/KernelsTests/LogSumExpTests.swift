import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct LogSumExpTests {
    private func verify(_ values: [Float], within tolerance: Double = 2e-7) {
      let memory = Guarded(values)
      let expected = Reference.logSumExp(values.doubles)
      let actual = Double(logSumExp(memory.readOnly, count: values.count))
      #expect(
        abs(actual - expected) <= tolerance * max(1, abs(expected)),
        "\(values.count) numbers: \(actual) where \(expected) was expected")
      #expect(memory.values == values)
    }

    @Test func `it agrees with double precision at every size`() {
      var random = TestRandom(1)
      for size in oddSizes + [2_048, 50_257] {
        verify(random.floats(size), within: 5e-7)
        verify(random.floats(size, in: -20...20), within: 5e-7)
        verify(random.floats(size, in: -90 ... -80), within: 5e-7)
      }
    }

    @Test func `extreme logits neither overflow nor vanish`() {
      for size in oddSizes {
        for value in [Float(1e4), -1e4, 88.5, -103, 3e38, -3e38, 0] {
          verify([Float](repeating: value, count: size))
          // One large number among small ones, at each place.
          for place in Set([0, size / 2, size - 1]) {
            var values = [Float](repeating: -1e4, count: size)
            values[place] = value
            verify(values)
          }
        }
      }
    }

    @Test func `an impossible token counts for nothing`() {
      for size in 2...17 {
        var values = [Float](repeating: 0.5, count: size)
        values[size / 2] = -.infinity
        verify(values, within: 5e-7)
      }
    }

    @Test func `not a number stays so, wherever it stands`() {
      for size in oddSizes {
        for place in Set([0, size / 2, size - 1]) {
          var values = [Float](repeating: 1, count: size)
          values[place] = .nan
          let memory = Guarded(values)
          #expect(logSumExp(memory.readOnly, count: size).isNaN, "place \(place) of \(size)")
          checkMargins(memory)
        }
      }
    }
  }
}
