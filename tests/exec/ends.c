/* tests/exec/ends.c: see ends.h. */
#include "ends.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"

int64_t ends_value(const ends_source *source, uint64_t row, uint32_t column) {
  if (column == 0) return (int64_t)row;
  if (column == 1) return (int64_t)(row % source->keys);
  return (int64_t)(row * 7919 % 1000);
}

/* ---------------------------------------------------------------- the source */

typedef struct source {
  tm_stage_env env;
  ends_source *made;
  uint64_t morsel, turn, at; /* at: next row; rows_each: it is through */
} source;

static int source_open(const tm_stage_env *env, void **out, tm_error *err) {
  source *s = tm_alloc_zero(env->budget, sizeof *s);
  if (s == NULL) return tm_fail(err, TM_E_MEMORY, "source: out of memory");
  s->env = *env;
  s->made = env->bind->plan;
  s->at = s->made->rows_each;
  *out = s;
  return 0;
}

static const char *file_name(uint64_t file) {
  static const char *const names[] = {"0.csv", "1.csv", "2.csv", "3.csv", "4.csv", "5.csv"};
  return file < sizeof names / sizeof *names ? names[file] : "more.csv";
}

static bool is_bad(const ends_source *made, uint64_t row) {
  return made->bad_every > 0 && row % made->bad_every == made->bad_every - 1;
}

static tm_batch *make_batch(source *s, uint32_t count, uint64_t file, uint64_t line) {
  tm_batch *batch = tm_batch_create(s->env.budget, s->env.bind->output, count);
  bool done = batch != NULL;
  for (uint32_t c = 0; done && c < 3; c++) done = tm_batch_column(batch, c, false) == 0;
  uint32_t *rows = done ? tm_batch_alloc(batch, count * sizeof *rows) : NULL;
  uint64_t *lines = rows != NULL ? tm_batch_alloc(batch, count * sizeof *lines) : NULL;
  if (lines == NULL) {
    tm_batch_release(batch);
    return NULL;
  }
  batch->selected = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t row = s->morsel * s->made->rows_each + s->at + i;
    for (uint32_t c = 0; c < 3; c++) {
      ((int64_t *)batch->columns[c].data)[i] = ends_value(s->made, row, c);
    }
    lines[i] = line + i;
    rows[batch->selected] = i;
    batch->selected += !is_bad(s->made, row);
  }
  batch->selection = rows;
  if (s->env.bind->emits_ordinals) batch->ordinals = lines;
  batch->sequence = s->morsel;
  batch->origin = (tm_origin){s->env.bind->node, file_name(file), (uint32_t)file};
  return batch;
}

static int refuse_bad(source *s, uint32_t count, uint64_t file, uint64_t line, tm_out *out) {
  for (uint32_t i = 0; i < count; i++) {
    uint64_t row = s->morsel * s->made->rows_each + s->at + i;
    char raw[48];
    if (!is_bad(s->made, row)) continue;
    (void)snprintf(raw, sizeof raw, "raw text of row %llu", (unsigned long long)row);
    tm_reject r = {.reason = TM_REASON_TYPE, .message = "no number", .file = file_name(file),
                   .source = s->env.bind->node, .file_index = (uint32_t)file, .ordinal = line + i,
                   .offset = (int64_t)row, .raw = tm_str_make(raw, strlen(raw))};
    if (tm_out_reject_raw(out, &r) < 0) return -1;
  }
  return 0;
}

static tm_flow source_resume(void *self, tm_out *out, tm_error *err) {
  source *s = self;
  ends_source *made = s->made;
  if (s->at == made->rows_each) {
    if (__atomic_load_n(s->env.draining, __ATOMIC_ACQUIRE)) return TM_FLOW_FINISHED;
    s->morsel = __atomic_fetch_add(&made->taken, 1, __ATOMIC_ACQ_REL);
    if (made->dealt) s->morsel = s->turn++ * s->env.lanes + s->env.lane;
    if (s->morsel >= made->morsels) return TM_FLOW_FINISHED;
    s->at = 0;
    if (made->fail_at > 0 && s->morsel + 1 == made->fail_at) {
      return tm_fail(err, TM_E_READ, "cannot read morsel %llu", (unsigned long long)s->morsel);
    }
  }
  if (made->pause_us > 0) tm_env_get()->sleep_us(made->pause_us);
  uint64_t left = made->rows_each - s->at;
  uint32_t count = left < made->batch_rows ? (uint32_t)left : made->batch_rows;
  uint64_t per_file = made->file_morsels > 0 ? made->file_morsels : made->morsels;
  uint64_t file = s->morsel / per_file;
  uint64_t line = s->morsel % per_file * made->rows_each + s->at + 1;
  tm_batch *batch = make_batch(s, count, file, line);
  if (batch == NULL || refuse_bad(s, count, file, line, out) < 0) {
    tm_batch_release(batch);
    return tm_fail(err, TM_E_MEMORY, "source: out of memory");
  }
  s->at += count;
  tm_out_emit(out, batch);
  return TM_FLOW_MORE;
}

static void source_close(void *self) {
  source *s = self;
  tm_free(s->env.budget, s, sizeof *s);
}

static const tm_stage source_stage = {
  .size = sizeof(tm_stage), .name = "source", .inputs = 0, .open = source_open,
  .resume = source_resume, .close = source_close,
};

/* ---------------------------------------------------------------- the sink */

typedef struct sink_shared { ends_sink *kept; } sink_shared;

typedef struct sink {
  tm_stage_env env;
  ends_sink *kept;
} sink;

static int sink_share(const tm_bind *bind, uint32_t lanes, tm_budget *memory, void **out,
                      tm_error *err) {
  (void)lanes, (void)memory, (void)err;
  *out = bind->plan;
  return 0;
}

static int sink_open(const tm_stage_env *env, void **out, tm_error *err) {
  sink *s = tm_alloc_zero(env->budget, sizeof *s);
  if (s == NULL) return tm_fail(err, TM_E_MEMORY, "sink: out of memory");
  s->env = *env;
  s->kept = env->shared;
  *out = s;
  return 0;
}

static tm_flow sink_push(void *self, uint32_t port, tm_batch *taken, tm_out *out, tm_error *err) {
  sink *s = self;
  ends_sink *k = s->kept;
  (void)port, (void)out;
  if (s->env.lane != 0) {
    tm_batch_release(taken);
    return tm_fail(err, TM_E_LEDGER, "rows came to lane %u of a sink", s->env.lane);
  }
  k->batches++;
  if (k->pause_us > 0) tm_env_get()->sleep_us(k->pause_us);
  if (taken->sequence < k->sequence) k->disordered = true;
  k->sequence = taken->sequence;
  rows_list_add_batch(&k->rows, taken, NULL);
  tm_batch_release(taken);
  if (k->batches == k->fail_at) return tm_fail(err, TM_E_WRITE, "no space left");
  if (k->batches == k->finish_at) return TM_FLOW_FINISHED;
  if (k->block_every > 0 && k->batches % k->block_every == 0) {
    s->env.wake(s->env.waker);
    return TM_FLOW_BLOCKED;
  }
  return TM_FLOW_INPUT;
}

static tm_flow sink_resume(void *self, tm_out *out, tm_error *err) {
  (void)self, (void)out, (void)err;
  return TM_FLOW_INPUT;
}

static tm_flow sink_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  return TM_FLOW_FINISHED;
}

static void sink_close(void *self) {
  sink *s = self;
  tm_free(s->env.budget, s, sizeof *s);
}

static void sink_unshare(void *shared) { (void)shared; }

static int sink_seal(void *shared, tm_error *err) {
  ends_sink *k = shared;
  k->sealed++;
  return k->seal_fails ? tm_fail(err, TM_E_WRITE, "cannot be sealed") : 0;
}

static int sink_publish(void *shared, bool commit, tm_error *err) {
  ends_sink *k = shared;
  if (commit) k->committed++;
  else k->thrown++;
  return commit && k->publish_fails ? tm_fail(err, TM_E_WRITE, "cannot be published") : 0;
}

static const tm_stage sink_stage = {
  .size = sizeof(tm_stage), .name = "sink", .inputs = 1, .sink = true, .share = sink_share,
  .open = sink_open, .push = sink_push, .resume = sink_resume, .finish = sink_finish,
  .close = sink_close, .unshare = sink_unshare, .seal = sink_seal, .publish = sink_publish,
};

/* ---------------------------------------------------------------- in a plan */

static tm_bind *find(tm_plan *plan, const char *name) {
  for (uint32_t i = 0; i < plan->node_count; i++) {
    if (strcmp(plan->nodes[i]->name, name) == 0) return plan->nodes[i];
  }
  cr_assert_fail("no step is called '%s'", name);
  return NULL;
}

void ends_set_source(tm_plan *plan, const char *name, ends_source *made) {
  tm_bind *bind = find(plan, name);
  cr_assert_eq(bind->output->count, 3);
  bind->stage = &source_stage;
  bind->plan = made;
  made->taken = 0;
}

void ends_set_sink(tm_plan *plan, const char *name, ends_sink *kept) {
  tm_bind *bind = find(plan, name);
  bind->stage = &sink_stage;
  bind->plan = kept;
}

void ends_sink_clear(ends_sink *kept) { rows_list_clear(&kept->rows); }
