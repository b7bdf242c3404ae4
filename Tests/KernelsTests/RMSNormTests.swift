import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct RMSNormTests {
    private func verify(rows: Int, size: Int, epsilon: Float = 1e-5, amplitude: Float = 2, seed: Int) {
      var random = TestRandom(seed)
      let input = Guarded(random.floats(rows * size, in: -amplitude...amplitude))
      let weight = Guarded(random.floats(size, in: -1.5...1.5))
      let label = "\(rows) rows of \(size) up to \(amplitude)"
      let expected = Reference.rmsNorm(
        input.values.doubles, weight: weight.values.doubles, epsilon: Double(epsilon), rows: rows, size: size)

      let output = Guarded(overwritten: rows * size)
      let inverses = Guarded(overwritten: rows)
      rmsNorm(
        input.readOnly, weight: weight.readOnly, epsilon: epsilon, into: output.pointer,
        inverseDeviations: inverses.pointer, rows: rows, size: size)
      // Nothing is subtracted, so each number is as exact as single precision, whatever the amplitude.
      check(output, expected.output, within: 1e-6, floor: 1e-3, "output of \(label)")
      #expect(inverses.isMarginIntact)
      for (row, (actual, exact)) in zip(inverses.values, expected.inverseDeviations).enumerated()
      where !(abs(Double(actual) - exact) <= 1e-6 * exact) {
        Issue.record("inverse deviation \(row) of \(label): \(actual) where \(exact) was expected")
      }

      let again = Guarded(overwritten: rows * size)
      rmsNormAgain(
        input.readOnly, weight: weight.readOnly, inverseDeviations: inverses.readOnly, into: again.pointer, rows: rows,
        size: size)
      #expect(again.bits == output.bits && again.isMarginIntact)

      let inPlace = Guarded(input.values)
      rmsNorm(
        inPlace.readOnly, weight: weight.readOnly, epsilon: epsilon, into: inPlace.pointer, rows: rows, size: size)
      #expect(inPlace.bits == output.bits && inPlace.isMarginIntact)
      checkMargins(input, weight, inverses)
    }

    private func verifyBackward(rows: Int, size: Int, seed: Int) {
      var random = TestRandom(seed)
      let input = Guarded(random.floats(rows * size, in: -2...2))
      let weight = Guarded(random.floats(size, in: -1.5...1.5))
      let outputGradient = Guarded(random.floats(rows * size))
      // Not too small an epsilon: rows of one number then have moderate gradients.
      let epsilon: Float = 0.01
      let forward = Reference.rmsNorm(
        input.values.doubles, weight: weight.values.doubles, epsilon: Double(epsilon), rows: rows, size: size)
      let expected = Reference.rmsNormBackward(
        input.values.doubles, weight: weight.values.doubles, epsilon: Double(epsilon),
        outputGradient: outputGradient.values.doubles, rows: rows, size: size)
      let inverses = Guarded(forward.inverseDeviations.map { Float($0) })
      let inputGradient = Guarded(random.floats(rows * size))
      let inputBefore = inputGradient.values
      let weightGradient = Guarded(random.floats(size))
      let weightBefore = weightGradient.values
      rmsNormBackward(
        input.readOnly, weight: weight.readOnly, inverseDeviations: inverses.readOnly,
        outputGradient: outputGradient.readOnly, inputGradient: inputGradient.pointer,
        weightGradient: weightGradient.pointer, rows: rows, size: size)
      let tolerance = 2e-6 + 1e-7 * Double(rows).squareRoot()
      let label = "\(rows) rows of \(size)"
      check(
        inputGradient, zip(inputBefore, expected.input).map { Double($0) + $1 }, within: tolerance, floor: 1,
        "input gradient of \(label)")
      check(
        weightGradient, zip(weightBefore, expected.weight).map { Double($0) + $1 }, within: tolerance, floor: 1,
        "weight gradient of \(label)")

      let untrained = Guarded(inputBefore)
      rmsNormBackward(
        input.readOnly, weight: weight.readOnly, inverseDeviations: inverses.readOnly,
        outputGradient: outputGradient.readOnly, inputGradient: untrained.pointer, weightGradient: nil, rows: rows,
        size: size)
      #expect(untrained.bits == inputGradient.bits && untrained.isMarginIntact)
      checkMargins(input, weight, outputGradient, inverses)
    }

    @Test func `it agrees with plain loops at odd sizes, and again from what it saved bit for bit`() {
      withThreadCounts { _ in
        for (index, size) in oddSizes.enumerated() {
          verify(rows: oddSizes[(index * 5 + 2) % oddSizes.count], size: size, seed: index)
        }
        verify(rows: 1_001, size: 65, seed: 100)
      }
    }

    @Test func `large and small rows keep their digits, and epsilon its place under the root`() {
      for amplitude: Float in [1e-8, 1e-3, 1, 1e4, 1e15] {
        for epsilon: Float in [1e-6, 1e-5, 0.1] {
          verify(rows: 3, size: 33, epsilon: epsilon, amplitude: amplitude, seed: 5)
        }
      }
      let zeros = Guarded([Float](repeating: 0, count: 9))
      let weight = Guarded([Float](repeating: 3, count: 9))
      rmsNorm(zeros.readOnly, weight: weight.readOnly, epsilon: 1e-6, into: zeros.pointer, rows: 1, size: 9)
      #expect(zeros.values.allSatisfy { $0 == 0 })
      checkMargins(weight)
    }

    @Test func `its gradients agree with plain loops and are added; an untrained weight changes nothing else`() {
      withThreadCounts { _ in
        for (index, size) in oddSizes.enumerated() {
          verifyBackward(rows: oddSizes[(index * 5 + 2) % oddSizes.count], size: size, seed: index)
        }
        verifyBackward(rows: 2_001, size: 100, seed: 100)
      }
    }

    @Test func `any number of threads gives the same bits, backward too`() {
      // Rows enough for the columns to be split, at places that are no multiples of a vector's width.
      var random = TestRandom(8)
      let (rows, size) = (4_100, 129)
      let input = Guarded(random.floats(rows * size))
      let outputGradient = Guarded(random.floats(rows * size))
      let weight = Guarded(random.floats(size))
      var results: [[[UInt32]]] = []
      withThreadCounts([1, 2, 3, 4]) { _ in
        let memories = [rows * size, rows, rows * size, size].map { Guarded([Float](repeating: 0, count: $0)) }
        rmsNorm(
          input.readOnly, weight: weight.readOnly, epsilon: 1e-5, into: memories[0].pointer,
          inverseDeviations: memories[1].pointer, rows: rows, size: size)
        rmsNormBackward(
          input.readOnly, weight: weight.readOnly, inverseDeviations: memories[1].readOnly,
          outputGradient: outputGradient.readOnly, inputGradient: memories[2].pointer,
          weightGradient: memories[3].pointer, rows: rows, size: size)
        results.append(memories.map(\.bits))
      }
      for (index, name) in ["output", "inverse deviations", "input gradient", "weight gradient"].enumerated() {
        for other in results.dropFirst() { #expect(other[index] == results[0][index], "\(name)") }
      }
      checkMargins(input, outputGradient, weight)
    }
  }
}
