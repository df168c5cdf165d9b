/* operator/live_top.c: the first n rows of each group so far, in a stream: a changelog.
 *
 * Every batch gives what it changed of the first rows of the groups that it touched: rows that are
 * among them no more with weight -1, new ones with +1 (state/best_rows.h). Where the input is final
 * only the first rows are kept; a changelog may take one back, so then all are.
 *
 * All changes are taken in before the first of them goes out; where one batch does not hold them
 * the others wait, and no input is taken meanwhile. */
#include "operator/top_plan.h"
#include "stage/changelog.h"
#include "state/batch_record.h"
#include "state/best_rows.h"

enum { ROWS_MAX = 16384 }; /* of a batch, unless one group changes more */

static const tm_option live_top_options[] = {
  TM_TOP_OPTIONS,
  {NULL, NULL, NULL, NULL, NULL},
};

typedef struct live_plan {
  tm_top_plan top; /* first: what top_plan.c sees */
  tm_best_options options;
} live_plan;

typedef struct live_top {
  tm_stage_env env;
  const live_plan *plan;
  tm_best_rows *best;
  tm_batch **waiting; /* to go out, from `next` on */
  uint32_t count, capacity, next;
  uint64_t emitted;   /* batches */
  bool finishing;
} live_top;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "top: out of memory"); }

/* ------------------------------------------------------------------ binding */

/* Of a window that was made above a group is final with it: another stage's. */
static bool is_of_window(const tm_bind *bind) {
  const tm_value *per = tm_value_get(bind->options, "per");
  const tm_rows_facts *facts = &bind->facts_in[0];
  if (per == NULL || facts->time.kind == TM_NULLTYPE) return false;
  const tm_value *items = per->kind == TM_VALUE_TABLE ? per->items : per;
  size_t count = per->kind == TM_VALUE_TABLE ? per->item_count : 1;
  for (size_t i = 0; i < count; i++) {
    const char *name = items[i].kind == TM_VALUE_TEXT ? items[i].text : "";
    int column = tm_schema_find(bind->inputs[0], name);
    if (column < 0) continue;
    if (column == facts->window_end) return true;
    if (column == facts->window_start && facts->fixed_windows) return true;
  }
  return false;
}

static bool live_top_serves(const tm_bind *bind) {
  const tm_value *window = tm_value_get(bind->options, "window");
  bool windowed = window != NULL && window->kind != TM_VALUE_NIL;
  return tm_changelog_is_live(bind) && !windowed && !is_of_window(bind);
}

static int live_top_bind(tm_bind *bind, tm_error *err) {
  live_plan *p = tm_arena_zero(bind->arena, sizeof *p);
  if (p == NULL) return no_memory(err);
  if (tm_top_bind(bind, &p->top, err) < 0) return -1;
  p->options = (tm_best_options){
    .spec = &p->top.spec, .ranked = p->top.ranked, .retracts = bind->facts_in[0].changelog,
  };
  bind->single = true;
  bind->facts_out.changelog = true;
  bind->facts_out.time = tm_type_of(TM_NULLTYPE);
  bind->facts_out.in_time_order = false;
  return 0;
}

/* ------------------------------------------------------------------ life */

static int live_top_open(const tm_stage_env *env, void **out, tm_error *err) {
  live_top *t = tm_alloc_zero(env->budget, sizeof *t);
  if (t == NULL) return no_memory(err);
  t->env = *env;
  t->plan = env->bind->plan;
  t->best = tm_best_rows_create(env->budget, &t->plan->options, err);
  if (t->best == NULL) {
    tm_free(env->budget, t, sizeof *t);
    return -1;
  }
  *out = t;
  return 0;
}

static void live_top_close(void *self) {
  live_top *t = self;
  for (uint32_t i = t->next; i < t->count; i++) tm_batch_release(t->waiting[i]);
  tm_free(t->env.budget, t->waiting, t->capacity * sizeof *t->waiting);
  tm_best_rows_destroy(t->best);
  tm_free(t->env.budget, t, sizeof *t);
}

/* ------------------------------------------------------------------ batches that wait */

/* Takes the batch. false: memory. */
static bool enqueue(live_top *t, tm_batch *taken) {
  if (t->count == t->capacity) {
    uint32_t capacity = t->capacity == 0 ? 4 : 2 * t->capacity;
    tm_batch **grown = tm_realloc(t->env.budget, t->waiting, t->capacity * sizeof *grown,
                                  capacity * sizeof *grown);
    if (grown == NULL) {
      tm_batch_release(taken);
      return false;
    }
    t->waiting = grown;
    t->capacity = capacity;
  }
  t->waiting[t->count++] = taken;
  return true;
}

static tm_flow give(live_top *t, tm_out *out, tm_error *err) {
  if (t->next < t->count) {
    tm_batch *batch = t->waiting[t->next++];
    batch->sequence = t->emitted++;
    t->env.ledger->produced += batch->selected;
    tm_out_emit(out, batch);
  }
  if (t->next < t->count) return TM_FLOW_MORE;
  t->next = t->count = 0;
  int more = tm_best_rows_settle_step(t->best, err);
  if (more < 0) return TM_FLOW_FAILED;
  if (more > 0) return TM_FLOW_MORE;
  return t->finishing ? TM_FLOW_FINISHED : TM_FLOW_INPUT;
}

/* ------------------------------------------------------------------ rows */

static int take_in(live_top *t, const tm_batch *batch, tm_error *err) {
  tm_batch *changed;
  if (tm_best_rows_add(t->best, batch, err) < 0) return -1;
  do {
    if (tm_best_rows_next(t->best, t->env.bind->output, t->env.budget, ROWS_MAX, &changed, err) <
        0) {
      return -1;
    }
    if (changed != NULL && !enqueue(t, changed)) return no_memory(err);
  } while (changed != NULL);
  return 0;
}

static tm_flow live_top_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                             tm_error *err) {
  live_top *t = self;
  (void)port;
  int done = taken->selected == 0 ? 0 : take_in(t, taken, err);
  t->env.ledger->absorbed += taken->selected;
  tm_batch_release(taken);
  return done < 0 ? TM_FLOW_FAILED : give(t, out, err);
}

static tm_flow live_top_resume(void *self, tm_out *out, tm_error *err) {
  return give(self, out, err);
}

static tm_flow live_top_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)port;
  ((live_top *)self)->finishing = true;
  return give(self, out, err);
}

/* ------------------------------------------------------------------ saving */

static int live_top_save(void *self, tm_bytes *out, tm_error *err) {
  live_top *t = self;
  tm_record_writer writer = {.out = out};
  tm_record_put(&writer, t->emitted);
  tm_record_put(&writer, t->finishing);
  tm_record_put(&writer, t->count - t->next);
  for (uint32_t i = t->next; i < t->count; i++) tm_batch_record_save(t->waiting[i], &writer);
  tm_best_rows_save(t->best, &writer);
  return tm_record_end(&writer, err);
}

static int live_top_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  live_top *t = self;
  tm_record_reader reader;
  tm_record_open(&reader, bytes, size);
  t->emitted = tm_record_get(&reader, UINT64_MAX);
  t->finishing = tm_record_get(&reader, 1);
  uint64_t waiting = tm_record_get(&reader, UINT32_MAX);
  for (uint64_t i = 0; i < waiting; i++) {
    tm_batch *batch = tm_batch_record_restore(&reader, t->env.budget, t->env.bind->output,
                                              t->env.bind->arena, err);
    if (batch == NULL) return -1;
    if (!enqueue(t, batch)) return no_memory(err);
  }
  if (tm_best_rows_restore(t->best, &reader, err) < 0) return -1;
  return tm_record_close(&reader, err);
}

const tm_stage tm_stage_live_top = {
  .size = sizeof(tm_stage),
  .name = "top",
  .summary = "the first rows of each group so far, as they change",
  .inputs = 1,
  .options = live_top_options,
  .serves = live_top_serves,
  .bind = live_top_bind,
  .need = tm_top_need,
  .open = live_top_open,
  .restore = live_top_restore,
  .push = live_top_push,
  .resume = live_top_resume,
  .save = live_top_save,
  .finish = live_top_finish,
  .close = live_top_close,
};
