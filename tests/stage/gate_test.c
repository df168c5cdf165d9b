/* tests/stage/gate_test.c: the last of the lanes opens the gate, and wakes the others. */
#include <criterion/criterion.h>

#include "stage/gate.h"

static int wakes;
static void wake(void *waker) {
  (void)waker;
  wakes++;
}

Test(gate, opens_with_the_last_lane) {
  tm_stage_env env = {.wake = wake};
  tm_gate gate;
  wakes = 0;
  tm_gate_init(&gate, 3);
  cr_expect_not(tm_gate_open(&gate));
  cr_expect_not(tm_gate_arrive(&gate, &env));
  cr_expect_not(tm_gate_arrive(&gate, &env));
  cr_expect_not(tm_gate_open(&gate));
  cr_expect_eq(wakes, 0);
  cr_expect(tm_gate_arrive(&gate, &env));
  cr_expect(tm_gate_open(&gate));
  cr_expect_eq(wakes, 1);
}

Test(gate, of_one_lane_needs_no_wake) {
  tm_stage_env env = {.wake = wake};
  tm_gate gate;
  wakes = 0;
  tm_gate_init(&gate, 1);
  cr_expect(tm_gate_arrive(&gate, &env));
  cr_expect(tm_gate_open(&gate));
  cr_expect_eq(wakes, 0);
}
