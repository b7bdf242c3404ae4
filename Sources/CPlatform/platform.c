#include "CPlatform.h"

#include <stdio.h>
#include <unistd.h>

int tinyalign_compiled_for_avx2(void) {
#if defined(__AVX2__)
  return 1;
#else
  return 0;
#endif
}

#if defined(__x86_64__) && defined(__AVX2__)
// Runs before any Swift code, and itself uses no instruction beyond the x86-64 baseline:
// on an older processor the program would otherwise die with an unexplained illegal instruction.
__attribute__((constructor, target("arch=x86-64"))) static void tinyalign_require_avx2(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return;
  static const char message[] =
      "tinyalign: this processor lacks AVX2 and FMA, which this build uses; "
      "rebuild with `make build ARCH_FLAGS=` for a slower program that runs anywhere\n";
  if (write(STDERR_FILENO, message, sizeof message - 1) < 0) { /* nothing more to say */ }
  _exit(1);
}
#endif
