/* operator/join_pairs.c: see join_pairs.h. A condition is evaluated over the columns of a slice, a
 * row a pair. The event time of a row of the result is the later of its two. */
#include "operator/join_pairs.h"

#include <string.h>

#include "kernel/cast.h"

static int no_memory(const tm_join_pairs *p, tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "%s: out of memory", p->env->bind->verb);
}

void tm_join_pairs_begin(tm_join_pairs *pairs, tm_batch *batch) {
  pairs->batch = batch;
  pairs->both = NULL;
  pairs->probe = NULL;
  pairs->count = 0;
}

/* The arrays serve all slices of the batch. */
int tm_join_pairs_reserve(tm_join_pairs *p, uint32_t max, tm_error *err) {
  p->count = 0;
  if (p->probe != NULL) return 0;
  p->rows = tm_batch_alloc(p->batch, max * sizeof *p->rows);
  p->ids = tm_batch_alloc(p->batch, max * sizeof *p->ids);
  if (p->rows != NULL && p->ids != NULL) {
    p->probe = tm_batch_alloc(p->batch, max * sizeof *p->probe);
  }
  return p->probe == NULL ? no_memory(p, err) : 0;
}

/* ---------------------------------------------------------------- the condition */

/* A pair that is refused is told with the place of the row that probed. */
static int place_pairs(const tm_join_pairs *p, tm_batch *both) {
  both->origin = p->batch->origin;
  if (!p->env->bind->rejects || p->batch->ordinals == NULL) return 0;
  both->ordinals = tm_batch_alloc(both, (p->count + 1) * sizeof *both->ordinals);
  if (both->ordinals == NULL) return -1;
  for (uint32_t i = 0; i < p->count; i++) both->ordinals[i] = p->batch->ordinals[p->rows[i]];
  return 0;
}

static int gather_kept(const tm_join_pairs *p, uint32_t column, const uint32_t *ids,
                       uint32_t count, tm_batch *out, uint32_t out_column) {
  if (p->pool != NULL) {
    return tm_row_pool_gather(p->pool, column, ids, NULL, count, false, out, out_column);
  }
  return tm_row_store_gather(p->chunks, column, ids, NULL, count, false, out, out_column);
}

/* Refused pairs are shown whole. */
static bool reads(const tm_join_pairs *p, uint32_t column) {
  const tm_function *f = p->plan->where;
  if (p->env->bind->rejects && !p->env->bind->skip_rejects) return true;
  for (uint32_t k = 0; k < f->column_count; k++) {
    if (f->columns[k] == column) return true;
  }
  return false;
}

/* Both sides' columns that the condition reads, a row a pair. */
static int fill_both(const tm_join_pairs *p, tm_batch *both) {
  uint32_t width = p->env->bind->inputs[0]->count;
  if (tm_batch_pin_batch(both, p->batch) < 0 || place_pairs(p, both) < 0) return -1;
  for (uint32_t i = 0; i < both->schema->count; i++) {
    uint32_t port = i >= width, column = port == 1 ? i - width : i;
    if (!reads(p, i)) continue;
    int done = port == p->kept ? gather_kept(p, column, p->ids, p->count, both, i)
                               : tm_column_gather(both, i, &p->batch->columns[column], p->rows,
                                                  p->count, false);
    if (done < 0) return -1;
  }
  return 0;
}

/* Once a batch. */
static tm_schema *schema_of_both(tm_join_pairs *p) {
  const tm_schema *left = p->env->bind->inputs[0], *right = p->env->bind->inputs[1];
  if (p->both != NULL) return p->both;
  tm_schema *schema = tm_schema_create(&p->batch->arena, left->count + right->count);
  if (schema == NULL) return NULL;
  p->both = schema;
  memcpy(schema->fields, left->fields, left->count * sizeof *left->fields);
  memcpy(schema->fields + left->count, right->fields, right->count * sizeof *right->fields);
  return schema;
}

static int reject_pairs(const tm_join_pairs *p, const tm_batch *both, const tm_result *result,
                        tm_out *out, tm_error *err) {
  for (uint32_t i = 0; i < result->error_count; i++) {
    const tm_row_error *e = &result->errors[i];
    if (tm_out_reject(out, both, e->row, e->reason, e->script_line, e->message) < 0) {
      return no_memory(p, err);
    }
    p->env->ledger->produced++; /* the rows of the pair are booked apart from it */
  }
  return 0;
}

static int narrow(tm_join_pairs *p, tm_batch *both, tm_out *out, tm_error *err) {
  uint32_t *held = tm_batch_alloc(both, (p->count + 1) * sizeof *held), count = 0;
  tm_result result = {.arena = &both->arena};
  if (held == NULL || fill_both(p, both) < 0) return no_memory(p, err);
  if (tm_function_select(p->plan->where, p->env->worker, both, held, &count, &result, err) < 0 ||
      reject_pairs(p, both, &result, out, err) < 0) {
    return -1;
  }
  for (uint32_t i = 0; i < count; i++) {
    p->probe[i] = p->probe[held[i]];
    p->rows[i] = p->rows[held[i]];
    p->ids[i] = p->ids[held[i]];
  }
  p->count = count;
  return 0;
}

int tm_join_pairs_where(tm_join_pairs *p, tm_out *out, tm_error *err) {
  if (p->plan->where == NULL || p->count == 0) return 0;
  tm_schema *schema = schema_of_both(p);
  tm_batch *both = schema == NULL ? NULL : tm_batch_create(p->env->budget, schema, p->count);
  int done = both == NULL ? no_memory(p, err) : narrow(p, both, out, err);
  tm_batch_release(both);
  return done;
}

/* ---------------------------------------------------------------- batches of the result */

static bool is_needed(const tm_join_pairs *p, uint32_t column) {
  return p->env->bind->needed == NULL || p->env->bind->needed[column];
}

/* Converts a key of the other side to the type of the result's column. */
static int widen_into(const tm_join_pairs *p, tm_batch *out, uint32_t column, tm_type type) {
  tm_column raw = out->columns[column];
  raw.type = type;
  out->columns[column].type = p->env->bind->output->fields[column].type;
  return tm_cast_widen(out, column, &raw);
}

static int make_column(const tm_join_pairs *p, tm_batch *out, uint32_t column,
                       const uint32_t *rows, const uint32_t *ids, uint32_t count) {
  join_column from = p->plan->columns[column];
  bool left_there = p->kept == 0 ? ids != NULL : rows != NULL;
  uint32_t port = from.left >= 0 && (left_there || from.right < 0) ? 0 : 1;
  uint32_t index = (uint32_t)(port == 0 ? from.left : from.right);
  bool there = port == p->kept ? ids != NULL : rows != NULL;
  if (!there) {
    if (tm_batch_column(out, column, true) < 0) return -1;
    memset(out->columns[column].valid, 0, count);
    memset(out->columns[column].data, 0, count * tm_type_width(out->columns[column].type));
    return 0;
  }
  tm_type type = p->plan->sides[port]->fields[index].type;
  out->columns[column].type = type;
  int done = port == p->kept ? gather_kept(p, index, ids, count, out, column)
                             : tm_column_gather(out, column, &p->batch->columns[index], rows,
                                                count, false);
  return done < 0 ? -1 : widen_into(p, out, column, type);
}

/* 64-bit numbers that stand beside the batch's rows. NULL when out of memory. */
static void *gather_words(tm_batch *out, const void *from, const uint32_t *rows, uint32_t count) {
  uint64_t *to = tm_batch_alloc(out, (count + 1) * sizeof *to);
  for (uint32_t i = 0; to != NULL && i < count; i++) {
    memcpy(&to[i], (const char *)from + rows[i] * sizeof *to, sizeof *to);
  }
  return to;
}

static void kept_times(const tm_join_pairs *p, const uint32_t *ids, uint32_t count, int64_t *out) {
  if (p->pool == NULL) {
    tm_row_store_times(p->chunks, ids, count, out);
    return;
  }
  for (uint32_t i = 0; i < count; i++) out[i] = *(int64_t *)tm_row_pool_head(p->pool, ids[i]);
}

/* The later of both sides' times, as far as they are there. */
static bool make_times(const tm_join_pairs *p, tm_batch *out, const uint32_t *rows,
                       const uint32_t *ids, uint32_t count) {
  if (!p->plan->timed) return true;
  int64_t *times = tm_batch_alloc(out, (count + 1) * sizeof *times);
  if (times == NULL) return false;
  bool kept = ids != NULL && p->plan->side_timed[p->kept];
  if (kept) kept_times(p, ids, count, times);
  bool probes = rows != NULL && p->batch->times != NULL;
  for (uint32_t i = 0; i < count; i++) {
    int64_t least = kept ? times[i] : TM_TIME_NONE;
    int64_t other = probes ? p->batch->times[rows[i]] : TM_TIME_NONE;
    times[i] = other > least ? other : least;
  }
  out->times = times;
  return true;
}

/* What rides hidden beside the rows of the batch goes on with them. */
static bool make_hidden(const tm_join_pairs *p, tm_batch *out, const uint32_t *rows,
                        uint32_t count) {
  const tm_batch *from = p->batch;
  if (from == NULL) return true;
  out->origin = from->origin;
  out->sequence = from->sequence;
  if (rows == NULL) return true;
  bool marked = from->marks != NULL && p->plan->keeps_marks;
  if (from->ordinals != NULL) out->ordinals = gather_words(out, from->ordinals, rows, count);
  if (marked) out->marks = gather_words(out, from->marks, rows, count);
  if (from->weights != NULL) {
    out->weights = tm_batch_alloc(out, (count + 1) * sizeof *out->weights);
    for (uint32_t i = 0; out->weights != NULL && i < count; i++) {
      out->weights[i] = from->weights[rows[i]];
    }
  }
  return (out->ordinals != NULL) == (from->ordinals != NULL) &&
         (out->marks != NULL) == marked && (out->weights != NULL) == (from->weights != NULL);
}

tm_batch *tm_join_pairs_make(const tm_join_pairs *p, const uint32_t *rows, const uint32_t *ids,
                             uint32_t count, tm_error *err) {
  tm_batch *out = tm_batch_create(p->env->budget, p->env->bind->output, count);
  bool done = out != NULL && (p->batch == NULL || tm_batch_pin_batch(out, p->batch) == 0);
  for (uint32_t i = 0; done && i < out->schema->count; i++) {
    bool ours = p->plan->columns[i].left >= 0 || p->plan->columns[i].right >= 0;
    if (ours && is_needed(p, i)) done = make_column(p, out, i, rows, ids, count) == 0;
  }
  if (done && make_times(p, out, rows, ids, count) && make_hidden(p, out, rows, count)) return out;
  tm_batch_release(out);
  no_memory(p, err);
  return NULL;
}
