#ifndef TINYALIGN_CPLATFORM_H
#define TINYALIGN_CPLATFORM_H

/// 1 when this program was compiled for AVX2 (x86-64-v3), else 0.
int tinyalign_compiled_for_avx2(void);

/// Asks for `count` floats to be brought into the cache.
static inline void tinyalign_prefetch(const float *start, long count) {
  for (long i = 0; i < count; i += 16) __builtin_prefetch(start + i, 0, 3);
}

#endif
