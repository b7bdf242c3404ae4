#ifndef TINYALIGN_CMATRIXPRODUCTS_H
#define TINYALIGN_CMATRIXPRODUCTS_H

/// The instruction sets that products are compiled for.
enum tinyalign_instructions {
  /// What every processor of the architecture has: NEON on arm64, SSE2 on x86-64.
  tinyalign_baseline = 0,
  tinyalign_avx2 = 1,
  tinyalign_avx512 = 2
};

/// The best set that this processor has.
enum tinyalign_instructions tinyalign_best_instructions(void);

/// C = scale * op(A) op(B), or C += scale * op(A) op(B), in single precision on the calling thread.
///
/// All matrices are row-major; `a_stride` and so on are elements from one row to the next. op(A) is [rows, depth]: A itself,
/// or the transpose of A [depth, rows] where `a_transposed`; op(B) is [depth, columns] likewise. All sizes are at least 1.
/// `instructions` must be a set that the processor has.
///
/// Each element of C is the sum of its products in ascending order of depth, in blocks of a fixed length: it has the same bits
/// wherever it stands in C, however C is cut into parts, and whatever its neighbours are.
void tinyalign_multiply(
    enum tinyalign_instructions instructions, int a_transposed, int b_transposed, long rows, long columns, long depth,
    float scale, const float *a, long a_stride, const float *b, long b_stride, int accumulates, float *c, long c_stride);

#endif
