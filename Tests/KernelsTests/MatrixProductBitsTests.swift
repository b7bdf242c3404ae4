import Kernels
import ReferenceKernels
import Testing

/// Matrix products of our own: every instruction set, around the edges of all tiles, panels and blocks.
extension KernelTests.MatrixMultiplyTests {
  private static func product(_ instructions: InstructionSet) -> Product {
    { a, b, result, stride, size, scale, accumulates in
      matrixMultiply(
        a, b, into: result, resultStride: stride, rows: size.0, columns: size.1, depth: size.2, scale: scale,
        accumulates: accumulates, instructions: instructions)
    }
  }

  @Test func `every instruction set agrees with plain loops at 1 to 40 rows and columns`() {
    #expect(!InstructionSet.available.isEmpty)
    for instructions in InstructionSet.available {
      var random = TestRandom(11)
      for rows in 1...40 {
        for transposes in Self.transposes {
          for _ in 0..<3 {
            let accumulates = random.int(0..<2) == 1
            verify(
              rows, random.int(1..<41), random.int(1..<41), padding: random.int(0..<4), transposes: transposes,
              accumulates: accumulates, scale: [1, -0.5, 0.125][random.int(0..<3)], random: &random,
              by: Self.product(instructions))
          }
        }
      }
      // A single row, which has a way of its own.
      for columns in 1...40 {
        verify(
          1, columns, 5 + columns * 7 % 40, padding: columns % 3, transposes: (false, true),
          accumulates: columns % 2 == 0, scale: 0.5, random: &random, by: Self.product(instructions))
      }
    }
  }

  @Test func `every instruction set agrees with plain loops where blocks and panels end`() {
    for instructions in InstructionSet.available {
      var random = TestRandom(12)
      for transposes in Self.transposes {
        // Depths around one and two blocks of 768.
        for (index, depth) in [767, 768, 769, 1_535, 1_536, 1_537].enumerated() {
          for rows in [1, 2 + index * 3] {
            verify(
              rows, random.int(1..<35), depth, padding: index % 3, transposes: transposes,
              accumulates: index % 2 == 0, scale: index < 3 ? 1 : -0.5, random: &random,
              by: Self.product(instructions))
          }
        }
        // Sides around one and two panels of 192 and tiles of 112.
        for (rows, columns) in [(111, 193), (113, 191), (192, 112), (193, 225), (225, 5), (3, 385), (1, 386)] {
          verify(
            rows, columns, 9, padding: 1, transposes: transposes, accumulates: rows % 2 == 0, random: &random,
            by: Self.product(instructions))
        }
      }
    }
  }

  // Accelerate rounds as it sees fit.
  #if !canImport(Accelerate)
    /// The part of a matrix that begins at an element.
    private func part(_ matrix: Matrix, row: Int, column: Int) -> Matrix {
      var part = matrix
      part.pointer += matrix.isTransposed ? column * matrix.stride + row : row * matrix.stride + column
      return part
    }

    @Test func `an element has the same bits wherever it stands, with every instruction set`() {
      for instructions in InstructionSet.available {
        var random = TestRandom(13)
        for (rows, columns, depth) in [(47, 215, 801), (130, 37, 770), (33, 34, 1_537), (5, 50, 3)] {
          for transposes in Self.transposes {
            let a = Laid(rows: rows, columns: depth, padding: 1, isTransposed: transposes.0, random: &random)
            let b = Laid(rows: depth, columns: columns, padding: 3, isTransposed: transposes.1, random: &random)
            let before = random.floats(rows * columns)
            let accumulates = rows % 2 == 1
            let scale: Float = depth == 770 ? 1 : 0.3
            func multiply(_ rowRange: Range<Int>, _ columnRange: Range<Int>, _ target: MutableFloats) {
              matrixMultiply(
                part(a.matrix, row: rowRange.lowerBound, column: 0),
                part(b.matrix, row: 0, column: columnRange.lowerBound),
                into: target + rowRange.lowerBound * columns + columnRange.lowerBound, resultStride: columns,
                rows: rowRange.count, columns: columnRange.count, depth: depth, scale: scale, accumulates: accumulates,
                instructions: instructions)
            }
            let label = "\(instructions), [\(rows), \(depth)] times [\(depth), \(columns)], transposed \(transposes)"
            let whole = Guarded(before)
            multiply(0..<rows, 0..<columns, whole.pointer)
            let alone = Guarded(before)
            for row in 0..<rows { multiply(row..<row + 1, 0..<columns, alone.pointer) }
            #expect(alone.bits == whole.bits, "row by row, \(label)")
            // Rectangles of any size that cover everything.
            let pieces = Guarded(before)
            var top = 0
            while top < rows {
              let bottom = min(rows, top + random.int(1..<40))
              var left = 0
              while left < columns {
                let right = min(columns, left + random.int(1..<60))
                multiply(top..<bottom, left..<right, pieces.pointer)
                left = right
              }
              top = bottom
            }
            #expect(pieces.bits == whole.bits, "in pieces, \(label)")
            checkMargins(a.memory, b.memory, whole, alone, pieces)
          }
        }
      }
    }

    @Test func `any number of threads gives the same bits`() {
      var random = TestRandom(14)
      for (rows, columns, depth) in [(1, 1_003, 200), (7, 701, 300), (701, 7, 300), (190, 191, 800), (64, 300, 65)] {
        for transposes in Self.transposes {
          let a = Laid(rows: rows, columns: depth, padding: 0, isTransposed: transposes.0, random: &random)
          let b = Laid(rows: depth, columns: columns, padding: 2, isTransposed: transposes.1, random: &random)
          let before = random.floats(rows * columns)
          var results: [[UInt32]] = []
          withThreadCounts([1, 2, 3, 5]) { _ in
            let result = Guarded(before)
            parallelMatrixMultiply(
              a.matrix, b.matrix, into: result.pointer, resultStride: columns, rows: rows, columns: columns,
              depth: depth, scale: 0.7, accumulates: rows % 2 == 0)
            results.append(result.bits)
            checkMargins(result)
          }
          for other in results.dropFirst() {
            #expect(other == results[0], "[\(rows), \(depth)] times [\(depth), \(columns)], transposed \(transposes)")
          }
          checkMargins(a.memory, b.memory)
        }
      }
    }
  #endif
}
