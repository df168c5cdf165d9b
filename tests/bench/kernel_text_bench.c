/* tests/bench/kernel_text_bench.c: how fast the text kernels are, each beside its portable form.
 *
 * Prints a line a kernel: the best of several runs. Not a test: nothing depends on the figures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/structural.h"

enum { TEXT_BYTES = 1 << 20, ROUNDS = 40, REPEAT = 16 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t seed = 7;
static uint64_t random_u64(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static volatile size_t sink; /* keeps results alive */

/* Seconds of the fastest of ROUNDS runs of `statement`, REPEAT times each. */
#define BEST(seconds, statement)                             \
  double seconds = 1e9;                                      \
  for (int round_ = 0; round_ < ROUNDS; round_++) {          \
    double start_ = now();                                   \
    for (int repeat_ = 0; repeat_ < REPEAT; repeat_++) { statement; } \
    double took_ = (now() - start_) / REPEAT;                \
    if (took_ < seconds) seconds = took_;                    \
  }

static void print_gbs(const char *what, const char *how, double bytes, double seconds) {
  printf("%-28s %-14s %8.2f GB/s\n", what, how, bytes / seconds / 1e9);
}

/* Fields of 4 to 10 bytes, nine to a line. */
static char *make_csv(void) {
  char *text = malloc(TEXT_BYTES + TM_STRUCTURAL_PAD);
  size_t at = 0, field = 0;
  while (at < TEXT_BYTES) {
    for (size_t size = 4 + random_u64() % 7; size > 0 && at < TEXT_BYTES; size--)
      text[at++] = (char)('0' + random_u64() % 10);
    if (at < TEXT_BYTES) text[at++] = ++field % 9 == 0 ? '\n' : ',';
  }
  memset(text + TEXT_BYTES, 0, TM_STRUCTURAL_PAD);
  return text;
}

static void bench_structural(void) {
  char *text = make_csv();
  uint32_t *positions = malloc((TEXT_BYTES + TM_STRUCTURAL_PAD) * sizeof *positions);
  uint64_t *masks[3];
  for (int k = 0; k < 3; k++) masks[k] = malloc(TEXT_BYTES / 8);
  const tm_structural_impl *impl;
  for (size_t i = 0; (impl = tm_structural_impl_at(i)) != NULL; i++) {
    BEST(scan, sink += impl->scan(text, TEXT_BYTES, ',', '"', positions));
    print_gbs("structural scan, csv", impl->name, TEXT_BYTES, scan);
    BEST(count, sink += impl->count(text, TEXT_BYTES, '\n'));
    print_gbs("structural count", impl->name, TEXT_BYTES, count);
    BEST(set, sink += impl->scan_set(text, TEXT_BYTES, "\"\\\n", 3, masks));
    print_gbs("structural scan_set, 3 bytes", impl->name, TEXT_BYTES, set);
  }
  for (int k = 0; k < 3; k++) free(masks[k]);
  free(positions);
  free(text);
}

int main(void) {
  bench_structural();
  return 0;
}
