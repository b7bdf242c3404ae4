import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct OptimizerTests {
    private struct State {
      let parameters: Guarded
      let first: Guarded
      let second: Guarded
    }

    private func verifyAdamW(count: Int, learningRate: Float, weightDecay: Float, gradientScale: Float, seed: Int) {
      var random = TestRandom(seed)
      let start = random.floats(count)
      let state = State(
        parameters: Guarded(start), first: Guarded([Float](repeating: 0, count: count)),
        second: Guarded([Float](repeating: 0, count: count)))
      var plain = Reference.AdamW(
        parameters: start.doubles, learningRate: Double(learningRate), beta1: 0.9, beta2: 0.999, epsilon: 1e-8,
        weightDecay: Double(weightDecay))
      for step in 1...10 {
        // Some elements with tiny gradients, where epsilon and the second moment's bias matter most.
        let gradients = Guarded(random.floats(count).enumerated().map { $0 % 3 == 0 ? $1 * 1e-5 : $1 })
        plain.step(gradients.values.map { Double($0) * Double(gradientScale) })
        let before = state.parameters.values
        adamW(
          state.parameters.pointer, gradients: gradients.readOnly, firstMoments: state.first.pointer,
          secondMoments: state.second.pointer, count: count,
          step: AdamWStep(
            learningRate: learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: weightDecay,
            bias1: Float(plain.bias1), bias2: Float(plain.bias2), gradientScale: gradientScale))
        let label = "\(count) numbers, update \(step)"
        check(state.first, plain.firstMoments, within: 1e-6, floor: 0, "first moments of \(label)")
        check(state.second, plain.secondMoments, within: 2e-5, floor: 0, "second moments of \(label)")
        check(state.parameters, plain.parameters, within: 1e-6, floor: 1, "parameters of \(label)")
        #expect(state.parameters.values != before)
        checkMargins(gradients)
      }
      // The way gone, which is small beside the parameters themselves.
      let gone = zip(state.parameters.values, start).map { $0 - $1 }
      let expected = zip(plain.parameters, start).map { $0 - Double($1) }
      check(gone, expected, within: 1e-4, floor: 1e-2, "way gone by \(count) numbers")
    }

    @Test func `ten AdamW updates are those of PyTorch's formula`() {
      withThreadCounts { _ in
        for (index, count) in (oddSizes + [32_768 + 13]).enumerated() {
          verifyAdamW(
            count: count, learningRate: 1e-2, weightDecay: [0, 0.01, 0.1][index % 3],
            gradientScale: [1, 0.25][index % 2],
            seed: index)
        }
      }
    }

    @Test func `plain gradient descent follows its formula`() {
      var random = TestRandom(1)
      withThreadCounts { _ in
        for count in oddSizes + [32_768 + 13] {
          let parameters = Guarded(random.floats(count))
          let gradients = Guarded(random.floats(count))
          let expected = zip(parameters.values.doubles, gradients.values.doubles).map { p, g in
            p * (1 - Double(Float(0.1)) * Double(Float(0.02))) - Double(Float(0.1)) * 0.5 * g
          }
          gradientDescent(
            parameters.pointer, gradients: gradients.readOnly, count: count, learningRate: 0.1, weightDecay: 0.02,
            gradientScale: 0.5)
          check(parameters, expected, within: 2e-7, floor: 1, "\(count) numbers")
          checkMargins(gradients)
        }
      }
    }

    @Test func `the sum of squares agrees with double precision, whatever the threads`() {
      var random = TestRandom(2)
      for count in oddSizes + [16_383, 16_384, 16_385, 200_003] {
        for scale in [Float(1), 1e-12, 1e12] {
          let values = Guarded(random.floats(count).map { $0 * scale })
          let expected = values.values.doubles.map { $0 * $0 }.reduce(0, +)
          var sums: [Double] = []
          withThreadCounts([1, 2, 3, 5]) { _ in sums.append(sumOfSquares(values.readOnly, count: count)) }
          checkMargins(values)
          #expect(Set(sums).count == 1)
          #expect(abs(sums[0] - expected) <= 1e-5 * expected, "\(count): \(sums[0]) where \(expected) was expected")
        }
      }
      let empty = Guarded([])
      #expect(sumOfSquares(empty.readOnly, count: 0) == 0)
      checkMargins(empty)
    }

    @Test func `one number that is not finite shows in the sum of squares`() {
      for count in oddSizes + [16_385, 100_000] {
        for place in Set([0, count / 2, count - 1]) {
          for value in [Float.nan, .infinity, -.infinity] {
            var values = [Float](repeating: 1, count: count)
            values[place] = value
            let memory = Guarded(values)
            let sum = sumOfSquares(memory.readOnly, count: count)
            checkMargins(memory)
            #expect(value.isNaN ? sum.isNaN : sum == .infinity)
          }
        }
      }
    }

    @Test func `one and two threads leave the same bits`() {
      var random = TestRandom(3)
      let count = 50_001
      let start = random.floats(count)
      let gradients = Guarded(random.floats(count))
      var results: [[UInt32]] = []
      withThreadCounts { _ in
        let parameters = Guarded(start)
        let first = Guarded(start.map(abs))
        let second = Guarded(start.map(abs))
        adamW(
          parameters.pointer, gradients: gradients.readOnly, firstMoments: first.pointer,
          secondMoments: second.pointer, count: count,
          step: AdamWStep(
            learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1, bias1: 0.5, bias2: 0.1,
            gradientScale: 0.3))
        gradientDescent(
          parameters.pointer, gradients: gradients.readOnly, count: count, learningRate: 0.1, weightDecay: 0.1,
          gradientScale: 0.7)
        results.append(parameters.bits + first.bits + second.bits)
      }
      #expect(results[0] == results[1])
      checkMargins(gradients)
    }
  }
}
