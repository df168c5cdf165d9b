/* operator/window_split.c: see window_split.h.
 *
 * Mostly all rows of a batch lie in one slice, and none is late: two looks at the extremes of times
 * and marks tell so. Otherwise rows are put in order by their slices, a table of the starts that
 * occur numbering them, and those that only some of their windows may take in come one by one. */
#include "operator/window_split.h"

#include <assert.h>

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "window: out of memory"); }

/* Windows are told anew, or early, only to who wants to see it. */
static bool shows_updates(const tm_bind *bind) { return bind->job->stream && !bind->final_only; }

tm_window_shape tm_window_split_shape(const tm_bind *bind, const tm_window_plan *plan,
                                      bool instants) {
  bool updates = shows_updates(bind);
  return (tm_window_shape){
    .grid = plan->grid,
    .instants = instants,
    .lateness_us = updates ? plan->lateness_us : 0,
    .early_us = updates ? plan->early_us : 0,
    .fill = plan->fill,
    .fill_idle = !bind->facts_in[0].bounded,
  };
}

tm_window_split tm_window_split_make(const tm_stage_env *env, const tm_window_plan *plan,
                                     tm_window_judge *judge) {
  bool waits = env->bind->job->stream && !shows_updates(env->bind);
  return (tm_window_split){env, judge, waits ? plan->lateness_us : 0, {0, 0, 0}};
}

int64_t tm_window_split_waited(const tm_window_split *w, int64_t us) {
  return us == TM_TIME_END ? us : tm_window_less(us, w->wait_us);
}

int tm_window_split_set_times(tm_batch *batch, int64_t now_us) {
  int64_t *times = tm_batch_alloc(batch, (batch->rows + 1) * sizeof *times);
  for (uint32_t i = 0; times != NULL && i < batch->rows; i++) times[i] = now_us;
  batch->times = times;
  batch->marks = NULL;
  return times == NULL ? -1 : 0;
}

/* ---------------------------------------------------------------- late rows */

static int64_t mark_of(const tm_window_split *w, const tm_batch *batch, uint32_t row) {
  return batch->marks == NULL ? TM_TIME_NONE : tm_window_split_waited(w, batch->marks[row]);
}

static int64_t greatest_mark(const tm_window_split *w, const tm_batch *batch) {
  int64_t least, greatest;
  if (batch->marks == NULL) return TM_TIME_NONE;
  tm_time_cells_range(batch->marks, batch->selection, batch->selected, &least, &greatest);
  return tm_window_split_waited(w, greatest);
}

static int refuse_late(tm_window_split *w, const tm_batch *batch, uint32_t row, bool idle,
                       int64_t watermark_us, tm_out *out, tm_error *err) {
  const char *message = idle ? "its window was closed while its source was silent"
                             : "all windows of its time are closed";
  int done = tm_out_late(out, batch, row, idle ? TM_REASON_LATE_AFTER_IDLE : TM_REASON_LATE,
                         w->env->bind->script_line, message,
                         idle ? watermark_us : batch->marks[row]);
  return done < 0 ? no_memory(err) : 0;
}

int tm_window_split_drop_late(tm_window_split *w, tm_batch *batch, int64_t watermark_us,
                              tm_arena *arena, uint8_t **extra, tm_out *out, tm_error *err) {
  int64_t least, greatest;
  tm_time_cells_range(batch->times, batch->selection, batch->selected, &least, &greatest);
  tm_window slice = tm_window_judge_slice(w->judge, least);
  *extra = NULL;
  if (tm_window_judge_rows(w->judge, slice, greatest_mark(w, batch)) == TM_SLICE_PLAIN) return 0;
  uint32_t *kept = tm_batch_alloc(batch, (batch->selected + 1) * sizeof *kept), count = 0;
  uint8_t *bytes = tm_arena_zero(arena, batch->rows + 1);
  if (kept == NULL || bytes == NULL) return no_memory(err);
  bool any = false;
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    int64_t us = batch->times[row];
    if (us < slice.start_us || us >= slice.end_us) slice = tm_window_judge_slice(w->judge, us);
    tm_slice_answer answer = tm_window_judge_rows(w->judge, slice, mark_of(w, batch, row));
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

/* ---------------------------------------------------------------- rows to their slices */

static int give(tm_window_split *w, tm_batch *batch, uint32_t *rows, uint32_t count,
                int64_t mark_us, tm_window_take take, void *context, tm_error *err) {
  tm_window slice = tm_window_judge_slice(w->judge, batch->times[rows[0]]);
  uint32_t *selection = batch->selection, selected = batch->selected;
  batch->selection = rows;
  batch->selected = count;
  int done = take(context, batch, slice, mark_us, err);
  batch->selection = selection;
  batch->selected = selected;
  return done;
}

/* Rows that all their windows take, of several slices. */
static int give_plain(tm_window_split *w, tm_batch *batch, const uint32_t *list, uint32_t count,
                      tm_arena *arena, tm_window_take take, void *context, tm_error *err) {
  const tm_window_shape *shape = w->judge->shape;
  grouping g;
  int64_t *starts = tm_arena_alloc(arena, (count + 1) * sizeof *starts);
  if (starts == NULL || !grouping_init(&g, arena, count)) return no_memory(err);
  if (shape->instants) {
    for (uint32_t i = 0; i < count; i++) starts[i] = batch->times[list[i]];
  } else {
    tm_time_cells_starts(&shape->grid.slices, batch->times, list, count, starts, &w->region);
  }
  group_rows(&g, list, starts, count);
  for (uint32_t k = 0, at = 0; k < g.count; at = g.counts[k++]) {
    if (give(w, batch, g.rows + at, g.counts[k] - at, TM_TIME_NONE, take, context, err) < 0) {
      return -1;
    }
  }
  return 0;
}

int tm_window_split_rows(tm_window_split *w, tm_batch *batch, const uint8_t *extra,
                         tm_arena *arena, tm_window_take take, void *context, tm_error *err) {
  int64_t least, greatest;
  if (batch->selected == 0) return 0;
  tm_time_cells_range(batch->times, batch->selection, batch->selected, &least, &greatest);
  tm_window slice = tm_window_judge_slice(w->judge, least);
  if (extra == NULL && greatest < slice.end_us) { /* all in one, as it mostly is */
    return take(context, batch, slice, TM_TIME_NONE, err);
  }
  uint32_t *list = tm_arena_alloc(arena, (batch->selected + 1) * sizeof *list), count = 0;
  if (list == NULL) return no_memory(err);
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    if (extra == NULL || !extra[row]) list[count++] = row;
    else if (give(w, batch, &row, 1, mark_of(w, batch, row), take, context, err) < 0) return -1;
  }
  return count == 0 ? 0 : give_plain(w, batch, list, count, arena, take, context, err);
}
