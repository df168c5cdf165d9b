/* stage/gate.h: where the lanes of one stage meet: each arrives once, the last one opens it.
 *
 * A stage keeps gates in its shared object. It arrives when its lane has handed over, answers
 * BLOCKED until the gate is open, and goes on in resume(). */
#ifndef TM_STAGE_GATE_H
#define TM_STAGE_GATE_H

#include "stage/stage.h"

typedef struct tm_gate { uint32_t arrived, lanes; } tm_gate;

static inline void tm_gate_init(tm_gate *gate, uint32_t lanes) {
  gate->lanes = lanes;
  __atomic_store_n(&gate->arrived, 0, __ATOMIC_RELEASE);
}

/* What the lane wrote before is seen by every lane that finds the gate open. true for the last. */
static inline bool tm_gate_arrive(tm_gate *gate, const tm_stage_env *env) {
  bool last = __atomic_add_fetch(&gate->arrived, 1, __ATOMIC_ACQ_REL) == gate->lanes;
  if (last && gate->lanes > 1) env->wake(env->waker);
  return last;
}

static inline bool tm_gate_open(const tm_gate *gate) {
  return __atomic_load_n(&gate->arrived, __ATOMIC_ACQUIRE) == gate->lanes;
}

#endif
