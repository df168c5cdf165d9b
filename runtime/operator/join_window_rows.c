/* operator/join_window_rows.c: the rows that a join in windows keeps; see join_window_live.h.
 *
 * A row lies in the pool of its side and in the list of its slice. Slices are in order of time, and
 * the windows that fire begin near the first of them. */
#include <assert.h>
#include <string.h>

#include "operator/join_window_live.h"

enum { DROPPED_MAX = 8192 };

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "join: out of memory"); }

int tm_join_window_rows_init(join_window *w, tm_error *err) {
  uint32_t rows = tm_window_batch_rows(w);
  tm_key_map_init(&w->keys, w->env.budget, sizeof(window_key));
  int done = 0;
  for (int side = 0; side < 2; side++) {
    done |= tm_row_pool_init(&w->pools[side], w->env.budget, w->env.bind->inputs[side],
                             w->plan->join.kept[side], sizeof(window_row));
  }
  w->ids = tm_alloc(w->env.budget, rows * sizeof *w->ids);
  w->met = tm_alloc(w->env.budget, rows);
  return done < 0 || w->ids == NULL || w->met == NULL ? no_memory(err) : 0;
}

void tm_join_window_rows_deinit(join_window *w) {
  uint32_t rows = tm_window_batch_rows(w);
  if (w->ids != NULL) tm_free(w->env.budget, w->ids, rows * sizeof *w->ids);
  if (w->met != NULL) tm_free(w->env.budget, w->met, rows);
  tm_free(w->env.budget, w->slices, w->slice_capacity * sizeof *w->slices);
  tm_key_map_deinit(&w->keys);
  for (int side = 0; side < 2; side++) tm_row_pool_deinit(&w->pools[side]);
}

/* ---------------------------------------------------------------- late rows */

static int tell_late(const join_window *w, const tm_batch *batch, uint32_t row, bool idle,
                     int64_t watermark_us, tm_out *out, tm_error *err) {
  const char *message = idle ? "its window was closed while its source was silent"
                             : "all windows of its time are closed";
  int done = tm_out_late(out, batch, row, idle ? TM_REASON_LATE_AFTER_IDLE : TM_REASON_LATE,
                         w->env.bind->script_line, message, watermark_us);
  return done < 0 ? no_memory(err) : 0;
}

int tm_join_window_drop_late(join_window *w, uint32_t port, tm_batch *batch, int64_t *closed,
                             tm_out *out, tm_error *err) {
  const tm_window_grid *grid = &w->plan->window.grid;
  int64_t watermark_us = w->watermarks_us[port];
  uint32_t *left = tm_batch_alloc(batch, (batch->selected + 1) * sizeof *left), count = 0;
  if (left == NULL) return no_memory(err);
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    int64_t time_us = batch->times[row], end_us = time_us + 1;
    int64_t mark_us = batch->marks != NULL ? batch->marks[row] : TM_TIME_NONE;
    int64_t least = mark_us > watermark_us ? mark_us : watermark_us;
    /* One that is not behind has no window that has ended. */
    if (time_us < least) end_us = tm_window_grid_last(grid, time_us, &w->regions).end_us;
    left[count] = row;
    closed[count] = least;
    bool late = end_us <= least, idle = end_us > mark_us;
    count += !late;
    if (late && tell_late(w, batch, row, idle, least, out, err) < 0) return -1;
  }
  if (count == batch->selected) return 0;
  batch->selection = left;
  batch->selected = count;
  return 0;
}

/* ---------------------------------------------------------------- rows in */

static bool add_slice(join_window *w, uint32_t at, tm_window span) {
  if (w->slice_count == w->slice_capacity) {
    uint32_t capacity = w->slice_capacity == 0 ? 16 : w->slice_capacity * 2;
    window_slice *grown = tm_realloc(w->env.budget, w->slices,
                                     w->slice_capacity * sizeof *grown, capacity * sizeof *grown);
    if (grown == NULL) return false;
    w->slices = grown;
    w->slice_capacity = capacity;
  }
  memmove(w->slices + at + 1, w->slices + at, (w->slice_count - at) * sizeof *w->slices);
  w->slices[at] = (window_slice){.span = span, .first = {TM_POOL_NONE, TM_POOL_NONE},
                                 .last = {TM_POOL_NONE, TM_POOL_NONE}};
  w->slice_count++;
  return true;
}

/* NULL: out of memory. */
static window_slice *slice_of(join_window *w, int64_t time_us) {
  uint32_t from = 0, to = w->slice_count;
  while (from < to) {
    uint32_t middle = from + (to - from) / 2;
    if (w->slices[middle].span.end_us <= time_us) from = middle + 1;
    else to = middle;
  }
  if (from < w->slice_count && w->slices[from].span.start_us <= time_us) return &w->slices[from];
  tm_window span = tm_window_grid_slice(&w->plan->window.grid, time_us, &w->regions);
  return add_slice(w, from, span) ? &w->slices[from] : NULL;
}

static void append(join_window *w, window_slice *slice, uint32_t port, uint32_t id) {
  if (slice->last[port] == TM_POOL_NONE) slice->first[port] = id;
  else tm_window_row(w, port, slice->last[port])->next = id;
  slice->last[port] = id;
}

/* A row without a key is kept where it comes out all the same. */
static bool comes_out_alone(const join_window *w, uint32_t port) {
  const join_plan *p = &w->plan->join;
  return port == 1 ? p->outer_right : p->outer_left || p->kind == JOIN_ANTI;
}

/* The entry of each row's key; rows that will never come out leave. The rows that stay, by place,
 * or -1 with err. */
static int64_t find_keys(join_window *w, uint32_t port, tm_batch *batch, uint32_t *places,
                         tm_key_entry **entries, tm_error *err) {
  tm_join_key_reader keys;
  const tm_join_keys *of = &w->plan->join.keys[port];
  if (tm_join_key_reader_open(&keys, &w->env, batch, of, err) < 0) return -1;
  uint32_t count = 0;
  int usable = 0;
  for (uint32_t i = 0; usable >= 0 && i < batch->selected; i++) {
    usable = tm_join_key_reader_read(&keys, &w->env, tm_batch_row(batch, i), err);
    if (usable < 0 || (usable == 0 && !comes_out_alone(w, port))) continue;
    entries[count] = NULL;
    places[count++] = i;
    if (usable == 0) continue;
    tm_key_entry *entry = tm_key_map_insert(&w->keys, keys.bytes.data, keys.bytes.size, keys.hash);
    if (entry == NULL) usable = no_memory(err);
    else tm_window_key(entry)->rows++;
    entries[count - 1] = entry;
  }
  tm_join_key_reader_close(&keys);
  return usable < 0 ? -1 : (int64_t)count;
}

static int put_rows(join_window *w, uint32_t port, const tm_batch *batch, const int64_t *closed,
                    const uint32_t *places, tm_key_entry *const *entries, const uint32_t *ids,
                    uint32_t count, tm_error *err) {
  window_slice *slice = NULL;
  for (uint32_t i = 0; i < count; i++) {
    int64_t time_us = batch->times[tm_batch_row(batch, places[i])];
    *tm_window_row(w, port, ids[i]) = (window_row){
      .time_us = time_us, .closed_us = closed[places[i]], .key = entries[i],
      .next = TM_POOL_NONE, .match = TM_POOL_NONE,
    };
    bool same = slice != NULL && slice->span.start_us <= time_us && time_us < slice->span.end_us;
    if (!same) slice = slice_of(w, time_us);
    if (slice == NULL) return no_memory(err);
    append(w, slice, port, ids[i]);
  }
  return 0;
}

int tm_join_window_keep(join_window *w, uint32_t port, tm_batch *batch, const int64_t *closed,
                        tm_error *err) {
  size_t n = (size_t)batch->selected + 1;
  uint32_t *places = tm_batch_alloc(batch, n * sizeof *places);
  uint32_t *rows = tm_batch_alloc(batch, n * sizeof *rows);
  uint32_t *ids = tm_batch_alloc(batch, n * sizeof *ids);
  tm_key_entry **entries = tm_batch_alloc(batch, n * sizeof *entries);
  if (places == NULL || rows == NULL || ids == NULL || entries == NULL) return no_memory(err);
  int64_t kept = find_keys(w, port, batch, places, entries, err);
  if (kept < 0) return -1;
  uint32_t count = (uint32_t)kept;
  tm_ledger *l = w->env.ledger;
  if (port == 1) l->absorbed += batch->selected;
  else l->unmatched += batch->selected - count;
  if (port == 0) l->held += count;
  for (uint32_t i = 0; i < count; i++) rows[i] = tm_batch_row(batch, places[i]);
  if (tm_row_pool_insert(&w->pools[port], batch, rows, count, ids) < 0) return no_memory(err);
  return put_rows(w, port, batch, closed, places, entries, ids, count, err);
}

/* ---------------------------------------------------------------- the window that fires */

static bool is_before(tm_window a, tm_window b) {
  return a.start_us < b.start_us || (a.start_us == b.start_us && a.end_us < b.end_us);
}

bool tm_join_window_next(join_window *w) {
  const tm_window_grid *grid = &w->plan->window.grid;
  if (w->slice_count == 0) return false;
  tm_window next = tm_window_grid_first(grid, w->slices[0].span.start_us, &w->regions);
  if (w->has_fired && !is_before(w->window, next)) {
    next = tm_window_grid_next(grid, w->window, &w->regions);
  }
  for (int port = 0; port < 2; port++) {
    if (!w->ended[port] && w->watermarks_us[port] < next.end_us) return false;
  }
  w->window = next;
  w->has_fired = true;
  w->fire++;
  w->linked = 0;
  return true;
}

void tm_join_window_begin(join_window *w, window_phase phase) {
  w->phase = phase;
  w->counted = 0;
  w->cursor = (window_cursor){.slice = 0};
  while (w->cursor.slice < w->slice_count &&
         w->slices[w->cursor.slice].span.start_us < w->window.start_us) {
    w->cursor.slice++;
  }
}

uint32_t tm_join_window_step(join_window *w, uint32_t port, uint32_t *work) {
  window_cursor *c = &w->cursor;
  for (; c->slice < w->slice_count; c->slice++, c->begun = false) {
    const window_slice *slice = &w->slices[c->slice];
    if (slice->span.end_us > w->window.end_us) break;
    if (!c->begun) c->id = slice->first[port];
    c->begun = true;
    while (c->id != TM_POOL_NONE) {
      uint32_t id = c->id;
      const window_row *row = tm_window_row(w, port, id);
      c->id = row->next;
      (*work)++;
      if (row->closed_us < w->window.end_us) return id;
    }
  }
  return TM_POOL_NONE;
}

int tm_join_window_link(join_window *w, uint32_t id, tm_error *err) {
  window_row *row = tm_window_row(w, 1, id);
  row->met = 0;
  row->match = TM_POOL_NONE;
  if (row->key == NULL) return 0;
  if (w->plan->scalar && w->linked > 0) {
    return tm_join_window_fail_scalar(w->plan, w->window.start_us, err);
  }
  window_key *key = tm_window_key(row->key);
  if (key->fire == w->fire) row->match = key->first;
  key->fire = w->fire;
  key->first = id;
  w->linked++;
  return 0;
}

/* ---------------------------------------------------------------- rows out */

static void forget(join_window *w, uint32_t port, uint32_t id) {
  tm_key_entry *key = tm_window_row(w, port, id)->key;
  tm_row_pool_remove(&w->pools[port], id);
  if (key != NULL && --tm_window_key(key)->rows == 0) tm_key_map_remove(&w->keys, key);
}

bool tm_join_window_drop(join_window *w) {
  tm_window next = tm_window_grid_next(&w->plan->window.grid, w->window, &w->regions);
  uint32_t work = 0, gone = 0;
  for (; gone < w->slice_count && w->slices[gone].span.end_us <= next.start_us; gone++) {
    window_slice *slice = &w->slices[gone];
    for (uint32_t port = 0; port < 2; port++) {
      while (slice->first[port] != TM_POOL_NONE && work < DROPPED_MAX) {
        uint32_t id = slice->first[port];
        slice->first[port] = tm_window_row(w, port, id)->next;
        forget(w, port, id);
        work++;
      }
    }
    if (slice->first[0] != TM_POOL_NONE || slice->first[1] != TM_POOL_NONE) break;
  }
  bool more = gone < w->slice_count && w->slices[gone].span.end_us <= next.start_us;
  w->slice_count -= gone;
  memmove(w->slices, w->slices + gone, w->slice_count * sizeof *w->slices);
  return !more;
}
