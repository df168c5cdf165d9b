/* tests/script/lift_random.h: random row functions over the fields of lift_harness.h. */
#ifndef TM_TESTS_SCRIPT_LIFT_RANDOM_H
#define TM_TESTS_SCRIPT_LIFT_RANDOM_H

#include "expr/function.h"

/* The text of a function; the same one for the same seed and shape. */
void tm_lift_random(uint64_t seed, tm_shape shape, char out[2000]);

#endif
