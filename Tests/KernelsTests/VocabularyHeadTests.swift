import Kernels
import ReferenceKernels
import Synchronization
import TestSupport
import Testing

extension KernelTests {
  @Suite struct VocabularyHeadTests {
    private static func cases() -> [HeadCase] {
      var cases: [HeadCase] = []
      for (index, vocabulary) in oddSizes.enumerated() {
        for held in [HeadCase.Held.free, .stranger, .near(0.05)] {
          cases.append(
            HeadCase(
              rows: 3 + oddSizes[(index * 7) % 18], vocabulary: vocabulary, size: oddSizes[(index * 5 + 2) % 19],
              held: held, seed: cases.count))
        }
      }
      // Several chunks of 512 rows, the last of one row; and rows enough for two threads.
      cases.append(HeadCase(rows: 1_025, vocabulary: 11, size: 3, held: .stranger, seed: 900))
      cases.append(HeadCase(rows: 40, vocabulary: 2_049, size: 7, held: .stranger, seed: 901))
      return cases
    }

    private func checkValues(_ loss: HeadLoss, _ plain: Reference.HeadValues, _ label: String) {
      if !plain.logProbabilities.isEmpty {
        check(loss.targetLogProbabilities, plain.logProbabilities, within: 2e-6, floor: 5, "log p of \(label)")
        check(
          loss.targetReferenceLogProbabilities, plain.referenceLogProbabilities, within: 2e-6, floor: 5,
          "log r of \(label)")
      }
      check(loss.entropies, plain.entropies, within: 2e-6, floor: 5, "entropies of \(label)")
      check(loss.forwardKLs, plain.forwardKLs, within: 2e-6, floor: 5, "forward KLs of \(label)")
      check(loss.reverseKLs, plain.reverseKLs, within: 2e-6, floor: 5, "reverse KLs of \(label)")
      let allowed = 2e-5 * (1 + Double(loss.rowCount).squareRoot())
      #expect(abs(loss.value - plain.value) < allowed, "\(label): \(loss.value) where \(plain.value) was expected")
    }

    @Test func `log-probabilities, entropies, KLs and gradients agree with plain loops`() {
      var random = TestRandom(1)
      for item in Self.cases() {
        let plain = item.plain
        withThreadCounts { threads in
          var loss = item.loss
          let hiddenGradient = Guarded(overwritten: item.hidden.count)
          let weightGradient = Guarded(random.floats(item.weight.count))
          let before = weightGradient.values
          item.head.evaluate(
            &loss, hidden: item.hidden.readOnly, reference: item.reference,
            gradients: HeadGradients(hidden: hiddenGradient.pointer, weight: weightGradient.pointer))
          let label = "\(item.label), \(threads) threads"
          checkValues(loss, plain, label)
          check(hiddenGradient, plain.hiddenGradient, within: 4e-6, floor: 1, "hidden gradient of \(label)")
          check(
            weightGradient, zip(before, plain.weightGradient).map { Double($0) + $1 }, within: 4e-6, floor: 1,
            "weight gradient of \(label)")
        }
        item.checkInputs()
      }
    }

    @Test func `without gradients the values are the same to the bit`() {
      for item in Self.cases() {
        var evaluated = item.loss
        var differentiated = item.loss
        item.head.evaluate(&evaluated, hidden: item.hidden.readOnly, reference: item.reference)
        let hiddenGradient = Guarded(overwritten: item.hidden.count)
        let weightGradient = Guarded([Float](repeating: 0, count: item.weight.count))
        item.head.evaluate(
          &differentiated, hidden: item.hidden.readOnly, reference: item.reference,
          gradients: HeadGradients(hidden: hiddenGradient.pointer, weight: weightGradient.pointer))
        #expect(evaluated.targetLogProbabilities == differentiated.targetLogProbabilities, "\(item.label)")
        #expect(evaluated.entropies == differentiated.entropies, "\(item.label)")
        #expect(evaluated.forwardKLs == differentiated.forwardKLs, "\(item.label)")
        #expect(evaluated.reverseKLs == differentiated.reverseKLs, "\(item.label)")
        checkMargins(hiddenGradient, weightGradient)
        item.checkInputs()
      }
    }

    @Test func `rows without any target have entropies, KLs and their gradients`() {
      for held in [HeadCase.Held.free, .stranger] {
        let item = HeadCase(rows: 6, vocabulary: 33, size: 5, held: held, targets: false, seed: 3)
        var loss = item.loss
        let hiddenGradient = Guarded(overwritten: item.hidden.count)
        let weightGradient = Guarded([Float](repeating: 0, count: item.weight.count))
        item.head.evaluate(
          &loss, hidden: item.hidden.readOnly, reference: item.reference,
          gradients: HeadGradients(hidden: hiddenGradient.pointer, weight: weightGradient.pointer))
        checkValues(loss, item.plain, item.label)
        check(hiddenGradient, item.plain.hiddenGradient, within: 4e-6, item.label)
        check(weightGradient, item.plain.weightGradient, within: 4e-6, item.label)
        item.checkInputs()
      }
    }

    @Test func `no rows are no trouble`() {
      var loss = HeadLoss(targetStarts: [0], targetTokens: [], targetWeights: [])
      let memory = Guarded([1, 2, 3])
      let head = VocabularyHead(weight: memory.readOnly, vocabularySize: 3, hiddenSize: 1)
      head.evaluate(
        &loss, hidden: memory.readOnly, gradients: HeadGradients(hidden: memory.pointer, weight: memory.pointer))
      head.forEachRow(memory.readOnly, rows: 0) { _, _ in Issue.record("there is no row") }
      #expect(loss.value == 0 && loss.rowCount == 0 && memory.values == [1, 2, 3])
    }

    @Test(arguments: [Float(3e-4), 1e-3, 0.01])
    func `tiny KLs keep their digits and their sign`(distance: Float) {
      // Flat and peaked distributions; KLs near 2e-7, 3e-6 and 4e-4 nats, which single precision knows to about 1e-8.
      for spread in [Float(0.1), 0.7] {
        let item = HeadCase(
          rows: 24, vocabulary: 2_000, size: 16, held: .near(distance), spread: spread, seed: Int(spread * 10))
        var loss = item.loss
        item.head.evaluate(&loss, hidden: item.hidden.readOnly, reference: item.reference)
        item.checkInputs()
        let plain = item.plain
        for (fast, exact) in [(loss.forwardKLs, plain.forwardKLs), (loss.reverseKLs, plain.reverseKLs)] {
          for (kl, expected) in zip(fast, exact) {
            let allowed = 0.01 * expected + 1.5e-8
            #expect(abs(Double(kl) - expected) < allowed, "\(item.label): \(kl) where \(expected) was expected")
          }
        }
      }
    }

    @Test func `a reference equal to the policy has no KL and no KL gradient`() {
      let item = HeadCase(rows: 9, vocabulary: 130, size: 9, held: .free, targets: false, seed: 5)
      for isForward in [true, false] {
        let ones = [Float](repeating: 1, count: 9)
        var loss = HeadLoss(
          targetStarts: [Int](repeating: 0, count: 10), targetTokens: [], targetWeights: [],
          forwardKLWeights: isForward ? ones : nil, reverseKLWeights: isForward ? nil : ones)
        let hiddenGradient = Guarded(overwritten: item.hidden.count)
        let weightGradient = Guarded([Float](repeating: 0, count: item.weight.count))
        item.head.evaluate(
          &loss, hidden: item.hidden.readOnly,
          reference: ReferenceLogits(hidden: item.hidden.readOnly, head: item.head),
          gradients: HeadGradients(hidden: hiddenGradient.pointer, weight: weightGradient.pointer))
        #expect(loss.forwardKLs == [Float](repeating: 0, count: 9) && loss.reverseKLs == loss.forwardKLs)
        #expect(hiddenGradient.values.allSatisfy { abs($0) < 1e-7 })
        #expect(weightGradient.values.allSatisfy { abs($0) < 1e-7 })
        item.checkInputs()
      }
    }

    @Test func `logits of ten thousand give finite values and gradients`() {
      // One row sure of token 0, one torn between tokens 1 and 2.
      let weight = Guarded([10_000, 0, -10_000, 10_000, 0, 10_000])
      let hidden = Guarded([1, 0, 0, 1])
      let head = VocabularyHead(weight: weight.readOnly, vocabularySize: 3, hiddenSize: 2)
      var loss = HeadLoss(targetStarts: [0, 3, 5], targetTokens: [0, 1, 2, 1, 0], targetWeights: [1, 1, 1, 1, -1])
      let hiddenGradient = Guarded(overwritten: 4)
      let weightGradient = Guarded([Float](repeating: 0, count: 6))
      head.evaluate(
        &loss, hidden: hidden.readOnly,
        gradients: HeadGradients(hidden: hiddenGradient.pointer, weight: weightGradient.pointer))
      let half = 0.693_147
      check(
        loss.targetLogProbabilities, [0, -20_000, -10_000, -half, -10_000 - half], within: 1e-7, floor: 10_000,
        "log-probabilities")
      check(loss.entropies, [0, half], within: 1e-3, "entropies")
      // Row 0: 3 p - 1 on each token; row 1: the weights cancel, so only token 1 and token 0 move.
      check(weightGradient, [2, 1, -1, -1, -1, 0], within: 1e-3, "weight gradient")
      check(hiddenGradient, [30_000, -20_000, 20_000, -10_000], within: 1e-3, "hidden gradient")
      checkMargins(hidden, weight)
    }

    @Test func `each row is handed out once with its logits`() {
      for (rows, vocabulary, size) in [(1, 1, 1), (17, 65, 9), (1_030, 5, 3), (13, 3_000, 4)] {
        let item = HeadCase(rows: rows, vocabulary: vocabulary, size: size, held: .free, seed: rows)
        let expected = item.plainHead.logits
        withThreadCounts { _ in
          let seen = Mutex([Int](repeating: 0, count: rows))
          let logits = Guarded(overwritten: rows * vocabulary)
          // Each call writes its own row.
          nonisolated(unsafe) let target = logits.pointer
          item.head.forEachRow(item.hidden.readOnly, rows: rows) { row, values in
            seen.withLock { $0[row] += 1 }
            for token in 0..<vocabulary {
              target[row * vocabulary + token] = values[token]
              values[token] = .nan
            }
          }
          #expect(seen.withLock { $0 } == [Int](repeating: 1, count: rows))
          check(logits, expected, within: 1e-6, floor: 1, item.label)
        }
        item.checkInputs()
      }
    }
  }
}
