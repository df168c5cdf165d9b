/* tests/bench/kernel_text_bench.c: how fast the text kernels are, each beside its portable form.
 *
 * Prints a line a kernel: the best of several runs. Not a test: nothing depends on the figures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/zone.h"
#include "kernel/like.h"
#include "kernel/pattern.h"
#include "kernel/structural.h"
#include "kernel/substring.h"
#include "kernel/time_format.h"
#include "kernel/utf8.h"

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

static void bench_utf8(void) {
  static const char *const mixed = "na\xc3\xafve \xe2\x82\xac 12 text with some l\xc3\xa4tters ";
  char *ascii = make_csv(), *other = malloc(TEXT_BYTES), *out = malloc(TEXT_BYTES);
  size_t mixed_size = strlen(mixed), other_size = TEXT_BYTES / mixed_size * mixed_size;
  for (size_t at = 0; at < other_size; at += mixed_size) memcpy(other + at, mixed, mixed_size);
  const tm_utf8_impl *impl;
  for (size_t i = 0; (impl = tm_utf8_impl_at(i)) != NULL; i++) {
    BEST(plain, sink += impl->valid(ascii, TEXT_BYTES));
    print_gbs("utf8 valid, ascii", impl->name, TEXT_BYTES, plain);
    BEST(rich, sink += impl->valid(other, other_size));
    print_gbs("utf8 valid, 9% not ascii", impl->name, (double)other_size, rich);
  }
  BEST(length, sink += tm_utf8_length(other, other_size));
  print_gbs("utf8 length", "", (double)other_size, length);
  BEST(lower, tm_utf8_lower(other, other_size, out); sink += (size_t)out[9]);
  print_gbs("utf8 lower", "", (double)other_size, lower);
  free(out);
  free(other);
  free(ascii);
}

/* ---- rows ---- */

enum { ROWS = 2048 };

static void print_ns(const char *what, const char *how, double seconds) {
  printf("%-28s %-14s %8.2f ns/row\n", what, how, seconds / ROWS * 1e9);
}

/* Sentences of 20 to 70 bytes, as the comments of TPC-H. */
static void make_rows(tm_arena *arena, tm_str *rows) {
  static const char *const words[] = { "special ", "requests ", "carefully ", "final ", "packages ",
    "sleep ", "furiously ", "according ", "to the ", "ironic ", "deposits ", "blithely " };
  for (int i = 0; i < ROWS; i++) {
    char text[128];
    size_t size = 0, size_max = 20 + random_u64() % 50;
    while (size < size_max) {
      const char *word = words[random_u64() % 12];
      memcpy(text + size, word, strlen(word));
      size += strlen(word);
    }
    rows[i] = tm_str_make(tm_arena_text(arena, text, size_max), size_max);
  }
}

static void bench_like(tm_arena *arena, const tm_str *rows) {
  static const char *const patterns[] = { "special%", "%deposits", "%packages%",
    "%special%requests%", "%spe_ial%" };
  uint8_t out[ROWS];
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    const tm_like *like = tm_like_compile(patterns[i], strlen(patterns[i]), arena);
    BEST(took, tm_like_match_rows(like, rows, NULL, NULL, ROWS, out); sink += out[9]);
    print_ns("like", patterns[i], took);
  }
}

static void bench_pattern(tm_arena *arena, const tm_str *rows) {
  static const char *const patterns[] = { "packages", "^special", "(%a+) requests", "^(%a+) (%a+)",
    "s.-y", "%s(%a+)%s*$", "[^ ]+ly", ".*deposits" };
  tm_pattern_match match;
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    const tm_pattern *p =
        tm_pattern_compile(patterns[i], strlen(patterns[i]), TM_PATTERN_SEARCH, arena);
    BEST(took, for (int k = 0; k < ROWS; k++) sink += (size_t)tm_pattern_find(
        p, tm_str_bytes(&rows[k]), rows[k].size, 0, 1000000, &match));
    print_ns("pattern find", patterns[i], took);
  }
}

static void bench_time(tm_arena *arena) {
  tm_error err = { .code = TM_E_NONE };
  const tm_zone *zone = tm_zone_find("Europe/Berlin", &err);
  if (zone == NULL) return;
  static int64_t near[ROWS], far[ROWS], out[ROWS];
  static uint8_t fits[ROWS];
  for (int i = 0; i < ROWS; i++) {
    near[i] = INT64_C(1773451800000000) + i * INT64_C(1000000);
    far[i] = (int64_t)(random_u64() % UINT64_C(1700000000000000));
  }
  BEST(local_near, tm_zone_to_local_rows(zone, near, out, ROWS); sink += (size_t)out[9]);
  print_ns("zone to local", "one day", local_near);
  BEST(local_far, tm_zone_to_local_rows(zone, far, out, ROWS); sink += (size_t)out[9]);
  print_ns("zone to local", "random", local_far);
  BEST(utc_near, sink += tm_zone_to_utc_rows(zone, near, out, fits, ROWS));
  print_ns("zone to utc", "one day", utc_near);
  BEST(utc_far, sink += tm_zone_to_utc_rows(zone, far, out, fits, ROWS));
  print_ns("zone to utc", "random", utc_far);
  static const char *const formats[] = { "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%A, %d %B %Z" };
  char text[128];
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    const tm_time_format *f =
        tm_time_format_compile(formats[i], strlen(formats[i]), arena, &err);
    tm_zone_hint hint = { .zone = NULL };
    BEST(took, for (int k = 0; k < ROWS; k++) sink +=
        tm_time_format_timestamp(f, near[k], zone, &hint, text));
    print_ns("time format", formats[i], took);
  }
}

int main(void) {
  static tm_str rows[ROWS];
  tm_budget *budget = tm_budget_create(NULL, "bench", 0);
  tm_arena arena;
  tm_arena_init(&arena, budget);
  make_rows(&arena, rows);
  bench_structural();
  bench_utf8();
  bench_like(&arena, rows);
  bench_pattern(&arena, rows);
  bench_time(&arena);
  tm_arena_deinit(&arena);
  tm_budget_destroy(budget);
  return 0;
}
