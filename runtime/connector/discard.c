/* connector/discard.c: takes rows and keeps none: for measuring, and for steps run for their
 * refused rows. */
#include "stage/stage.h"

static const tm_option discard_options[] = {{NULL, NULL, NULL, NULL, NULL}};

static int discard_bind(tm_bind *bind, tm_error *err) {
  (void)err;
  bind->detail = "nothing is kept";
  return 0;
}

static int discard_open(const tm_stage_env *env, void **out, tm_error *err) {
  (void)env, (void)err;
  *out = NULL; /* there is nothing to know */
  return 0;
}

static tm_flow discard_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                            tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  tm_batch_release(taken);
  return TM_FLOW_INPUT;
}

static tm_flow discard_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  return TM_FLOW_FINISHED;
}

static void discard_close(void *self) { (void)self; }

const tm_stage tm_stage_discard = {
  .size = sizeof(tm_stage),
  .name = "discard",
  .summary = "take rows and keep none",
  .inputs = 1,
  .sink = true,
  .options = discard_options,
  .bind = discard_bind,
  .open = discard_open,
  .push = discard_push,
  .finish = discard_finish,
  .close = discard_close,
};
