import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct EmbeddingTests {
    private func verify(rows: Int, size: Int, entries: Int, seed: Int) {
      var random = TestRandom(seed)
      let table = Guarded(random.floats(entries * size))
      let ids = (0..<rows).map { _ in random.int(0..<entries) }
      let shortIDs = ids.map { Int32($0) }
      let label = "\(rows) rows of \(size)"
      let expected = Reference.embedding(table.values.doubles, ids: ids, size: size)

      let output = Guarded(overwritten: rows * size)
      embedding(table.readOnly, ids: shortIDs, into: output.pointer, rows: rows, size: size)
      check(output, expected, within: 0, label)

      let sum = Guarded(random.floats(rows * size))
      let before = sum.values
      embedding(table.readOnly, ids: shortIDs, into: sum.pointer, rows: rows, size: size, accumulates: true)
      check(sum, zip(before, expected).map { Double($0) + $1 }, within: 2e-7, floor: 1, "sum of \(label)")

      let gradient = Guarded(random.floats(rows * size))
      let tableGradient = Guarded(random.floats(entries * size))
      let tableBefore = tableGradient.values
      embeddingBackward(
        gradient.readOnly, ids: shortIDs, tableGradient: tableGradient.pointer, rows: rows, size: size)
      let added = Reference.embeddingBackward(gradient.values.doubles, ids: ids, entries: entries, size: size)
      check(
        tableGradient, zip(tableBefore, added).map { Double($0) + $1 },
        within: 1e-7 * Double(rows / entries + 4), floor: 1, "gradient of \(label)")
      checkMargins(table, gradient)
    }

    @Test func `rows are looked up, and gradients of repeated ids add up`() {
      withThreadCounts { _ in
        for (index, size) in oddSizes.enumerated() {
          let rows = oddSizes[(index * 5 + 4) % oddSizes.count]
          // Fewer entries than rows: ids repeat.
          verify(rows: rows, size: size, entries: max(1, rows / 3), seed: index)
          verify(rows: rows, size: size, entries: 3 * rows, seed: index + 50)
        }
        verify(rows: 2_000, size: 100, entries: 50, seed: 200)
        verify(rows: 40_000, size: 1, entries: 40, seed: 201)
      }
    }
  }
}
