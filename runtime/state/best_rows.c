/* state/best_rows.c: see best_rows.h.
 *
 * Before the first change of a batch that may reach the first rows of a group these are noted; once
 * the batch is in, they are compared with what is first then. Both are in order, so that one walk
 * over the two finds what went and what came; with ranks a row that moved goes and comes. Rows that
 * left keep their strings until the changes have been given. So a batch costs, beside its rows, the
 * first rows of the groups in which it changes any. */
#include "state/best_rows.h"

#include <assert.h>
#include <math.h>

#include "state/row_set.h"

enum { SIGNS_A_WORD = 62 };

/* A row among the first: so often, the first of them at that rank. */
typedef struct place {
  const uint64_t *tuple;
  uint64_t rank, count;
} place;

typedef struct change {
  const uint64_t *tuple;
  int64_t rank;
  int32_t weight;
  bool ends_group; /* no more changes of the group */
} change;

typedef struct group {
  tm_multiset set;
  uint32_t local; /* number among the groups that the batch touches, if it is one of them */
} group;

/* A group that the batch touches. */
typedef struct touch {
  uint32_t id;
  bool noted;
  place *before; /* its first rows, before the batch */
  uint32_t before_count;
} touch;

struct tm_best_rows {
  tm_budget *budget;
  const tm_best_options *options;
  uint32_t by_parts;        /* parts of a tuple that decide */
  tm_tuple_spec spec;
  tm_tuple_part *parts;
  uint32_t *column_of_part; /* the row's column; those of signs lie behind these parts */
  uint32_t *part_of_column;
  uint32_t column_parts, sign_parts, part_room;
  uint32_t *sign_columns;   /* floats, in the order in which their signs decide */
  uint32_t sign_count;
  const tm_column **columns; /* of a batch, by part */
  tm_column *signs;
  tm_multiset_pool *pool;
  tm_row_set *keys;         /* of groups */
  const tm_column **key_columns;
  group *groups;            /* by id */
  uint32_t capacity;
  uint64_t *scratch;        /* a tuple */
  /* of the batch */
  tm_arena arena;
  touch *touches;
  uint32_t touched;
  uint64_t **taken;         /* tuples that left, with strings of their own */
  uint32_t taken_count, taken_capacity;
  change *changes;
  uint32_t change_count, change_capacity, change_at;
};

static int no_memory(tm_error *err) {
  return tm_fail(err, TM_E_MEMORY, "the first rows of all groups need more than the memory budget");
}

/* ------------------------------------------------------------------ the order as a tuple */

static bool has_part(const tm_best_rows *b, uint32_t column) {
  for (uint32_t i = 0; i < b->column_parts; i++) {
    if (b->column_of_part[i] == column) return true;
  }
  return false;
}

static void add_part(tm_best_rows *b, uint32_t column, bool descending) {
  tm_type type = b->options->spec->schema->fields[column].type;
  if (has_part(b, column)) return; /* equal already */
  b->parts[b->column_parts] = (tm_tuple_part){
    .type = type, .descending = descending, .nullable = !type.not_null, .folds = true,
  };
  b->part_of_column[column] = b->column_parts;
  b->column_of_part[b->column_parts++] = column;
}

static void add_sign(tm_best_rows *b, uint32_t column) {
  if (b->options->spec->schema->fields[column].type.kind != TM_FLOAT64) return;
  for (uint32_t i = 0; i < b->sign_count; i++) {
    if (b->sign_columns[i] == column) return;
  }
  b->sign_columns[b->sign_count++] = column;
}

static void arrange(tm_best_rows *b) {
  const tm_sort_spec *spec = b->options->spec;
  for (uint32_t i = spec->group_keys; i < spec->rank_keys; i++) {
    add_part(b, spec->keys[i].column, spec->keys[i].descending);
  }
  b->by_parts = b->column_parts;
  for (uint32_t i = 0; i < spec->schema->count; i++) add_part(b, i, false);
  for (uint32_t i = 0; i < spec->key_count; i++) add_sign(b, spec->keys[i].column);
  b->sign_parts = (b->sign_count + SIGNS_A_WORD - 1) / SIGNS_A_WORD;
  for (uint32_t i = 0; i < b->sign_parts; i++) {
    b->parts[b->column_parts + i] = (tm_tuple_part){.type = tm_type_of(TM_INT64)};
  }
  tm_tuple_init(&b->spec, b->parts, b->column_parts + b->sign_parts);
}

/* ------------------------------------------------------------------ life */

static uint32_t part_room(const tm_schema *schema) {
  return schema->count + (schema->count + SIGNS_A_WORD) / SIGNS_A_WORD;
}

/* Arrays whose size the schema tells. */
static bool make_arrays(tm_best_rows *b) {
  const tm_sort_spec *spec = b->options->spec;
  size_t columns = spec->schema->count + (size_t)1;
  b->part_room = part_room(spec->schema);
  b->parts = tm_alloc_zero(b->budget, b->part_room * sizeof *b->parts);
  b->columns = tm_alloc_zero(b->budget, b->part_room * sizeof *b->columns);
  b->signs = tm_alloc_zero(b->budget, b->part_room * sizeof *b->signs);
  b->column_of_part = tm_alloc_zero(b->budget, columns * sizeof *b->column_of_part);
  b->part_of_column = tm_alloc_zero(b->budget, columns * sizeof *b->part_of_column);
  b->sign_columns = tm_alloc_zero(b->budget, columns * sizeof *b->sign_columns);
  b->key_columns = tm_alloc_zero(b->budget, spec->group_keys * sizeof *b->key_columns);
  return b->parts != NULL && b->columns != NULL && b->signs != NULL && b->column_of_part != NULL &&
         b->part_of_column != NULL && b->sign_columns != NULL && b->key_columns != NULL;
}

static bool make_state(tm_best_rows *b) {
  const tm_sort_spec *spec = b->options->spec;
  tm_type *types = tm_alloc(b->budget, (spec->group_keys + (size_t)1) * sizeof *types);
  if (types == NULL) return false;
  for (uint32_t i = 0; i < spec->group_keys; i++) {
    types[i] = spec->schema->fields[spec->keys[i].column].type;
  }
  b->keys = tm_row_set_create(b->budget, types, spec->group_keys, false);
  tm_free(b->budget, types, (spec->group_keys + (size_t)1) * sizeof *types);
  b->scratch = tm_alloc(b->budget, b->spec.words * sizeof *b->scratch);
  b->pool = tm_multiset_pool_create(b->budget, &b->spec);
  return b->keys != NULL && b->scratch != NULL && b->pool != NULL;
}

tm_best_rows *tm_best_rows_create(tm_budget *budget, const tm_best_options *options,
                                  tm_error *err) {
  tm_best_rows *b = tm_alloc_zero(budget, sizeof *b);
  if (b == NULL) {
    no_memory(err);
    return NULL;
  }
  b->budget = budget;
  b->options = options;
  tm_arena_init(&b->arena, budget);
  bool done = make_arrays(b);
  if (done) arrange(b);
  if (done && make_state(b)) return b;
  tm_best_rows_destroy(b);
  no_memory(err);
  return NULL;
}

void tm_best_rows_destroy(tm_best_rows *b) {
  if (b == NULL) return;
  tm_budget *budget = b->budget;
  const tm_sort_spec *spec = b->options->spec;
  size_t columns = spec->schema->count + (size_t)1;
  tm_multiset_pool_destroy(b->pool);
  tm_row_set_destroy(b->keys);
  tm_free(budget, b->scratch, b->spec.words * sizeof *b->scratch);
  tm_free(budget, b->groups, b->capacity * sizeof *b->groups);
  tm_free(budget, b->parts, b->part_room * sizeof *b->parts);
  tm_free(budget, b->columns, b->part_room * sizeof *b->columns);
  tm_free(budget, b->signs, b->part_room * sizeof *b->signs);
  tm_free(budget, b->column_of_part, columns * sizeof *b->column_of_part);
  tm_free(budget, b->part_of_column, columns * sizeof *b->part_of_column);
  tm_free(budget, b->sign_columns, columns * sizeof *b->sign_columns);
  tm_free(budget, b->key_columns, spec->group_keys * sizeof *b->key_columns);
  tm_arena_deinit(&b->arena);
  tm_free(budget, b, sizeof *b);
}

static bool grow_groups(tm_best_rows *b, uint32_t end) {
  if (end <= b->capacity) return true;
  uint32_t capacity = b->capacity == 0 ? 16 : b->capacity;
  while (capacity < end) capacity *= 2;
  size_t bytes = b->capacity * sizeof *b->groups;
  group *grown = tm_realloc(b->budget, b->groups, bytes, capacity * sizeof *grown);
  if (grown == NULL) return false;
  memset(grown + b->capacity, 0, capacity * sizeof *grown - bytes);
  b->groups = grown;
  b->capacity = capacity;
  return true;
}

/* One more entry of an array of the batch. false: memory. */
static bool grow_list(tm_best_rows *b, void *array, size_t width, uint32_t count,
                      uint32_t *capacity) {
  if (count < *capacity) return true;
  uint32_t wanted = *capacity == 0 ? 64 : 2 * *capacity;
  void *old, *grown = tm_arena_alloc(&b->arena, wanted * width);
  if (grown == NULL) return false;
  memcpy(&old, array, sizeof old);
  if (count > 0) memcpy(grown, old, count * width);
  memcpy(array, &grown, sizeof grown);
  *capacity = wanted;
  return true;
}

/* ------------------------------------------------------------------ rows of a batch */

/* Zeros: a bit each, the first column's the highest, 1 unless there is a sign. */
static bool make_signs(tm_best_rows *b, const tm_batch *batch) {
  for (uint32_t word = 0; word < b->sign_parts; word++) {
    int64_t *bits = tm_arena_zero(&b->arena, (batch->rows + (size_t)1) * sizeof *bits);
    if (bits == NULL) return false;
    for (uint32_t k = 0; k < SIGNS_A_WORD; k++) {
      uint32_t at = word * SIGNS_A_WORD + k;
      if (at >= b->sign_count) break;
      const tm_column *column = &batch->columns[b->sign_columns[at]];
      const double *values = column->data;
      int64_t bit = INT64_C(1) << (SIGNS_A_WORD - 1 - k);
      for (uint32_t n = 0; n < batch->selected; n++) {
        uint32_t row = tm_batch_row(batch, n);
        if (tm_column_is_null(column, row) || values[row] != 0) continue;
        if (!signbit(values[row])) bits[row] |= bit;
      }
    }
    b->signs[word] = (tm_column){.type = tm_type_of(TM_INT64), .data = bits};
    b->columns[b->column_parts + word] = &b->signs[word];
  }
  return true;
}

static bool open_rows(tm_best_rows *b, const tm_batch *batch, uint32_t **ids) {
  const tm_sort_spec *spec = b->options->spec;
  for (uint32_t i = 0; i < b->column_parts; i++) {
    b->columns[i] = &batch->columns[b->column_of_part[i]];
  }
  for (uint32_t i = 0; i < spec->group_keys; i++) {
    b->key_columns[i] = &batch->columns[spec->keys[i].column];
  }
  *ids = tm_arena_alloc(&b->arena, (batch->selected + (size_t)1) * sizeof **ids);
  b->touches = tm_arena_zero(&b->arena, (batch->selected + (size_t)1) * sizeof *b->touches);
  return *ids != NULL && b->touches != NULL && make_signs(b, batch) &&
         tm_row_set_insert(b->keys, b->key_columns, batch->selection, batch->selected, *ids) == 0 &&
         grow_groups(b, tm_row_set_end(b->keys));
}

static touch *touch_of(tm_best_rows *b, uint32_t id) {
  group *g = &b->groups[id];
  if (g->local >= b->touched || b->touches[g->local].id != id) {
    b->touches[b->touched].id = id;
    g->local = b->touched++;
  }
  return &b->touches[g->local];
}

/* ------------------------------------------------------------------ the first rows */

static bool same_by(const tm_best_rows *b, const uint64_t *x, const uint64_t *y) {
  return tm_tuple_compare_parts(&b->spec, x, y, b->by_parts) == 0;
}

/* The first rows of a group as they are now; their tuples stay where they are, or are copied.
 * false: memory. */
static bool list_first(tm_best_rows *b, const tm_multiset *set, bool copies, place **out,
                       uint32_t *out_count) {
  const uint64_t head = b->options->spec->head;
  const bool ties = b->options->spec->all_ties;
  tm_multiset_cursor cursor = tm_multiset_open(b->pool, set);
  place *places = NULL;
  uint32_t count = 0, capacity = 0;
  uint64_t before = 0, rank = 1, times;
  const uint64_t *tuple;
  while ((tuple = tm_multiset_next(&cursor, &times)) != NULL) {
    bool tie = ties && count > 0 && same_by(b, places[count - 1].tuple, tuple);
    if (!tie) rank = before + 1;
    if (rank > head) break;
    before += times;
    if (!ties && before > head) times -= before - head;
    if (!grow_list(b, &places, sizeof *places, count, &capacity)) return false;
    if (copies) {
      uint64_t *copy = tm_arena_alloc(&b->arena, b->spec.words * sizeof *copy);
      if (copy == NULL) return false;
      memcpy(copy, tuple, b->spec.words * sizeof *copy);
      tuple = copy;
    }
    places[count++] = (place){tuple, rank, times};
  }
  *out = places;
  *out_count = count;
  return true;
}

static bool note_first(tm_best_rows *b, touch *t) {
  if (t->noted) return true;
  t->noted = true;
  return list_first(b, &b->groups[t->id].set, true, &t->before, &t->before_count);
}

/* Where the tuple would stand against the last of the first rows: > 0 behind it, and out. */
static int against_last(const tm_best_rows *b, const tm_multiset *set, const uint64_t *tuple,
                        uint32_t parts) {
  if (set->total < b->options->spec->head) return -1;
  const uint64_t *last = tm_multiset_at(b->pool, set, b->options->spec->head - 1);
  return tm_tuple_compare_parts(&b->spec, tuple, last, parts);
}

/* ------------------------------------------------------------------ rows that are final */

/* false: memory. */
static bool take_out(tm_best_rows *b, tm_multiset *set, const uint64_t *tuple, uint64_t count,
                     bool *there) {
  bool left;
  uint64_t *words = b->scratch;
  *there = tm_multiset_take(b->pool, set, tuple, count, words, &left);
  if (!*there || !left) return true;
  if (!b->spec.text) return true; /* nobody asks for it again */
  if (!grow_list(b, &b->taken, sizeof *b->taken, b->taken_count, &b->taken_capacity)) return false;
  uint64_t *copy = tm_arena_alloc(&b->arena, b->spec.words * sizeof *copy);
  if (copy == NULL) return false;
  memcpy(copy, words, b->spec.words * sizeof *copy);
  b->taken[b->taken_count++] = copy;
  return true;
}

/* Lets go of what is behind the first rows. */
static bool evict(tm_best_rows *b, tm_multiset *set) {
  const uint64_t head = b->options->spec->head;
  bool there;
  while (set->total > head) {
    const uint64_t *last = tm_multiset_at(b->pool, set, head - 1);
    const uint64_t *greatest = tm_multiset_greatest(b->pool, set);
    if (b->options->spec->all_ties && same_by(b, last, greatest)) return true;
    uint64_t count = tm_multiset_count(b->pool, set, greatest), more = set->total - head;
    if (!take_out(b, set, greatest, count < more ? count : more, &there)) return false;
  }
  return true;
}

static bool offer(tm_best_rows *b, touch *t, uint32_t row, uint64_t *tuple) {
  tm_multiset *set = &b->groups[t->id].set;
  bool ties = b->options->spec->all_ties;
  tm_tuple_write_parts(&b->spec, 0, b->by_parts, b->columns, row, tuple);
  int order = against_last(b, set, tuple, b->by_parts);
  if (order > 0) return true;
  uint32_t rest = b->spec.part_count - b->by_parts;
  tm_tuple_write_parts(&b->spec, b->by_parts, rest, b->columns, row, tuple);
  if (order == 0 && !ties && against_last(b, set, tuple, b->spec.part_count) >= 0) return true;
  return note_first(b, t) && tm_multiset_add(b->pool, set, tuple, 1) == 0 && evict(b, set);
}

/* ------------------------------------------------------------------ rows that may go */

/* 1: a row was taken back that never came; 0, -1: memory. */
static int change_row(tm_best_rows *b, touch *t, uint32_t row, int32_t weight, uint64_t *tuple) {
  tm_multiset *set = &b->groups[t->id].set;
  bool there = true;
  tm_tuple_write(&b->spec, b->columns, row, tuple);
  uint32_t parts = b->options->spec->all_ties ? b->by_parts : b->spec.part_count;
  if (against_last(b, set, tuple, parts) <= 0 && !note_first(b, t)) return -1;
  if (weight > 0) return tm_multiset_add(b->pool, set, tuple, (uint64_t)weight);
  if (!take_out(b, set, tuple, (uint64_t) - (int64_t)weight, &there)) return -1;
  return there ? 0 : 1;
}

static int take_changes(tm_best_rows *b, const tm_batch *batch, const uint32_t *ids,
                        uint64_t *tuple) {
  for (int pass = 0; pass < 2; pass++) { /* what comes before what goes */
    for (uint32_t i = 0; i < batch->selected; i++) {
      uint32_t row = tm_batch_row(batch, i);
      int32_t weight = batch->weights == NULL ? 1 : batch->weights[row];
      if (pass == 0 ? weight <= 0 : weight >= 0) continue;
      int done = change_row(b, touch_of(b, ids[i]), row, weight, tuple);
      if (done != 0) return done;
    }
  }
  return 0;
}

/* ------------------------------------------------------------------ what changed */

static bool put_change(tm_best_rows *b, const uint64_t *tuple, uint64_t rank, int64_t weight) {
  while (weight != 0) {
    int64_t part = weight > INT32_MAX ? INT32_MAX : weight < -INT32_MAX ? -INT32_MAX : weight;
    if (!grow_list(b, &b->changes, sizeof *b->changes, b->change_count, &b->change_capacity)) {
      return false;
    }
    b->changes[b->change_count++] = (change){tuple, (int64_t)rank, (int32_t)part, false};
    weight -= part;
  }
  return true;
}

/* Ranks from …+count-1 of a row, each a row of its own. */
static bool put_ranks(tm_best_rows *b, const uint64_t *tuple, uint64_t from, uint64_t end,
                      int sign) {
  for (uint64_t rank = from; rank < end; rank++) {
    if (!put_change(b, tuple, rank, sign)) return false;
  }
  return true;
}

/* A row that was at one place and is at another. */
static bool compare_places(tm_best_rows *b, const place *old, const place *new) {
  uint64_t old_end = old->rank + old->count, new_end = new->rank + new->count;
  if (!b->options->ranked) {
    return put_change(b, new->tuple, 0, (int64_t)new->count - (int64_t)old->count);
  }
  if (b->options->spec->all_ties) {
    if (old->rank == new->rank) {
      return put_change(b, new->tuple, new->rank, (int64_t)new->count - (int64_t)old->count);
    }
    return put_change(b, old->tuple, old->rank, -(int64_t)old->count) &&
           put_change(b, new->tuple, new->rank, (int64_t)new->count);
  }
  uint64_t low = old->rank > new->rank ? old->rank : new->rank;
  uint64_t high = old_end < new_end ? old_end : new_end;
  if (low >= high) { /* no rank in common */
    return put_ranks(b, old->tuple, old->rank, old_end, -1) &&
           put_ranks(b, new->tuple, new->rank, new_end, 1);
  }
  return put_ranks(b, old->tuple, old->rank, low, -1) &&
         put_ranks(b, old->tuple, high, old_end, -1) &&
         put_ranks(b, new->tuple, new->rank, low, 1) &&
         put_ranks(b, new->tuple, high, new_end, 1);
}

static bool put_place(tm_best_rows *b, const place *p, int sign) {
  if (b->options->ranked && !b->options->spec->all_ties) {
    return put_ranks(b, p->tuple, p->rank, p->rank + p->count, sign);
  }
  return put_change(b, p->tuple, p->rank, sign * (int64_t)p->count);
}

static bool compare_first(tm_best_rows *b, const touch *t) {
  place *after;
  uint32_t after_count, i = 0, k = 0, first = b->change_count;
  if (!list_first(b, &b->groups[t->id].set, false, &after, &after_count)) return false;
  bool done = true;
  while (done && (i < t->before_count || k < after_count)) {
    int order = i == t->before_count ? 1
                : k == after_count   ? -1
                                     : tm_tuple_compare(&b->spec, t->before[i].tuple,
                                                        after[k].tuple);
    if (order < 0) done = put_place(b, &t->before[i++], -1);
    else if (order > 0) done = put_place(b, &after[k++], 1);
    else done = compare_places(b, &t->before[i++], &after[k++]);
  }
  if (b->change_count > first) b->changes[b->change_count - 1].ends_group = true;
  return done;
}

int tm_best_rows_add(tm_best_rows *b, const tm_batch *batch, tm_error *err) {
  uint32_t *ids;
  assert(b->touches == NULL && "the changes of the last batch have been taken");
  uint64_t *tuple = tm_arena_alloc(&b->arena, (b->spec.words + (size_t)1) * sizeof *tuple);
  if (tuple == NULL || !open_rows(b, batch, &ids)) return no_memory(err);
  int done = 0;
  if (b->options->retracts) done = take_changes(b, batch, ids, tuple);
  for (uint32_t i = 0; i < batch->selected && !b->options->retracts && done == 0; i++) {
    if (!offer(b, touch_of(b, ids[i]), tm_batch_row(batch, i), tuple)) done = -1;
  }
  if (done < 0) return no_memory(err);
  if (done > 0) return tm_fail(err, TM_E_LEDGER, "a row is taken back that never came");
  for (uint32_t k = 0; k < b->touched; k++) {
    if (b->touches[k].noted && !compare_first(b, &b->touches[k])) return no_memory(err);
  }
  return 0;
}

/* ------------------------------------------------------------------ giving them */

/* Groups without rows go; so do the strings of rows that left. */
static void close_batch(tm_best_rows *b) {
  for (uint32_t k = 0; k < b->touched; k++) {
    uint32_t id = b->touches[k].id;
    if (b->groups[id].set.total > 0) continue;
    b->groups[id] = (group){0};
    tm_row_set_remove(b->keys, id);
  }
  for (uint32_t i = 0; i < b->taken_count; i++) {
    tm_tuple_drop(&b->spec, b->taken[i], &b->pool->slab);
  }
  b->touches = NULL;
  b->taken = NULL;
  b->changes = NULL;
  b->touched = b->taken_count = b->taken_capacity = 0;
  b->change_count = b->change_capacity = b->change_at = 0;
  tm_arena_reset(&b->arena);
}

/* Zeros get their signs back. */
static void restore_signs(const tm_best_rows *b, const uint64_t *const *tuples, uint32_t count,
                          tm_batch *out) {
  for (uint32_t at = 0; at < b->sign_count; at++) {
    tm_column *column = &out->columns[b->sign_columns[at]];
    const tm_tuple_part *part = &b->parts[b->column_parts + at / SIGNS_A_WORD];
    uint64_t bit = UINT64_C(1) << (SIGNS_A_WORD - 1 - at % SIGNS_A_WORD);
    double *values = column->data;
    for (uint32_t i = 0; i < count; i++) {
      if (tm_column_is_null(column, i) || values[i] != 0) continue;
      if ((tuples[i][part->at] & bit) == 0) values[i] = -0.0;
    }
  }
}

static tm_batch *make_batch(tm_best_rows *b, const tm_schema *schema, tm_budget *budget,
                            const change *changes, uint32_t count) {
  tm_batch *out = tm_batch_create(budget, schema, count);
  const uint64_t **tuples = tm_arena_alloc(&b->arena, (count + (size_t)1) * sizeof *tuples);
  bool done = out != NULL && tuples != NULL;
  for (uint32_t i = 0; done && i < count; i++) tuples[i] = changes[i].tuple;
  uint32_t columns = b->options->spec->schema->count;
  for (uint32_t c = 0; done && c < columns; c++) {
    uint32_t part = b->part_of_column[c];
    done = tm_batch_column(out, c, b->parts[part].nullable) == 0 &&
           tm_tuple_read(&b->spec, part, tuples, NULL, count, out, c) == 0;
  }
  if (done) restore_signs(b, tuples, count, out);
  if (done && b->options->ranked) {
    done = tm_batch_column(out, columns, false) == 0;
    int64_t *ranks = out->columns[columns].data;
    for (uint32_t i = 0; done && i < count; i++) ranks[i] = changes[i].rank;
  }
  if (done) {
    out->weights = tm_batch_alloc(out, (count + (size_t)1) * sizeof *out->weights);
    done = out->weights != NULL;
  }
  for (uint32_t i = 0; done && i < count; i++) out->weights[i] = changes[i].weight;
  if (done) return out;
  tm_batch_release(out);
  return NULL;
}

int tm_best_rows_next(tm_best_rows *b, const tm_schema *schema, tm_budget *budget,
                      uint32_t rows_max, tm_batch **out, tm_error *err) {
  uint32_t from = b->change_at, end = from, next = from;
  *out = NULL;
  while (next < b->change_count) {
    if (!b->changes[next++].ends_group) continue;
    if (end > from && next - from > rows_max) break;
    end = next;
  }
  if (end == from) {
    close_batch(b);
    return 0;
  }
  b->change_at = end;
  *out = make_batch(b, schema, budget, b->changes + from, end - from);
  return *out == NULL ? no_memory(err) : 0;
}

int tm_best_rows_settle_step(tm_best_rows *b, tm_error *err) {
  int more = tm_row_set_settle_step(b->keys);
  return more < 0 ? no_memory(err) : more;
}

/* ------------------------------------------------------------------ saving */

void tm_best_rows_save(const tm_best_rows *b, tm_record_writer *writer) {
  assert(b->touches == NULL);
  tm_row_set_save(b->keys, writer);
  for (uint32_t id = 0; id < tm_row_set_end(b->keys); id++) {
    if (tm_row_set_has(b->keys, id)) tm_multiset_save(b->pool, &b->groups[id].set, writer);
  }
}

int tm_best_rows_restore(tm_best_rows *b, tm_record_reader *reader, tm_error *err) {
  if (tm_row_set_restore(b->keys, reader) < 0) return no_memory(err);
  uint32_t end = tm_row_set_end(b->keys);
  if (!grow_groups(b, end)) return no_memory(err);
  for (uint32_t id = 0; id < end && !reader->failed; id++) {
    if (!tm_row_set_has(b->keys, id)) continue;
    if (tm_multiset_restore(b->pool, &b->groups[id].set, reader) < 0) return no_memory(err);
  }
  return reader->failed ? tm_fail(err, TM_E_LOCKED, "saved state does not fit this step") : 0;
}
