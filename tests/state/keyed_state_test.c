/* State of keys against a plain model: calls that stay or are taken back, time that passes, and
 * everything saved and restored between any two calls. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "state/key_bytes.h"
#include "state/keyed_state.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(keyed_state, .init = setup, .fini = teardown);

enum { KEYS = 5, FIELDS = 7, ENTRIES = 12, STEPS = 12000, TEXT = 64 };

static const tm_state_field fields[FIELDS] = {
  {"n", TM_STATE_VALUE, {.kind = TM_INT64}, 0},
  {"s", TM_STATE_VALUE, {.kind = TM_STRING}, 0},
  {"t", TM_STATE_VALUE, {.kind = TM_STRING}, 10},
  {"l", TM_STATE_LIST, {.kind = TM_STRING}, 0},
  {"m", TM_STATE_LIST, {.kind = TM_INT64}, 7},
  {"p", TM_STATE_MAP, {.kind = TM_INT64}, 0},
  {"q", TM_STATE_MAP, {.kind = TM_STRING}, 12},
};
static const tm_type key_types[1] = {{.kind = TM_STRING}};
static const tm_state_plan plan = {1, FIELDS, key_types, fields};

/* ------------------------------------------------------------------ the model */

typedef struct model_entry { int key; int value; int64_t written_us; } model_entry;
typedef struct model_field { model_entry entries[ENTRIES]; int count; } model_field;
typedef struct model_timer { bool awake, processing; int64_t at_us; } model_timer;
typedef struct model_key { model_field fields[FIELDS]; model_timer timers[3]; } model_key;

static const char *const timer_names[3] = {"x", "y", "a name of a timer that is longer"};

static void model_expire(model_key *key, int64_t now_us) {
  for (int f = 0; f < FIELDS; f++) {
    model_field *field = &key->fields[f];
    int kept = 0;
    for (int i = 0; i < field->count; i++) {
      bool gone = fields[f].ttl_us > 0 && field->entries[i].written_us + fields[f].ttl_us < now_us;
      if (!gone) field->entries[kept++] = field->entries[i];
    }
    field->count = kept;
  }
}

static bool model_is_empty(const model_key *key) {
  for (int f = 0; f < FIELDS; f++) {
    if (key->fields[f].count > 0) return false;
  }
  for (int i = 0; i < 3; i++) {
    if (key->timers[i].awake) return false;
  }
  return true;
}

/* ------------------------------------------------------------------ values */

/* Long and short ones. */
static const char *text_of(int value) {
  static char text[TEXT];
  snprintf(text, sizeof text, value % 2 == 0 ? "%d" : "a text that is %d and long", value);
  return text;
}

static tm_cell cell_of(int field, int value) {
  tm_cell cell = {.wide = 0};
  if (fields[field].type.kind == TM_STRING) {
    const char *text = text_of(value);
    cell.text = tm_str_make(text, strlen(text));
  } else {
    cell.word = value;
  }
  return cell;
}

static void expect_cell(int field, const void *actual, int value) {
  cr_assert_not_null(actual);
  tm_cell cell = {.wide = 0}, expected = cell_of(field, value);
  memcpy(&cell, actual, tm_type_width(fields[field].type));
  if (fields[field].type.kind == TM_STRING) {
    cr_assert(tm_str_equal(&cell.text, &expected.text), "'%s' of field %d", text_of(value), field);
  } else {
    cr_assert_eq(cell.word, value);
  }
}

static tm_str map_key(int key) {
  static char text[TEXT];
  snprintf(text, sizeof text, key % 3 == 0 ? "key number %d of the map" : "k%d", key);
  return tm_str_make(text, strlen(text));
}

/* ------------------------------------------------------------------ comparing */

static void expect_map(tm_keyed_state *s, uint32_t f, const model_field *field) {
  uint32_t at = 0, seen = 0;
  for (int i = 0; i < field->count; i++) {
    tm_str key = map_key(field->entries[i].key);
    expect_cell((int)f, tm_keyed_state_map_at(s, f, &key), field->entries[i].value);
  }
  cr_assert_eq(tm_keyed_state_map_count(s, f), field->count);
  while (tm_keyed_state_map_next(s, f, &at) != NULL) seen++;
  cr_assert_eq(seen, field->count);
}

/* Within a call; the model has forgotten what is too old. */
static void expect_state(tm_keyed_state *s, const model_key *key) {
  for (uint32_t f = 0; f < FIELDS; f++) {
    const model_field *field = &key->fields[f];
    if (fields[f].shape == TM_STATE_MAP) {
      expect_map(s, f, field);
    } else if (fields[f].shape == TM_STATE_LIST) {
      cr_assert_eq(tm_keyed_state_list_count(s, f), field->count);
      for (int i = 0; i < field->count; i++) {
        expect_cell((int)f, tm_keyed_state_list_at(s, f, (uint32_t)i), field->entries[i].value);
      }
    } else {
      const tm_cell *cell = tm_keyed_state_value(s, f);
      if (field->count == 0) cr_assert_null(cell);
      else expect_cell((int)f, cell, field->entries[0].value);
    }
  }
}

/* ------------------------------------------------------------------ one change */

static void change_map(tm_keyed_state *s, uint32_t f, model_field *field, int key, int value,
                       bool removes) {
  tm_str name = map_key(key);
  int at = 0;
  while (at < field->count && field->entries[at].key != key) at++;
  if (removes) {
    cr_assert_eq(tm_keyed_state_map_remove(s, f, &name), 0);
    if (at < field->count) field->entries[at] = field->entries[--field->count];
    return;
  }
  tm_cell cell = cell_of((int)f, value);
  cr_assert_eq(tm_keyed_state_map_put(s, f, &name, &cell), 0);
  field->entries[at] = (model_entry){key, value, s->now_us};
  if (at == field->count) field->count++;
}

static void change_list(tm_keyed_state *s, uint32_t f, model_field *field, int at, int value,
                        bool removes) {
  if (removes && field->count > 0) {
    cr_assert_eq(tm_keyed_state_list_pop(s, f), 0);
    field->count--;
    return;
  }
  at = at > field->count ? field->count : at;
  if (at == ENTRIES) return;
  tm_cell cell = cell_of((int)f, value);
  cr_assert_eq(tm_keyed_state_list_put(s, f, (uint32_t)at, &cell), 0);
  field->entries[at] = (model_entry){0, value, s->now_us};
  if (at == field->count) field->count++;
}

static void change_timer(tm_keyed_state *s, model_key *key, rows_random *random) {
  int which = (int)rows_below(random, 3);
  const char *name = timer_names[which];
  model_timer *timer = &key->timers[which];
  if (rows_chance(random, 30)) {
    cr_assert_eq(tm_keyed_state_cancel(s, name, strlen(name)), 0);
    timer->awake = false;
    return;
  }
  *timer = (model_timer){true, rows_chance(random, 20), s->now_us + rows_below(random, 30)};
  cr_assert_eq(tm_keyed_state_timer(s, name, strlen(name), timer->at_us, timer->processing), 0);
}

static void change(tm_keyed_state *s, model_key *key, rows_random *random) {
  uint32_t f = rows_below(random, FIELDS + 2);
  if (f >= FIELDS) {
    change_timer(s, key, random);
    return;
  }
  model_field *field = &key->fields[f];
  int value = (int)rows_below(random, 1000), at = (int)rows_below(random, ENTRIES);
  bool removes = rows_chance(random, 30);
  if (rows_chance(random, 10)) {
    cr_assert_eq(tm_keyed_state_clear(s, f), 0);
    field->count = 0;
  } else if (fields[f].shape == TM_STATE_MAP) {
    change_map(s, f, field, at, value, removes);
  } else if (fields[f].shape == TM_STATE_LIST) {
    change_list(s, f, field, at, value, removes);
  } else {
    tm_cell cell = cell_of((int)f, value);
    cr_assert_eq(tm_keyed_state_set(s, f, removes ? NULL : &cell), 0);
    field->count = removes ? 0 : 1;
    field->entries[0] = (model_entry){0, value, s->now_us};
  }
}

/* ------------------------------------------------------------------ calls */

static void key_bytes(int key, tm_bytes *out) {
  char text[TEXT];
  snprintf(text, sizeof text, "device %d", key);
  tm_str s = tm_str_make(text, strlen(text));
  tm_column column = {.type = key_types[0], .data = &s};
  const tm_column *columns[1] = {&column};
  cr_assert(tm_key_bytes_write(columns, 1, 0, out));
}

static void run_call(tm_keyed_state *s, model_key *model, rows_random *random) {
  model_key before = *model;
  uint32_t changes = rows_below(random, 8);
  expect_state(s, model);
  for (uint32_t i = 0; i < changes; i++) {
    change(s, model, random);
    if (rows_chance(random, 20)) expect_state(s, model);
  }
  expect_state(s, model);
  if (rows_chance(random, 40)) {
    tm_keyed_state_rollback(s);
    *model = before;
  } else {
    tm_keyed_state_commit(s);
  }
}

static void save_and_restore(tm_keyed_state *s) {
  tm_error err = {0};
  tm_bytes bytes;
  tm_bytes_init(&bytes, budget);
  tm_record_writer w = {.out = &bytes};
  tm_keyed_state_save(s, &w);
  cr_assert_eq(tm_record_end(&w, &err), 0);
  tm_keyed_state_deinit(s);
  tm_keyed_state_init(s, budget, &plan);
  tm_record_reader r;
  tm_record_open(&r, bytes.data, bytes.size);
  cr_assert_eq(tm_keyed_state_restore(s, &r, &err), 0, "%s", err.message);
  cr_assert_eq(tm_record_close(&r, &err), 0);
  tm_bytes_deinit(&bytes);
}

/* The first timer of the model that has come: by time, then key, then name. */
static model_timer *model_first(model_key *models, int *key, int *name, int64_t before_us) {
  model_timer *first = NULL;
  for (int k = 0; k < KEYS; k++) {
    for (int i = 0; i < 3; i++) {
      /* "a name…" comes before "x" and "y" */
      int which = (i + 2) % 3;
      model_timer *timer = &models[k].timers[which];
      if (!timer->awake || timer->processing || timer->at_us >= before_us) continue;
      if (first != NULL && timer->at_us >= first->at_us) continue;
      first = timer;
      *key = k;
      *name = which;
    }
  }
  return first;
}

static void fire_timers(tm_keyed_state *s, model_key *models, int64_t before_us,
                        rows_random *random) {
  tm_bytes bytes;
  tm_timer_text name;
  int key = 0, which = 0;
  tm_bytes_init(&bytes, budget);
  for (model_timer *m; (m = model_first(models, &key, &which, before_us)) != NULL;) {
    tm_timer *timer = tm_timer_queue_first(&s->timers, false);
    cr_assert_not_null(timer);
    cr_assert_eq(timer->at_us, m->at_us);
    int64_t at_us = timer->at_us;
    tm_keyed_state_fire(s, timer, at_us, &name);
    key_bytes(key, &bytes);
    cr_assert_eq(s->key->size, bytes.size);
    cr_assert_eq(memcmp(tm_key_entry_bytes(s->key), bytes.data, bytes.size), 0);
    cr_assert_eq(name.size, strlen(timer_names[which]));
    cr_assert_eq(memcmp(name.bytes, timer_names[which], name.size), 0);
    m->awake = false;
    model_expire(&models[key], at_us);
    run_call(s, &models[key], random);
  }
  tm_timer *left = tm_timer_queue_first(&s->timers, false);
  cr_assert(left == NULL || left->at_us >= before_us);
  tm_bytes_deinit(&bytes);
}

Test(keyed_state, is_as_a_plain_model_says) {
  static model_key models[KEYS];
  tm_keyed_state s;
  rows_random random = rows_seed(11);
  int64_t now_us = 100;
  tm_bytes bytes;
  tm_bytes_init(&bytes, budget);
  tm_keyed_state_init(&s, budget, &plan);
  for (int i = 0; i < STEPS; i++) {
    int key = (int)rows_below(&random, KEYS);
    now_us += rows_chance(&random, 50) ? rows_below(&random, 6) : 0;
    fire_timers(&s, models, now_us, &random);
    if (rows_chance(&random, 50)) tm_keyed_state_expire(&s, now_us);
    model_expire(&models[key], now_us);
    key_bytes(key, &bytes);
    cr_assert_eq(tm_keyed_state_begin(&s, bytes.data, bytes.size, now_us), 0);
    run_call(&s, &models[key], &random);
    if (rows_chance(&random, 10)) save_and_restore(&s);
  }
  now_us += 1000;
  fire_timers(&s, models, now_us, &random);
  tm_keyed_state_expire(&s, now_us + 1000);
  uint64_t left = 0;
  for (int k = 0; k < KEYS; k++) {
    model_expire(&models[k], now_us + 1000);
    left += !model_is_empty(&models[k]);
  }
  cr_expect_eq(s.keys.count, left, "keys that have nothing are freed");
  tm_keyed_state_deinit(&s);
  tm_bytes_deinit(&bytes);
}

/* ------------------------------------------------------------------ single cases */

static tm_keyed_state begin(const char *key, int64_t now_us) {
  tm_keyed_state s;
  tm_keyed_state_init(&s, budget, &plan);
  cr_assert_eq(tm_keyed_state_begin(&s, key, strlen(key), now_us), 0);
  return s;
}

Test(keyed_state, a_key_without_anything_is_freed) {
  tm_keyed_state s = begin("a", 0);
  tm_keyed_state_commit(&s);
  cr_expect_eq(s.keys.count, 0);
  cr_assert_eq(tm_keyed_state_begin(&s, "a", 1, 0), 0);
  tm_cell one = cell_of(0, 1);
  cr_assert_eq(tm_keyed_state_set(&s, 0, &one), 0);
  tm_keyed_state_rollback(&s);
  cr_expect_eq(s.keys.count, 0);
  cr_assert_eq(tm_keyed_state_begin(&s, "a", 1, 0), 0);
  cr_assert_eq(tm_keyed_state_timer(&s, "t", 1, 5, true), 0);
  tm_keyed_state_commit(&s);
  cr_expect_eq(s.keys.count, 1);
  cr_expect_eq(tm_keyed_state_drop_timers(&s), 1);
  cr_expect_eq(s.keys.count, 0);
  tm_keyed_state_deinit(&s);
}

Test(keyed_state, what_expires_is_forgotten_though_its_key_never_comes_again) {
  tm_keyed_state s;
  tm_keyed_state_init(&s, budget, &plan);
  uint64_t most = 0;
  for (int64_t now_us = 0; now_us < 20000; now_us++) {
    char key[24];
    size_t size = (size_t)snprintf(key, sizeof key, "%lld", (long long)now_us);
    tm_str name = tm_str_make(key, size);
    tm_cell value = cell_of(6, (int)now_us);
    tm_keyed_state_expire(&s, now_us);
    cr_assert_eq(tm_keyed_state_begin(&s, key, size, now_us), 0);
    cr_assert_eq(tm_keyed_state_map_put(&s, 6, &name, &value), 0);
    tm_keyed_state_commit(&s);
    if (s.keys.count > most) most = s.keys.count;
  }
  cr_expect_leq(most, 14);
  tm_keyed_state_expire(&s, 30000);
  cr_expect_eq(s.keys.count, 0);
  tm_keyed_state_deinit(&s);
}

Test(keyed_state, a_map_of_one_key_forgets_as_time_passes) {
  static const tm_state_field field = {"m", TM_STATE_MAP, {.kind = TM_INT64}, 1000};
  static const tm_state_plan one = {0, 1, NULL, &field};
  tm_keyed_state s;
  uint32_t most = 0;
  tm_keyed_state_init(&s, budget, &one);
  for (int64_t now_us = 0; now_us < 100000; now_us++) {
    char text[24];
    tm_str name = tm_str_make(text, (size_t)snprintf(text, sizeof text, "%lld", (long long)now_us));
    tm_cell value = {.word = now_us};
    tm_keyed_state_expire(&s, now_us);
    cr_assert_eq(tm_keyed_state_begin(&s, "", 0, now_us), 0);
    cr_assert_eq(tm_keyed_state_map_put(&s, 0, &name, &value), 0);
    uint32_t count = ((tm_state_key *)tm_key_entry_payload(s.key))->slots[0].map.count;
    if (count > most) most = count;
    if (now_us % 1000 == 0) {
      cr_assert_eq(tm_keyed_state_map_count(&s, 0), now_us < 1000 ? now_us + 1 : 1001);
    }
    tm_keyed_state_commit(&s);
  }
  cr_expect_leq(most, 1300);
  tm_keyed_state_deinit(&s);
}

Test(keyed_state, refused_memory_changes_nothing) {
  for (uint64_t nth = 1; nth < 120; nth++) {
    tm_keyed_state s = begin("a", 0);
    model_key model = {0};
    rows_random random = rows_seed(3);
    for (int i = 0; i < 12; i++) change(&s, &model, &random);
    tm_keyed_state_commit(&s);
    model_expire(&model, 0);
    if (model_is_empty(&model)) cr_assert_fail("nothing to keep");
    cr_assert_eq(tm_keyed_state_begin(&s, "a", 1, 0), 0);
    tm_memory_fail_at(nth);
    for (uint32_t i = 0; i < 40; i++) {
      char text[32];
      uint32_t f = i % FIELDS;
      tm_str name = tm_str_make(text, (size_t)snprintf(text, sizeof text, "a key that is %u", i));
      tm_cell value = cell_of((int)f, (int)i);
      if (fields[f].shape == TM_STATE_MAP) (void)tm_keyed_state_map_put(&s, f, &name, &value);
      else if (fields[f].shape == TM_STATE_VALUE) (void)tm_keyed_state_set(&s, f, &value);
      else (void)tm_keyed_state_list_put(&s, f, tm_keyed_state_list_count(&s, f), &value);
      (void)tm_keyed_state_timer(&s, text, 16, (int64_t)i, false);
      if (i % 9 == 8) (void)tm_keyed_state_clear(&s, f);
    }
    tm_keyed_state_rollback(&s);
    tm_memory_fail_at(0);
    cr_assert_eq(tm_keyed_state_begin(&s, "a", 1, 0), 0);
    expect_state(&s, &model);
    tm_keyed_state_commit(&s);
    tm_keyed_state_deinit(&s);
  }
}

Test(keyed_state, damaged_records_do_no_harm) {
  rows_random random = rows_seed(21);
  tm_error err = {0};
  tm_bytes bytes, key;
  tm_bytes_init(&bytes, budget);
  tm_bytes_init(&key, budget);
  tm_keyed_state s;
  tm_keyed_state_init(&s, budget, &plan);
  for (int k = 0; k < KEYS; k++) {
    model_key model = {0};
    key_bytes(k, &key);
    cr_assert_eq(tm_keyed_state_begin(&s, key.data, key.size, 0), 0);
    for (int i = 0; i < 20; i++) change(&s, &model, &random);
    tm_keyed_state_commit(&s);
  }
  tm_record_writer w = {.out = &bytes};
  tm_keyed_state_save(&s, &w);
  tm_keyed_state_deinit(&s);
  for (uint64_t i = 0; i < 3000; i++) {
    size_t size = i % 3 == 0 ? rows_below(&random, (uint32_t)bytes.size) : bytes.size;
    uint8_t *damaged = malloc(size + 1);
    memcpy(damaged, bytes.data, size);
    uint8_t flip = (uint8_t)(1 + rows_below(&random, 255));
    if (size > 0) damaged[rows_below(&random, (uint32_t)size)] ^= flip;
    tm_record_reader r;
    tm_keyed_state_init(&s, budget, &plan);
    tm_record_open(&r, damaged, size);
    err = (tm_error){0};
    if (tm_keyed_state_restore(&s, &r, &err) < 0) cr_assert_eq(err.code, TM_E_LOCKED);
    tm_keyed_state_deinit(&s);
    free(damaged);
  }
  tm_bytes_deinit(&bytes);
  tm_bytes_deinit(&key);
}
