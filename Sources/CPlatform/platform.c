#include "CPlatform.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int tinyalign_compiled_for_avx2(void) {
#if defined(__AVX2__)
  return 1;
#else
  return 0;
#endif
}

// Says a line on standard error and ends the program; safe inside a signal handler.
static _Noreturn void fail(const char *message) {
  if (write(STDERR_FILENO, message, strlen(message)) < 0) { /* nothing more to say */ }
  _exit(1);
}

void tinyalign_out_of_memory(long count) {
  char message[192];
  snprintf(message, sizeof message,
           "tinyalign: the system gives no memory for %.0f MiB more; use a smaller --micro-batch or --samples, "
           "or lift the limit on memory\n",
           (double)count * sizeof(float) / (1 << 20));
  fail(message);
}

static void lost_mapping(int number, siginfo_t *info, void *context) {
  (void)context;
  if (info != NULL && info->si_code == BUS_ADRERR) {
    fail("tinyalign: a file became shorter while it was read, or its disk failed; "
         "leave model files alone while they are in use\n");
  }
  // Anything else is a defect of the program: let it end as such.
  signal(number, SIG_DFL);
  raise(number);
}

void tinyalign_watch_mappings(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = lost_mapping;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, NULL);
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
