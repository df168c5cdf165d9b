/* operator/join_asof_live.c: for each row the latest of another side, at or before it: in a stream.
 *
 * Both sides come in order of time (the planner puts time_order before them), so the two are
 * merged: a left row waits until the right side's time is beyond its own, for until then a row may
 * come that is later, yet not too late. Right rows wait as long as they are later than the next
 * left row; then each takes the place of the one that its key had. What is kept is one right row a
 * key (with a tolerance, none that lies further back than that) and what one side is ahead of the
 * other. Left rows come out in their order, with the columns of what they found beside their own.
 *
 * Rows of one time come in the order of time_order, so the last of them is taken: as in a batch. */
#include <assert.h>
#include <string.h>

#include "operator/join_asof_live.h"

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "join_asof: out of memory");
}

/* ---------------------------------------------------------------- life */

static bool asof_serves(const tm_bind *bind) { return bind->job->stream; }

static int asof_bind(tm_bind *bind, tm_error *err) {
  const asof_plan *p = tm_join_asof_plan(bind, err);
  if (p == NULL) return -1;
  bind->single = true;
  bind->time_order = 3;
  /* Its rows do come in time order, but as a batch's they do only where those of the left side came
   * so: rows of one time are ordered by the columns that are needed, and in both at one place. */
  tm_join_take_turns(bind);
  return 0;
}

static void clear_queue(asof *a, asof_queue *q) {
  tm_join_key_reader_close(&q->keys);
  for (; q->count > 0; q->count--, q->first++) {
    tm_batch_release(q->items[q->first % q->capacity].batch);
  }
  tm_free(a->env.budget, q->items, q->capacity * sizeof *q->items);
}

static void asof_close(void *self) {
  asof *a = self;
  for (int port = 0; port < 2; port++) clear_queue(a, &a->queues[port]);
  tm_key_map_deinit(&a->keys);
  tm_row_pool_deinit(&a->pool);
  tm_free(a->env.budget, a, sizeof *a);
}

static int asof_open(const tm_stage_env *env, void **out, tm_error *err) {
  asof *a = tm_alloc_zero(env->budget, sizeof *a);
  if (a == NULL) return no_memory(err);
  a->env = *env;
  a->plan = env->bind->plan;
  a->oldest = a->newest = TM_POOL_NONE;
  a->told_us = TM_TIME_NONE;
  for (int port = 0; port < 2; port++) a->watermarks_us[port] = a->latest_us[port] = TM_TIME_NONE;
  tm_key_map_init(&a->keys, env->budget, sizeof(asof_key));
  if (tm_row_pool_init(&a->pool, env->budget, env->bind->inputs[1], a->plan->join.kept[1],
                       sizeof(asof_row)) < 0) {
    asof_close(a);
    return no_memory(err);
  }
  *out = a;
  return 0;
}

/* ---------------------------------------------------------------- rows that wait */

int tm_asof_enqueue(asof *a, uint32_t port, tm_batch *taken, tm_error *err) {
  asof_queue *q = &a->queues[port];
  if (q->count == q->capacity) {
    uint32_t capacity = q->capacity == 0 ? 8 : q->capacity * 2;
    asof_waiting *items = tm_alloc(a->env.budget, capacity * sizeof *items);
    if (items == NULL) {
      tm_batch_release(taken);
      return no_memory(err);
    }
    for (uint32_t i = 0; i < q->count; i++) items[i] = q->items[(q->first + i) % q->capacity];
    tm_free(a->env.budget, q->items, q->capacity * sizeof *items);
    q->items = items;
    q->capacity = capacity;
    q->first = 0;
  }
  q->items[(q->first + q->count++) % q->capacity] = (asof_waiting){.batch = taken};
  q->rows += taken->selected;
  a->latest_us[port] = taken->times[tm_batch_row(taken, taken->selected - 1)];
  return 0;
}

static asof_waiting *first_of(asof_queue *q) {
  return q->count == 0 ? NULL : &q->items[q->first];
}

/* The time of the next row that waits; TM_TIME_END: none does. */
static int64_t next_time(asof_queue *q) {
  const asof_waiting *w = first_of(q);
  return w == NULL ? TM_TIME_END : w->batch->times[tm_batch_row(w->batch, w->at)];
}

static int open_keys(asof *a, uint32_t port, tm_error *err) {
  asof_queue *q = &a->queues[port];
  if (q->keys.owner != NULL) return 0;
  return tm_join_key_reader_open(&q->keys, &a->env, first_of(q)->batch,
                                 &a->plan->join.keys[port], err);
}

static void drop_first(asof_queue *q) {
  tm_join_key_reader_close(&q->keys);
  tm_batch_release(first_of(q)->batch);
  q->first = (q->first + 1) % q->capacity;
  q->count--;
}

/* ---------------------------------------------------------------- the latest of each key */

static void unlink_row(asof *a, uint32_t id) {
  const asof_row *row = tm_asof_row(a, id);
  if (row->previous == TM_POOL_NONE) a->oldest = row->next;
  else tm_asof_row(a, row->previous)->next = row->next;
  if (row->next == TM_POOL_NONE) a->newest = row->previous;
  else tm_asof_row(a, row->next)->previous = row->previous;
}

static void link_row(asof *a, uint32_t id, int64_t time_us, tm_key_entry *key) {
  *tm_asof_row(a, id) = (asof_row){.time_us = time_us, .key = key, .next = TM_POOL_NONE,
                                   .previous = a->newest};
  if (a->newest == TM_POOL_NONE) a->oldest = id;
  else tm_asof_row(a, a->newest)->next = id;
  a->newest = id;
}

/* Left rows that wait to come out may have found it. */
static void forget(asof *a, uint32_t id) {
  unlink_row(a, id);
  if (a->found_count == 0) tm_row_pool_remove(&a->pool, id);
  else a->gone[a->gone_count++] = id;
}

int tm_asof_apply(asof *a, tm_join_key_reader *keys, const tm_batch *batch, uint32_t row,
                  tm_error *err) {
  int usable = tm_join_key_reader_read(keys, &a->env, row, err);
  if (usable <= 0) return usable;
  tm_key_entry *entry = tm_key_map_find(&a->keys, keys->bytes.data, keys->bytes.size, keys->hash);
  bool had = entry != NULL;
  if (!had) {
    entry = tm_key_map_insert(&a->keys, keys->bytes.data, keys->bytes.size, keys->hash);
    if (entry == NULL) return no_memory(err);
  }
  asof_key *key = tm_key_entry_payload(entry);
  uint32_t id;
  if (tm_row_pool_insert(&a->pool, batch, &row, 1, &id) < 0) {
    if (!had) tm_key_map_remove(&a->keys, entry);
    return no_memory(err);
  }
  if (had) forget(a, key->id);
  link_row(a, id, batch->times[row], entry);
  key->id = id;
  return 0;
}

/* No left row to come is earlier. */
static int64_t left_bound(asof *a) {
  if (a->queues[0].count > 0) return next_time(&a->queues[0]);
  if (a->ended[0]) return TM_TIME_END;
  return a->watermarks_us[0] > a->latest_us[0] ? a->watermarks_us[0] : a->latest_us[0];
}

/* Right rows up to the next left row take their places, at most `work` of them. The number, or -1
 * with err. */
static int64_t apply_right(asof *a, uint32_t work, tm_error *err) {
  asof_queue *q = &a->queues[1];
  int64_t bound = left_bound(a);
  bool nobody = a->ended[0] && a->queues[0].count == 0;
  uint32_t done = 0;
  while (done < work && q->count > 0 && (nobody || next_time(q) <= bound)) {
    asof_waiting *w = first_of(q);
    if (!nobody && open_keys(a, 1, err) < 0) return -1;
    uint32_t row = tm_batch_row(w->batch, w->at);
    if (!nobody && tm_asof_apply(a, &q->keys, w->batch, row, err) < 0) return -1;
    q->rows--;
    done++;
    if (++w->at == w->batch->selected) drop_first(q);
  }
  return done;
}

/* With a tolerance: rows that lie too far back for any left row to come. */
static void expire(asof *a) {
  if (a->plan->tolerance_us < 0) return;
  int64_t least = tm_time_less(left_bound(a), a->plan->tolerance_us);
  for (uint32_t n = 0; n < ASOF_WORK && a->oldest != TM_POOL_NONE; n++) {
    uint32_t id = a->oldest;
    if (tm_asof_row(a, id)->time_us >= least) return;
    tm_key_entry *key = tm_asof_row(a, id)->key;
    unlink_row(a, id);
    tm_row_pool_remove(&a->pool, id);
    tm_key_map_remove(&a->keys, key);
  }
}

/* ---------------------------------------------------------------- left rows */

/* The first left row that waits may look: no right row to come is at or before it. */
static bool may_look(asof *a) {
  if (a->queues[0].count == 0) return false;
  if (a->ended[1]) return true;
  int64_t time_us = next_time(&a->queues[0]);
  return time_us < a->watermarks_us[1] || time_us < a->latest_us[1];
}

static int look_up(asof *a, uint32_t row, int64_t time_us, uint32_t *out, tm_error *err) {
  tm_join_key_reader *keys = &a->queues[0].keys;
  *out = TM_POOL_NONE;
  int usable = tm_join_key_reader_read(keys, &a->env, row, err);
  if (usable <= 0) return usable;
  tm_key_entry *entry = tm_key_map_find(&a->keys, keys->bytes.data, keys->bytes.size, keys->hash);
  if (entry == NULL) return 0;
  uint32_t id = ((const asof_key *)tm_key_entry_payload(entry))->id;
  int64_t tolerance_us = a->plan->tolerance_us, least = tm_time_less(time_us, tolerance_us);
  if (tolerance_us < 0 || tm_asof_row(a, id)->time_us >= least) *out = id;
  return 0;
}

/* Rows [from, from + count) of the batch's selection, as a batch. NULL: out of memory. */
static tm_batch *part_of(asof *a, tm_batch *batch, uint32_t from, uint32_t count) {
  tm_batch *part = tm_batch_derive(batch, a->env.budget, batch->schema);
  uint32_t *rows = part == NULL ? NULL : tm_batch_alloc(part, (count + 1) * sizeof *rows);
  if (rows == NULL) {
    tm_batch_release(part);
    return NULL;
  }
  memcpy(part->columns, batch->columns, batch->schema->count * sizeof *part->columns);
  for (uint32_t i = 0; i < count; i++) rows[i] = tm_batch_row(batch, from + i);
  part->selection = rows;
  part->selected = count;
  return part;
}

static int emit_part(asof *a, tm_batch *part, tm_out *out, tm_error *err) {
  bool misses = tm_join_widen_misses(a->found, part->selected);
  if (misses && a->plan->join.kind == JOIN_INNER) {
    int64_t dropped = tm_join_widen_drop(part, a->found);
    if (dropped < 0) return no_memory(err);
    a->env.ledger->unmatched += (uint64_t)dropped;
    misses = false;
  }
  tm_join_widen widen = {.env = &a->env, .plan = &a->plan->join, .pool = &a->pool};
  tm_batch *batch = tm_join_widen_batch(&widen, part, a->found, misses);
  if (batch == NULL) return no_memory(err);
  tm_out_emit(out, batch);
  return 0;
}

/* The left rows that have looked come out, those of the first batch before its place. */
static int emit_found(asof *a, tm_out *out, tm_error *err) {
  const asof_waiting *w = first_of(&a->queues[0]);
  uint32_t count = a->found_count;
  tm_batch *part = part_of(a, w->batch, w->at - count, count);
  if (part == NULL) return no_memory(err);
  a->env.ledger->held -= count;
  a->queues[0].rows -= count;
  int done = emit_part(a, part, out, err);
  tm_batch_release(part);
  for (uint32_t i = 0; i < a->gone_count; i++) tm_row_pool_remove(&a->pool, a->gone[i]);
  a->gone_count = a->found_count = 0;
  if (w->at == w->batch->selected) drop_first(&a->queues[0]);
  return done;
}

/* Merges both sides as far as time has come: up to the end of a left batch, or as much as a call
 * may. 1: there may be more to do; 0: not; -1 with err. */
static int merge(asof *a, tm_error *err) {
  uint32_t work = 0;
  while (work < ASOF_WORK) {
    int64_t applied = apply_right(a, ASOF_WORK - work, err);
    if (applied < 0) return -1;
    work += (uint32_t)applied;
    if (work >= ASOF_WORK) break;
    if (!may_look(a)) return 0;
    asof_waiting *w = first_of(&a->queues[0]);
    uint32_t row = tm_batch_row(w->batch, w->at);
    if (open_keys(a, 0, err) < 0 ||
        look_up(a, row, w->batch->times[row], &a->found[a->found_count], err) < 0) {
      return -1;
    }
    a->found_count++;
    work++;
    if (++w->at == w->batch->selected) break;
  }
  return 1;
}

static tm_flow go_on(asof *a, tm_out *out, tm_error *err) {
  int more = merge(a, err);
  if (more < 0) return TM_FLOW_FAILED;
  if (a->found_count > 0 && emit_found(a, out, err) < 0) return TM_FLOW_FAILED;
  if (more > 0) return TM_FLOW_MORE;
  expire(a);
  if (a->ended[0] && a->ended[1]) return TM_FLOW_FINISHED;
  int64_t least = TM_TIME_END;
  for (int port = 0; port < 2; port++) {
    if (!a->ended[port] && a->watermarks_us[port] < least) least = a->watermarks_us[port];
  }
  if (least > a->told_us) out->watermark_us = a->told_us = least;
  return TM_FLOW_INPUT;
}

/* ---------------------------------------------------------------- the protocol */

/* In a stream `by` can only be event time under another name. */
static int check_by(const asof *a, uint32_t port, const tm_batch *batch, tm_error *err) {
  if (a->plan->by_time) return 0;
  const tm_column *c = &batch->columns[a->plan->by[port]];
  bool date = c->type.kind == TM_DATE, time = date || c->type.kind == TM_TIMESTAMP;
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    bool same = time && !tm_column_is_null(c, row);
    if (same && date) {
      int64_t us = ((const int32_t *)c->data)[row] * tm_join_asof_unit(a->plan);
      same = us == batch->times[row];
    } else if (same) {
      same = ((const int64_t *)c->data)[row] == batch->times[row];
    }
    if (same) continue;
    tm_fail(err, TM_E_JOB, "join_asof: in a stream rows go by event time, and '%s' is another",
            batch->schema->fields[a->plan->by[port]].name);
    return tm_error_help(err, "leave 'by' out, or run it as a batch");
  }
  return 0;
}

static tm_flow asof_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  asof *a = self;
  assert(taken->times != NULL && taken->selected > 0);
  if (check_by(a, port, taken, err) < 0) {
    tm_batch_release(taken);
    return TM_FLOW_FAILED;
  }
  if (port == 0) a->env.ledger->held += taken->selected;
  else a->env.ledger->absorbed += taken->selected;
  if (tm_asof_enqueue(a, port, taken, err) < 0) return TM_FLOW_FAILED;
  return go_on(a, out, err);
}

static tm_flow asof_resume(void *self, tm_out *out, tm_error *err) {
  return go_on(self, out, err);
}

static tm_flow asof_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                            tm_error *err) {
  asof *a = self;
  if (watermark_us > a->watermarks_us[port]) a->watermarks_us[port] = watermark_us;
  return go_on(a, out, err);
}

static tm_flow asof_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  asof *a = self;
  a->ended[port] = true;
  return go_on(a, out, err);
}

static uint32_t asof_wants(void *self) {
  const asof *a = self;
  const uint64_t rows[2] = {a->queues[0].rows, a->queues[1].rows};
  return tm_join_wants_by_time(&a->env, a->watermarks_us, a->ended, rows);
}

const tm_stage tm_stage_join_asof_live = {
  .size = sizeof(tm_stage),
  .name = "join_asof",
  .summary = "for each row the latest of another side, at or before it",
  .inputs = 2,
  .options = tm_join_asof_options,
  .serves = asof_serves,
  .bind = asof_bind,
  .need = tm_join_asof_need,
  .open = asof_open,
  .restore = tm_asof_restore,
  .save = tm_asof_save,
  .wants = asof_wants,
  .push = asof_push,
  .resume = asof_resume,
  .advance = asof_advance,
  .finish = asof_finish,
  .close = asof_close,
};
