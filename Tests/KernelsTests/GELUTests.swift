import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct GELUTests {
    /// Everything between the tails, the tails, and sizes that only just split over threads.
    private static func inputs() -> [[Float]] {
      var random = TestRandom(1)
      var inputs = oddSizes.map { random.floats($0, in: -6...6) }
      inputs.append((-3_000...3_000).map { Float($0) / 200 })
      inputs.append([0, -0.0, 1e-30, -1e-30, 1e-6, -1e-6, 1e4, -1e4, 88, -88, 1e9, -1e9])
      inputs.append(random.floats(2 * 8_192 + 13, in: -4...4))
      return inputs
    }

    /// Each element within `tolerance` of its own size (at least `floor`), not of the largest.
    private func checkEach(
      _ actual: Guarded, _ expected: [Double], within tolerance: Double, floor: Double, _ label: String
    ) {
      #expect(actual.isMarginIntact && actual.count == expected.count)
      for (index, (a, e)) in zip(actual.values, expected).enumerated()
      where !(abs(Double(a) - e) <= tolerance * max(floor, abs(e))) {
        Issue.record("\(label) at \(index): \(a) where \(e) was expected")
        return
      }
    }

    @Test func `the tanh form agrees with its formula, apart and in place`() {
      withThreadCounts { _ in
        for values in Self.inputs() {
          let input = Guarded(values)
          let output = Guarded(overwritten: values.count)
          geluTanh(input.readOnly, into: output.pointer, count: values.count)
          checkEach(output, values.doubles.map(Reference.geluTanh), within: 5e-7, floor: 0.1, "gelu")
          geluTanh(input.readOnly, into: input.pointer, count: values.count)
          #expect(input.bits == output.bits)
        }
      }
    }

    @Test func `the slope of the tanh form multiplies the gradient`() {
      var random = TestRandom(2)
      withThreadCounts { _ in
        for values in Self.inputs() {
          let input = Guarded(values)
          let gradient = Guarded(random.floats(values.count, in: 0.5...2))
          let expected = zip(gradient.values.doubles, values.doubles).map { $0 * Reference.geluTanhSlope($1) }
          geluTanhBackward(input.readOnly, gradient: gradient.pointer, count: values.count)
          // 1 minus a gate near 1 loses digits, which x and the slope of x^3 then magnify.
          checkEach(gradient, expected, within: 3e-6, floor: 1, "slope")
          checkMargins(input)
        }
      }
    }

    @Test func `the exact form agrees with the error function to 4e-7 of its input`() {
      withThreadCounts { _ in
        for values in Self.inputs() {
          let memory = Guarded(values)
          geluExact(memory.pointer, count: values.count)
          let expected = values.doubles.map(Reference.geluExact)
          #expect(memory.isMarginIntact)
          for (index, (a, e)) in zip(memory.values, expected).enumerated() {
            // Half of 1.5e-7 from the formula, the rest from its rounding in single precision.
            let allowed = 4e-7 * max(0.1, abs(Double(values[index])))
            if !(abs(Double(a) - e) <= allowed) {
              Issue.record("exact gelu of \(values[index]) gave \(a) where \(e) was expected")
            }
          }
        }
      }
    }

    @Test func `not a number stays so`() {
      for count in [1, 8, 9] {
        let memory = Guarded([Float](repeating: .nan, count: count))
        let gradient = Guarded([Float](repeating: 1, count: count))
        geluTanhBackward(memory.readOnly, gradient: gradient.pointer, count: count)
        #expect(gradient.isAllNaN)
        let output = Guarded([Float](repeating: 0, count: count))
        geluTanh(memory.readOnly, into: output.pointer, count: count)
        #expect(output.isAllNaN)
        geluExact(memory.pointer, count: count)
        #expect(memory.isAllNaN)
      }
    }
  }
}
