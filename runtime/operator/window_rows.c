/* operator/window_rows.c: see window_rows.h.
 *
 * Mostly all rows of a batch lie in one slice, and none is late: two looks at the extremes of times
 * and marks tell so. Otherwise rows are put in order by their slices, a table of the starts that
 * occur numbering them, and those that only some of their windows may take in come one by one. */
#include "operator/window_rows.h"

#include <assert.h>
#include <string.h>

typedef tm_window_rows window_rows;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "window: out of memory"); }

int tm_window_rows_init(tm_window_rows *w, const tm_stage_env *env, tm_error *err) {
  *w = (window_rows){.env = env, .plan = env->bind->plan};
  bool updates = env->bind->job->stream && !env->bind->final_only;
  if (env->bind->job->stream && !updates) w->wait_us = w->plan->window.lateness_us;
  return tm_agg_rows_init(&w->rows, env, err);
}

void tm_window_rows_deinit(tm_window_rows *w) { tm_agg_rows_deinit(&w->rows); }

int64_t tm_window_rows_waited(const tm_window_rows *w, int64_t watermark_us) {
  return watermark_us < INT64_MIN + w->wait_us ? INT64_MIN : watermark_us - w->wait_us;
}

/* ---------------------------------------------------------------- late rows */

static int64_t mark_of(const window_rows *w, const tm_batch *batch, uint32_t row) {
  return batch->marks == NULL ? TM_TIME_NONE : tm_window_rows_waited(w, batch->marks[row]);
}

static int64_t greatest_mark(const window_rows *w, const tm_batch *batch) {
  int64_t least, greatest;
  if (batch->marks == NULL) return TM_TIME_NONE;
  tm_time_cells_range(batch->marks, batch->selection, batch->selected, &least, &greatest);
  return tm_window_rows_waited(w, greatest);
}

static int refuse_late(window_rows *w, const tm_batch *batch, uint32_t row, bool idle,
                       int64_t watermark_us, tm_out *out, tm_error *err) {
  const char *message = idle ? "its window was closed while its source was silent"
                             : "all windows of its time are closed";
  int done = tm_out_late(out, batch, row, idle ? TM_REASON_LATE_AFTER_IDLE : TM_REASON_LATE,
                         w->env->bind->script_line, message,
                         idle ? watermark_us : batch->marks[row]);
  return done < 0 ? no_memory(err) : 0;
}

/* Late rows leave the selection. *extra: a byte a row, 1 where only some windows take it; NULL:
 * there is no such row. */
static int drop_late(window_rows *w, tm_batch *batch, int64_t watermark_us, uint8_t **extra,
                     tm_out *out, tm_error *err) {
  int64_t least, greatest;
  tm_time_cells_range(batch->times, batch->selection, batch->selected, &least, &greatest);
  tm_window slice = tm_window_slices_slice(w->slices, least);
  *extra = NULL;
  if (tm_window_slices_judge(w->slices, slice, greatest_mark(w, batch)) == TM_SLICE_PLAIN) return 0;
  uint32_t *kept = tm_batch_alloc(batch, (batch->selected + 1) * sizeof *kept), count = 0;
  uint8_t *bytes = tm_arena_zero(&w->rows.scratch, batch->rows + 1);
  if (kept == NULL || bytes == NULL) return no_memory(err);
  bool any = false;
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    int64_t us = batch->times[row];
    if (us < slice.start_us || us >= slice.end_us) slice = tm_window_slices_slice(w->slices, us);
    tm_slice_answer answer = tm_window_slices_judge(w->slices, slice, mark_of(w, batch, row));
    if (answer == TM_SLICE_LATE || answer == TM_SLICE_AFTER_IDLE) {
      bool idle = answer == TM_SLICE_AFTER_IDLE;
      if (refuse_late(w, batch, row, idle, watermark_us, out, err) < 0) return -1;
      continue;
    }
    kept[count++] = row;
    bytes[row] = answer == TM_SLICE_EXTRA;
    any |= answer == TM_SLICE_EXTRA;
  }
  batch->selection = kept;
  batch->selected = count;
  if (any) *extra = bytes;
  return 0;
}

/* ---------------------------------------------------------------- rows into a table */

/* The selected rows. */
static int add_all(window_rows *w, const tm_batch *batch, tm_group_table *table, tm_error *err) {
  if (tm_agg_rows_list(&w->rows, batch, err) < 0) return -1;
  tm_group_rows rows = {
    .keys = w->rows.keys,
    .inputs = w->rows.inputs,
    .rows = batch->selection,
    .count = batch->selected,
    .row_count = batch->rows,
    .filter_rows = w->rows.filter_rows,
    .filter_counts = w->rows.filter_counts,
    .times = batch->times,
  };
  if (tm_group_table_add(table, &rows, err) < 0) return -1;
  int more;
  do more = tm_group_table_settle_step(table, err);
  while (more > 0);
  return more;
}

/* Those of one slice. */
static int add_some(window_rows *w, tm_batch *batch, uint32_t *rows, uint32_t count,
                    int64_t mark_us, tm_error *err) {
  tm_window slice = tm_window_slices_slice(w->slices, batch->times[rows[0]]);
  tm_group_table *table = tm_window_slices_find(w->slices, slice, mark_us, err);
  if (table == NULL) return -1;
  uint32_t *selection = batch->selection, selected = batch->selected;
  batch->selection = rows;
  batch->selected = count;
  int done = add_all(w, batch, table, err);
  batch->selection = selection;
  batch->selected = selected;
  return done;
}

/* ---------------------------------------------------------------- rows by their slices */

typedef struct grouping {
  int64_t *starts;    /* of slices that occur */
  uint32_t *counts;   /* rows of each; later, where they end in `rows` */
  uint32_t *of_row;   /* number of the slice, by number of the row */
  uint32_t *slots;    /* number + 1 of a start, by its hash */
  uint32_t *rows;     /* slice by slice */
  uint32_t count, bits;
} grouping;

/* Room for `rows` rows. */
static bool grouping_init(grouping *g, tm_arena *arena, uint32_t rows) {
  *g = (grouping){.bits = 4};
  while (UINT64_C(1) << g->bits < 2 * (uint64_t)rows) g->bits++;
  g->starts = tm_arena_alloc(arena, (rows + 1) * sizeof *g->starts);
  g->counts = tm_arena_alloc(arena, (rows + 1) * sizeof *g->counts);
  g->of_row = tm_arena_alloc(arena, (rows + 1) * sizeof *g->of_row);
  g->rows = tm_arena_alloc(arena, (rows + 1) * sizeof *g->rows);
  g->slots = tm_arena_zero(arena, sizeof *g->slots << g->bits);
  return g->starts != NULL && g->counts != NULL && g->of_row != NULL && g->rows != NULL &&
         g->slots != NULL;
}

static uint32_t number_of(grouping *g, int64_t start_us) {
  uint32_t mask = (uint32_t)((UINT64_C(1) << g->bits) - 1);
  uint32_t at = (uint32_t)((uint64_t)start_us * UINT64_C(0x9e3779b97f4a7c15) >> (64 - g->bits));
  while (g->slots[at] != 0 && g->starts[g->slots[at] - 1] != start_us) at = (at + 1) & mask;
  if (g->slots[at] == 0) {
    g->starts[g->count] = start_us;
    g->counts[g->count] = 0;
    g->slots[at] = ++g->count;
  }
  return g->slots[at] - 1;
}

/* `list` has the rows, starts those of their slices. */
static void group_rows(grouping *g, const uint32_t *list, const int64_t *starts, uint32_t count) {
  uint32_t last = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (i == 0 || starts[i] != starts[i - 1]) last = number_of(g, starts[i]);
    g->of_row[i] = last;
    g->counts[last]++;
  }
  uint32_t sum = 0;
  for (uint32_t k = 0; k < g->count; k++) {
    uint32_t rows = g->counts[k];
    g->counts[k] = sum;
    sum += rows;
  }
  for (uint32_t i = 0; i < count; i++) g->rows[g->counts[g->of_row[i]]++] = list[i];
}

/* Rows that all their windows take, of several slices. */
static int add_plain(window_rows *w, tm_batch *batch, const uint32_t *list, uint32_t count,
                     tm_error *err) {
  tm_arena *arena = &w->rows.scratch;
  grouping g;
  int64_t *starts = tm_arena_alloc(arena, (count + 1) * sizeof *starts);
  if (starts == NULL || !grouping_init(&g, arena, count)) return no_memory(err);
  if (w->plan->shape.instants) {
    for (uint32_t i = 0; i < count; i++) starts[i] = batch->times[list[i]];
  } else {
    tm_time_cells_starts(&w->plan->shape.grid.slices, batch->times, list, count, starts,
                         &w->region);
  }
  group_rows(&g, list, starts, count);
  for (uint32_t k = 0, at = 0; k < g.count; at = g.counts[k++]) {
    if (add_some(w, batch, g.rows + at, g.counts[k] - at, TM_TIME_NONE, err) < 0) return -1;
  }
  return 0;
}

static int add_batch(window_rows *w, tm_batch *batch, const uint8_t *extra, tm_error *err) {
  int64_t least, greatest;
  tm_time_cells_range(batch->times, batch->selection, batch->selected, &least, &greatest);
  tm_window slice = tm_window_slices_slice(w->slices, least);
  if (extra == NULL && greatest < slice.end_us) { /* all in one, as it mostly is */
    tm_group_table *table = tm_window_slices_find(w->slices, slice, TM_TIME_NONE, err);
    return table == NULL ? -1 : add_all(w, batch, table, err);
  }
  uint32_t *list = tm_arena_alloc(&w->rows.scratch, (batch->selected + 1) * sizeof *list);
  uint32_t count = 0;
  if (list == NULL) return no_memory(err);
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    if (extra == NULL || !extra[row]) {
      list[count++] = row;
    } else if (add_some(w, batch, &row, 1, mark_of(w, batch, row), err) < 0) {
      return -1;
    }
  }
  return count == 0 ? 0 : add_plain(w, batch, list, count, err);
}

/* ---------------------------------------------------------------- a batch */

/* The wall clock is the time of rows. */
static int set_times(tm_batch *batch, int64_t now_us) {
  int64_t *times = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *times);
  for (uint32_t i = 0; times != NULL && i < batch->rows; i++) times[i] = now_us;
  batch->times = times;
  batch->marks = NULL;
  return times == NULL ? -1 : 0;
}

static int add_rows(window_rows *w, tm_batch *batch, int64_t watermark_us, tm_out *out,
                    tm_error *err) {
  uint8_t *extra;
  assert(batch->times != NULL);
  if (drop_late(w, batch, watermark_us, &extra, out, err) < 0) return -1;
  if (batch->selected == 0) return 0;
  if (tm_agg_rows_open(&w->rows, batch, out, err) < 0) return -1;
  if (batch->selected > 0 && add_batch(w, batch, extra, err) < 0) return -1;
  w->env->ledger->absorbed += batch->selected;
  return 0;
}

int tm_window_rows_add(tm_window_rows *w, tm_batch *batch, int64_t now_us, int64_t watermark_us,
                       tm_out *out, tm_error *err) {
  if (batch->selected == 0) return 0;
  if (now_us != TM_TIME_NONE && set_times(batch, now_us) < 0) return no_memory(err);
  int done = add_rows(w, batch, watermark_us, out, err);
  tm_agg_rows_close(&w->rows);
  return done;
}
