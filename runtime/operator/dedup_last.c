/* operator/dedup_last.c: dedup with keep = "last": the last row of each key in time order.
 *
 * A row takes the place of the one before (state/last_rows.h). What a key's last row is shows at
 * the end: of a batch, or of a stream that only wants to know then. With `within` it shows earlier:
 * a row that no other one of its key follows within that time is the last of its burst, and leaves
 * once time has gone by; the stage trails by `within`. In a stream without either the rows so far
 * are a changelog: the row that is replaced goes with weight -1. Those have no event time any more,
 * for what is taken back is older than the watermark. */
#include <string.h>

#include "operator/dedup.h"
#include "state/batch_record.h"
#include "state/last_rows.h"

typedef struct last_plan {
  tm_keep_plan keep; /* first: what keep_first.c sees */
  bool changes;      /* gives a changelog */
  bool timed;
} last_plan;

typedef struct dedup_last {
  tm_stage_env env;
  const last_plan *plan;
  tm_last_rows rows;
  uint8_t *needed;       /* a byte a column: what is kept */
  uint8_t *keyed;        /* scratch: a byte a row of a batch */
  uint32_t keyed_rows;
  int64_t watermark_us, given_us;
  uint64_t emitted;      /* batches */
  bool ended;
} dedup_last;

static int no_memory(tm_error *err) {
  tm_fail(err, TM_E_MEMORY, "the last rows of all keys need more than the memory budget");
  return tm_error_help(err, "give more with --memory, or forget keys: within = \"1h\"");
}

/* ------------------------------------------------------------------ bind */

/* Of rows that may be taken back, dedup_changes.c keeps the last. */
static bool dedup_last_serves(const tm_bind *bind) {
  return tm_dedup_keeps_last(bind) && !bind->facts_in[0].changelog;
}

static int dedup_last_bind(tm_bind *bind, tm_error *err) {
  last_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  if (plan == NULL) return no_memory(err);
  const tm_keep_plan *keep = tm_keep_bind(bind, "key", err);
  if (keep == NULL) return -1;
  if (keep->key_count == 0) {
    return tm_fail(err, TM_E_VALUE, "dedup wants the columns that tell rows apart: dedup \"id\"");
  }
  if (keep->by_arrival && keep->within_us != TM_KEYS_FOR_EVER) {
    tm_fail(err, TM_E_VALUE, "the last row within a time is known by event time only");
    tm_error_token(err, "order", "");
    return tm_error_help(err, "leave out order = \"arrival\"");
  }
  plan->keep = *keep;
  plan->timed = bind->facts_in[0].time.kind != TM_NULLTYPE;
  plan->changes = bind->job->stream && !bind->final_only && keep->within_us == TM_KEYS_FOR_EVER;
  bind->plan = plan;
  if (!plan->changes) return 0;
  bind->facts_out.changelog = true;
  bind->facts_out.time = tm_type_of(TM_NULLTYPE);
  bind->facts_out.in_time_order = false;
  return 0;
}

/* ------------------------------------------------------------------ open, close */

static void dedup_last_close(void *self) {
  dedup_last *d = self;
  tm_last_rows_deinit(&d->rows);
  tm_free(d->env.budget, d->needed, d->env.bind->output->count + 1);
  tm_free(d->env.budget, d->keyed, d->keyed_rows);
  tm_free(d->env.budget, d, sizeof *d);
}

static int dedup_last_open(const tm_stage_env *env, void **out, tm_error *err) {
  const last_plan *p = env->bind->plan;
  const tm_schema *schema = env->bind->output;
  dedup_last *d = tm_alloc_zero(env->budget, sizeof *d);
  if (d == NULL) return no_memory(err);
  d->env = *env;
  d->plan = p;
  d->watermark_us = d->given_us = TM_TIME_NONE;
  d->needed = tm_alloc_zero(env->budget, schema->count + 1);
  if (d->needed != NULL) {
    uint8_t *needed[] = {d->needed};
    if (env->bind->needed == NULL) memset(d->needed, 1, schema->count);
    else tm_keep_need(env->bind, env->bind->needed, needed);
  }
  if (d->needed == NULL ||
      tm_last_rows_init(&d->rows, env->budget, schema, d->needed, p->keep.keys, p->keep.key_types,
                        p->keep.key_count, p->keep.within_us) < 0) {
    dedup_last_close(d);
    return no_memory(err);
  }
  *out = d;
  return 0;
}

/* ------------------------------------------------------------------ rows out */

static void give(dedup_last *d, tm_batch *taken, tm_out *out) {
  if (!d->plan->timed || d->plan->changes) taken->times = NULL;
  taken->sequence = d->emitted++;
  tm_out_emit(out, taken);
}

/* Old rows with -1, new ones with +1: the replaced rows, then the last `added` ones of the list. */
static int give_changes(dedup_last *d, tm_out *out) {
  tm_last_rows *rows = &d->rows;
  uint32_t old = rows->replaced_count, count = old + rows->added, at = rows->newest;
  tm_time_row *places = tm_alloc(d->env.budget, count * sizeof *places);
  if (places == NULL) return -1;
  if (old > 0) memcpy(places, rows->replaced, old * sizeof *places);
  for (uint32_t i = count; i > old; i--, at = rows->nodes[at].older) {
    places[i - 1] = rows->nodes[at].where;
  }
  tm_batch *batch = count == 0 ? NULL : tm_time_segments_gather(&rows->segments, places, count);
  tm_free(d->env.budget, places, count * sizeof *places);
  if (count == 0) return 0;
  tm_last_rows_forget_keyless(rows);
  if (batch != NULL) batch->weights = tm_batch_alloc(batch, batch->rows * sizeof *batch->weights);
  if (batch == NULL || batch->weights == NULL) {
    tm_batch_release(batch);
    return -1;
  }
  for (uint32_t i = 0; i < count; i++) {
    batch->weights[tm_batch_row(batch, i)] = i < old ? -1 : 1;
  }
  give(d, batch, out);
  return 0;
}

/* Up to which time rows are final. */
static int64_t final_us(const dedup_last *d) {
  int64_t within_us = d->plan->keep.within_us;
  if (d->ended) return d->plan->changes ? TM_TIME_NONE : TM_TIME_END;
  if (within_us == TM_KEYS_FOR_EVER || d->watermark_us < TM_TIME_NONE + 1 + within_us) {
    return TM_TIME_NONE;
  }
  return d->watermark_us - within_us - 1;
}

/* What is final leaves; then time goes on, as far behind as rows may yet leave. */
static tm_flow drain(dedup_last *d, tm_out *out, tm_error *err) {
  int64_t last_us = final_us(d);
  if (tm_recent_keys_wants_growth(&d->rows.recent)) {
    int more = tm_recent_keys_grow_step(&d->rows.recent);
    if (more != 0) return more < 0 ? no_memory(err) : TM_FLOW_MORE;
  }
  if (last_us > TM_TIME_NONE && out->main == NULL) {
    tm_batch *batch;
    if (tm_last_rows_take(&d->rows, last_us, d->env.bind->job->batch_rows, &batch) < 0) {
      return no_memory(err);
    }
    if (batch != NULL) give(d, batch, out);
  }
  if (last_us > TM_TIME_NONE && tm_last_rows_has(&d->rows, last_us)) return TM_FLOW_MORE;
  if (d->ended) return TM_FLOW_FINISHED;
  int64_t time_us = d->plan->changes ? d->watermark_us : last_us == TM_TIME_NONE ? last_us
                                                                                 : last_us + 1;
  if (time_us > d->given_us) out->watermark_us = d->given_us = time_us;
  return TM_FLOW_INPUT;
}

/* ------------------------------------------------------------------ rows in */

static int mark_keyed(dedup_last *d, const tm_batch *batch) {
  const tm_keep_plan *keep = &d->plan->keep;
  if (batch->rows > d->keyed_rows) {
    tm_free(d->env.budget, d->keyed, d->keyed_rows);
    d->keyed_rows = 0;
    d->keyed = tm_alloc(d->env.budget, batch->rows);
    if (d->keyed == NULL) return -1;
    d->keyed_rows = batch->rows;
  }
  memset(d->keyed, 1, batch->rows);
  for (uint32_t k = 0; k < keep->key_count; k++) {
    const tm_column *column = &batch->columns[keep->keys[k]];
    for (uint32_t i = 0; column->valid != NULL && i < batch->selected; i++) {
      uint32_t row = tm_batch_row(batch, i);
      d->keyed[row] &= column->valid[row];
    }
  }
  return 0;
}

/* Adds the rows; those that they replace lie in d->rows.replaced. The number of rows that will
 * never be given, -1: memory. */
static int64_t add(dedup_last *d, tm_batch *batch) {
  if (mark_keyed(d, batch) < 0) return -1;
  return tm_last_rows_add(&d->rows, batch, d->keyed);
}

static tm_flow dedup_last_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                               tm_error *err) {
  dedup_last *d = self;
  tm_ledger *ledger = d->env.ledger;
  (void)port;
  int64_t superseded = taken->selected == 0 ? 0 : add(d, taken);
  uint32_t replaced = d->rows.replaced_count;
  int done = superseded < 0 ? -1 : 0;
  if (done == 0 && d->plan->changes && taken->selected > 0) done = give_changes(d, out);
  tm_batch_release(taken);
  if (done < 0 || tm_last_rows_drop(&d->rows) < 0) return no_memory(err);
  ledger->duplicate += (uint64_t)superseded + replaced;
  if (d->plan->changes) ledger->produced += 2 * replaced;
  return drain(d, out, err);
}

static tm_flow dedup_last_resume(void *self, tm_out *out, tm_error *err) {
  return drain(self, out, err);
}

static tm_flow dedup_last_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                                  tm_error *err) {
  dedup_last *d = self;
  (void)port;
  d->watermark_us = watermark_us;
  bool forgets = d->plan->keep.within_us != TM_KEYS_FOR_EVER;
  if (forgets && tm_recent_keys_advance(&d->rows.recent, watermark_us) < 0) return no_memory(err);
  return drain(d, out, err);
}

static tm_flow dedup_last_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  dedup_last *d = self;
  (void)port;
  d->ended = true;
  return drain(d, out, err);
}

/* ------------------------------------------------------------------ save, restore */

static int dedup_last_save(void *self, tm_bytes *out, tm_error *err) {
  dedup_last *d = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, (uint64_t)d->watermark_us);
  tm_record_put(&w, (uint64_t)d->given_us);
  tm_record_put(&w, d->emitted);
  tm_record_put(&w, d->ended);
  tm_last_rows_save(&d->rows, &w);
  return tm_record_end(&w, err);
}

/* The rows that were kept come once more, in order: none of them replaces another. */
static int dedup_last_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  dedup_last *d = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  d->watermark_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  d->given_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  d->emitted = tm_record_get(&r, UINT64_MAX);
  d->ended = tm_record_get(&r, 1);
  for (;;) {
    tm_batch *batch;
    if (tm_last_rows_restore(&d->rows, &r, d->env.bind->arena, &batch, err) < 0) return -1;
    if (batch == NULL) break;
    int64_t superseded = add(d, batch);
    bool replaced = superseded > 0 || d->rows.replaced_count > 0;
    tm_batch_release(batch);
    if (superseded < 0 || tm_last_rows_drop(&d->rows) < 0) return no_memory(err);
    if (replaced) return tm_record_refuse(err);
  }
  return tm_record_close(&r, err);
}

const tm_stage tm_stage_dedup_last = {
  .size = sizeof(tm_stage),
  .name = "dedup",
  .summary = "the last row of each key, for ever or within a time",
  .inputs = 1,
  .options = tm_dedup_options,
  .serves = dedup_last_serves,
  .bind = dedup_last_bind,
  .need = tm_keep_need,
  .open = dedup_last_open,
  .restore = dedup_last_restore,
  .push = dedup_last_push,
  .resume = dedup_last_resume,
  .advance = dedup_last_advance,
  .save = dedup_last_save,
  .finish = dedup_last_finish,
  .close = dedup_last_close,
};
