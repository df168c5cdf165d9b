/* operator/shuffle.c: the rows of a source in another order, one that could have been, for prove.
 *
 * Where job.shuffle_seed is set the planner puts it between a source with event time, whose input
 * ends, and its clock. It takes all rows; each gets a delay from 0 to `out_of_order`, and they
 * leave by time + delay. Of two rows the one that leaves later can then be older by out_of_order
 * at most, which is what the source declares: no row is behind. Where each file is a partition,
 * files are put in order one by one and then interleaved in runs, for their clocks are their own.
 *
 * The order is a function of the rows, in source order, and the seed. Rows of one batch are of one
 * file and keep their ordinals, so that messages name the places that they always name. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "stage/options.h"
#include "state/sorter.h"

#define DAY_US (INT64_C(86400) * 1000000)

/* How delays are drawn; the seed chooses. */
typedef enum manner {
  MANNER_EVEN,     /* anything from 0 to out_of_order */
  MANNER_EXTREMES, /* either nothing or all of it */
  MANNER_RARE,     /* mostly nothing: single rows come late */
  MANNER_COUNT,
} manner;

typedef struct shuffle_plan {
  uint32_t column;   /* event time */
  bool date;         /* days, else microseconds */
  bool by_file;      /* each file is a partition */
  int64_t out_of_order_us;
  uint64_t seed;
} shuffle_plan;

typedef struct place {
  int64_t leaves_us;
  uint64_t lot;      /* among those that leave at once */
  uint32_t file, batch, row;
} place;

typedef struct shuffle {
  tm_stage_env env;
  const shuffle_plan *plan;
  tm_batch **batches;  /* own their values */
  uint32_t count, capacity;
  uint64_t rows;
  place *places;       /* once all rows are here: in the order in which they leave */
  uint64_t given, emitted; /* rows and batches that have left */
} shuffle;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "shuffle: out of memory"); }

/* ---------------------------------------------------------------- bind, open, close */

static int shuffle_bind(tm_bind *bind, tm_error *err) {
  const tm_value *time = tm_value_get(bind->options, "time");
  const char *field = tm_value_text(time, "field", "");
  shuffle_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  int32_t *passes = tm_arena_alloc(bind->arena, (bind->inputs[0]->count + 1) * sizeof *passes);
  if (plan == NULL || passes == NULL) return no_memory(err);
  int column = tm_schema_require(bind->inputs[0], field, err);
  if (column < 0) return -1;
  plan->column = (uint32_t)column;
  plan->date = bind->inputs[0]->fields[column].type.kind == TM_DATE;
  plan->by_file = strcmp(tm_value_text(bind->options, "partitions", ""), "files") == 0;
  plan->out_of_order_us = tm_options_duration(time, "out_of_order", 0);
  plan->seed = bind->job->shuffle_seed;
  for (uint32_t i = 0; i < bind->inputs[0]->count; i++) passes[i] = (int32_t)i;
  bind->plan = plan;
  bind->output = bind->inputs[0];
  bind->passes[0] = passes;
  bind->single = true;
  bind->order = TM_ORDER_MAKES;
  bind->wants_ordinals = true;
  bind->rows_estimate = bind->input_rows[0];
  return 0;
}

static void shuffle_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const shuffle_plan *plan = bind->plan;
  for (uint32_t i = 0; i < bind->output->count; i++) in[0][i] |= needed_out[i];
  in[0][plan->column] = 1;
}

static int shuffle_open(const tm_stage_env *env, void **out, tm_error *err) {
  shuffle *s = tm_alloc_zero(env->budget, sizeof *s);
  if (s == NULL) return no_memory(err);
  s->env = *env;
  s->plan = env->bind->plan;
  *out = s;
  return 0;
}

static void shuffle_close(void *self) {
  shuffle *s = self;
  for (uint32_t i = 0; i < s->count; i++) tm_batch_release(s->batches[i]);
  tm_free(s->env.budget, s->batches, s->capacity * sizeof *s->batches);
  tm_free(s->env.budget, s->places, s->rows * sizeof *s->places);
  tm_free(s->env.budget, s, sizeof *s);
}

/* ---------------------------------------------------------------- taking rows */

static int keep(shuffle *s, tm_batch *taken) {
  if (s->count == s->capacity) {
    uint32_t capacity = s->capacity == 0 ? 16 : s->capacity * 2;
    tm_batch **grown = tm_alloc(s->env.budget, capacity * sizeof *grown);
    if (grown == NULL) {
      tm_batch_release(taken);
      return -1;
    }
    if (s->count > 0) memcpy(grown, s->batches, s->count * sizeof *grown);
    tm_free(s->env.budget, s->batches, s->capacity * sizeof *grown);
    s->batches = grown;
    s->capacity = capacity;
  }
  s->batches[s->count++] = taken;
  s->rows += taken->rows;
  return 0;
}

static tm_flow shuffle_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                            tm_error *err) {
  shuffle *s = self;
  (void)port;
  (void)out;
  tm_batch *own = tm_batch_compact(taken, s->env.budget);
  tm_batch_release(taken);
  return own == NULL || keep(s, own) < 0 ? no_memory(err) : TM_FLOW_INPUT;
}

/* ---------------------------------------------------------------- putting them in order */

static int64_t delay_of(const shuffle_plan *plan, manner how, uint64_t lot) {
  uint64_t most = (uint64_t)plan->out_of_order_us;
  if (how == MANNER_EXTREMES) return lot & 1 ? plan->out_of_order_us : 0;
  if (how == MANNER_RARE && lot % 16 != 0) return 0;
  return (int64_t)(tm_hash_u64(lot) % (most + 1));
}

static int64_t time_of(const shuffle_plan *plan, const tm_batch *batch, uint32_t row,
                       int64_t otherwise) {
  const tm_column *column = &batch->columns[plan->column];
  if (tm_column_is_null(column, row)) return otherwise;
  if (plan->date) return ((const int32_t *)column->data)[row] * DAY_US;
  return ((const int64_t *)column->data)[row];
}

/* A row without a time goes with the one before it. */
static void draw(shuffle *s) {
  const shuffle_plan *plan = s->plan;
  manner how = (manner)(tm_hash_u64(plan->seed) % MANNER_COUNT);
  int64_t time = TM_TIME_NONE;
  uint64_t n = 0;
  for (uint32_t i = 0; i < s->count; i++) {
    const tm_batch *batch = s->batches[i];
    for (uint32_t row = 0; row < batch->rows; row++, n++) {
      place *p = &s->places[n];
      uint64_t lot = tm_hash_combine(plan->seed, n);
      time = time_of(plan, batch, row, time);
      *p = (place){.lot = lot, .file = batch->origin.file_index, .batch = i, .row = row};
      if (__builtin_add_overflow(time, delay_of(plan, how, lot), &p->leaves_us)) {
        p->leaves_us = INT64_MAX;
      }
    }
  }
}

static int compare_places(const void *a, const void *b) {
  const place *x = a, *y = b;
  if (x->leaves_us != y->leaves_us) return x->leaves_us < y->leaves_us ? -1 : 1;
  return x->lot < y->lot ? -1 : x->lot > y->lot;
}

static int compare_files(const void *a, const void *b) {
  const place *x = a, *y = b;
  if (x->file != y->file) return x->file < y->file ? -1 : 1;
  return compare_places(a, b);
}

/* The rows of each file keep their order, files take turns: a random one for a random while. */
static int interleave(shuffle *s, tm_error *err) {
  uint32_t files = 0;
  uint64_t bytes = s->rows * sizeof(place), turn = 0;
  place *mixed = tm_alloc(s->env.budget, bytes);
  uint64_t *starts = tm_alloc(s->env.budget, (s->rows + 1) * sizeof *starts);
  uint64_t *ends = tm_alloc(s->env.budget, (s->rows + 1) * sizeof *ends);
  if (mixed == NULL || starts == NULL || ends == NULL) {
    tm_free(s->env.budget, mixed, bytes);
    tm_free(s->env.budget, starts, (s->rows + 1) * sizeof *starts);
    tm_free(s->env.budget, ends, (s->rows + 1) * sizeof *ends);
    return no_memory(err);
  }
  for (uint64_t i = 0; i < s->rows; i++) {
    if (i == 0 || s->places[i].file != s->places[i - 1].file) starts[files++] = i;
    ends[files - 1] = i + 1;
  }
  for (uint64_t n = 0; n < s->rows; turn++) {
    uint64_t lot = tm_hash_combine(~s->plan->seed, turn), run = 1 + (lot >> 32) % 64;
    uint32_t at = (uint32_t)(lot % files);
    for (; run > 0 && starts[at] < ends[at]; run--) mixed[n++] = s->places[starts[at]++];
    if (starts[at] < ends[at]) continue;
    files--; /* this one is through */
    starts[at] = starts[files];
    ends[at] = ends[files];
  }
  tm_free(s->env.budget, starts, (s->rows + 1) * sizeof *starts);
  tm_free(s->env.budget, ends, (s->rows + 1) * sizeof *ends);
  tm_free(s->env.budget, s->places, bytes);
  s->places = mixed;
  return 0;
}

static int put_in_order(shuffle *s, tm_error *err) {
  if (s->rows == 0) return 0;
  s->places = tm_alloc(s->env.budget, s->rows * sizeof *s->places);
  if (s->places == NULL) return no_memory(err);
  draw(s);
  qsort(s->places, s->rows, sizeof *s->places, s->plan->by_file ? compare_files : compare_places);
  return s->plan->by_file ? interleave(s, err) : 0;
}

/* ---------------------------------------------------------------- giving them */

/* NULL when out of memory. */
static tm_batch *gather(shuffle *s, const place *from, uint32_t count) {
  tm_sort_place *places = tm_alloc(s->env.budget, count * sizeof *places);
  if (places == NULL) return NULL;
  for (uint32_t i = 0; i < count; i++) {
    places[i] = (tm_sort_place){s->batches[from[i].batch], from[i].row};
  }
  tm_batch *views = tm_sort_gather(s->env.budget, s->env.bind->output, places, count);
  if (views != NULL && places[0].batch->ordinals != NULL) {
    views->ordinals = tm_batch_alloc(views, count * sizeof *views->ordinals);
    for (uint32_t i = 0; views->ordinals != NULL && i < count; i++) {
      views->ordinals[i] = places[i].batch->ordinals[places[i].row];
    }
  }
  bool whole = views != NULL && (views->ordinals != NULL || places[0].batch->ordinals == NULL);
  tm_free(s->env.budget, places, count * sizeof *places);
  tm_batch *own = whole ? tm_batch_compact(views, s->env.budget) : NULL;
  tm_batch_release(views);
  return own;
}

/* Rows of one file, at most a batch of them. */
static tm_flow give(shuffle *s, tm_out *out, tm_error *err) {
  if (s->given == s->rows) return TM_FLOW_FINISHED;
  const place *from = &s->places[s->given];
  uint32_t count = 1, most = s->env.bind->job->batch_rows;
  while (count < most && s->given + count < s->rows && from[count].file == from->file) count++;
  tm_batch *batch = gather(s, from, count);
  if (batch == NULL) return no_memory(err);
  batch->sequence = s->emitted++;
  s->given += count;
  tm_out_emit(out, batch);
  return s->given == s->rows ? TM_FLOW_FINISHED : TM_FLOW_MORE;
}

static tm_flow shuffle_resume(void *self, tm_out *out, tm_error *err) {
  shuffle *s = self;
  if (s->places == NULL && put_in_order(s, err) < 0) return TM_FLOW_FAILED;
  return give(s, out, err);
}

static tm_flow shuffle_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  const shuffle *s = self;
  (void)port;
  (void)out;
  (void)err;
  return s->rows == 0 ? TM_FLOW_FINISHED : TM_FLOW_MORE;
}

/* ---------------------------------------------------------------- save, restore */

static int shuffle_save(void *self, tm_bytes *out, tm_error *err) {
  const shuffle *s = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, s->given);
  tm_record_put(&w, s->emitted);
  tm_record_put(&w, s->count);
  for (uint32_t i = 0; i < s->count; i++) tm_batch_record_save(s->batches[i], &w);
  return tm_record_end(&w, err);
}

static int shuffle_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  shuffle *s = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  s->given = tm_record_get(&r, UINT64_MAX);
  s->emitted = tm_record_get(&r, UINT64_MAX);
  uint64_t count = tm_record_get(&r, UINT32_MAX);
  for (uint64_t i = 0; i < count && !r.failed; i++) {
    tm_batch *batch = tm_batch_record_restore(&r, s->env.budget, s->env.bind->inputs[0],
                                              s->env.bind->arena, err);
    if (batch == NULL) return -1;
    if (keep(s, batch) < 0) return no_memory(err);
  }
  if (tm_record_close(&r, err) < 0) return -1;
  return s->given <= s->rows ? 0 : tm_record_refuse(err);
}

const tm_stage tm_stage_shuffle = {
  .size = sizeof(tm_stage),
  .name = "shuffle",
  .summary = "the rows of a source in another order that it could have had",
  .inputs = 1,
  .bind = shuffle_bind,
  .need = shuffle_need,
  .open = shuffle_open,
  .restore = shuffle_restore,
  .push = shuffle_push,
  .resume = shuffle_resume,
  .save = shuffle_save,
  .finish = shuffle_finish,
  .close = shuffle_close,
};
