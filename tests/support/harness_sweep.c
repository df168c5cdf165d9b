/* tests/support/harness_sweep.c: one case in many modes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness_parts.h"

/* The first requests for memory are refused one by one, later ones ever more sparsely. */
enum { QUIET_RUNS = 6, CLOSES_MAX = 200, EVERY_ONE = 50 };

/* Under a sanitizer a sweep takes one step in so many; all of them where TM_TEST_LONG asks. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 8 };
#else
enum { STRIDE = 1 };
#endif

static uint64_t stride(void) { return getenv("TM_TEST_LONG") != NULL ? 1 : STRIDE; }

static const rows_list no_rows;

static const char *describe(const harness_mode *m, const harness_expected *e, char *out,
                            size_t room) {
  (void)snprintf(out, room, "%s (seed %llu, %u lanes, batches of %u%s%s%s, allocation %llu)",
                 e->label, (unsigned long long)m->seed, m->lanes, m->batch_rows,
                 m->odd_batches ? ", odd" : "", m->save > 0 ? ", saved" : "",
                 m->threads ? ", threads" : "", (unsigned long long)m->fail_at);
  return out;
}

/* Runs and compares. false: memory was refused, and the run said so. */
static bool run(const harness_case *c, const harness_mode *m, const harness_expected *e) {
  char label[512];
  describe(m, e, label, sizeof label);
  harness_result r = harness_run(c, m);
  bool refused = m->fail_at > 0 && r.err.code == TM_E_MEMORY;
  cr_assert(refused || r.err.code == TM_E_NONE, "%s: E%d %s", label, r.err.code, r.err.message);
  if (!refused) {
    if (e->ordered) rows_list_expect(&r.rows, e->rows, label);
    else rows_list_expect_set(&r.rows, e->rows, label);
    rows_list_expect_set(&r.rejects, e->rejects != NULL ? e->rejects : &no_rows, label);
    rows_list_expect_set(&r.lates, e->lates != NULL ? e->lates : &no_rows, label);
  }
  harness_result_clear(&r);
  return !refused;
}

static void run_sizes(const harness_case *c, const harness_expected *e, uint32_t lanes,
                      uint64_t seed) {
  static const uint32_t sizes[] = {1, 2, 7, 1000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    harness_mode m = {.seed = seed + i, .lanes = lanes, .batch_rows = sizes[i]};
    run(c, &m, e);
    m.odd_batches = true;
    run(c, &m, e);
    m.save = 100;
    run(c, &m, e);
    m.save = 0;
    m.threads = true;
    run(c, &m, e);
  }
}

static void close_everywhere(const harness_case *c, uint32_t lanes) {
  harness_mode m = {.seed = 11, .lanes = lanes, .batch_rows = 7, .odd_batches = true};
  harness_result r = harness_run(c, &m);
  uint64_t calls = r.calls, step = (1 + calls / CLOSES_MAX) * stride();
  harness_result_clear(&r);
  for (m.close_at = 1; m.close_at <= calls; m.close_at += step) {
    r = harness_run(c, &m);
    cr_assert_eq(r.err.code, TM_E_NONE, "%s", r.err.message);
    harness_result_clear(&r);
  }
}

static void refuse_memory(const harness_case *c, const harness_expected *e, uint32_t lanes,
                          uint32_t save) {
  harness_mode m = {.seed = 5, .lanes = lanes, .batch_rows = 7, .odd_batches = true, .save = save};
  for (int quiet = 0; quiet < QUIET_RUNS;) {
    m.fail_at += (1 + m.fail_at / EVERY_ONE) * (m.fail_at < STRIDE ? 1 : stride());
    quiet = run(c, &m, e) ? quiet + 1 : 0;
  }
  cr_assert_gt(m.fail_at, QUIET_RUNS, "nothing ever asked for memory");
}

void harness_sweep(const harness_case *c, const harness_expected *e) {
  for (uint32_t lanes = 1; lanes <= 3; lanes += 2) {
    run_sizes(c, e, lanes, 100 * lanes);
    if (stride() == 1) run_sizes(c, e, lanes, 100 * lanes + 50);
    close_everywhere(c, lanes);
    refuse_memory(c, e, lanes, 0);
  }
  refuse_memory(c, e, 2, 100);
  harness_damage(c, e);
}

void harness_check(const harness_case *c, const harness_expected *e) {
  for (uint32_t lanes = 1; lanes <= 3; lanes += 2) {
    if (stride() > 1 && lanes == 1) continue;
    harness_mode m = {.seed = lanes, .lanes = lanes, .batch_rows = 100, .odd_batches = true,
                      .threads = stride() > 1};
    run(c, &m, e);
    if (stride() > 1) continue;
    m.batch_rows = 1 + (uint32_t)m.seed * 5;
    run(c, &m, e);
    m.threads = lanes > 1;
    run(c, &m, e);
  }
}

void harness_damage(const harness_case *c, const harness_expected *e) {
  harness_mode m = {.seed = 3, .lanes = 2, .batch_rows = 5, .odd_batches = true, .save = 100,
                    .damage = true};
  run(c, &m, e);
}
