/* Key tables against a list of distinct keys that is searched from end to end. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "kernel/hash_rows.h"
#include "state/key_table.h"

enum { ROWS_MAX = 6000, COLUMNS_MAX = 4, KEY_BYTES = 160 };

static uint64_t random_state;
static uint64_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

/* ------------------------------------------------------------------ random columns */

typedef struct table_of_rows {
  uint32_t rows, columns;
  tm_column column[COLUMNS_MAX];
  const tm_column *each[COLUMNS_MAX];
} table_of_rows;

static int64_t pick_int(uint32_t domain) {
  static const int64_t odd[] = {INT64_MIN, INT64_MAX, -1, 0, INT32_MIN, INT32_MAX, 1 << 20};
  return next_random() % 16 == 0 ? odd[next_random() % 7] : (int64_t)(next_random() % domain);
}

static tm_str pick_text(uint32_t domain) {
  static char pool[1 << 21];
  static size_t used;
  if (used > sizeof pool - 64) used = 0; /* old strings are not looked at any more */
  char *text = pool + used;
  uint64_t n = next_random() % domain;
  int size = n % 7 == 0 ? 0 : sprintf(text, n % 3 ? "k%llu" : "a rather long key number %llu",
                                      (unsigned long long)n);
  used += (size_t)size;
  return tm_str_make(text, (size_t)size);
}

static void fill(tm_column *column, tm_type type, uint32_t rows, uint32_t domain, bool nulls) {
  static const double odd[] = {0.0, -0.0, NAN, -NAN, INFINITY, -INFINITY, 5e-324};
  *column = (tm_column){.type = type, .data = calloc(rows + 8, 16)};
  if (nulls) column->valid = malloc(rows);
  for (uint32_t i = 0; i < rows; i++) {
    int64_t n = pick_int(domain);
    switch (tm_type_physical(type)) {
      case TM_PHYSICAL_U8: ((uint8_t *)column->data)[i] = n & 1; break;
      case TM_PHYSICAL_I32: ((int32_t *)column->data)[i] = (int32_t)n; break;
      case TM_PHYSICAL_I64: ((int64_t *)column->data)[i] = n; break;
      case TM_PHYSICAL_F64:
        ((double *)column->data)[i] = n % 4 == 0 ? odd[next_random() % 7] : (double)n / 8;
        break;
      case TM_PHYSICAL_I128:
        ((__int128 *)column->data)[i] = (__int128)n * n * (n % 2 ? 1 : -1);
        break;
      case TM_PHYSICAL_STR: ((tm_str *)column->data)[i] = pick_text(domain); break;
    }
    if (nulls) column->valid[i] = next_random() % 8 != 0;
  }
}

static void make_rows(table_of_rows *t, const tm_type *types, uint32_t columns, uint32_t rows,
                      uint32_t domain, bool nulls) {
  *t = (table_of_rows){.rows = rows, .columns = columns};
  for (uint32_t c = 0; c < columns; c++) {
    fill(&t->column[c], types[c], rows, domain, nulls && next_random() % 4 != 0);
    t->each[c] = &t->column[c];
  }
}

static void free_rows(table_of_rows *t) {
  for (uint32_t c = 0; c < t->columns; c++) {
    free(t->column[c].data);
    free(t->column[c].valid);
  }
}

/* One row's key as bytes that are equal where the keys are. */
static size_t key_bytes(const table_of_rows *t, uint32_t row, char *out) {
  size_t n = 0;
  for (uint32_t c = 0; c < t->columns; c++) {
    const tm_column *column = &t->column[c];
    bool null = tm_column_is_null(column, row);
    out[n++] = null ? 'n' : 'v';
    if (null) continue;
    if (tm_type_physical(column->type) == TM_PHYSICAL_STR) {
      const tm_str *s = (tm_str *)column->data + row;
      n += (size_t)sprintf(out + n, "%u:", s->size);
      memcpy(out + n, tm_str_bytes(s), s->size);
      n += s->size;
    } else if (tm_type_physical(column->type) == TM_PHYSICAL_F64) {
      double v = ((double *)column->data)[row];
      n += (size_t)sprintf(out + n, "%.17g", isnan(v) ? (double)NAN : v == 0 ? 0.0 : v);
      if (isnan(v)) n += (size_t)sprintf(out + n, "nan");
    } else {
      size_t width = tm_type_width(column->type);
      memcpy(out + n, (char *)column->data + row * width, width);
      n += width;
    }
  }
  return n;
}

/* NaN prints with its sign: cut that away. */
typedef struct reference {
  uint32_t count;
  size_t sizes[ROWS_MAX];
  char keys[ROWS_MAX][KEY_BYTES];
} reference;

static uint32_t reference_id(reference *ref, const table_of_rows *t, uint32_t row) {
  char key[KEY_BYTES * 2];
  size_t size = key_bytes(t, row, key);
  cr_assert_leq(size, KEY_BYTES);
  for (uint32_t id = 0; id < ref->count; id++) {
    if (ref->sizes[id] == size && memcmp(ref->keys[id], key, size) == 0) return id;
  }
  memcpy(ref->keys[ref->count], key, size);
  ref->sizes[ref->count] = size;
  return ref->count++;
}

/* ------------------------------------------------------------------ the property */

/* The keys that the table gives out, in the order of their ids, are those that went in. */
static void check_keys(const tm_key_table *table, const table_of_rows *in, reference *ref,
                       tm_budget *budget) {
  tm_field fields[COLUMNS_MAX] = {0};
  for (uint32_t c = 0; c < in->columns; c++) {
    fields[c] = (tm_field){.name = "k", .type = in->column[c].type};
  }
  tm_schema schema = {in->columns, fields};
  uint32_t count = tm_key_table_count(table);
  tm_batch *batch = tm_batch_create(budget, &schema, count + 1);
  for (uint32_t c = 0; c < in->columns; c++) {
    cr_assert_eq(tm_key_table_read(table, c, 0, NULL, count, batch, c), 0);
  }
  table_of_rows out = {.rows = count, .columns = in->columns};
  memcpy(out.column, batch->columns, in->columns * sizeof(tm_column));
  for (uint32_t id = 0; id < count; id++) {
    char key[KEY_BYTES * 2];
    size_t size = key_bytes(&out, id, key);
    cr_assert(size == ref->sizes[id] && memcmp(key, ref->keys[id], size) == 0, "key %u", id);
  }
  static uint64_t own[ROWS_MAX], made[ROWS_MAX];
  const tm_column *each[COLUMNS_MAX];
  for (uint32_t c = 0; c < in->columns; c++) each[c] = &batch->columns[c];
  tm_hash_rows(each, in->columns, NULL, count, made);
  tm_key_table_hashes(table, 0, count, own);
  cr_assert_arr_eq(own, made, count * sizeof *own);
  tm_batch_release(batch);
}

static void check_saved(const tm_key_table *table, const tm_type *types, const table_of_rows *in,
                        reference *ref, tm_budget *budget) {
  tm_bytes bytes;
  tm_bytes_init(&bytes, budget);
  tm_record_writer writer = {.out = &bytes};
  tm_key_table_save(table, &writer);
  tm_error err = {0};
  cr_assert_eq(tm_record_end(&writer, &err), 0);
  tm_key_table *again = tm_key_table_create(budget, types, in->columns);
  tm_record_reader reader;
  tm_record_open(&reader, bytes.data, bytes.size);
  cr_assert_eq(tm_key_table_restore(again, &reader, &err), 0, "%s", err.message);
  cr_assert_eq(tm_record_close(&reader, &err), 0);
  cr_assert_eq(tm_key_table_count(again), ref->count);
  check_keys(again, in, ref, budget);
  tm_key_table_destroy(again);
  for (size_t cut = 1; cut < bytes.size && cut < 2000; cut += 13) {
    again = tm_key_table_create(budget, types, in->columns);
    tm_error cut_err = {0};
    tm_record_open(&reader, bytes.data, bytes.size - cut);
    int result = tm_key_table_restore(again, &reader, &cut_err);
    cr_assert(result < 0 && cut_err.code == TM_E_LOCKED, "cut by %zu", cut);
    tm_key_table_destroy(again);
  }
  tm_bytes_deinit(&bytes);
}

static void check_random(const tm_type *types, uint32_t columns, uint32_t domain, bool nulls) {
  static reference ref;
  static uint32_t ids[ROWS_MAX], rows[ROWS_MAX], found[ROWS_MAX];
  static uint64_t hashes[ROWS_MAX];
  ref.count = 0;
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  tm_key_table *table = tm_key_table_create(budget, types, columns);
  table_of_rows t;
  for (int round = 0; round < 4; round++) {
    make_rows(&t, types, columns, 1 + next_random() % (ROWS_MAX / 4), domain, nulls);
    uint32_t count = 0;
    for (uint32_t i = 0; i < t.rows; i++) {
      if (next_random() % 4 != 0 || round % 2 == 0) rows[count++] = i;
    }
    const uint32_t *selection = round % 2 == 0 ? NULL : rows;
    tm_hash_rows(t.each, columns, selection, count, hashes);
    const uint64_t *given = round == 3 ? hashes : NULL;
    cr_assert_eq(tm_key_table_insert(table, t.each, selection, count, given, ids), 0);
    for (uint32_t i = 0; i < count; i++) {
      cr_assert_eq(ids[i], reference_id(&ref, &t, rows[i]), "row %u", i);
    }
    tm_key_table_find(table, t.each, selection, count, given, found);
    cr_assert_arr_eq(found, ids, count * sizeof *ids);
    cr_assert_eq(tm_key_table_count(table), ref.count);
    if (round < 3) free_rows(&t);
  }
  if (columns > 0) check_keys(table, &t, &ref, budget);
  check_saved(table, types, &t, &ref, budget);
  tm_key_table *other = tm_key_table_create(budget, types, columns);
  for (uint32_t i = 0; i < ref.count; i++) rows[i] = ref.count - 1 - i;
  cr_assert_eq(tm_key_table_insert_from(other, table, rows, ref.count, NULL, ids), 0);
  for (uint32_t i = 0; i < ref.count; i++) cr_assert_eq(ids[i], i);
  free_rows(&t);
  tm_key_table_destroy(table);
  tm_key_table_destroy(other);
  tm_budget_destroy(budget);
}

Test(key_table, one_column_of_each_type) {
  tm_type types[] = {tm_type_of(TM_BOOL), tm_type_of(TM_INT32), tm_type_of(TM_INT64),
                     tm_type_of(TM_FLOAT64), tm_type_decimal(10, 2), tm_type_decimal(30, 2),
                     tm_type_of(TM_STRING), tm_type_of(TM_BYTES), tm_type_of(TM_DATE),
                     tm_type_of(TM_TIMESTAMP)};
  random_state = 42;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    for (int nulls = 0; nulls < 2; nulls++) {
      check_random(&types[i], 1, 40, nulls);
      check_random(&types[i], 1, 100000, nulls);
    }
  }
}

Test(key_table, several_columns) {
  random_state = 7;
  for (int round = 0; round < 40; round++) {
    tm_type all[] = {tm_type_of(TM_BOOL), tm_type_of(TM_INT32), tm_type_of(TM_INT64),
                     tm_type_of(TM_FLOAT64), tm_type_decimal(30, 2), tm_type_of(TM_STRING),
                     tm_type_of(TM_DATE)};
    tm_type types[COLUMNS_MAX];
    uint32_t columns = 2 + (uint32_t)(next_random() % 3);
    for (uint32_t c = 0; c < columns; c++) types[c] = all[next_random() % 7];
    check_random(types, columns, 1 + next_random() % 30, next_random() % 2);
  }
}

Test(key_table, no_column_is_one_key) {
  random_state = 1;
  check_random(NULL, 0, 1, false);
}

/* ------------------------------------------------------------------ growth */

enum { MANY = 400000, BATCH = 2048 };

typedef int64_t (*key_maker)(uint32_t n);
static int64_t scattered(uint32_t n) { return (int64_t)(n * UINT64_C(0x9e3779b97f4a7c15)); }
static int64_t ascending(uint32_t n) { return (int64_t)n * 4 - 1000000; }
static int64_t descending(uint32_t n) { return INT64_MIN + (int64_t)(MANY - n); }
/* At first far apart, and then everything between. */
static int64_t filling(uint32_t n) {
  return (int64_t)(n * UINT64_C(2654435761) % (1 << 20)) << (n < 300 ? 20 : 0);
}

static void insert_many(key_maker make, tm_kind kind, bool step) {
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  tm_type types[] = {tm_type_of(kind), tm_type_of(TM_INT32)};
  uint32_t columns = kind == TM_BYTES ? 2 : 1; /* one case of several columns, too */
  tm_key_table *table = tm_key_table_create(budget, types, columns);
  static union { int64_t i[BATCH]; double f[BATCH]; tm_str s[BATCH]; } values;
  static char text[BATCH][32];
  static int32_t second[BATCH];
  uint32_t ids[BATCH];
  static uint32_t seen[MANY];
  static uint8_t taken[MANY];
  memset(taken, 0, sizeof taken);
  tm_column a = {.type = types[0], .data = &values}, b = {.type = types[1], .data = second};
  const tm_column *each[] = {&a, &b};
  for (int pass = 0; pass < 2; pass++) {
    for (uint32_t at = 0; at < MANY; at += BATCH) {
      uint32_t count = MANY - at < BATCH ? MANY - at : BATCH;
      for (uint32_t i = 0; i < count; i++) {
        int64_t key = make(at + i);
        if (kind == TM_INT64) values.i[i] = key;
        else if (kind == TM_FLOAT64) values.f[i] = (double)(at + i) / 3;
        else values.s[i] = tm_str_make(text[i], (size_t)sprintf(text[i], "%lld", (long long)key));
      }
      if (pass == 0) cr_assert_eq(tm_key_table_insert(table, each, NULL, count, NULL, ids), 0);
      else tm_key_table_find(table, each, NULL, count, NULL, ids);
      for (uint32_t i = 0; i < count; i++) {
        if (pass == 0) seen[at + i] = ids[i];
        cr_assert(columns > 1 || ids[i] == at + i);
        cr_assert_eq(ids[i], seen[at + i]);
      }
      while (step && tm_key_table_wants_growth(table)) tm_key_table_grow_step(table);
    }
    cr_assert_eq(tm_key_table_count(table), MANY);
    for (uint32_t i = 0; i < MANY && pass == 0; i++) cr_assert(!taken[seen[i]]++, "an id twice");
  }
  for (uint32_t i = 0; i < BATCH; i++) { /* keys that are not there */
    if (kind == TM_INT64) values.i[i] = make(MANY + 5 + i) ^ 1;
    else if (kind == TM_FLOAT64) values.f[i] = -1 - (double)i;
    else values.s[i] = tm_str_make(text[i], (size_t)sprintf(text[i], "no %u", i));
  }
  tm_key_table_find(table, each, NULL, BATCH, NULL, ids);
  for (uint32_t i = 0; i < BATCH && make != filling; i++) cr_assert_eq(ids[i], TM_KEY_NONE);
  tm_key_table_destroy(table);
  tm_budget_destroy(budget);
}

Test(key_table, grows_and_keeps_every_key) {
  for (int step = 0; step < 2; step++) {
    insert_many(scattered, TM_INT64, step);
    insert_many(ascending, TM_INT64, step);
    insert_many(descending, TM_INT64, step);
    insert_many(scattered, TM_FLOAT64, step);
    insert_many(scattered, TM_STRING, step);
    insert_many(ascending, TM_BYTES, step);
  }
}

Test(key_table, a_range_that_fills_up_is_found_whole) {
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  tm_type type = tm_type_of(TM_INT64);
  tm_key_table *table = tm_key_table_create(budget, &type, 1);
  tm_key_table *words = tm_key_table_create(budget, &type, 1);
  int64_t values[BATCH];
  double floats[BATCH];
  uint32_t ids[BATCH], expected[BATCH];
  tm_column a = {.type = type, .data = values};
  const tm_column *each[] = {&a};
  (void)floats;
  for (uint32_t at = 0; at < 900000; at += BATCH) {
    for (uint32_t i = 0; i < BATCH; i++) values[i] = filling(at + i);
    cr_assert_eq(tm_key_table_insert(table, each, NULL, BATCH, NULL, ids), 0);
    for (uint32_t i = 0; i < BATCH; i++) expected[i] = ids[i];
    tm_key_table_find(table, each, NULL, BATCH, NULL, ids);
    cr_assert_arr_eq(ids, expected, sizeof ids);
    cr_assert_eq(tm_key_table_insert(words, each, NULL, BATCH, NULL, ids), 0);
    cr_assert_arr_eq(ids, expected, sizeof ids);
  }
  tm_key_table_destroy(table);
  tm_key_table_destroy(words);
  tm_budget_destroy(budget);
}

Test(key_table, finds_a_narrow_column_in_a_wide_table) {
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  tm_type types[] = {tm_type_of(TM_INT64), tm_type_of(TM_INT64)};
  int64_t wide[] = {5, -7, 1000000}, two[] = {1, 2, 3};
  int32_t narrow[] = {1000000, -7, 5, 6};
  int64_t two_again[] = {3, 2, 1, 1};
  uint32_t ids[4];
  tm_column a = {.type = types[0], .data = wide}, b = {.type = types[1], .data = two};
  tm_column c = {.type = tm_type_of(TM_INT32), .data = narrow};
  tm_column d = {.type = types[1], .data = two_again};
  const tm_column *build[] = {&a, &b}, *probe[] = {&c, &d};
  for (uint32_t columns = 1; columns <= 2; columns++) {
    tm_key_table *table = tm_key_table_create(budget, types, columns);
    cr_assert_eq(tm_key_table_insert(table, build, NULL, 3, NULL, ids), 0);
    tm_key_table_find(table, probe, NULL, 4, NULL, ids);
    cr_expect(ids[0] == 2 && ids[1] == 1 && ids[2] == 0 && ids[3] == TM_KEY_NONE);
    tm_key_table_destroy(table);
  }
  tm_budget_destroy(budget);
}

/* ------------------------------------------------------------------ refused memory */

/* A refused insert leaves a table in which everything can be done again. */
Test(key_table, survives_each_refused_allocation) {
  tm_type cases[][2] = {{tm_type_of(TM_INT64), tm_type_of(TM_INT64)},
                        {tm_type_of(TM_STRING), tm_type_of(TM_INT64)},
                        {tm_type_of(TM_FLOAT64), tm_type_of(TM_STRING)}};
  for (int which = 0; which < 6; which++) {
    const tm_type *types = cases[which / 2];
    uint32_t columns = 1 + which % 2;
    table_of_rows t;
    random_state = 99;
    make_rows(&t, types, columns, 5000, 3000, true);
    static uint32_t ids[5000], expected[5000];
    static reference ref;
    ref.count = 0;
    for (uint32_t i = 0; i < t.rows; i++) expected[i] = reference_id(&ref, &t, i);
    int refused = 0;
    for (uint64_t nth = 1; nth < 60; nth++) {
      tm_budget *budget = tm_budget_create(NULL, "test", 0);
      tm_memory_fail_at(nth);
      tm_key_table *table = tm_key_table_create(budget, types, columns);
      if (table == NULL) table = tm_key_table_create(budget, types, columns);
      for (int attempt = 0; attempt < 2; attempt++) {
        if (tm_key_table_insert(table, t.each, NULL, t.rows, NULL, ids) == 0) break;
        refused++;
      }
      tm_memory_fail_at(0);
      cr_assert_eq(tm_key_table_insert(table, t.each, NULL, t.rows, NULL, ids), 0);
      cr_assert_arr_eq(ids, expected, sizeof ids, "case %d, allocation %d", which, (int)nth);
      tm_key_table_destroy(table);
      tm_budget_destroy(budget);
    }
    cr_expect_gt(refused, 0);
    free_rows(&t);
  }
}

Test(key_table, a_budget_that_is_too_small_refuses) {
  tm_budget *budget = tm_budget_create(NULL, "test", 1 << 20);
  tm_type type = tm_type_of(TM_INT64);
  tm_key_table *table = tm_key_table_create(budget, &type, 1);
  int64_t values[BATCH];
  uint32_t ids[BATCH];
  tm_column a = {.type = type, .data = values};
  const tm_column *each[] = {&a};
  int result = 0;
  for (uint32_t at = 0; at < MANY && result == 0; at += BATCH) {
    for (uint32_t i = 0; i < BATCH; i++) values[i] = scattered(at + i);
    result = tm_key_table_insert(table, each, NULL, BATCH, NULL, ids);
  }
  cr_expect_eq(result, -1);
  cr_expect_leq(tm_budget_peak(budget), 1 << 20);
  tm_key_table_destroy(table);
  cr_expect_eq(tm_budget_used(budget), 0);
  tm_budget_destroy(budget);
}
