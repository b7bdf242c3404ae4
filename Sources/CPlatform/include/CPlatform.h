#ifndef TINYALIGN_CPLATFORM_H
#define TINYALIGN_CPLATFORM_H

/// 1 when this program was compiled for AVX2 (x86-64-v3), else 0.
int tinyalign_compiled_for_avx2(void);

#endif
