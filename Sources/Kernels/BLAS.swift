// The only file that knows which BLAS there is.
#if canImport(Accelerate)
  import Accelerate
#else
  import COpenBLAS
#endif

/// Holds OpenBLAS to one thread a call; see ``Threads``. Accelerate has no such setting and schedules its own threads.
private let blasIsReady: Bool = {
  #if !canImport(Accelerate)
    openblas_set_num_threads(1)
  #endif
  return true
}()

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
/// - Complexity: 2 * rows * columns * depth FLOPs.
public func matrixMultiply(
  _ a: Matrix, _ b: Matrix, into result: MutableFloats, resultStride: Int,
  rows: Int, columns: Int, depth: Int, scale: Float = 1, accumulates: Bool = false
) {
  guard rows > 0, columns > 0 else { return }
  precondition(blasIsReady && depth > 0, "a product of depth \(depth)")
  cblas_sgemm(
    CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans, b.isTransposed ? CblasTrans : CblasNoTrans,
    numericCast(rows), numericCast(columns), numericCast(depth), scale,
    a.pointer, numericCast(a.stride), b.pointer, numericCast(b.stride), accumulates ? 1 : 0,
    result, numericCast(resultStride))
}

/// ``matrixMultiply(_:_:into:resultStride:rows:columns:depth:scale:accumulates:)`` split over threads along the longer side of C.
public func parallelMatrixMultiply(
  _ a: Matrix, _ b: Matrix, into result: MutableFloats, resultStride: Int,
  rows: Int, columns: Int, depth: Int, scale: Float = 1, accumulates: Bool = false
) {
  // Below about 1e5 FLOPs a second thread costs more than it brings.
  let flopsPerColumn = 2 * rows * depth
  let flopsPerRow = 2 * columns * depth
  if columns > rows {
    parallel(columns, minimumChunk: max(16, 200_000 / max(1, flopsPerColumn))) { part in
      matrixMultiply(
        a, b.columns(from: part.lowerBound), into: result + part.lowerBound, resultStride: resultStride,
        rows: rows, columns: part.count, depth: depth, scale: scale, accumulates: accumulates)
    }
  } else {
    parallel(rows, minimumChunk: max(4, 200_000 / max(1, flopsPerRow))) { part in
      matrixMultiply(
        a.rows(from: part.lowerBound), b, into: result + part.lowerBound * resultStride, resultStride: resultStride,
        rows: part.count, columns: columns, depth: depth, scale: scale, accumulates: accumulates)
    }
  }
}
