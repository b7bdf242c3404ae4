// Matrix products for one instruction set. Included by products.c once for each, with these defined:
//   VECTOR  floats in a vector register        VECTORS  vectors across a tile of C
//   ROWS    rows of a tile of C                EACH_ROWS  CASE(n) for n in 1...ROWS
//   TARGET  the attribute that allows the instructions       NAME(x)  a name of its own for each set
//
// The method is that of Goto and van de Geijn (2008), "Anatomy of high-performance matrix multiplication": a tile of C stays in
// registers while a panel of B (packed, VECTORS * VECTOR wide) streams past it. Two things differ from the usual. A is read where it
// lies, unless it is transposed; and for C = A B^T, the product of a layer with its weights, C^T = B A^T is computed,
// so that the weights, by far the larger matrix, are never packed.

#define COLUMNS (VECTOR * VECTORS)

typedef float NAME(vector) __attribute__((ext_vector_type(VECTOR), aligned(4)));

/// A tile's place in C.
typedef struct {
  float *start;
  long stride;
  /// Columns of the tile that lie in C.
  int columns;
  /// Whether the tile is stored as its transpose: `columns` rows of C.
  int is_transposed;
  int accumulates;
  float scale;
} NAME(place);

/// Transposes VECTOR x VECTOR numbers: log2(VECTOR) rounds that interleave one half of the rows with the other.
TARGET __attribute__((always_inline)) static inline void NAME(transpose)(NAME(vector) rows[VECTOR]) {
  NAME(vector) other[VECTOR];
#define ROUND(from, to)                                       \
  _Pragma("clang loop unroll(full)") for (int i = 0; i < VECTOR / 2; i++) { \
    to[2 * i] = INTERLEAVE_LOW(from[i], from[i + VECTOR / 2]); \
    to[2 * i + 1] = INTERLEAVE_HIGH(from[i], from[i + VECTOR / 2]); \
  }
  ROUND(rows, other)
  ROUND(other, rows)
#if VECTOR >= 8
  ROUND(rows, other)
#if VECTOR == 16
  ROUND(other, rows)
#else
  for (int i = 0; i < VECTOR; i++) rows[i] = other[i];
#endif
#endif
#undef ROUND
}

/// Stores a tile that does not go straight into C: one that hangs over its edge, or is transposed.
TARGET __attribute__((always_inline)) static inline void NAME(store_through_memory)(
    const int rows, const int vectors, NAME(vector) sums[ROWS][VECTORS], NAME(place) place) {
  enum { blocks = (ROWS + VECTOR - 1) / VECTOR };
  if (!place.is_transposed) {
    float tile[ROWS][COLUMNS] __attribute__((aligned(64)));
    for (int r = 0; r < rows; r++)
      for (int v = 0; v < vectors; v++) *(NAME(vector) *)&tile[r][v * VECTOR] = sums[r][v];
    for (int r = 0; r < rows; r++) {
      float *c = place.start + r * place.stride;
      for (int j = 0; j < place.columns; j++) c[j] = place.accumulates ? c[j] + tile[r][j] : tile[r][j];
    }
    return;
  }
  float tile[COLUMNS][blocks * VECTOR] __attribute__((aligned(64)));
#pragma clang loop unroll(full)
  for (int v = 0; v < vectors; v++) {
#pragma clang loop unroll(full)
    for (int block = 0; block < blocks; block++) {
      NAME(vector) square[VECTOR];
#pragma clang loop unroll(full)
      for (int r = 0; r < VECTOR; r++)
        square[r] = block * VECTOR + r < rows ? sums[block * VECTOR + r][v] : (NAME(vector))(0.0f);
      NAME(transpose)(square);
#pragma clang loop unroll(full)
      for (int j = 0; j < VECTOR; j++) *(NAME(vector) *)&tile[v * VECTOR + j][block * VECTOR] = square[j];
    }
  }
  for (int j = 0; j < place.columns; j++) {
    float *c = place.start + j * place.stride;
    if (place.accumulates)
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) c[r] += tile[j][r];
    else
      __builtin_memcpy(c, tile[j], rows * sizeof(float));
  }
}

/// One tile of C: `rows` rows of A against `vectors` vectors of a packed panel of B.
///
/// A's element (r, k) is at a[r * a_stride + k], or at a[k * ROWS + r] where A `is_packed`. `next` is the tile of A to fetch
/// meanwhile, which lies like `a`.
TARGET __attribute__((always_inline)) static inline void NAME(tile)(
    const int rows, const int vectors, const int is_packed, long depth, const float *a, const float *next, long a_stride,
    const float *b, NAME(place) place) {
  NAME(vector) sums[ROWS][VECTORS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) sums[r][v] = (NAME(vector))(0.0f);
  // Every address is one of five pointers plus a stride times 0, 1, 2, 4 or 8, which x86 adds for nothing.
  const float *p[5];
  for (int i = 0; i < 5; i++) p[i] = a + 3 * i * a_stride;
  for (long k = 0; k < depth; k++) {
    NAME(vector) columns[VECTORS];
    // A cache line of each row in turn.
    if (!is_packed) __builtin_prefetch(next + (k & 15) * a_stride + (k & ~15L), 0, 2);
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) columns[v] = *(const NAME(vector) *)(b + v * VECTOR);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      static const unsigned char base[14] = {0, 0, 0, 1, 0, 1, 2, 1, 0, 3, 2, 1, 4, 3};
      const float *element = is_packed ? a + r : p[base[r]] + (r - 3 * base[r]) * a_stride;
      NAME(vector) x = (NAME(vector))(*element);
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) sums[r][v] += x * columns[v];
    }
    if (is_packed) a += ROWS;
    else for (int i = 0; i < 5; i++) p[i]++;
    b += COLUMNS;
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) sums[r][v] *= place.scale;
  if (place.is_transposed || place.columns != COLUMNS || vectors != VECTORS) {
    NAME(store_through_memory)(rows, vectors, sums, place);
    return;
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
      NAME(vector) *c = (NAME(vector) *)(place.start + r * place.stride + v * VECTOR);
      *c = place.accumulates ? *c + sums[r][v] : sums[r][v];
    }
}

// A function for each number of rows, so that each has registers of its own; [0] for the last, narrow panel.
typedef void (*NAME(tile_function))(long, const float *, const float *, long, const float *, NAME(place));
#define TILE(kind, rows, vectors, is_packed)                                                                       \
  TARGET __attribute__((noinline)) static void NAME(kind##rows)(                                                   \
      long depth, const float *a, const float *next, long a_stride, const float *b, NAME(place) place) {           \
    NAME(tile)(rows, vectors, is_packed, depth, a, next, a_stride, b, place);                                      \
  }
#define CASE(rows) TILE(narrow, rows, 1, 0) TILE(wide, rows, VECTORS, 0)
#define CASE_PACKED(rows) TILE(narrow_packed, rows, 1, 1) TILE(wide_packed, rows, VECTORS, 1)
EACH_ROWS(CASE)
EACH_ROWS(CASE_PACKED)
#undef CASE
#undef CASE_PACKED
#undef TILE
#define NARROW(rows) NAME(narrow##rows),
#define WIDE(rows) NAME(wide##rows),
#define NARROW_PACKED(rows) NAME(narrow_packed##rows),
#define WIDE_PACKED(rows) NAME(wide_packed##rows),
static const NAME(tile_function) NAME(tiles)[2][2][ROWS] = {
    {{EACH_ROWS(NARROW)}, {EACH_ROWS(WIDE)}}, {{EACH_ROWS(NARROW_PACKED)}, {EACH_ROWS(WIDE_PACKED)}}};
#undef NARROW
#undef WIDE
#undef NARROW_PACKED
#undef WIDE_PACKED

/// Packs `count` columns of op(B) into panels [depth][COLUMNS], zero beyond the last column.
TARGET static void NAME(pack_columns)(
    const float *b, long b_stride, int is_transposed, long depth, long count, float *panel) {
  for (long j = 0; j < count; j += COLUMNS, panel += depth * COLUMNS) {
    int width = count - j < COLUMNS ? (int)(count - j) : COLUMNS;
    if (!is_transposed) {
      for (long k = 0; k < depth; k++) {
        const float *source = b + k * b_stride + j;
        float *row = panel + k * COLUMNS;
        if (width == COLUMNS) {
#pragma clang loop unroll(full)
          for (int v = 0; v < VECTORS; v++)
            *(NAME(vector) *)(row + v * VECTOR) = *(const NAME(vector) *)(source + v * VECTOR);
        } else {
          for (int i = 0; i < COLUMNS; i++) row[i] = i < width ? source[i] : 0;
        }
      }
      continue;
    }
    for (int i = 0; i < COLUMNS; i += VECTOR) {
      const float *source = b + (j + i) * b_stride;
      long k = 0;
      if (i + VECTOR <= width) {
        for (; k + VECTOR <= depth; k += VECTOR) {
          NAME(vector) square[VECTOR];
#pragma clang loop unroll(full)
          for (int r = 0; r < VECTOR; r++) square[r] = *(const NAME(vector) *)(source + r * b_stride + k);
          NAME(transpose)(square);
#pragma clang loop unroll(full)
          for (int r = 0; r < VECTOR; r++) *(NAME(vector) *)(panel + (k + r) * COLUMNS + i) = square[r];
        }
      }
      for (; k < depth; k++)
        for (int r = 0; r < VECTOR; r++) panel[k * COLUMNS + i + r] = i + r < width ? source[r * b_stride + k] : 0;
    }
  }
}

/// Packs `count` rows of A^T, a[depth][count], into tiles [depth][ROWS].
TARGET static void NAME(pack_rows)(const float *a, long a_stride, long depth, long count, float *tile) {
  for (long k = 0; k < depth; k++) {
    const float *source = a + k * a_stride;
    float *row = tile + k * ROWS;
    long i = 0;
    for (; i + ROWS <= count; i += ROWS, row += depth * ROWS) __builtin_memcpy(row, source + i, ROWS * sizeof(float));
    if (i < count) __builtin_memcpy(row, source + i, (count - i) * sizeof(float));
  }
}

/// One row times B^T, B [count, depth], which is bound by the reading of B: VECTOR rows of it at a time, transposed in registers so that
/// each sum is in the same order as in a tile.
TARGET static void NAME(multiply_vector)(
    long count, long depth, float scale, const float *x, const float *b, long b_stride, int accumulates, float *y) {
  for (long j = 0; j < count; j += VECTOR) {
    const long rows = count - j < VECTOR ? count - j : VECTOR;
    const float *block = b + j * b_stride;
    for (long k0 = 0; k0 < depth; k0 += BLOCK_DEPTH) {
      const long end = depth - k0 < BLOCK_DEPTH ? depth : k0 + BLOCK_DEPTH;
      NAME(vector) sums = (NAME(vector))(0.0f);
      long k = k0;
      if (rows == VECTOR) {
        for (; k + VECTOR <= end; k += VECTOR) {
          NAME(vector) square[VECTOR];
#pragma clang loop unroll(full)
          for (int r = 0; r < VECTOR; r++) {
            const float *source = block + r * b_stride + k;
            __builtin_prefetch(source + VECTOR * b_stride, 0, 2);
            square[r] = *(const NAME(vector) *)source;
          }
          NAME(transpose)(square);
#pragma clang loop unroll(full)
          for (int r = 0; r < VECTOR; r++) sums += (NAME(vector))(x[k + r]) * square[r];
        }
      }
      for (; k < end; k++) {
        NAME(vector) column = (NAME(vector))(0.0f);
        for (long r = 0; r < rows; r++) column[r] = block[r * b_stride + k];
        sums += (NAME(vector))(x[k]) * column;
      }
      sums *= scale;
      for (long r = 0; r < rows; r++) y[j + r] = accumulates || k0 > 0 ? y[j + r] + sums[r] : sums[r];
    }
  }
}

TARGET static void NAME(multiply)(
    int a_transposed, int b_transposed, long rows, long columns, long depth, float scale, const float *a,
    long a_stride, const float *b, long b_stride, int accumulates, float *c, long c_stride, float *workspace) {
  if (rows == 1 && !a_transposed && b_transposed) {
    NAME(multiply_vector)(columns, depth, scale, a, b, b_stride, accumulates, c);
    return;
  }
  int swaps = !a_transposed && b_transposed;
  if (swaps) {
    const float *pointer = a;
    a = b, b = pointer;
    long number = a_stride;
    a_stride = b_stride, b_stride = number;
    number = rows;
    rows = columns, columns = number;
  }
  float *panels = workspace, *tiles = workspace + PANEL_FLOATS;
  // A tile of A where it lies streams past few panels, which stay in the second-level cache. A transposed A is packed, a strip at a
  // time and once for all columns, and it is the strip that stays.
  const long width = (a_transposed ? WIDE_COLUMNS : NARROW_COLUMNS) / COLUMNS * COLUMNS;
  const long height = a_transposed ? STRIP_ROWS / ROWS * ROWS : ROWS;
  for (long j0 = 0; j0 < columns; j0 += width) {
    const long panel_columns = columns - j0 < width ? columns - j0 : width;
    for (long k0 = 0; k0 < depth; k0 += BLOCK_DEPTH) {
      const long block = depth - k0 < BLOCK_DEPTH ? depth - k0 : BLOCK_DEPTH;
      NAME(pack_columns)(
          b_transposed ? b + j0 * b_stride + k0 : b + k0 * b_stride + j0, b_stride, b_transposed, block, panel_columns,
          panels);
      for (long i0 = 0; i0 < rows; i0 += height) {
        const long strip_rows = rows - i0 < height ? rows - i0 : height;
        const float *strip = a + i0 * a_stride + k0;
        if (a_transposed) NAME(pack_rows)(a + k0 * a_stride + i0, a_stride, block, strip_rows, tiles);
        for (long j = 0; j < panel_columns; j += COLUMNS) {
          for (long i = 0; i < strip_rows; i += ROWS) {
            const int count = strip_rows - i < ROWS ? (int)(strip_rows - i) : ROWS;
            const float *tile = a_transposed ? tiles + i * block : strip + i * a_stride;
            NAME(place) place = {
                .start = swaps ? c + (j0 + j) * c_stride + i0 + i : c + (i0 + i) * c_stride + j0 + j,
                .stride = c_stride,
                .columns = panel_columns - j < COLUMNS ? (int)(panel_columns - j) : COLUMNS,
                .is_transposed = swaps,
                .accumulates = accumulates || k0 > 0,
                .scale = scale,
            };
            // The last panel brings the next tile of A into the cache. Rows a multiple of 4 KiB apart would evict each other.
            const int fetches = !a_transposed && j + COLUMNS >= panel_columns && a_stride % 1024 != 0;
            NAME(tiles)[a_transposed][place.columns > VECTOR][count - 1](
                block, tile, fetches ? tile + ROWS * a_stride : tile, a_stride, panels + j * block, place);
          }
        }
      }
    }
  }
}

#undef COLUMNS
