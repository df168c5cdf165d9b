/* operator/keep_first.c: see keep_first.h.
 *
 * Rows come in time order, so the row that passes is the same in every run. A key has the time of
 * its last row that passed (state/recent_keys.h); a row passes when it comes later than `within`
 * after that. Without an end the number only says that there was one. Taken by arrival, a row
 * counts as of the latest time so far: time never goes back. A key with a null passes always. */
#include "operator/keep_first.h"

#include "stage/options.h"
#include "state/recent_keys.h"

typedef struct keep_first {
  tm_stage_env env;
  const tm_keep_plan *plan;
  tm_recent_keys recent;
  const tm_column **keys;
  int64_t latest_us;      /* by arrival: the latest time so far */
  int64_t watermark_us;   /* to be passed on once all is settled; TM_TIME_NONE */
  tm_arena scratch;       /* of one batch */
} keep_first;

static int no_memory(const tm_bind *bind, tm_error *err) {
  tm_fail(err, TM_E_MEMORY, "the keys of %s need more than the memory budget", bind->verb);
  return tm_error_help(err, "give more with --memory, or forget keys: within = \"1h\"");
}

/* ------------------------------------------------------------------ bind */

static int read_keys(tm_bind *bind, tm_keep_plan *p, const char *option, tm_error *err) {
  const tm_schema *input = bind->inputs[0];
  int count = tm_options_columns(bind->options, option, input, bind->arena, &p->keys, err);
  if (count < 0) return -1;
  p->key_count = (uint32_t)count;
  p->key_types = tm_arena_zero(bind->arena, (p->key_count + 1) * sizeof *p->key_types);
  if (p->key_types == NULL) return no_memory(bind, err);
  for (uint32_t i = 0; i < p->key_count; i++) p->key_types[i] = input->fields[p->keys[i]].type;
  return 0;
}

static int read_order(tm_bind *bind, tm_keep_plan *p, tm_error *err) {
  bool timed = bind->facts_in[0].time.kind != TM_NULLTYPE;
  const char *order = tm_value_text(bind->options, "order", "");
  p->by_arrival = strcmp(order, "arrival") == 0;
  p->within_us = tm_options_duration(bind->options, "within", TM_KEYS_FOR_EVER);
  if (order[0] != '\0' && !p->by_arrival) {
    tm_fail(err, TM_E_VALUE, "order of %s is \"arrival\", or left out", bind->verb);
    tm_error_token(err, "order", "");
    return -1;
  }
  if (p->within_us < 0) {
    tm_fail(err, TM_E_VALUE, "within of %s is negative", bind->verb);
    tm_error_token(err, "within", "");
    return -1;
  }
  if (p->within_us == TM_KEYS_FOR_EVER || timed) return 0;
  tm_fail(err, TM_E_JOB, "%s within a time needs rows that have one", bind->verb);
  tm_error_token(err, "within", "");
  return tm_error_help(err, "give the source its event time: time = { field = \"at\" }");
}

static const char *detail_of(const tm_bind *bind, const tm_keep_plan *p) {
  const char *text = "";
  for (uint32_t i = 0; i < p->key_count && text != NULL; i++) {
    text = tm_arena_format(bind->arena, "%s%s%s", text, i == 0 ? "by " : ", ",
                           bind->inputs[0]->fields[p->keys[i]].name);
  }
  if (text != NULL && p->by_arrival) {
    text = tm_arena_format(bind->arena, "%s%sas rows arrive: not replayable", text,
                           p->key_count > 0 ? ", " : "");
  }
  return text;
}

tm_keep_plan *tm_keep_bind(tm_bind *bind, const char *key_option, tm_error *err) {
  tm_keep_plan *p = tm_arena_zero(bind->arena, sizeof *p);
  int32_t *passes = tm_arena_alloc(bind->arena, (bind->inputs[0]->count + 1) * sizeof *passes);
  if (p == NULL || passes == NULL) {
    (void)no_memory(bind, err);
    return NULL;
  }
  if (read_keys(bind, p, key_option, err) < 0 || read_order(bind, p, err) < 0) return NULL;
  for (uint32_t i = 0; i < bind->inputs[0]->count; i++) passes[i] = (int32_t)i;
  bind->plan = p;
  bind->output = bind->inputs[0];
  bind->passes[0] = passes;
  bind->order = TM_ORDER_KEEPS;
  bind->single = bind->ordered = bind->chooses = true;
  bind->time_order = !p->by_arrival;
  bool timed = bind->facts_in[0].time.kind != TM_NULLTYPE;
  if (timed && !p->by_arrival) bind->facts_out.in_time_order = true;
  bind->rows_estimate = bind->input_rows[0];
  bind->detail = detail_of(bind, p);
  if (bind->detail != NULL) return p;
  (void)no_memory(bind, err);
  return NULL;
}

void tm_keep_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  const tm_keep_plan *p = bind->plan;
  for (uint32_t i = 0; i < bind->output->count; i++) in[0][i] |= needed_out[i];
  for (uint32_t i = 0; i < p->key_count; i++) in[0][p->keys[i]] = 1;
}

int tm_keep_first_bind(tm_bind *bind, const char *key_option, tm_error *err) {
  if (!bind->facts_in[0].changelog) return tm_keep_bind(bind, key_option, err) == NULL ? -1 : 0;
  tm_fail(err, TM_E_JOB, "%s keeps the first row of a key, and its input takes rows back",
          bind->verb);
  return tm_error_help(err, "put it before the step that changes its rows, give that step a window,"
                       " or follow the changes: dedup(key, { keep = \"last\" })");
}

/* ------------------------------------------------------------------ open, close */

static size_t bytes_of(const tm_keep_plan *p) {
  return sizeof(keep_first) + p->key_count * sizeof(tm_column *);
}

void tm_keep_first_close(void *self) {
  keep_first *k = self;
  tm_recent_keys_deinit(&k->recent);
  tm_arena_deinit(&k->scratch);
  tm_free(k->env.budget, k, bytes_of(k->plan));
}

int tm_keep_first_open(const tm_stage_env *env, void **out, tm_error *err) {
  const tm_keep_plan *p = env->bind->plan;
  keep_first *k = tm_alloc_zero(env->budget, bytes_of(p));
  if (k == NULL) return no_memory(env->bind, err);
  k->env = *env;
  k->plan = p;
  k->keys = (const tm_column **)(void *)(k + 1);
  k->latest_us = k->watermark_us = TM_TIME_NONE;
  tm_arena_init(&k->scratch, env->budget);
  if (tm_recent_keys_init(&k->recent, env->budget, p->key_types, p->key_count, p->within_us) < 0) {
    tm_keep_first_close(k);
    return no_memory(env->bind, err);
  }
  *out = k;
  return 0;
}

/* ------------------------------------------------------------------ rows */

static bool has_null(const tm_keep_plan *p, const tm_batch *batch, uint32_t row) {
  for (uint32_t i = 0; i < p->key_count; i++) {
    if (tm_column_is_null(&batch->columns[p->keys[i]], row)) return true;
  }
  return false;
}

uint32_t tm_keep_split(const tm_keep_plan *p, const tm_batch *batch, uint32_t *with,
                       uint32_t *without) {
  uint32_t count = 0;
  bool nullable = false;
  for (uint32_t i = 0; i < p->key_count; i++) {
    nullable |= batch->columns[p->keys[i]].valid != NULL;
  }
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    if (nullable && has_null(p, batch, row)) *without++ = row;
    else with[count++] = row;
  }
  return count;
}

/* Times that never go back. NULL: out of memory. */
static const int64_t *rising_times(keep_first *k, const tm_batch *batch) {
  int64_t *times = tm_arena_alloc(&k->scratch, (batch->rows + 1) * sizeof *times);
  for (uint32_t i = 0; times != NULL && i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    if (batch->times[row] > k->latest_us) k->latest_us = batch->times[row];
    times[row] = k->latest_us;
  }
  return times;
}

/* Sets passes[row] of the rows that pass; their number, -1: out of memory. */
static int64_t choose(keep_first *k, const tm_batch *batch, const uint32_t *rows, uint32_t count,
                      uint8_t *passes) {
  const bool for_ever = k->plan->within_us == TM_KEYS_FOR_EVER;
  const int64_t *times = batch->times;
  int64_t passed = 0;
  uint32_t *ids = tm_arena_alloc(&k->scratch, (count + 1) * sizeof *ids);
  if (ids == NULL) return -1;
  if (k->plan->by_arrival && !for_ever) times = rising_times(k, batch);
  if (times == NULL && !for_ever) return -1;
  for (uint32_t i = 0; i < k->plan->key_count; i++) k->keys[i] = &batch->columns[k->plan->keys[i]];
  while (count > 0) {
    int64_t some = tm_recent_keys_open(&k->recent, times, rows, count);
    if (some < 0) return -1;
    if (tm_recent_keys_insert(&k->recent, k->keys, rows, (uint32_t)some, ids) < 0) return -1;
    int64_t *kept = k->recent.now.values;
    for (uint32_t i = 0; i < some; i++) {
      int64_t last = kept[ids[i]], now = for_ever ? 0 : times[rows[i]];
      bool pass = last == TM_KEYS_NONE ||
                  (uint64_t)now - (uint64_t)last > (uint64_t)k->plan->within_us;
      if (pass) kept[ids[i]] = now;
      passes[rows[i]] = pass;
      passed += pass;
    }
    rows += some;
    count -= (uint32_t)some;
  }
  return passed;
}

/* Narrows the selection of an own batch. 0 or -1 (memory). */
static int narrow(keep_first *k, tm_batch *batch) {
  uint32_t *with = tm_arena_alloc(&k->scratch, (batch->selected + 1) * sizeof *with);
  uint32_t *without = tm_arena_alloc(&k->scratch, (batch->selected + 1) * sizeof *without);
  uint8_t *passes = tm_arena_alloc(&k->scratch, batch->rows + 1);
  uint32_t *selection = tm_batch_alloc(batch, (batch->selected + 1) * sizeof *selection);
  if (with == NULL || without == NULL || passes == NULL || selection == NULL) return -1;
  uint32_t count = tm_keep_split(k->plan, batch, with, without);
  for (uint32_t i = 0; i < batch->selected - count; i++) passes[without[i]] = 1;
  int64_t passed = choose(k, batch, with, count, passes);
  if (passed < 0) return -1;
  if (passed == count) return 0;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    selection[kept] = row;
    kept += passes[row];
  }
  k->env.ledger->duplicate += batch->selected - kept;
  batch->selection = selection;
  batch->selected = kept;
  return 0;
}

/* A table of keys grows in steps; only then time goes on. */
static tm_flow settle(keep_first *k, tm_out *out, tm_error *err) {
  if (tm_recent_keys_wants_growth(&k->recent)) {
    int more = tm_recent_keys_grow_step(&k->recent);
    if (more < 0) return no_memory(k->env.bind, err);
    if (more > 0) return TM_FLOW_MORE;
  }
  out->watermark_us = k->watermark_us;
  k->watermark_us = TM_TIME_NONE;
  return TM_FLOW_INPUT;
}

tm_flow tm_keep_first_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                           tm_error *err) {
  keep_first *k = self;
  (void)port;
  tm_batch *batch = tm_batch_own(taken, k->env.budget);
  if (batch == NULL) return no_memory(k->env.bind, err);
  int done = batch->selected > 0 ? narrow(k, batch) : 0;
  tm_arena_reset(&k->scratch);
  if (done < 0) {
    tm_batch_release(batch);
    return no_memory(k->env.bind, err);
  }
  tm_out_emit(out, batch);
  return settle(k, out, err);
}

tm_flow tm_keep_first_resume(void *self, tm_out *out, tm_error *err) {
  return settle(self, out, err);
}

tm_flow tm_keep_first_advance(void *self, uint32_t port, int64_t watermark_us, tm_out *out,
                              tm_error *err) {
  keep_first *k = self;
  (void)port;
  k->watermark_us = watermark_us;
  bool forgets = !k->plan->by_arrival && k->plan->within_us != TM_KEYS_FOR_EVER;
  if (forgets && tm_recent_keys_advance(&k->recent, watermark_us) < 0) {
    return no_memory(k->env.bind, err);
  }
  return settle(k, out, err);
}

tm_flow tm_keep_first_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)self, (void)port, (void)out, (void)err;
  return TM_FLOW_FINISHED;
}

/* ------------------------------------------------------------------ save, restore */

int tm_keep_first_save(void *self, tm_bytes *out, tm_error *err) {
  keep_first *k = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, (uint64_t)k->latest_us);
  tm_record_put(&w, (uint64_t)k->watermark_us);
  tm_recent_keys_save(&k->recent, &w);
  return tm_record_end(&w, err);
}

int tm_keep_first_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  keep_first *k = self;
  tm_record_reader r;
  tm_record_open(&r, bytes, size);
  k->latest_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  k->watermark_us = (int64_t)tm_record_get(&r, UINT64_MAX);
  if (tm_recent_keys_restore(&k->recent, &r, err) < 0) return -1;
  return tm_record_close(&r, err);
}
