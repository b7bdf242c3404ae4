// The only file that knows who multiplies matrices: our own kernels, or on a Mac Accelerate, which alone reaches
// the matrix units of Apple's processors.
import CMatrixProducts

#if canImport(Accelerate)
  import Accelerate
#endif

/// A set of vector instructions that matrix products can use.
public struct InstructionSet: Sendable, CustomStringConvertible {
  fileprivate let identifier: tinyalign_instructions

  /// The best that this processor has.
  public static let best = InstructionSet(identifier: tinyalign_best_instructions())

  /// All that this processor has, the least first.
  public static var available: [InstructionSet] {
    [tinyalign_baseline, tinyalign_avx2, tinyalign_avx512]
      .filter { $0.rawValue <= best.identifier.rawValue }
      .map(InstructionSet.init(identifier:))
  }

  /// Its common name.
  public var description: String {
    switch identifier {
    case tinyalign_avx512: return "AVX-512"
    case tinyalign_avx2: return "AVX2"
    default:
      #if arch(arm64)
        return "NEON"
      #else
        return "SSE2"
      #endif
    }
  }
}

/// One matrix operand, row-major: `pointer[row * stride + column]`.
public struct Matrix {
  /// The first element.
  public var pointer: Floats
  /// Elements from one row to the next.
  public var stride: Int
  /// Whether the product takes the transpose.
  public var isTransposed: Bool

  /// A row-major matrix whose rows are `stride` elements apart.
  public init(_ pointer: Floats, stride: Int, transposed isTransposed: Bool = false) {
    self.pointer = pointer
    self.stride = stride
    self.isTransposed = isTransposed
  }

  fileprivate func rows(from row: Int) -> Matrix {
    Matrix(pointer + (isTransposed ? row : row * stride), stride: stride, transposed: isTransposed)
  }

  fileprivate func columns(from column: Int) -> Matrix {
    Matrix(pointer + (isTransposed ? column * stride : column), stride: stride, transposed: isTransposed)
  }
}

/// C = scale * A B, or C += scale * A B where `accumulates`, on the calling thread.
///
/// - Parameters:
///   - rows: rows of A and C.
///   - columns: columns of B and C.
///   - depth: columns of A, rows of B.
///   - resultStride: elements from one row of C to the next.
///   - instructions: what to compute with; Accelerate chooses for itself.
/// - Complexity: 2 * rows * columns * depth FLOPs.
public func matrixMultiply(
  _ a: Matrix, _ b: Matrix, into result: MutableFloats, resultStride: Int,
  rows: Int, columns: Int, depth: Int, scale: Float = 1, accumulates: Bool = false,
  instructions: InstructionSet = .best
) {
  guard rows > 0, columns > 0 else { return }
  precondition(depth > 0, "a product of depth \(depth)")
  #if canImport(Accelerate)
    cblas_sgemm(
      CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans, b.isTransposed ? CblasTrans : CblasNoTrans,
      numericCast(rows), numericCast(columns), numericCast(depth), scale,
      a.pointer, numericCast(a.stride), b.pointer, numericCast(b.stride), accumulates ? 1 : 0,
      result, numericCast(resultStride))
  #else
    tinyalign_multiply(
      instructions.identifier, a.isTransposed ? 1 : 0, b.isTransposed ? 1 : 0, rows, columns, depth, scale,
      a.pointer, a.stride, b.pointer, b.stride, accumulates ? 1 : 0, result, resultStride)
  #endif
}

/// ``matrixMultiply(_:_:into:resultStride:rows:columns:depth:scale:accumulates:)`` split over threads along the longer side of C.
public func parallelMatrixMultiply(
  _ a: Matrix, _ b: Matrix, into result: MutableFloats, resultStride: Int,
  rows: Int, columns: Int, depth: Int, scale: Float = 1, accumulates: Bool = false
) {
  // Below about 1e5 FLOPs a second thread costs more than it brings.
  let flopsPerColumn = 2 * rows * depth
  let flopsPerRow = 2 * columns * depth
  // Each part packs the shorter side again, so only a long side is cut finely.
  let partsPerThread = max(rows, columns) >= 4_096 ? 4 : 1
  if columns > rows {
    parallel(
      columns, minimumChunk: max(16, 200_000 / max(1, flopsPerColumn)), partsPerThread: partsPerThread
    ) { part in
      matrixMultiply(
        a, b.columns(from: part.lowerBound), into: result + part.lowerBound, resultStride: resultStride,
        rows: rows, columns: part.count, depth: depth, scale: scale, accumulates: accumulates)
    }
  } else {
    parallel(rows, minimumChunk: max(4, 200_000 / max(1, flopsPerRow)), partsPerThread: partsPerThread) { part in
      matrixMultiply(
        a.rows(from: part.lowerBound), b, into: result + part.lowerBound * resultStride, resultStride: resultStride,
        rows: part.count, columns: columns, depth: depth, scale: scale, accumulates: accumulates)
    }
  }
}
