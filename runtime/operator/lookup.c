/* operator/lookup.c: takes columns out of a table, by key, for each row that comes.
 *
 * The table is the right side: it is read whole before the first row, kept and built as join.c has
 * it, and shared by all lanes. No key is in it twice (that is an error of the run), so a row stays
 * one row: it goes on with the table's columns beside its own, in its place, with its time, mark,
 * ordinal and weight; nothing of the left side is copied. A row that finds nothing is refused as
 * no_match, or comes with nulls (miss = "keep"), or goes (miss = "drop"). A null key finds
 * nothing. */
#include <string.h>

#include "format/cell_text.h"
#include "operator/join_run.h"
#include "operator/join_widen.h"
#include "stage/options.h"
#include "state/sorter.h"

enum { TOLD_KEYS_MAX = 8 };

static const tm_option lookup_options[] = {
  {"on", "text|table|list", NULL, "\"id\", { \"id\", left = \"right\" }, or {} for one row", NULL},
  {"take", "text|table|list", NULL, "columns of the table, { new = \"old\" } renames; all but keys",
   NULL},
  {"prefix", "text", NULL, "goes before the names of the table's columns", NULL},
  {"miss", "text|flow", NULL, "a row that finds nothing: \"keep\", \"drop\", or an endpoint", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

typedef enum lookup_miss { MISS_REFUSE, MISS_KEEP, MISS_DROP } lookup_miss;

typedef struct lookup_plan {
  join_plan join; /* first: the parts of a join take it for one */
  lookup_miss miss;
} lookup_plan;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "lookup: out of memory"); }

/* ---------------------------------------------------------------- bind */

static int read_miss(const tm_bind *bind, lookup_miss *out, tm_error *err) {
  static const char *const names[] = {"keep", "drop"};
  const tm_value *v = tm_value_get(bind->options, "miss");
  *out = MISS_REFUSE;
  if (v == NULL || v->kind == TM_VALUE_NIL || v->kind == TM_VALUE_NODE) return 0;
  if (v->kind == TM_VALUE_TEXT && strcmp(v->text, "keep") == 0) *out = MISS_KEEP;
  else if (v->kind == TM_VALUE_TEXT && strcmp(v->text, "drop") == 0) *out = MISS_DROP;
  if (*out != MISS_REFUSE) return 0;
  tm_fail(err, TM_E_VALUE, "lookup: 'miss' is \"keep\", \"drop\" or an endpoint");
  if (v->kind == TM_VALUE_TEXT) tm_error_suggest(err, v->text, names, 2);
  return -1;
}

static int check_table(const tm_bind *bind, tm_error *err) {
  const tm_rows_facts *table = &bind->facts_in[1];
  if (!table->bounded) {
    tm_fail(err, TM_E_JOB, "lookup reads its table before the first row, and this one has no end");
    return tm_error_help(err, "join_asof takes, of a table that changes, the row of that time");
  }
  if (!table->changelog) return 0;
  tm_fail(err, TM_E_JOB, "lookup: rows of the table are taken back later");
  return tm_error_help(err, "join takes such a side, or group it in a window");
}

static int lookup_bind(tm_bind *bind, tm_error *err) {
  lookup_miss miss;
  if (read_miss(bind, &miss, err) < 0 || check_table(bind, err) < 0) return -1;
  bool keep = miss == MISS_KEEP;
  const join_shape shape = {
    .size = sizeof(lookup_plan), .initial = keep ? JOIN_LEFT : JOIN_INNER, .scalar = true,
    .kinds = 1 << (keep ? JOIN_LEFT : JOIN_INNER), .drops_keys = true,
  };
  join_plan *p = tm_join_plan_create(bind, &shape, err);
  if (p == NULL) return -1;
  ((lookup_plan *)p)->miss = miss;
  bind->rejects = miss == MISS_REFUSE;
  bind->order = TM_ORDER_KEEPS;
  bind->waits[0] = 1 << 1;
  bind->rows_estimate = bind->input_rows[0];
  tm_join_pass_windows(bind);
  tm_rows_facts facts = bind->facts_in[0]; /* left rows, as they are */
  facts.window_start = bind->facts_out.window_start;
  facts.window_end = bind->facts_out.window_end;
  bind->facts_out = facts;
  bind->detail = tm_arena_format(bind->arena, "on %u %s%s", p->keys[0].count,
                                 p->keys[0].count == 1 ? "key" : "keys",
                                 keep                 ? ", keeps what finds nothing"
                                 : miss == MISS_DROP ? ", drops what finds nothing"
                                                     : "");
  return bind->detail == NULL ? no_memory(err) : 0;
}

/* A row that is refused is shown whole; of the table that is too much to keep. */
static void lookup_need(const tm_bind *bind, const uint8_t *needed_out, uint8_t *const *in) {
  tm_join_need(bind, needed_out, in);
  if (bind->rejects && !bind->skip_rejects) memset(in[0], 1, bind->inputs[0]->count);
}

/* ---------------------------------------------------------------- keys that come twice */

static tm_sort_place place_of(const tm_join *l, uint32_t id) {
  return (tm_sort_place){l->table->chunks[id >> TM_CHUNK_BITS].rows, id & (TM_CHUNK_ROWS - 1)};
}

/* The least key that comes twice: the same, whatever the lanes. */
static uint32_t find_twice(const tm_join *l) {
  tm_sort_key keys[TM_JOIN_KEYS_MAX];
  const tm_join_keys *of = &l->plan->keys[1];
  tm_sort_spec spec = {.schema = l->plan->sides[1], .keys = keys, .key_count = of->count};
  for (uint32_t i = 0; i < of->count; i++) keys[i] = (tm_sort_key){.column = of->columns[i]};
  uint32_t found = TM_ROW_NONE;
  for (uint32_t part = 0; part < l->table->lanes; part++) {
    const tm_join_partition *p = &l->table->partitions[part];
    for (uint32_t key = 0; !p->unique && key < tm_key_table_count(p->keys); key++) {
      uint32_t id = p->heads[key];
      if (l->table->next[id] == TM_ROW_NONE) continue;
      bool less = found == TM_ROW_NONE || tm_sort_compare(&spec, place_of(l, id),
                                                          place_of(l, found), 0, of->count) < 0;
      if (less) found = id;
    }
  }
  return found;
}

/* "store = 7, sku = X12" of a row: the keys of a side. false: out of memory. */
static bool tell_keys(const tm_join *l, int side, const tm_batch *batch, uint32_t row,
                      tm_bytes *out) {
  const tm_join_keys *keys = &l->plan->keys[side];
  uint32_t count = keys->count < TOLD_KEYS_MAX ? keys->count : TOLD_KEYS_MAX;
  bool done = true;
  for (uint32_t i = 0; done && i < count; i++) {
    const tm_column *c = &batch->columns[keys->columns[i]];
    const char *name = batch->schema->fields[keys->columns[i]].name;
    done = (i == 0 || tm_bytes_append(out, ", ", 2)) && tm_bytes_append(out, name, strlen(name)) &&
           tm_bytes_append(out, " = ", 3) &&
           (tm_column_is_null(c, row) ? tm_bytes_append(out, "null", 4)
                                      : tm_cell_text_append(c, row, out));
  }
  return done && tm_bytes_append_byte(out, '\0');
}

static tm_flow check_unique(const tm_join *l, tm_error *err) {
  if (tm_join_table_unique(l->table)) return TM_FLOW_INPUT;
  tm_sort_place twice = place_of(l, find_twice(l));
  tm_bytes text;
  tm_bytes_init(&text, l->env.budget);
  if (tell_keys(l, 1, twice.batch, twice.row, &text)) {
    tm_fail(err, TM_E_SCALAR, "lookup: two rows of the table have %.300s", (char *)text.data);
    tm_error_help(err, "table:dedup keeps one row of each key; join takes several");
  } else {
    no_memory(err);
  }
  tm_bytes_deinit(&text);
  return TM_FLOW_FAILED;
}

/* ---------------------------------------------------------------- rows that come */

static int refuse(const tm_join *l, const tm_batch *batch, uint32_t row, tm_bytes *text,
                  tm_out *out, tm_error *err) {
  const char *said = "the table is empty";
  tm_bytes_clear(text);
  if (!l->plan->scalar) {
    said = "no row of the table has ";
    bool told = tm_bytes_append(text, said, strlen(said)) && tell_keys(l, 0, batch, row, text);
    if (!told) return no_memory(err);
    said = (const char *)text->data;
  }
  int line = l->env.bind->script_line;
  return tm_out_reject(out, batch, row, TM_REASON_NO_MATCH, line, said) < 0 ? no_memory(err) : 0;
}

/* Rows without a match leave the batch, and `ids` with them. */
static int drop_misses(const tm_join *l, tm_batch *batch, uint32_t *ids, tm_out *out,
                       tm_error *err) {
  bool refuses = ((const lookup_plan *)l->plan)->miss == MISS_REFUSE;
  uint32_t *left = tm_batch_alloc(batch, (batch->selected + 1) * sizeof *left), count = 0;
  if (left == NULL) return no_memory(err);
  tm_bytes text;
  tm_bytes_init(&text, l->env.budget);
  int done = 0;
  for (uint32_t i = 0; done == 0 && i < batch->selected; i++) {
    uint32_t row = tm_batch_row(batch, i);
    left[count] = row;
    ids[count] = ids[i];
    if (ids[i] != TM_ROW_NONE) count++;
    else if (refuses) done = refuse(l, batch, row, &text, out, err);
    else l->env.ledger->unmatched++;
  }
  tm_bytes_deinit(&text);
  batch->selection = left;
  batch->selected = count;
  return done;
}

static tm_flow look_up(tm_join *l, tm_batch *in, tm_out *out, tm_error *err) {
  uint32_t *ids = tm_batch_alloc(in, (in->selected + 1) * sizeof *ids);
  if (ids == NULL) return no_memory(err);
  if (tm_join_table_probe(l->table, in, &l->plan->keys[0], ids, err) < 0) return TM_FLOW_FAILED;
  bool misses = tm_join_widen_misses(ids, in->selected);
  if (misses && ((const lookup_plan *)l->plan)->miss != MISS_KEEP) {
    if (drop_misses(l, in, ids, out, err) < 0) return TM_FLOW_FAILED;
    misses = false;
  }
  tm_join_widen widen = {.env = &l->env, .plan = l->plan, .chunks = l->table->chunks};
  tm_batch *batch = tm_join_widen_batch(&widen, in, ids, misses);
  if (batch == NULL) return no_memory(err);
  tm_out_emit(out, batch);
  return TM_FLOW_INPUT;
}

/* ---------------------------------------------------------------- the protocol */

static tm_flow lookup_push(void *self, uint32_t port, tm_batch *taken, tm_out *out,
                           tm_error *err) {
  tm_join *l = self;
  if (port == 1) return tm_join_copy(l, taken, err);
  tm_batch *in = tm_batch_own(taken, l->env.budget);
  if (in == NULL) return no_memory(err);
  tm_flow flow = look_up(l, in, out, err);
  tm_batch_release(in); /* the batch that goes on pins it */
  return flow;
}

static tm_flow lookup_resume(void *self, tm_out *out, tm_error *err) {
  tm_join *l = self;
  (void)out;
  tm_flow flow = tm_join_resume_build(l, err);
  return flow == TM_FLOW_INPUT && l->phase == JOIN_PROBE ? check_unique(l, err) : flow;
}

static tm_flow lookup_finish(void *self, uint32_t port, tm_out *out, tm_error *err) {
  (void)out;
  return port == 1 ? tm_join_end_copy(self, err) : TM_FLOW_FINISHED;
}

const tm_stage tm_stage_lookup = {
  .size = sizeof(tm_stage),
  .name = "lookup",
  .summary = "columns of the row of a table that has the same key",
  .inputs = 2,
  .options = lookup_options,
  .bind = lookup_bind,
  .need = lookup_need,
  .share = tm_join_share,
  .open = tm_join_open,
  .restore = tm_join_restore,
  .save = tm_join_save,
  .wants = tm_join_wants,
  .push = lookup_push,
  .resume = lookup_resume,
  .finish = lookup_finish,
  .close = tm_join_close,
  .unshare = tm_join_unshare,
};
