import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct SwiGLUTests {
    /// Rows and sizes around the vector's width, and some that split over threads.
    private static let shapes: [(rows: Int, size: Int)] =
      oddSizes.map { (oddSizes[$0 % oddSizes.count], $0) } + [(700, 33)]

    private func verify(_ gateUp: Guarded, rows: Int, size: Int, seed: Int) {
      var random = TestRandom(seed)
      let label = "\(rows) rows of \(size)"
      let expected = Reference.swiGLU(gateUp.values.doubles, rows: rows, size: size)
      let output = Guarded(overwritten: rows * size)
      swiGLU(gateUp.readOnly, into: output.pointer, rows: rows, size: size)
      checkEach(output, expected, within: 6e-7, floor: 1e-30, label)

      let outputGradient = Guarded(random.floats(rows * size, in: 0.5...2))
      let gradient = Guarded(overwritten: rows * 2 * size)
      swiGLUBackward(
        gateUp.readOnly, outputGradient: outputGradient.readOnly, gateUpGradient: gradient.pointer, rows: rows,
        size: size)
      // Where silu is flat its slope is a difference of two numbers near one half.
      let expectedGradient = Reference.swiGLUBackward(
        gateUp.values.doubles, outputGradient: outputGradient.values.doubles, rows: rows, size: size)
      checkEach(gradient, expectedGradient, within: 1e-6, floor: 1, "gradient of \(label)")
      checkMargins(gateUp, outputGradient)
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

    @Test func `gates, products and their gradients agree with the formula, element by element`() {
      withThreadCounts { _ in
        for (index, shape) in Self.shapes.enumerated() {
          var random = TestRandom(index)
          let gateUp = Guarded(random.floats(shape.rows * 2 * shape.size, in: -6...6))
          verify(gateUp, rows: shape.rows, size: shape.size, seed: index + 100)
        }
      }
    }

    @Test func `a fine grid of gates, with an up projection of one`() {
      let gates = (-4_000...4_000).map { Float($0) / 200 }
      verify(Guarded(gates + [Float](repeating: 1, count: gates.count)), rows: 1, size: gates.count, seed: 1)
    }

    @Test func `far out it is the up projection times the gate, or nothing`() {
      let gates: [Float] = [88, -88, 100, -100, 1e4, -1e4, 1e15, -1e15, 0, -0.0, 1e-30]
      let ups = [Float](repeating: -2, count: gates.count)
      let gateUp = Guarded(gates + ups)
      let output = Guarded(overwritten: gates.count)
      swiGLU(gateUp.readOnly, into: output.pointer, rows: 1, size: gates.count)
      let ones = Guarded([Float](repeating: 1, count: gates.count))
      let gradient = Guarded(overwritten: 2 * gates.count)
      swiGLUBackward(
        gateUp.readOnly, outputGradient: ones.readOnly, gateUpGradient: gradient.pointer, rows: 1, size: gates.count)
      for (index, gate) in gates.enumerated() {
        let silu = max(0, gate)
        // The exponential of a number far out is cut off near 1e-38, and the gate magnifies it.
        let tolerance = 1e-6 * silu + 1e-20
        #expect(abs(output.values[index] + 2 * silu) <= 2 * tolerance, "\(gate): \(output.values[index])")
        #expect(abs(gradient.values[gates.count + index] - silu) <= tolerance, "\(gate)")
        let slope: Float = abs(gate) < 1 ? 0.5 : gate > 0 ? 1 : 0
        #expect(abs(gradient.values[index] + 2 * slope) <= 1e-6, "\(gate): \(gradient.values[index])")
      }
      checkMargins(gateUp, output, ones, gradient)
    }

    @Test func `not a number stays so, and no rows are none`() {
      for size in [1, 8, 9] {
        let gateUp = Guarded([Float](repeating: .nan, count: 2 * size))
        let output = Guarded([Float](repeating: 1, count: size))
        let gradient = Guarded([Float](repeating: 1, count: 2 * size))
        swiGLUBackward(
          gateUp.readOnly, outputGradient: output.readOnly, gateUpGradient: gradient.pointer, rows: 0, size: size)
        swiGLU(gateUp.readOnly, into: output.pointer, rows: 0, size: size)
        #expect(gradient.values.allSatisfy { $0 == 1 } && output.values.allSatisfy { $0 == 1 })
        swiGLUBackward(
          gateUp.readOnly, outputGradient: output.readOnly, gateUpGradient: gradient.pointer, rows: 1, size: size)
        swiGLU(gateUp.readOnly, into: output.pointer, rows: 1, size: size)
        #expect(gradient.isAllNaN && output.isAllNaN)
        checkMargins(gateUp, output, gradient)
      }
    }

    @Test func `any number of threads gives the same bits`() {
      var random = TestRandom(3)
      let (rows, size) = (1_003, 37)
      let gateUp = Guarded(random.floats(rows * 2 * size, in: -5...5))
      let outputGradient = Guarded(random.floats(rows * size))
      var bits: [[[UInt32]]] = []
      withThreadCounts([1, 2, 3]) { _ in
        let output = Guarded(overwritten: rows * size)
        let gradient = Guarded(overwritten: rows * 2 * size)
        swiGLU(gateUp.readOnly, into: output.pointer, rows: rows, size: size)
        swiGLUBackward(
          gateUp.readOnly, outputGradient: outputGradient.readOnly, gateUpGradient: gradient.pointer, rows: rows,
          size: size)
        bits.append([output.bits, gradient.bits])
      }
      #expect(bits[1] == bits[0] && bits[2] == bits[0])
      checkMargins(gateUp, outputGradient)
    }
  }
}
