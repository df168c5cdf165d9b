/* operator/union.c: the rows of several inputs, by column name, in the order of the first.
 *
 * Types widen (int32 with int64, decimals to the larger; a row with a value of more than 38 digits
 * then is refused). Where somebody depends on the order of
 * rows the planner brings all inputs into lane 0, and they are taken one after another; else they
 * are taken as they come. A sequence of its own keeps the order of several inputs visible
 * below. */
#include <stdio.h>
#include <string.h>

#include "kernel/cast.h"
#include "stage/apply.h"
#include "state/record.h"

typedef struct plan {
  int32_t *from[TM_PORTS_MAX]; /* per output column, the column of that input */
} plan;

typedef struct union_ {
  tm_stage_env env;
  const plan *plan;
  uint32_t ended;   /* mask of ports */
  uint64_t emitted; /* batches so far */
} union_;

static int match_input(tm_bind *bind, uint32_t port, tm_schema *output, plan *p, tm_error *err) {
  const tm_schema *first = bind->inputs[0], *input = bind->inputs[port];
  for (uint32_t i = 0; i < input->count; i++) {
    if (tm_schema_find(first, input->fields[i].name) >= 0) continue;
    tm_error_token(err, input->fields[i].name, "");
    return tm_fail(err, TM_E_COLUMNS, "union: input %u has column '%s', the first has not",
                   port + 1, input->fields[i].name);
  }
  for (uint32_t i = 0; i < first->count; i++) {
    int found = tm_schema_find(input, first->fields[i].name);
    if (found < 0) {
      return tm_fail(err, TM_E_COLUMNS, "union: input %u has no column '%s'", port + 1,
                     first->fields[i].name);
    }
    p->from[port][i] = found;
    tm_type ours = output->fields[i].type, theirs = input->fields[found].type;
    if (tm_type_unify(ours, theirs, &output->fields[i].type)) continue;
    char a[TM_TYPE_TEXT_MAX], b[TM_TYPE_TEXT_MAX];
    return tm_fail(err, TM_E_TYPE, "union: column '%s' is %s in the first input, %s in input %u",
                   first->fields[i].name, tm_type_text(ours, a), tm_type_text(theirs, b),
                   port + 1);
  }
  return 0;
}

static int union_bind(tm_bind *bind, tm_error *err) {
  tm_schema *output = tm_schema_copy(bind->arena, bind->inputs[0]);
  plan *p = tm_arena_zero(bind->arena, sizeof *p);
  if (output == NULL || p == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
  for (uint32_t port = 0; port < bind->input_count; port++) {
    p->from[port] = tm_arena_zero(bind->arena, (output->count + 1) * sizeof **p->from);
    if (p->from[port] == NULL) return tm_fail(err, TM_E_MEMORY, "out of memory");
    if (match_input(bind, port, output, p, err) < 0) return -1;
    bind->rows_estimate += bind->input_rows[port];
  }
  for (uint32_t i = 0; i < output->count; i++) {
    output->fields[i].path = NULL;
    for (uint32_t port = 0; port < bind->input_count; port++) {
      tm_type from = bind->inputs[port]->fields[p->from[port][i]].type;
      bind->rejects |= tm_cast_may_overflow(from, output->fields[i].type);
    }
  }
  bind->plan = p;
  bind->output = output;
  bind->order = TM_ORDER_KEEPS;
  return 0;
}

/* What may refuse a row is needed, whoever reads it. */
static void union_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const plan *p = bind->plan;
  for (uint32_t port = 0; port < bind->input_count; port++) {
    for (uint32_t i = 0; i < bind->output->count; i++) {
      int32_t from = p->from[port][i];
      tm_type type = bind->inputs[port]->fields[from].type;
      bool refuses = tm_cast_may_overflow(type, bind->output->fields[i].type);
      if (needed_out[i] || refuses) in[port][from] = 1;
    }
  }
}

static int union_open(const tm_stage_env *env, void **out, tm_error *err) {
  union_ *u = tm_alloc(env->budget, sizeof *u);
  if (u == NULL) return tm_fail(err, TM_E_MEMORY, "union: out of memory");
  *u = (union_){.env = *env, .plan = env->bind->plan};
  *out = u;
  return 0;
}

static uint32_t union_wants(void *self) {
  union_ *u = self;
  if (!u->env.bind->ordered_input) return UINT32_MAX;
  uint32_t port = 0;
  while (u->ended >> port & 1) port++;
  return (uint32_t)1 << port;
}

/* Refuses rows of which a value does not fit the wider type. 0 or -1 (memory). */
static int refuse_wide(union_ *u, uint32_t port, tm_batch *in, tm_batch *batch, tm_out *out) {
  uint8_t *wide = tm_batch_alloc(batch, batch->rows + 1);
  if (wide == NULL) return -1;
  memset(wide, 0, batch->rows);
  for (uint32_t i = 0; i < batch->schema->count; i++) {
    const tm_column *c = &batch->columns[i];
    tm_type from = in->schema->fields[u->plan->from[port][i]].type;
    if (c->data == NULL || !tm_cast_may_overflow(from, c->type)) continue;
    for (uint32_t n = 0; n < batch->selected; n++) {
      uint32_t row = tm_batch_row(batch, n);
      if (tm_column_is_null(c, row) || wide[row]) continue;
      if (((const __int128 *)c->data)[row] != TM_CAST_TOO_WIDE) continue;
      char message[128];
      const char *name = batch->schema->fields[i].name;
      snprintf(message, sizeof message, "'%.60s' has more than 38 digits", name);
      wide[row] = 1;
      int line = u->env.bind->script_line;
      if (tm_out_reject(out, in, row, TM_REASON_DECIMAL, line, message) < 0) return -1;
    }
  }
  return tm_apply_select(batch, wide, 0) < 0 ? -1 : 0;
}

static tm_flow union_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  union_ *u = self;
  tm_batch *batch = tm_batch_derive(taken, u->env.budget, u->env.bind->output);
  bool done = batch != NULL;
  for (uint32_t i = 0; done && i < batch->schema->count; i++) {
    const tm_column *in = &taken->columns[u->plan->from[port][i]];
    if (in->data != NULL) done = tm_cast_widen(batch, i, in) == 0;
  }
  if (done && u->env.bind->rejects) done = refuse_wide(u, port, taken, batch, out) == 0;
  tm_batch_release(taken);
  if (!done) {
    tm_batch_release(batch);
    return tm_fail(err, TM_E_MEMORY, "union: out of memory");
  }
  bool renumbers = u->env.bind->ordered_input && u->env.bind->input_count > 1;
  if (renumbers) batch->sequence = u->emitted++;
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

static tm_flow union_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  union_ *u = self;
  (void)out;
  (void)err;
  u->ended |= (uint32_t)1 << port;
  bool all = u->ended == ((uint32_t)1 << u->env.bind->input_count) - 1;
  return all ? TM_FLOW_FINISHED : TM_FLOW_INPUT;
}

static int union_save(void *self, tm_bytes *out, tm_error *err) {
  union_ *u = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, u->ended);
  tm_record_put(&w, u->emitted);
  return tm_record_end(&w, err);
}

static int union_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  union_ *u = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  u->ended = (uint32_t)tm_record_get(&r, ((uint64_t)1 << u->env.bind->input_count) - 1);
  u->emitted = tm_record_get(&r, UINT64_MAX);
  return tm_record_close(&r, err);
}

static void union_close(void *self) {
  union_ *u = self;
  tm_free(u->env.budget, u, sizeof *u);
}

const tm_stage tm_stage_union = {
  .size = sizeof(tm_stage),
  .name = "union",
  .summary = "the rows of several inputs, by column name",
  .inputs = -1,
  .bind = union_bind,
  .need = union_need,
  .open = union_open,
  .wants = union_wants,
  .push = union_push,
  .finish = union_finish,
  .save = union_save,
  .restore = union_restore,
  .close = union_close,
};
