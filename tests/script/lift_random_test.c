/* tests/script/lift_random_test.c: random functions, compiled and in the VM.
 *
 * Fixed seeds; SEED and CASES of the environment look further:
 *   SEED=12345 CASES=100000 build/tests --filter lift_random/values */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lift_harness.h"
#include "lift_random.h"

enum { AT_ONCE = 40, CASES = 1200 };

typedef struct tally { uint32_t lifted, vm, errors, differ, decided, missed; } tally;

static void run_some(uint64_t seed, uint32_t count, tm_shape shape, tally *sum) {
  static char texts[AT_ONCE][2000];
  const char *functions[AT_ONCE] = {NULL};
  for (uint32_t i = 0; i < count; i++) {
    tm_lift_random(seed + i, shape, texts[i]);
    functions[i] = texts[i];
  }
  tm_lift_harness h;
  tm_lift_harness_init(&h, functions, count);
  tm_batch *batch = tm_lift_rows(&h, 1, seed % 3 == 0 ? 60 : 150, seed, (uint32_t)(seed % 4) * 80,
                                 seed % 2 == 1);
  for (uint32_t i = 0; i < count; i++) {
    tm_lift_report report;
    tm_lift_harness_run(&h, i, shape, 1, NULL, batch, &report);
    sum->lifted += report.verdict == TM_LIFT_SAME;
    sum->vm += report.verdict == TM_LIFT_VM;
    sum->errors += report.verdict == TM_LIFT_ERROR;
    sum->decided += report.rows - report.missed;
    sum->missed += report.missed;
    if (report.verdict != TM_LIFT_DIFFERS) continue;
    sum->differ++;
    cr_expect(false, "seed %llu: %s\n  %s", (unsigned long long)(seed + i), texts[i], report.why);
  }
  tm_batch_release(batch);
  tm_lift_harness_deinit(&h);
}

static uint64_t from_environment(const char *name, uint64_t fallback) {
  const char *text = getenv(name);
  return text == NULL ? fallback : strtoull(text, NULL, 10);
}

static void run_shape(tm_shape shape) {
  uint64_t seed = from_environment("SEED", 7), cases = from_environment("CASES", CASES);
  tally sum = {0};
  for (uint64_t at = 0; at < cases && sum.differ < 5; at += AT_ONCE) {
    run_some(seed * 1000003 + at, AT_ONCE, shape, &sum);
  }
  /* A generator that lifts nothing, or only what misses, would test nothing. */
  cr_expect_gt(sum.lifted, sum.vm, "%u lifted, %u left to the VM", sum.lifted, sum.vm);
  cr_expect_gt(sum.decided, sum.missed, "%u rows decided, %u missed", sum.decided, sum.missed);
  if (getenv("CASES") != NULL) {
    fprintf(stderr, "%u lifted, %u VM, %u errors; %u rows decided, %u missed\n", sum.lifted, sum.vm,
            sum.errors, sum.decided, sum.missed);
  }
}

Test(lift_random, values) { run_shape(TM_SHAPE_VALUE); }
Test(lift_random, truths) { run_shape(TM_SHAPE_TRUTH); }
Test(lift_random, rows) { run_shape(TM_SHAPE_ROW); }
