import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct LayerNormTests {
    private static let epsilon: Float = 1e-5

    private func verify(rows: Int, size: Int, offset: Float = 0, seed: Int) {
      var random = TestRandom(seed)
      let input = Guarded(random.floats(rows * size, in: offset - 2...offset + 2))
      let weight = Guarded(random.floats(size, in: 0.5...1.5))
      let bias = Guarded(random.floats(size))
      let label = "\(rows) rows of \(size) around \(offset)"
      let expected = Reference.layerNorm(
        input.values.doubles, weight: weight.values.doubles, bias: bias.values.doubles,
        epsilon: Double(Self.epsilon), rows: rows, size: size)
      // A row of one number, or of two close ones, divides rounding by its deviation.
      let worst = expected.inverseDeviations.max() ?? 1
      let tolerance = 1e-6 + 1.2e-7 * worst * (2 + Double(abs(offset)))

      let output = Guarded(overwritten: rows * size)
      let means = Guarded(overwritten: rows)
      let inverses = Guarded(overwritten: rows)
      layerNorm(
        input.readOnly, weight: weight.readOnly, bias: bias.readOnly, epsilon: Self.epsilon, into: output.pointer,
        means: means.pointer, inverseDeviations: inverses.pointer, rows: rows, size: size)
      check(output, expected.output, within: tolerance, floor: 1, "output of \(label)")
      check(means, expected.means, within: 1e-6, floor: 2, "means of \(label)")
      check(inverses, expected.inverseDeviations, within: tolerance, "inverse deviations of \(label)")

      let again = Guarded(overwritten: rows * size)
      layerNormAgain(
        input.readOnly, weight: weight.readOnly, bias: bias.readOnly, means: means.readOnly,
        inverseDeviations: inverses.readOnly, into: again.pointer, rows: rows, size: size)
      #expect(again.bits == output.bits && again.isMarginIntact)

      let inPlace = Guarded(input.values)
      layerNorm(
        inPlace.readOnly, weight: weight.readOnly, bias: bias.readOnly, epsilon: Self.epsilon, into: inPlace.pointer,
        rows: rows, size: size)
      #expect(inPlace.bits == output.bits && inPlace.isMarginIntact)
      checkMargins(input, weight, bias, means, inverses)
    }

    private func verifyBackward(rows: Int, size: Int, seed: Int) {
      var random = TestRandom(seed)
      let input = Guarded(random.floats(rows * size, in: -2...2))
      let weight = Guarded(random.floats(size, in: 0.5...1.5))
      let outputGradient = Guarded(random.floats(rows * size))
      // Not too small an epsilon: rows of one or two numbers then have moderate gradients.
      let epsilon: Float = 0.01
      let zeros = [Double](repeating: 0, count: size)
      let forward = Reference.layerNorm(
        input.values.doubles, weight: weight.values.doubles, bias: zeros, epsilon: Double(epsilon), rows: rows,
        size: size)
      let expected = Reference.layerNormBackward(
        input.values.doubles, weight: weight.values.doubles, epsilon: Double(epsilon),
        outputGradient: outputGradient.values.doubles, rows: rows, size: size)
      let means = Guarded(forward.means.map { Float($0) })
      let inverses = Guarded(forward.inverseDeviations.map { Float($0) })
      let gradients = [Guarded(random.floats(rows * size)), Guarded(random.floats(size)), Guarded(random.floats(size))]
      let before = gradients.map(\.values)
      layerNormBackward(
        input.readOnly, weight: weight.readOnly, means: means.readOnly, inverseDeviations: inverses.readOnly,
        outputGradient: outputGradient.readOnly, inputGradient: gradients[0].pointer,
        weightGradient: gradients[1].pointer, biasGradient: gradients[2].pointer, rows: rows, size: size)
      for (index, name) in ["input", "weight", "bias"].enumerated() {
        let added = [expected.input, expected.weight, expected.bias][index]
        check(
          gradients[index], zip(before[index], added).map { Double($0) + $1 },
          within: 2e-6 + 1e-7 * Double(rows).squareRoot(), floor: 1,
          "\(name) gradient of \(rows) rows of \(size)")
      }
      checkMargins(input, weight, outputGradient, means, inverses)
    }

    @Test func `layer normalisation agrees with plain loops at odd sizes, and again from its moments bit for bit`() {
      withThreadCounts { _ in
        for (index, size) in oddSizes.enumerated() {
          verify(rows: oddSizes[(index * 5 + 2) % oddSizes.count], size: size, seed: index)
        }
        verify(rows: 1_001, size: 65, seed: 100)
      }
    }

    @Test func `a large mean does not drown the deviation`() {
      for size in [8, 31, 192] { verify(rows: 3, size: size, offset: 100, seed: size) }
    }

    @Test func `its gradients agree with plain loops and are added`() {
      withThreadCounts { _ in
        for (index, size) in oddSizes.enumerated() {
          verifyBackward(rows: oddSizes[(index * 5 + 2) % oddSizes.count], size: size, seed: index)
        }
        verifyBackward(rows: 2_001, size: 100, seed: 100)
      }
    }

    @Test func `one and two threads give the same bits`() {
      var random = TestRandom(7)
      let (rows, size) = (999, 65)
      let input = Guarded(random.floats(rows * size))
      let weight = Guarded(random.floats(size))
      var outputs: [[UInt32]] = []
      withThreadCounts { _ in
        let output = Guarded(overwritten: rows * size)
        layerNorm(
          input.readOnly, weight: weight.readOnly, bias: weight.readOnly, epsilon: Self.epsilon, into: output.pointer,
          rows: rows, size: size)
        outputs.append(output.bits)
      }
      #expect(outputs[0] == outputs[1])
      checkMargins(input, weight)
    }

    @Test func `any number of threads gives gradients of the same bits`() {
      // Rows enough for the columns to be split, at places that are no multiples of a vector's width.
      var random = TestRandom(8)
      let (rows, size) = (4_100, 129)
      let input = Guarded(random.floats(rows * size))
      let outputGradient = Guarded(random.floats(rows * size))
      let weight = Guarded(random.floats(size))
      let means = Guarded(random.floats(rows, in: -0.1...0.1))
      let inverses = Guarded(random.floats(rows, in: 1...2))
      var gradients: [[[UInt32]]] = []
      withThreadCounts([1, 2, 3, 4]) { _ in
        let memories = [rows * size, size, size].map { Guarded([Float](repeating: 0, count: $0)) }
        layerNormBackward(
          input.readOnly, weight: weight.readOnly, means: means.readOnly, inverseDeviations: inverses.readOnly,
          outputGradient: outputGradient.readOnly, inputGradient: memories[0].pointer,
          weightGradient: memories[1].pointer, biasGradient: memories[2].pointer, rows: rows, size: size)
        gradients.append(memories.map(\.bits))
      }
      for (index, name) in ["input", "weight", "bias"].enumerated() {
        for other in gradients.dropFirst() { #expect(other[index] == gradients[0][index], "\(name) gradient") }
      }
      checkMargins(input, outputGradient, weight, means, inverses)
    }
  }
}
