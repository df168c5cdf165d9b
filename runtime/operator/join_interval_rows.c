/* operator/join_interval_rows.c: the rows that join_interval keeps; see join_interval_live.h.
 *
 * A row is in the pool of its side, in the list of its key, in the heap of ends, and in `waiting`
 * where that holds the watermark back. */
#include <assert.h>

#include "operator/join_interval_live.h"

enum { BURIED_MAX = 4096 };

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "join_interval: out of memory");
}

int tm_interval_rows_init(interval *i, tm_error *err) {
  const tm_bind *bind = i->env.bind;
  tm_key_map_init(&i->keys, i->env.budget, sizeof(interval_key));
  int done = 0;
  for (int side = 0; side < 2; side++) {
    done |= tm_row_pool_init(&i->pools[side], i->env.budget, bind->inputs[side],
                             i->plan->join.kept[side], sizeof(interval_row));
  }
  return done < 0 ? no_memory(err) : 0;
}

void tm_interval_rows_deinit(interval *i) {
  uint64_t at = 0;
  tm_budget *budget = i->env.budget;
  for (tm_key_entry *entry; (entry = tm_key_map_next(&i->keys, &at)) != NULL;) {
    for (int side = 0; side < 2; side++) {
      tm_time_list_deinit(&tm_interval_key(entry)->rows[side], budget);
    }
  }
  tm_key_map_deinit(&i->keys);
  for (int side = 0; side < 2; side++) {
    tm_row_pool_deinit(&i->pools[side]);
    tm_time_heap_deinit(&i->ends[side], budget);
    tm_time_list_deinit(&i->waiting[side], budget);
  }
}

/* ---------------------------------------------------------------- fates */

bool tm_interval_comes_out(const interval *i, uint32_t port, bool met) {
  const join_plan *p = &i->plan->join;
  if (port == 1) return p->outer_right && !met;
  return p->kind == JOIN_SEMI ? met : !met && (p->outer_left || p->kind == JOIN_ANTI);
}

/* As of "the right side is built": a left row with k matches passed k and produced k - 1. */
void tm_interval_settle(interval *i, bool met) {
  tm_ledger *l = i->env.ledger;
  join_kind kind = i->plan->join.kind;
  if (met && kind == JOIN_ANTI) l->filtered++;
  if (met && !tm_interval_is_half(i)) l->produced--;
  if (!met && !tm_interval_comes_out(i, 0, false)) l->unmatched++;
}

/* Its own time holds the output's back, and only it itself can tell for how long. */
static bool waits(const interval *i, uint32_t port) {
  const join_plan *p = &i->plan->join;
  if (port == 1) return p->outer_right && i->plan->from.by_column;
  return (p->outer_left || tm_interval_is_half(i)) && i->plan->to.by_column;
}

void tm_interval_meet(interval *i, uint32_t port, uint32_t id) {
  interval_row *row = tm_interval_row(i, port, id);
  assert(!row->met);
  row->met = 1;
  if (waits(i, port)) tm_time_list_remove(&i->waiting[port], i->env.budget, row->time_us, id);
  if (port == 1 || !tm_interval_is_half(i)) return;
  i->env.ledger->held--; /* one match is all there is to know */
  tm_interval_settle(i, true);
}

/* ---------------------------------------------------------------- rows in */

typedef struct strays { tm_time_stray *all; uint32_t count; } strays;

static int put(interval *i, tm_time_list *list, int64_t time_us, uint32_t id, strays *s) {
  int done = tm_time_list_append(list, i->env.budget, time_us, id);
  if (done == 0) s->all[s->count++] = (tm_time_stray){list, {.time_us = time_us, .id = id}};
  return done < 0 ? -1 : 0;
}

/* 0, or -1 with err. */
static int find_key(interval *i, uint32_t place, uint32_t row, tm_error *err) {
  interval_probe *p = &i->probe;
  if (p->entries[place] != NULL) return 0;
  if (tm_join_key_reader_read(&p->keys, &i->env, row, err) < 0) return -1;
  p->entries[place] = tm_key_map_insert(&i->keys, p->keys.bytes.data, p->keys.bytes.size,
                                        p->keys.hash);
  return p->entries[place] == NULL ? no_memory(err) : 0;
}

static int keep_row(interval *i, uint32_t place, uint32_t row, uint32_t id, strays *s,
                    tm_error *err) {
  interval_probe *p = &i->probe;
  int64_t time_us = p->batch->times[row];
  if (find_key(i, place, row, err) < 0) return -1;
  interval_row *head = tm_interval_row(i, p->port, id);
  *head = (interval_row){.time_us = time_us, .low_us = p->lows[place],
                         .high_us = p->highs[place], .key = p->entries[place],
                         .met = p->met[place]};
  bool holds = waits(i, p->port) && !head->met;
  if (put(i, &tm_interval_key(head->key)->rows[p->port], time_us, id, s) < 0 ||
      (holds && put(i, &i->waiting[p->port], time_us, id, s) < 0) ||
      tm_time_heap_push(&i->ends[p->port], i->env.budget, head->high_us, id) < 0) {
    return no_memory(err);
  }
  if (p->port == 0 && !(tm_interval_is_half(i) && head->met)) i->env.ledger->held++;
  return 0;
}

int tm_interval_keep(interval *i, const uint32_t *places, uint32_t count, tm_error *err) {
  interval_probe *p = &i->probe;
  tm_batch *batch = p->batch;
  uint32_t *rows = tm_batch_alloc(batch, (count + 1) * sizeof *rows);
  uint32_t *ids = tm_batch_alloc(batch, (count + 1) * sizeof *ids);
  strays s = {.all = tm_batch_alloc(batch, (2 * (size_t)count + 1) * sizeof *s.all)};
  if (rows == NULL || ids == NULL || s.all == NULL) return no_memory(err);
  for (uint32_t n = 0; n < count; n++) rows[n] = tm_batch_row(batch, places[n]);
  if (tm_row_pool_insert(&i->pools[p->port], batch, rows, count, ids) < 0) return no_memory(err);
  for (uint32_t n = 0; n < count; n++) {
    if (keep_row(i, places[n], rows[n], ids[n], &s, err) < 0) return -1;
  }
  return tm_time_list_merge(s.all, s.count, i->env.budget) < 0 ? no_memory(err) : 0;
}

/* ---------------------------------------------------------------- rows out */

bool tm_interval_has_dead(const interval *i, uint32_t port) {
  const tm_time_heap *ends = &i->ends[port];
  return ends->count > 0 &&
         (i->ended[1 - port] || ends->places[0].time_us < i->watermarks_us[1 - port]);
}

/* Out of the lists; the key goes with its last row. */
static void forget(interval *i, uint32_t port, uint32_t id) {
  interval_row *row = tm_interval_row(i, port, id);
  interval_key *key = tm_interval_key(row->key);
  tm_time_list_remove(&key->rows[port], i->env.budget, row->time_us, id);
  if (waits(i, port) && !row->met) {
    tm_time_list_remove(&i->waiting[port], i->env.budget, row->time_us, id);
  }
  if (key->rows[0].count == 0 && key->rows[1].count == 0) tm_key_map_remove(&i->keys, row->key);
}

uint32_t tm_interval_bury(interval *i, uint32_t port, uint32_t *ids, uint32_t max) {
  uint32_t count = 0;
  for (uint32_t n = 0; n < BURIED_MAX && count < max && tm_interval_has_dead(i, port); n++) {
    uint32_t id = tm_time_heap_pop(&i->ends[port], i->env.budget).id;
    bool met = tm_interval_row(i, port, id)->met;
    bool known = port == 1 || (tm_interval_is_half(i) && met); /* in the books already */
    forget(i, port, id);
    if (!known) {
      i->env.ledger->held--;
      tm_interval_settle(i, met);
    }
    bool comes_out = tm_interval_comes_out(i, port, met) && !(known && port == 0);
    if (comes_out) ids[count++] = id;
    else tm_row_pool_remove(&i->pools[port], id);
  }
  return count;
}

/* ---------------------------------------------------------------- time */

int64_t tm_interval_watermark(const interval *i) {
  const join_plan *p = &i->plan->join;
  int64_t least = TM_TIME_END, bound;
  for (int port = 0; port < 2; port++) {
    if (!i->ended[port] && i->watermarks_us[port] < least) least = i->watermarks_us[port];
  }
  for (uint32_t port = 0; port < 2; port++) { /* rows that come out by themselves, with old times */
    if (!waits(i, port) || i->waiting[port].count == 0) continue;
    bound = tm_time_list_entries(&i->waiting[port])->time_us;
    if (bound < least) least = bound;
  }
  bool left = p->outer_left || tm_interval_is_half(i);
  if (left && !i->ended[1] && !i->plan->to.by_column) {
    bound = tm_time_less(i->watermarks_us[1], i->plan->to.us);
    if (bound < least) least = bound;
  }
  if (p->outer_right && !i->ended[0] && !i->plan->from.by_column) {
    bound = tm_time_add(i->watermarks_us[0], i->plan->from.us);
    if (bound < least) least = bound;
  }
  return least;
}
