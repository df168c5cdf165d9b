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
 * In a stream the same, where the right side is a table that ends (tm_join_builds_first): then left
 * rows come out as they come, with their marks and weights. A row has the later time of its two.
 *
 * Null keys match nothing. The books are those of "the right side is built", whichever is: right
 * rows are absorbed; a left row with k matches passed k and produced k - 1. */
#include <assert.h>
#include <string.h>

#include "operator/join_run.h"

static const tm_option join_options[] = {
  {"on", "text|table|list", NULL, "\"id\", { \"id\", left = \"right\" }, or {} for one row", NULL},
  {"kind", "text", "inner", "inner, left, right, full, semi or anti", NULL},
  {"where", "function", NULL, "a condition on both rows: function(l, r) return … end", NULL},
  {"take", "text|table|list", NULL, "columns of the right side, { new = \"old\" } renames", NULL},
  {"prefix", "text", NULL, "goes before the names of the right side's columns", NULL},
  {"ttl", "text|duration", NULL, "of no effect where nothing changes: in a batch", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef tm_join join;

static uint32_t probe_port(const join *j) { return 1 - j->plan->build; }
static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "join: out of memory"); }

static bool is_half(const join_plan *p) { return p->kind == JOIN_SEMI || p->kind == JOIN_ANTI; }

/* Rows of the build side come out by themselves. */
static bool kept_come_out(const join_plan *p) {
  return p->build == 1 ? p->outer_right : p->outer_left || is_half(p);
}

/* ---------------------------------------------------------------- probing */

static tm_flow end_batch(join *j, tm_out *out, tm_error *err);

/* Matches are a chain. */
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

static void follow_chains(join *j, uint32_t max) {
  tm_join_pairs *p = &j->pairs;
  const uint32_t *next = j->table->next;
  for (; j->at < j->batch->selected; j->at++) {
    uint32_t id = j->heads[j->at], row = tm_batch_row(j->batch, j->at);
    while (id != TM_ROW_NONE && p->count < max) {
      p->probe[p->count] = j->at;
      p->rows[p->count] = row;
      p->ids[p->count++] = id;
      id = next[id];
    }
    j->heads[j->at] = id;
    if (id != TM_ROW_NONE) return; /* the slice is full */
  }
}

static void mark(join *j) {
  const tm_join_pairs *p = &j->pairs;
  for (uint32_t i = 0; i < p->count; i++) j->met[p->probe[i]] = 1;
  if (!j->track) return;
  for (uint32_t i = 0; i < p->count; i++) tm_join_table_mark(j->table, p->ids[i]);
}

static tm_flow probe_more(join *j, tm_out *out, tm_error *err) {
  uint32_t max = j->env.bind->job->batch_rows;
  tm_join_pairs *p = &j->pairs;
  p->batch = j->batch;
  p->chunks = j->table->chunks;
  if (j->heads == NULL && j->match->find(j, err) < 0) return TM_FLOW_FAILED;
  if (j->at == j->batch->selected) return end_batch(j, out, err);
  if (tm_join_pairs_reserve(p, max, err) < 0) return TM_FLOW_FAILED;
  j->match->fill(j, max);
  if (tm_join_pairs_where(p, out, err) < 0) return TM_FLOW_FAILED;
  mark(j);
  if (is_half(j->plan) || p->count == 0) return TM_FLOW_MORE;
  j->env.ledger->produced += p->count; /* end_batch takes back one for each row that matched */
  tm_batch *batch = tm_join_pairs_make(p, p->rows, p->ids, p->count, err);
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
  tm_batch *batch = tm_join_pairs_make(&j->pairs, rows, NULL, count, err);
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
  tm_batch *batch = tm_join_pairs_make(&j->pairs, rows, NULL, count, err);
  if (batch == NULL) return TM_FLOW_FAILED;
  j->env.ledger->produced += count;
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

static tm_flow end_batch(join *j, tm_out *out, tm_error *err) {
  tm_flow flow = probe_port(j) == 0 ? end_left(j, out, err) : end_right(j, out, err);
  tm_batch_release(j->batch);
  j->batch = NULL;
  tm_join_pairs_begin(&j->pairs, NULL);
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
  tm_join_pairs_begin(&j->pairs, j->batch);
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
  bool comes_out = kept_come_out(j->plan);
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
  j->pairs.chunks = j->table->chunks;
  if (j->plan->build == 1) j->env.ledger->produced += count;
  tm_batch *batch = tm_join_pairs_make(&j->pairs, NULL, ids, count, err);
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

tm_flow tm_join_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  join *j = self;
  assert((port == j->plan->build) == (j->phase == JOIN_COPY));
  return port == j->plan->build ? tm_join_copy(j, taken, err) : probe(j, taken, out, err);
}

tm_flow tm_join_resume(void *self, tm_out *out, tm_error *err) {
  join *j = self;
  if (j->phase == JOIN_DRAIN) return drain(j, out, err);
  return j->batch != NULL ? probe_more(j, out, err) : tm_join_resume_build(j, err);
}

/* Rows that probe come out as they come, and the time of a pair is no earlier than theirs. Where
 * rows that were kept come out at the end, time stands still until then. */
static tm_flow join_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                            tm_error *err) {
  const join *j = self;
  (void)err;
  if (port != j->plan->build && !kept_come_out(j->plan)) out->watermark_us = watermark_us;
  return TM_FLOW_INPUT;
}

tm_flow tm_join_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  join *j = self;
  (void)out;
  return port == j->plan->build ? tm_join_end_copy(j, err) : begin_drain(j);
}

int tm_join_open_chains(const tm_stage_env *env, void **out, tm_error *err) {
  static const tm_join_match chains = {.find = find_heads, .fill = follow_chains};
  if (tm_join_open(env, out, err) < 0) return -1;
  ((join *)*out)->match = &chains;
  return 0;
}

const tm_stage tm_stage_join = {
  .size = sizeof(tm_stage),
  .name = "join",
  .summary = "rows of two sides whose keys are equal",
  .inputs = 2,
  .options = join_options,
  .serves = tm_join_builds_first,
  .bind = tm_join_bind,
  .need = tm_join_need,
  .share = tm_join_share,
  .open = tm_join_open_chains,
  .restore = tm_join_restore,
  .save = tm_join_save,
  .wants = tm_join_wants,
  .push = tm_join_push,
  .resume = tm_join_resume,
  .advance = join_advance,
  .finish = tm_join_finish,
  .close = tm_join_close,
  .unshare = tm_join_unshare,
};
