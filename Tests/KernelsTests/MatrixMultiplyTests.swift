import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct MatrixMultiplyTests {
    /// A logical matrix laid out with rows `padding` elements longer than they must be, transposed or not.
    struct Laid {
      let logical: [Double]
      let memory: Guarded
      let matrix: Matrix

      init(rows: Int, columns: Int, padding: Int, isTransposed: Bool, random: inout TestRandom) {
        let (storedRows, storedColumns) = isTransposed ? (columns, rows) : (rows, columns)
        let stride = storedColumns + padding
        var stored = [Float](repeating: .nan, count: storedRows * stride)
        var dense: [Double] = []
        for row in 0..<storedRows {
          for column in 0..<storedColumns {
            let value = Float.random(in: -1...1, using: &random)
            stored[row * stride + column] = value
            dense.append(Double(value))
          }
        }
        logical = isTransposed ? Reference.transposed(dense, rows: columns, columns: rows) : dense
        memory = Guarded(stored)
        matrix = Matrix(memory.readOnly, stride: stride, transposed: isTransposed)
      }
    }

    typealias Product = (Matrix, Matrix, MutableFloats, Int, (Int, Int, Int), Float, Bool) -> Void

    func verify(
      _ rows: Int, _ columns: Int, _ depth: Int, padding: Int = 0, transposes: (Bool, Bool), accumulates: Bool,
      scale: Float = 1, random: inout TestRandom, by multiply: Product
    ) {
      let a = Laid(rows: rows, columns: depth, padding: padding, isTransposed: transposes.0, random: &random)
      let b = Laid(rows: depth, columns: columns, padding: 2 * padding, isTransposed: transposes.1, random: &random)
      let stride = columns + 3 * padding
      let product = Reference.product(a.logical, b.logical, rows: rows, depth: depth, columns: columns)
      // Between the rows of the result nothing may change; where it is overwritten, NaN may not survive.
      var before = random.floats(rows * stride)
      var expected = before.doubles
      for row in 0..<rows {
        for column in 0..<columns {
          let index = row * stride + column
          let old = accumulates ? Double(before[index]) : 0
          if !accumulates { before[index] = .nan }
          expected[index] = old + Double(scale) * product[row * columns + column]
        }
      }
      let result = Guarded(before)
      multiply(a.matrix, b.matrix, result.pointer, stride, (rows, columns, depth), scale, accumulates)
      check(
        result, expected, within: 3e-7 * Double(depth + 2).squareRoot(), floor: 1,
        "[\(rows), \(depth)] times [\(depth), \(columns)], padding \(padding), transposed \(transposes)")
      checkMargins(a.memory, b.memory)
    }

    private let serial: Product = { a, b, result, stride, size, scale, accumulates in
      matrixMultiply(
        a, b, into: result, resultStride: stride, rows: size.0, columns: size.1, depth: size.2, scale: scale,
        accumulates: accumulates)
    }

    private let parallel: Product = { a, b, result, stride, size, scale, accumulates in
      parallelMatrixMultiply(
        a, b, into: result, resultStride: stride, rows: size.0, columns: size.1, depth: size.2, scale: scale,
        accumulates: accumulates)
    }

    static let transposes = [(false, false), (false, true), (true, false), (true, true)]

    @Test func `every product of 1 to 17 rows, columns and depth agrees with plain loops`() {
      var random = TestRandom(1)
      for rows in 1...17 {
        for columns in 1...17 {
          for depth in 1...17 {
            let transposes = Self.transposes[(rows + columns + depth) % 4]
            verify(
              rows, columns, depth, transposes: transposes, accumulates: depth % 2 == 0, random: &random, by: serial)
          }
        }
      }
    }

    @Test func `odd sizes, all transposes, strides, scales and both ways to write agree`() {
      var random = TestRandom(2)
      let sizes = [1, 7, 9, 31, 64, 65, 192]
      for _ in 0..<40 {
        for transposes in Self.transposes {
          for accumulates in [false, true] {
            let size = (0..<3).map { _ in sizes[random.int(0..<sizes.count)] }
            verify(
              size[0], size[1], size[2], padding: random.int(0..<4), transposes: transposes, accumulates: accumulates,
              scale: [1, -0.5, 0.125][random.int(0..<3)], random: &random, by: serial)
          }
        }
      }
    }

    @Test func `products split over threads agree, whichever side is the longer`() {
      var random = TestRandom(3)
      let sizes = [
        (1, 192, 65), (192, 1, 65), (65, 192, 31), (192, 65, 64), (3, 700, 300), (700, 3, 300), (65, 65, 65),
      ]
      withThreadCounts([1, 2, 3]) { _ in
        for size in sizes {
          for transposes in Self.transposes {
            for accumulates in [false, true] {
              verify(
                size.0, size.1, size.2, padding: random.int(0..<3), transposes: transposes, accumulates: accumulates,
                scale: accumulates ? 1 : 0.5, random: &random, by: parallel)
            }
          }
        }
      }
    }

    @Test func `an empty result is left alone`() {
      let memory = Guarded([5])
      for (rows, columns) in [(0, 1), (1, 0), (0, 0)] {
        for product in [serial, parallel] {
          product(
            Matrix(memory.readOnly, stride: 1), Matrix(memory.readOnly, stride: 1), memory.pointer, 1,
            (rows, columns, 1), 1, false)
        }
      }
      #expect(memory.values == [5])
    }
  }
}
