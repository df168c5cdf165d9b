/* operator/window_rows.c: see window_rows.h. */
#include "operator/window_rows.h"

#include <assert.h>

typedef tm_window_rows window_rows;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "window: out of memory"); }

int tm_window_rows_init(tm_window_rows *w, const tm_stage_env *env, tm_error *err) {
  *w = (window_rows){.env = env, .plan = env->bind->plan};
  return tm_agg_rows_init(&w->rows, env, err);
}

void tm_window_rows_open(tm_window_rows *w, tm_window_slices *slices) {
  w->slices = slices;
  w->judge = tm_window_slices_judge(slices);
  w->split = tm_window_split_make(w->env, &w->plan->window, w->judge);
}

void tm_window_rows_deinit(tm_window_rows *w) { tm_agg_rows_deinit(&w->rows); }

/* Rows of one slice into its table. */
static int take_rows(void *context, tm_batch *batch, tm_window slice, int64_t mark_us,
                     tm_error *err) {
  window_rows *w = context;
  tm_group_table *table = tm_window_slices_find(w->slices, slice, mark_us, err);
  if (table == NULL || tm_agg_rows_list(&w->rows, batch, err) < 0) return -1;
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

/* Rows that are late are not shown to functions. */
static int add_rows(window_rows *w, tm_batch *batch, int64_t watermark_us, tm_out *out,
                    tm_error *err) {
  uint8_t *extra;
  assert(batch->times != NULL);
  tm_arena *arena = &w->rows.scratch;
  if (tm_window_split_drop_late(&w->split, batch, watermark_us, arena, &extra, out, err) < 0) {
    return -1;
  }
  if (batch->selected == 0) return 0;
  if (tm_agg_rows_open(&w->rows, batch, out, err) < 0 ||
      tm_window_split_rows(&w->split, batch, extra, arena, take_rows, w, err) < 0) {
    return -1;
  }
  w->env->ledger->absorbed += batch->selected;
  return 0;
}

int tm_window_rows_add(tm_window_rows *w, tm_batch *batch, int64_t now_us, int64_t watermark_us,
                       tm_out *out, tm_error *err) {
  if (batch->selected == 0) return 0;
  if (now_us != TM_TIME_NONE && tm_window_split_set_times(batch, now_us) < 0) return no_memory(err);
  int done = add_rows(w, batch, watermark_us, out, err);
  tm_agg_rows_close(&w->rows);
  return done;
}
