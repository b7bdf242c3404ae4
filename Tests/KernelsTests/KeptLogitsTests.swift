import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  /// Logits that one pass over the vocabulary head leaves for the next.
  @Suite struct KeptLogitsTests {
    /// More rows than two chunks of 576 hold.
    private static let rows = 1_300
    /// Rows to keep: around the borders of chunks, all, and more than there are.
    private static let keptCounts = [0, 1, 575, 576, 577, 700, 1_152, 1_299, 1_300, 1_450]

    private static func cases() -> [HeadCase] {
      [HeadCase.Held.free, .stranger, .near(0.05)].enumerated().map { index, held in
        HeadCase(rows: rows, vocabulary: 11, size: 3, held: held, seed: 40 + index)
      }
    }

    /// Fails unless the numbers are the same: to the bit where products are our own, within rounding where Accelerate's.
    private func expectSame(
      _ actual: [Float], _ expected: [Float], _ label: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
      #if canImport(Accelerate)
        check(actual, expected.doubles, within: 2e-6, floor: 1, label, sourceLocation: sourceLocation)
      #else
        #expect(actual.map(\.bitPattern) == expected.map(\.bitPattern), "\(label)", sourceLocation: sourceLocation)
      #endif
    }

    @Test func `the logits of the first rows stay in the memory given for them`() {
      let item = HeadCase(rows: Self.rows, vocabulary: 11, size: 3, held: .free, seed: 40)
      let expected = item.plainHead.logits
      #expect(item.head.chunkSize(rows: Self.rows) == 576)
      for keptCount in Self.keptCounts {
        withThreadCounts { _ in
          // Room for a part of a row beyond the last is no room.
          let kept = Guarded(overwritten: keptCount * 11 + 7)
          let seen = Guarded(overwritten: Self.rows * 11)
          let visits = Guarded([Float](repeating: 0, count: Self.rows))
          // Each row is handled by one thread.
          nonisolated(unsafe) let (target, counts) = (seen.pointer, visits.pointer)
          item.head.forEachRow(
            item.hidden.readOnly, rows: Self.rows,
            keepingIn: UnsafeMutableBufferPointer(start: kept.pointer, count: kept.count)
          ) { row, logits in
            counts[row] += 1
            (target + row * 11).update(from: logits, count: 11)
          }
          #expect(visits.values.allSatisfy { $0 == 1 })
          check(seen, expected, within: 1e-6, floor: 1, "rows handed out, \(keptCount) kept")
          let stored = min(keptCount, Self.rows) * 11
          let values = kept.values
          expectSame(Array(values.prefix(stored)), Array(seen.values.prefix(stored)), "\(keptCount) kept")
          #expect(values.dropFirst(stored).count { !$0.isNaN } == 0, "\(keptCount) kept: wrote beyond the rows")
          checkMargins(kept)
        }
      }
      item.checkInputs()
    }

    @Test func `what is done to a row while it is handed out stays in the kept logits`() {
      let item = HeadCase(rows: 600, vocabulary: 11, size: 3, held: .free, seed: 41)
      let kept = Guarded(overwritten: 599 * 11)
      item.head.forEachRow(
        item.hidden.readOnly, rows: 600, keepingIn: UnsafeMutableBufferPointer(start: kept.pointer, count: kept.count)
      ) { row, logits in logits.update(repeating: Float(row), count: 11) }
      #expect(kept.values == (0..<599).flatMap { [Float](repeating: Float($0), count: 11) })
      checkMargins(kept)
      item.checkInputs()
    }

    /// A loss with its gradients.
    private struct Outcome {
      var loss: HeadLoss
      var hidden: [Float]
      var weight: [Float]
    }

    private func evaluate(_ item: HeadCase, keeping keptCount: Int?, differentiates: Bool = true) -> Outcome {
      var kept: Guarded?
      if let keptCount {
        let memory = Guarded(overwritten: keptCount * 11)
        kept = memory
        item.head.forEachRow(
          item.hidden.readOnly, rows: Self.rows,
          keepingIn: UnsafeMutableBufferPointer(start: memory.pointer, count: memory.count)
        ) { _, _ in }
      }
      let hidden = Guarded(overwritten: item.hidden.count)
      let weight = Guarded([Float](repeating: 0, count: item.weight.count))
      var loss = item.loss
      item.head.evaluate(
        &loss, hidden: item.hidden.readOnly,
        kept: kept.map { UnsafeMutableBufferPointer(start: $0.pointer, count: $0.count) }, reference: item.reference,
        gradients: differentiates ? HeadGradients(hidden: hidden.pointer, weight: weight.pointer) : nil)
      if let kept { checkMargins(kept) }
      checkMargins(hidden, weight)
      item.checkInputs()
      return Outcome(loss: loss, hidden: hidden.values, weight: weight.values)
    }

    @Test func `a loss from kept logits is the loss from logits computed again`() {
      for item in Self.cases() {
        let expected = evaluate(item, keeping: nil)
        for keptCount in Self.keptCounts {
          withThreadCounts { _ in
            let label = "\(item.label), \(keptCount) kept"
            let actual = evaluate(item, keeping: keptCount)
            // What belongs to one row does not depend on the chunk that the row is in.
            expectSame(actual.loss.targetLogProbabilities, expected.loss.targetLogProbabilities, "log p, \(label)")
            expectSame(actual.loss.entropies, expected.loss.entropies, "entropies, \(label)")
            expectSame(actual.loss.forwardKLs, expected.loss.forwardKLs, "forward KLs, \(label)")
            expectSame(actual.loss.reverseKLs, expected.loss.reverseKLs, "reverse KLs, \(label)")
            expectSame(actual.hidden, expected.hidden, "hidden gradient, \(label)")
            if keptCount % 576 == 0 || keptCount >= Self.rows {
              expectSame(actual.weight, expected.weight, "weight gradient, \(label)")
            } else {
              // A chunk ends at the last kept row, so the sum over the rows is rounded at other places.
              check(actual.weight, expected.weight.doubles, within: 1e-6, floor: 1, "weight gradient, \(label)")
            }
          }
        }
      }
    }

    @Test func `kept logits give the same values without gradients`() {
      for item in Self.cases() {
        let expected = evaluate(item, keeping: nil)
        for keptCount in [700, 1_300] {
          let actual = evaluate(item, keeping: keptCount, differentiates: false)
          expectSame(actual.loss.targetLogProbabilities, expected.loss.targetLogProbabilities, item.label)
          expectSame(actual.loss.entropies, expected.loss.entropies, item.label)
          expectSame(
            actual.loss.forwardKLs + actual.loss.reverseKLs,
            expected.loss.forwardKLs + expected.loss.reverseKLs, item.label)
        }
      }
    }
  }
}
