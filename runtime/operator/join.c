/* operator/join.c: the hash join, every kind, several keys, a residual condition.
 *
 * One side is kept (built), the other flows past it (probes). Every lane copies its part of the
 * build side; at the first gate one lane lays the parts out as one array of rows, then every lane
 * builds the table of the keys that fall to it; behind the second gate all lanes probe all tables,
 * which no longer change. A probing batch gives pairs of rows, in slices of a batch each, so that
 * a key with a million rows stalls nobody. A condition is evaluated over the columns of a slice.
 * Where the build side's rows matter by themselves (outer, semi, anti kinds of that side) pairs
 * mark them, and behind a third gate every lane gives out its share of the chunks.
 *
 * Null keys match nothing. The books are those of "the right side is built", whichever is: right
 * rows are absorbed; a left row with k matches passed k and produced k - 1. */
#include "operator/join_run.h"

#include <assert.h>
#include <string.h>

#include "kernel/cast.h"

static const tm_option join_options[] = {
  {"on", "text|table|list", NULL, "\"id\", { \"id\", left = \"right\" }, or {} for one row", NULL},
  {"kind", "text", "inner", "inner, left, right, full, semi or anti", NULL},
  {"where", "function", NULL, "a condition on both rows: function(l, r) return … end", NULL},
  {"take", "text|table|list", NULL, "columns of the right side, { new = \"old\" } renames", NULL},
  {"prefix", "text", NULL, "goes before the names of the right side's columns", NULL},
  {"window", "any", NULL, NULL, "joins in a window come with streams"},
  {"ttl", "any", NULL, NULL, "state that expires comes with streams"},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef tm_join_shared shared;
typedef tm_join join;

static uint32_t probe_port(const join *j) { return 1 - j->plan->build; }
static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "join: out of memory"); }

static bool is_outer(const join_plan *p, uint32_t port) {
  return port == 0 ? p->outer_left : p->outer_right;
}
static bool is_half(const join_plan *p) { return p->kind == JOIN_SEMI || p->kind == JOIN_ANTI; }

/* ---------------------------------------------------------------- life */

static int join_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                      tm_error *err) {
  const join_plan *p = bind->plan;
  shared *s = tm_alloc_zero(budget, sizeof *s);
  if (s == NULL) return no_memory(err);
  *out = s;
  s->budget = budget;
  tm_gate_init(&s->copied, lanes);
  tm_gate_init(&s->built, lanes);
  tm_gate_init(&s->probed, lanes);
  s->rebuild = tm_alloc_zero(budget, lanes * sizeof *s->rebuild);
  if (s->rebuild == NULL) return no_memory(err);
  return tm_join_table_init(&s->table, budget, lanes, bind->inputs[p->build], p->kept, err);
}

static int join_open(const tm_stage_env *env, void **out, tm_error *err) {
  join *j = tm_alloc_zero(env->budget, sizeof *j);
  if (j == NULL) return no_memory(err);
  j->env = *env;
  j->plan = env->bind->plan;
  j->shared = env->shared;
  j->table = &j->shared->table;
  j->track = j->plan->build == 0 || j->plan->outer_right;
  *out = j;
  return 0;
}

static uint32_t join_wants(void *self) {
  join *j = self;
  if (j->phase == JOIN_COPY) return (uint32_t)1 << j->plan->build;
  return j->phase == JOIN_PROBE ? (uint32_t)1 << probe_port(j) : 0;
}

/* ---------------------------------------------------------------- the build side */

static tm_flow copy(join *j, tm_batch *taken, tm_error *err) {
  uint32_t lane = j->env.lane;
  if (j->plan->build == 1) j->env.ledger->absorbed += taken->selected;
  int done = tm_join_table_append(j->table, lane, taken, &j->plan->keys[j->plan->build], err);
  tm_batch_release(taken);
  return done < 0 ? TM_FLOW_FAILED : TM_FLOW_INPUT;
}

static int check_scalar(join *j, tm_error *err) {
  if (!j->plan->scalar || j->table->rows <= 1) return 0;
  return tm_fail(err, TM_E_SCALAR, "join with on = {} wants at most one row on the right, it has "
                 "%llu", (unsigned long long)j->table->rows);
}

/* The last lane lays the parts out; the others wait for it. */
static tm_flow await_layout(join *j) {
  if (__atomic_load_n(&j->shared->laid_out, __ATOMIC_ACQUIRE) == 0) return TM_FLOW_BLOCKED;
  j->phase = JOIN_BUILD;
  return TM_FLOW_MORE;
}

int tm_join_lay_out(tm_join *j, tm_error *err) {
  const tm_join_keys *keys = &j->plan->keys[j->plan->build];
  if (tm_join_table_gather(j->table, keys, j->track, err) < 0) return -1;
  if (check_scalar(j, err) < 0) return -1;
  __atomic_store_n(&j->shared->laid_out, 1, __ATOMIC_RELEASE);
  return 0;
}

static tm_flow end_copy(join *j, tm_error *err) {
  j->phase = JOIN_LAY_OUT;
  if (!tm_gate_arrive(&j->shared->copied, &j->env)) return TM_FLOW_BLOCKED;
  if (tm_join_lay_out(j, err) < 0) return TM_FLOW_FAILED;
  j->env.wake(j->env.waker);
  return TM_FLOW_MORE;
}

static tm_flow build(join *j, tm_error *err) {
  const tm_join_keys *keys = &j->plan->keys[j->plan->build];
  if (j->chunk < j->table->chunk_count) {
    int done = tm_join_table_build(j->table, j->env.lane, j->chunk++, keys, err);
    return done < 0 ? TM_FLOW_FAILED : TM_FLOW_MORE;
  }
  tm_gate_arrive(&j->shared->built, &j->env);
  j->phase = JOIN_PROBE;
  return tm_gate_open(&j->shared->built) ? TM_FLOW_INPUT : TM_FLOW_BLOCKED;
}

/* ---------------------------------------------------------------- pairs of rows */

typedef tm_join_slice slice;

/* The arrays serve all slices of the batch. */
static bool slice_init(join *j, slice *s, uint32_t max) {
  s->count = 0;
  if (s->probe != NULL) return true;
  s->rows = tm_batch_alloc(j->batch, max * sizeof *s->rows);
  s->ids = tm_batch_alloc(j->batch, max * sizeof *s->ids);
  if (s->rows == NULL || s->ids == NULL) return false;
  s->probe = tm_batch_alloc(j->batch, max * sizeof *s->probe);
  return s->probe != NULL;
}

static void fill(join *j, slice *s, uint32_t max) {
  const uint32_t *next = j->table->next;
  for (; j->at < j->batch->selected; j->at++) {
    uint32_t id = j->heads[j->at], row = tm_batch_row(j->batch, j->at);
    while (id != TM_ROW_NONE && s->count < max) {
      s->probe[s->count] = j->at;
      s->rows[s->count] = row;
      s->ids[s->count++] = id;
      id = next[id];
    }
    j->heads[j->at] = id;
    if (id != TM_ROW_NONE) return; /* the slice is full */
  }
}

/* A pair that is refused is told with the place of the row that probed. */
static int place_pairs(const join *j, const slice *s, tm_batch *pairs) {
  pairs->origin = j->batch->origin;
  if (!j->env.bind->rejects || j->batch->ordinals == NULL) return 0;
  pairs->ordinals = tm_batch_alloc(pairs, (s->count + 1) * sizeof *pairs->ordinals);
  if (pairs->ordinals == NULL) return -1;
  for (uint32_t i = 0; i < s->count; i++) pairs->ordinals[i] = j->batch->ordinals[s->rows[i]];
  return 0;
}

/* Both sides' columns that the condition reads, a row a pair. */
static tm_batch *pair_columns(join *j, const slice *s, const tm_function *f, tm_schema *schema,
                              tm_error *err) {
  tm_batch *pairs = tm_batch_create(j->env.budget, schema, s->count);
  if (pairs == NULL || tm_batch_pin_batch(pairs, j->batch) < 0) {
    tm_batch_release(pairs);
    no_memory(err);
    return NULL;
  }
  if (place_pairs(j, s, pairs) < 0) {
    tm_batch_release(pairs);
    no_memory(err);
    return NULL;
  }
  uint32_t width = j->env.bind->inputs[0]->count;
  for (uint32_t i = 0; i < schema->count; i++) {
    uint32_t port = i >= width, column = port == 1 ? i - width : i;
    bool wanted = j->env.bind->rejects;
    for (uint32_t k = 0; k < f->column_count; k++) wanted |= f->columns[k] == i;
    if (!wanted) continue;
    int done = port == j->plan->build
                   ? tm_row_store_gather(j->table->chunks, column, s->ids, NULL, s->count, false,
                                         pairs, i)
                   : tm_column_gather(pairs, i, &j->batch->columns[column], s->rows, s->count,
                                      false);
    if (done == 0) continue;
    tm_batch_release(pairs);
    no_memory(err);
    return NULL;
  }
  return pairs;
}

/* Once a batch. */
static tm_schema *pair_schema(join *j) {
  const tm_schema *left = j->env.bind->inputs[0], *right = j->env.bind->inputs[1];
  if (j->pairs != NULL) return j->pairs;
  tm_schema *schema = tm_schema_create(&j->batch->arena, left->count + right->count);
  if (schema == NULL) return NULL;
  j->pairs = schema;
  memcpy(schema->fields, left->fields, left->count * sizeof *left->fields);
  memcpy(schema->fields + left->count, right->fields, right->count * sizeof *right->fields);
  return schema;
}

static int reject_pairs(join *j, const tm_batch *pairs, const tm_result *result, tm_out *out,
                        tm_error *err) {
  for (uint32_t i = 0; i < result->error_count; i++) {
    const tm_row_error *e = &result->errors[i];
    if (tm_out_reject(out, pairs, e->row, e->reason, e->script_line, e->message) < 0) {
      return no_memory(err);
    }
    j->env.ledger->produced++; /* the rows of the pair are booked apart from it */
  }
  return 0;
}

/* Leaves only the pairs for which the condition holds. */
static int apply_where(join *j, slice *s, tm_out *out, tm_error *err) {
  if (j->plan->where == NULL || s->count == 0) return 0;
  tm_schema *schema = pair_schema(j);
  if (schema == NULL) return no_memory(err);
  tm_batch *pairs = pair_columns(j, s, j->plan->where, schema, err);
  if (pairs == NULL) return -1;
  uint32_t count = 0;
  uint32_t *held = tm_batch_alloc(pairs, (s->count + 1) * sizeof *held);
  tm_result result = {.arena = &pairs->arena};
  int done = held == NULL ? no_memory(err)
                          : tm_function_select(j->plan->where, j->env.worker, pairs, held, &count,
                                               &result, err);
  if (done == 0) done = reject_pairs(j, pairs, &result, out, err);
  for (uint32_t i = 0; done == 0 && i < count; i++) {
    s->probe[i] = s->probe[held[i]];
    s->rows[i] = s->rows[held[i]];
    s->ids[i] = s->ids[held[i]];
  }
  s->count = count;
  tm_batch_release(pairs);
  return done;
}

static void mark(join *j, const slice *s) {
  for (uint32_t i = 0; i < s->count; i++) j->met[s->probe[i]] = 1;
  if (!j->track) return;
  for (uint32_t i = 0; i < s->count; i++) tm_join_table_mark(j->table, s->ids[i]);
}

/* ---------------------------------------------------------------- making result batches */

static bool is_needed(const join *j, uint32_t column) {
  return j->env.bind->needed == NULL || j->env.bind->needed[column];
}

/* Converts a key of the other side to the type of the result's column. */
static int widen_into(join *j, tm_batch *out, uint32_t column, tm_type type) {
  tm_column raw = out->columns[column];
  raw.type = type;
  out->columns[column].type = j->env.bind->output->fields[column].type;
  return tm_cast_widen(out, column, &raw);
}

/* One column of the result; rows or ids may be NULL where that side is missing (all null). */
static int make_column(join *j, tm_batch *out, uint32_t column, const uint32_t *rows,
                       const uint32_t *ids, uint32_t count) {
  join_column from = j->plan->columns[column];
  uint32_t build = j->plan->build;
  bool left_there = build == 0 ? ids != NULL : rows != NULL;
  uint32_t port = from.left >= 0 && (left_there || from.right < 0) ? 0 : 1;
  uint32_t index = (uint32_t)(port == 0 ? from.left : from.right);
  bool there = port == build ? ids != NULL : rows != NULL;
  if (!there) {
    if (tm_batch_column(out, column, true) < 0) return -1;
    memset(out->columns[column].valid, 0, count);
    memset(out->columns[column].data, 0, count * tm_type_width(out->columns[column].type));
    return 0;
  }
  tm_type type = j->env.bind->inputs[port]->fields[index].type;
  out->columns[column].type = type;
  int done = port == build ? tm_row_store_gather(j->table->chunks, index, ids, NULL, count, false,
                                                 out, column)
                           : tm_column_gather(out, column, &j->batch->columns[index], rows, count,
                                              false);
  return done < 0 ? -1 : widen_into(j, out, column, type);
}

static tm_batch *make_batch(join *j, const uint32_t *rows, const uint32_t *ids, uint32_t count,
                            tm_error *err) {
  tm_batch *out = tm_batch_create(j->env.budget, j->env.bind->output, count);
  bool done = out != NULL && (j->batch == NULL || tm_batch_pin_batch(out, j->batch) == 0);
  for (uint32_t i = 0; done && i < out->schema->count; i++) {
    if (is_needed(j, i)) done = make_column(j, out, i, rows, ids, count) == 0;
  }
  if (done) {
    if (j->batch != NULL) {
      out->origin = j->batch->origin;
      out->sequence = j->batch->sequence;
      if (j->batch->ordinals != NULL && rows != NULL) {
        out->ordinals = tm_batch_alloc(out, (count + 1) * sizeof *out->ordinals);
        done = out->ordinals != NULL;
        for (uint32_t i = 0; done && i < count; i++) {
          out->ordinals[i] = j->batch->ordinals[rows[i]];
        }
      }
    }
    if (done) return out;
  }
  tm_batch_release(out);
  no_memory(err);
  return NULL;
}

/* ---------------------------------------------------------------- probing */

static tm_flow end_batch(join *j, tm_out *out, tm_error *err);

/* The first match of every row; after a restore, the next one of where it was. */
static int find_heads(join *j, tm_error *err) {
  const tm_join_keys *keys = &j->plan->keys[probe_port(j)];
  uint32_t *heads = tm_batch_alloc(j->batch, (j->batch->selected + 1) * sizeof *heads);
  if (heads == NULL) return no_memory(err);
  if (tm_join_table_probe(j->table, j->batch, keys, heads, err) < 0) return -1;
  if (j->resumes && j->at < j->batch->selected) {
    bool known = j->at_head == TM_ROW_NONE || j->at_head >> TM_CHUNK_BITS < j->table->chunk_count;
    if (!known) return tm_fail(err, TM_E_LOCKED, "saved state does not fit this step");
    for (uint32_t i = 0; i < j->at; i++) heads[i] = TM_ROW_NONE;
    heads[j->at] = j->at_head;
  }
  j->resumes = false;
  j->heads = heads;
  return 0;
}

static tm_flow probe_more(join *j, tm_out *out, tm_error *err) {
  uint32_t max = j->env.bind->job->batch_rows;
  slice *s = &j->slice;
  if (j->heads == NULL && find_heads(j, err) < 0) return TM_FLOW_FAILED;
  if (j->at == j->batch->selected) return end_batch(j, out, err);
  if (!slice_init(j, s, max)) return no_memory(err);
  fill(j, s, max);
  if (apply_where(j, s, out, err) < 0) return TM_FLOW_FAILED;
  mark(j, s);
  if (is_half(j->plan) || s->count == 0) return TM_FLOW_MORE;
  j->env.ledger->produced += s->count; /* end_batch takes back one for each row that matched */
  tm_batch *batch = make_batch(j, s->rows, s->ids, s->count, err);
  if (batch == NULL) return TM_FLOW_FAILED;
  tm_out_emit(out, batch);
  return TM_FLOW_MORE;
}

static uint32_t rows_with(const join *j, uint8_t met, uint32_t *rows) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < j->batch->selected; i++) {
    rows[count] = tm_batch_row(j->batch, i);
    count += j->met[i] == met;
  }
  return count;
}

/* Left rows that probed: books them, and gives out those that come without a partner. */
static tm_flow end_left(join *j, tm_out *out, tm_error *err) {
  tm_ledger *l = j->env.ledger;
  join_kind kind = j->plan->kind;
  uint32_t *rows = tm_batch_alloc(j->batch, (j->batch->selected + 1) * sizeof *rows);
  if (rows == NULL) return no_memory(err);
  uint8_t wanted = kind == JOIN_SEMI ? 1 : 0;
  uint32_t count = rows_with(j, wanted, rows);
  uint32_t met = wanted == 1 ? count : j->batch->selected - count;
  if (!is_half(j->plan)) l->produced -= met;
  bool comes_out = is_half(j->plan) || j->plan->outer_left;
  if (kind == JOIN_ANTI) l->filtered += met;
  else if (kind == JOIN_SEMI || !comes_out) l->unmatched += j->batch->selected - met;
  if (!comes_out || count == 0) return TM_FLOW_INPUT;
  tm_batch *batch = make_batch(j, rows, NULL, count, err);
  if (batch == NULL) return TM_FLOW_FAILED;
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

/* Right rows that probed are absorbed; those of outer kinds without a partner are produced. */
static tm_flow end_right(join *j, tm_out *out, tm_error *err) {
  j->env.ledger->absorbed += j->batch->selected;
  if (!j->plan->outer_right) return TM_FLOW_INPUT;
  uint32_t *rows = tm_batch_alloc(j->batch, (j->batch->selected + 1) * sizeof *rows);
  if (rows == NULL) return no_memory(err);
  uint32_t count = rows_with(j, 0, rows);
  if (count == 0) return TM_FLOW_INPUT;
  tm_batch *batch = make_batch(j, rows, NULL, count, err);
  if (batch == NULL) return TM_FLOW_FAILED;
  j->env.ledger->produced += count;
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

static tm_flow end_batch(join *j, tm_out *out, tm_error *err) {
  tm_flow flow = probe_port(j) == 0 ? end_left(j, out, err) : end_right(j, out, err);
  tm_batch_release(j->batch);
  j->batch = NULL;
  return flow;
}

static tm_flow probe(join *j, tm_batch *taken, tm_out *out, tm_error *err) {
  j->batch = tm_batch_own(taken, j->env.budget); /* scratch comes from its arena */
  if (j->batch == NULL) return no_memory(err);
  j->met = tm_batch_alloc(j->batch, j->batch->selected + 1);
  if (j->met == NULL) return no_memory(err);
  memset(j->met, 0, j->batch->selected + 1);
  j->at = 0;
  j->heads = NULL;
  j->slice = (slice){0};
  j->pairs = NULL;
  tm_flow flow = probe_more(j, out, err);
  if (flow != TM_FLOW_MORE || out->main != NULL) return flow;
  return j->batch != NULL && j->at == j->batch->selected ? end_batch(j, out, err) : flow;
}

/* ---------------------------------------------------------------- rows of the build side */

/* Books a chunk of left rows that were kept; how many of them have met a partner. */
static void book_kept_left(join *j, uint32_t met, uint32_t count) {
  tm_ledger *l = j->env.ledger;
  if (!is_half(j->plan)) l->produced -= met;
  if (j->plan->kind == JOIN_ANTI) l->filtered += met;
  else if (j->plan->kind == JOIN_SEMI || !j->plan->outer_left) l->unmatched += count - met;
}

static tm_flow drain(join *j, tm_out *out, tm_error *err) {
  if (!tm_gate_open(&j->shared->probed)) return TM_FLOW_BLOCKED;
  while (j->chunk < j->table->chunk_count && j->chunk % j->env.lanes != j->env.lane) j->chunk++;
  if (j->chunk >= j->table->chunk_count) return TM_FLOW_FINISHED;
  const tm_chunk *chunk = &j->table->chunks[j->chunk];
  uint32_t ids[TM_BATCH_ROWS], count = 0, met = 0, seen = 0;
  uint32_t max = j->env.bind->job->batch_rows < TM_BATCH_ROWS ? j->env.bind->job->batch_rows
                                                              : TM_BATCH_ROWS;
  uint8_t wanted = j->plan->kind == JOIN_SEMI ? 1 : 0;
  bool comes_out = is_outer(j->plan, j->plan->build) || (is_half(j->plan) && j->plan->build == 0);
  for (; j->row < chunk->count && seen < max; j->row++, seen++) {
    uint32_t id = j->chunk << TM_CHUNK_BITS | j->row;
    uint8_t has = __atomic_load_n(&j->table->matched[id], __ATOMIC_RELAXED);
    ids[count] = id;
    count += has == wanted;
    met += has;
  }
  if (j->plan->build == 0) book_kept_left(j, met, seen);
  if (j->row == chunk->count) {
    j->chunk++;
    j->row = 0;
  }
  if (!comes_out || count == 0) return TM_FLOW_MORE;
  if (j->plan->build == 1) j->env.ledger->produced += count;
  tm_batch *batch = make_batch(j, NULL, ids, count, err);
  if (batch == NULL) return TM_FLOW_FAILED;
  tm_out_emit(out, batch);
  return TM_FLOW_MORE;
}

static tm_flow begin_drain(join *j) {
  if (!j->track) return TM_FLOW_FINISHED;
  j->phase = JOIN_DRAIN;
  j->chunk = j->row = 0;
  tm_gate_arrive(&j->shared->probed, &j->env);
  return tm_gate_open(&j->shared->probed) ? TM_FLOW_MORE : TM_FLOW_BLOCKED;
}

/* ---------------------------------------------------------------- the protocol */

static tm_flow join_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  join *j = self;
  assert((port == j->plan->build) == (j->phase == JOIN_COPY));
  return port == j->plan->build ? copy(j, taken, err) : probe(j, taken, out, err);
}

static tm_flow join_resume(void *self, tm_out *out, tm_error *err) {
  join *j = self;
  switch (j->phase) {
    case JOIN_LAY_OUT: return await_layout(j);
    case JOIN_BUILD: return build(j, err);
    case JOIN_PROBE:
      if (j->batch != NULL) return probe_more(j, out, err);
      return tm_gate_open(&j->shared->built) ? TM_FLOW_INPUT : TM_FLOW_BLOCKED;
    case JOIN_DRAIN: return drain(j, out, err);
    default: return TM_FLOW_INPUT;
  }
}

static tm_flow join_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  join *j = self;
  (void)out;
  return port == j->plan->build ? end_copy(j, err) : begin_drain(j);
}

static void join_close(void *self) {
  join *j = self;
  tm_batch_release(j->batch);
  tm_free(j->env.budget, j, sizeof *j);
}

static void join_unshare(void *object) {
  shared *s = object;
  tm_budget *budget = s->budget;
  tm_free(budget, s->rebuild, s->copied.lanes * sizeof *s->rebuild);
  tm_free(budget, s->marks, s->mark_count);
  tm_join_table_deinit(&s->table);
  tm_free(budget, s, sizeof *s);
}

const tm_stage tm_stage_join = {
  .size = sizeof(tm_stage),
  .name = "join",
  .summary = "rows of two sides whose keys are equal",
  .inputs = 2,
  .options = join_options,
  .bind = tm_join_bind,
  .need = tm_join_need,
  .share = join_share,
  .open = join_open,
  .restore = tm_join_restore,
  .save = tm_join_save,
  .wants = join_wants,
  .push = join_push,
  .resume = join_resume,
  .finish = join_finish,
  .close = join_close,
  .unshare = join_unshare,
};
