#ifndef TINYALIGN_CPLATFORM_H
#define TINYALIGN_CPLATFORM_H

/// 1 when this program was compiled for AVX2 (x86-64-v3), else 0.
int tinyalign_compiled_for_avx2(void);

/// Says in one line that memory for `count` floats is not to be had, and ends the program with status 1.
_Noreturn void tinyalign_out_of_memory(long count);

/// From now on, ends the program with one clear line and status 1 where a file that is mapped became shorter while it was read;
/// without it the system would end it with a bus error.
void tinyalign_watch_mappings(void);

/// Asks for `count` floats to be brought into the cache.
static inline void tinyalign_prefetch(const float *start, long count) {
  for (long i = 0; i < count; i += 16) __builtin_prefetch(start + i, 0, 3);
}

#endif
