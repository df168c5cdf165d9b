/* tests/cli/status_test.c: the live lines of a stream: rates since the last look, the slow step in
 * words, time. */
#include "cli/status.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "stage/stage.h"
#include "tests/support/fixture.h"

TestSuite(status, .init = setup, .fini = teardown);

enum { NODES = 4 };

static tm_bind binds[NODES];
static tm_bind *nodes[NODES] = {&binds[0], &binds[1], &binds[2], &binds[3]};
static const tm_plan plan = {.nodes = nodes, .node_count = NODES};
static tm_step_progress steps[NODES];

/* readings → clock → by_user → out */
static void make_plan(void) {
  static const char *const verbs[] = {"csv", "clock", "agg", "discard"};
  static const char *const names[] = {"readings", "clock", "by_user", "out"};
  static const tm_stage_role roles[] = {TM_ROLE_SOURCE, TM_ROLE_STEP, TM_ROLE_STEP, TM_ROLE_SINK};
  for (int i = 0; i < NODES; i++) {
    binds[i] = (tm_bind){.stage = tm_stage_find(verbs[i], roles[i]), .name = names[i],
                         .verb = verbs[i], .input_count = i > 0, .inserted = i == 1};
    steps[i] = (tm_step_progress){.watermark_us = TM_TIME_NONE};
  }
}

static const char *text_of(tm_cli_status *status, int64_t elapsed_us, int64_t wall_us) {
  static char text[4000];
  tm_bytes bytes;
  tm_run_progress p = {.plan = &plan, .steps = steps, .elapsed_us = elapsed_us};
  tm_bytes_init(&bytes, budget);
  cr_assert(tm_cli_status_text(status, &p, wall_us, &bytes));
  snprintf(text, sizeof text, "%.*s", (int)bytes.size, (const char *)bytes.data);
  tm_bytes_deinit(&bytes);
  return text;
}

static void expect_line(const char *text, const char *line) {
  cr_expect(strstr(text, line) != NULL, "'%s' is not in\n%s", line, text);
}

Test(status, rates_are_of_the_time_since_the_last_look) {
  tm_cli_status status = {0};
  make_plan();
  steps[0].rows_in = steps[0].rows_out = 96400;
  steps[2].rows_in = 96400;
  steps[2].rows_out = 10;
  expect_line(text_of(&status, 2000000, 0), " readings            48.2k    48.2k  ░░░░░░   0%\n");
  steps[0].rows_in += 500;
  steps[0].busy_us += 250000;
  const char *text = text_of(&status, 2500000, 0);
  expect_line(text, " readings             1.0k        0  ███░░░  50%\n");
  expect_line(text, " by_user                 0        0  ░░░░░░   0%\n");
  expect_line(text, " out                     0        -  ");
  cr_expect(strstr(text, "clock") == NULL, "the planner's own steps are not shown");
  cr_expect_eq(status.lines, 5);
}

Test(status, the_slow_step_is_named) {
  tm_cli_status status = {0};
  make_plan();
  steps[0].blocked = true;
  steps[2].busy_us = 930000;
  const char *text = text_of(&status, 1000000, 0);
  expect_line(text, "93% ◀ slow\n");
  expect_line(text, " 'by_user' takes most of the time: what stands before it waits\n");
  expect_line(text, "  0% blocked\n");
  text = text_of(&status, 2000000, 0);
  cr_expect(strstr(text, "slow") == NULL, "it has done nothing since:\n%s", text);
}

Test(status, time_is_that_of_the_clock_furthest_behind) {
  tm_cli_status status = {0};
  make_plan();
  expect_line(text_of(&status, 1000000, 0), " watermark -  late 0  rejected 0\n");
  steps[1].watermark_us = INT64_C(1800000000500000);
  steps[1].rejected = 2;
  steps[2].late = 12;
  expect_line(text_of(&status, 2000000, INT64_C(1800000002000000)),
              " watermark 2027-01-15T08:00:00Z (2 s behind)  late 12  rejected 2\n");
}
