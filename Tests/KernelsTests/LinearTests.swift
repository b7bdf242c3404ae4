import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct LinearTests {
    private func verify(
      rows: Int, inputSize: Int, outputSize: Int, order: WeightOrder = .outputMajor, seed: Int
    ) {
      var random = TestRandom(seed)
      let input = Guarded(random.floats(rows * inputSize))
      let weight = Guarded(random.floats(outputSize * inputSize))
      // What plain loops take is [outputSize, inputSize].
      let plainWeight =
        order == .outputMajor
        ? weight.values.doubles
        : Reference.transposed(weight.values.doubles, rows: inputSize, columns: outputSize)
      let bias = Guarded(random.floats(outputSize))
      let outputGradient = Guarded(random.floats(rows * outputSize))
      let label = "\(rows) rows, \(inputSize) to \(outputSize), \(order)"
      let tolerance = 3e-7 * Double(max(rows, inputSize, outputSize) + 2).squareRoot()

      for isBiased in [false, true] {
        let output = Guarded(overwritten: rows * outputSize)
        linear(
          input.readOnly, weight: weight.readOnly, order: order, bias: isBiased ? bias.readOnly : nil,
          into: output.pointer, rows: rows, inputSize: inputSize, outputSize: outputSize)
        let expected = Reference.linear(
          input.values.doubles, weight: plainWeight, bias: isBiased ? bias.values.doubles : nil, rows: rows,
          inputSize: inputSize, outputSize: outputSize)
        check(output, expected, within: tolerance, floor: 1, "output of \(label), biased: \(isBiased)")
      }

      let expected = Reference.linearBackward(
        input.values.doubles, weight: plainWeight, outputGradient: outputGradient.values.doubles, rows: rows,
        inputSize: inputSize, outputSize: outputSize)
      let expectedWeight =
        order == .outputMajor
        ? expected.weight : Reference.transposed(expected.weight, rows: outputSize, columns: inputSize)
      let inputGradient = Guarded(overwritten: rows * inputSize)
      let accumulated = Guarded(random.floats(rows * inputSize))
      let before = accumulated.values
      for (target, accumulates) in [(inputGradient, false), (accumulated, true)] {
        linearInputGradient(
          outputGradient.readOnly, weight: weight.readOnly, order: order, into: target.pointer, rows: rows,
          inputSize: inputSize, outputSize: outputSize, accumulates: accumulates)
      }
      check(inputGradient, expected.input, within: tolerance, floor: 1, "input gradient of \(label)")
      check(
        accumulated, zip(before, expected.input).map { Double($0) + $1 }, within: tolerance, floor: 1,
        "accumulated input gradient of \(label)")

      for isBiased in [false, true] {
        let weightGradient = Guarded(random.floats(outputSize * inputSize))
        let biasGradient = Guarded(random.floats(outputSize))
        let weightBefore = weightGradient.values
        let biasBefore = biasGradient.values
        accumulateLinearWeightGradient(
          input.readOnly, outputGradient: outputGradient.readOnly, weightGradient: weightGradient.pointer, order: order,
          biasGradient: isBiased ? biasGradient.pointer : nil, rows: rows, inputSize: inputSize, outputSize: outputSize)
        check(
          weightGradient, zip(weightBefore, expectedWeight).map { Double($0) + $1 }, within: tolerance, floor: 1,
          "weight gradient of \(label)")
        check(
          biasGradient, zip(biasBefore, expected.bias).map { Double($0) + (isBiased ? $1 : 0) }, within: tolerance,
          floor: 1, "bias gradient of \(label)")
      }
      checkMargins(input, weight, bias, outputGradient)
    }

    @Test func `a linear layer and its gradients agree with plain loops at odd sizes`() {
      withThreadCounts { threads in
        for (index, size) in oddSizes.enumerated() {
          let other = oddSizes[(index * 7 + 3) % oddSizes.count]
          let third = oddSizes[(index * 5 + 11) % oddSizes.count]
          verify(rows: size, inputSize: other, outputSize: third, seed: index)
          verify(rows: third, inputSize: size, outputSize: other, seed: index + 100)
          verify(rows: other, inputSize: third, outputSize: size, order: .inputMajor, seed: index + 300)
        }
        // Long enough for every split over threads, by rows and by columns.
        verify(rows: 600, inputSize: 65, outputSize: 131, seed: 200)
        verify(rows: 5, inputSize: 300, outputSize: 1_001, seed: 201)
        verify(rows: 1_500, inputSize: 3, outputSize: 150, seed: 202)
        verify(rows: 600, inputSize: 65, outputSize: 131, order: .inputMajor, seed: 203)
        verify(rows: 5, inputSize: 1_001, outputSize: 300, order: .inputMajor, seed: 204)
      }
    }

    @Test func `no rows leave gradients as they were`() {
      let memory = Guarded([1, 2, 3, 4])
      linear(memory.readOnly, weight: memory.readOnly, into: memory.pointer, rows: 0, inputSize: 2, outputSize: 2)
      linearInputGradient(
        memory.readOnly, weight: memory.readOnly, into: memory.pointer, rows: 0, inputSize: 2, outputSize: 2)
      accumulateLinearWeightGradient(
        memory.readOnly, outputGradient: memory.readOnly, weightGradient: memory.pointer, biasGradient: memory.pointer,
        rows: 0, inputSize: 2, outputSize: 2)
      #expect(memory.values == [1, 2, 3, 4])
    }
  }
}
