#include "CMatrixProducts.h"

#include <pthread.h>
#include <stdlib.h>

// Depth of a block: a tile's rows of A (ROWS x BLOCK_DEPTH) share the first-level cache with the panel that streams past.
#define BLOCK_DEPTH 768L
// Columns of B that are packed at once: for the second-level cache, or where a strip of A is in it, for the third.
#define NARROW_COLUMNS 192L
#define WIDE_COLUMNS 768L
// Rows of a strip of A.
#define STRIP_ROWS 112L
#define PANEL_FLOATS (BLOCK_DEPTH * (WIDE_COLUMNS + 32))
#define WORKSPACE_FLOATS (PANEL_FLOATS + BLOCK_DEPTH * (STRIP_ROWS + 16))

#define UP_TO_4(CASE) CASE(1) CASE(2) CASE(3) CASE(4)
#define UP_TO_6(CASE) UP_TO_4(CASE) CASE(5) CASE(6)
#define UP_TO_8(CASE) UP_TO_6(CASE) CASE(7) CASE(8)
#define UP_TO_14(CASE) UP_TO_8(CASE) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)

#if defined(__x86_64__)

// AVX-512: 28 of 32 registers hold the tile.
#define VECTOR 16
#define VECTORS 2
#define ROWS 14
#define EACH_ROWS UP_TO_14
#define TARGET __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")))
#define NAME(x) avx512_##x
#define INTERLEAVE_LOW(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define INTERLEAVE_HIGH(a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#include "product.h"
#include "undefine.h"

// AVX2: 12 of 16 registers.
#define VECTOR 8
#define VECTORS 2
#define ROWS 6
#define EACH_ROWS UP_TO_6
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(x) avx2_##x
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#include "product.h"
#include "undefine.h"

#endif

// What every processor of the architecture has: NEON with its 32 registers on arm64, SSE2 with 16 on x86-64.
#define VECTOR 4
#if defined(__aarch64__)
#define VECTORS 3
#define ROWS 8
#define EACH_ROWS UP_TO_8
#else
#define VECTORS 2
#define ROWS 4
#define EACH_ROWS UP_TO_4
#endif
#define TARGET
#define NAME(x) baseline_##x
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#include "product.h"
#include "undefine.h"

static pthread_key_t workspace_key;
static pthread_once_t workspace_once = PTHREAD_ONCE_INIT;

static void make_workspace_key(void) { pthread_key_create(&workspace_key, free); }

/// Memory for packed blocks, once for each thread.
static float *thread_workspace(void) {
  static _Thread_local float *workspace;
  if (workspace) return workspace;
  void *memory;
  if (posix_memalign(&memory, 64, WORKSPACE_FLOATS * sizeof(float))) abort();
  pthread_once(&workspace_once, make_workspace_key);
  pthread_setspecific(workspace_key, memory);
  return workspace = memory;
}

static enum tinyalign_instructions best_instructions = tinyalign_baseline;
static pthread_once_t instructions_once = PTHREAD_ONCE_INIT;

static void find_instructions(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
  best_instructions = tinyalign_avx2;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq"))
    best_instructions = tinyalign_avx512;
#endif
}

enum tinyalign_instructions tinyalign_best_instructions(void) {
  pthread_once(&instructions_once, find_instructions);
  return best_instructions;
}

void tinyalign_multiply(
    enum tinyalign_instructions instructions, int a_transposed, int b_transposed, long rows, long columns, long depth,
    float scale, const float *a, long a_stride, const float *b, long b_stride, int accumulates, float *c, long c_stride) {
  float *workspace = thread_workspace();
#define MULTIPLY(set)                                                                                                \
  set##_multiply(                                                                                                    \
      a_transposed, b_transposed, rows, columns, depth, scale, a, a_stride, b, b_stride, accumulates, c, c_stride, \
      workspace)
  switch (instructions) {
#if defined(__x86_64__)
    case tinyalign_avx512: MULTIPLY(avx512); return;
    case tinyalign_avx2: MULTIPLY(avx2); return;
#endif
    default: MULTIPLY(baseline);
  }
}
