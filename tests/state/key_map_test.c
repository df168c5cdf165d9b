/* Entries are found by their bytes as long as they are there, whatever came and went meanwhile. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "state/key_map.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(key_map, .init = setup, .fini = teardown);

enum { KEYS = 5000, STEPS = 60000 };

static size_t name_of(uint32_t key, char out[32]) {
  return (size_t)snprintf(out, 32, "%.*s%u", (int)(key % 7), "longerr", key);
}

/* Few hashes: many keys meet. */
static uint64_t poor_hash(const char *name, size_t size) {
  return tm_hash_bytes(name, size) & UINT64_C(0xff00000000000000);
}

static void come_and_go(bool poor, uint32_t keys) {
  static tm_key_entry *known[KEYS];
  rows_random random = rows_seed(keys);
  tm_key_map map;
  uint64_t count = 0;
  memset(known, 0, sizeof known);
  tm_key_map_init(&map, budget, 16);
  for (uint32_t i = 0; i < STEPS; i++) {
    char name[32];
    /* Mostly more, then mostly fewer. */
    uint32_t key = rows_below(&random, keys), inserts = i / 10000 % 2 == 0 ? 80 : 30;
    size_t size = name_of(key, name);
    uint64_t hash = poor ? poor_hash(name, size) : tm_hash_bytes(name, size);
    tm_key_entry *found = tm_key_map_find(&map, name, size, hash);
    cr_assert_eq(found, known[key], "step %u, key %u", i, key);
    if (found != NULL) cr_assert_eq(*(uint64_t *)tm_key_entry_payload(found), key);
    if (rows_chance(&random, inserts)) {
      tm_key_entry *made = tm_key_map_insert(&map, name, size, hash);
      cr_assert_not_null(made);
      if (found == NULL) {
        cr_assert_eq(*(uint64_t *)tm_key_entry_payload(made), 0);
        *(uint64_t *)tm_key_entry_payload(made) = key;
        known[key] = made;
        count++;
      }
      cr_assert_eq(made, known[key]);
    } else if (found != NULL) {
      tm_key_map_remove(&map, found);
      known[key] = NULL;
      count--;
    }
    cr_assert_eq(map.count, count);
  }
  uint64_t at = 0, seen = 0;
  for (tm_key_entry *entry; (entry = tm_key_map_next(&map, &at)) != NULL; seen++) {
    cr_assert_eq(known[*(uint64_t *)tm_key_entry_payload(entry)], entry);
  }
  cr_assert_eq(seen, count);
  tm_key_map_deinit(&map);
}

Test(key_map, finds_what_is_there) {
  come_and_go(false, KEYS);
  come_and_go(false, 40);
  come_and_go(true, 300);
}

Test(key_map, refused_memory_leaves_it_as_it_was) {
  for (uint64_t nth = 1; nth < 60; nth++) {
    tm_key_map map;
    uint32_t made = 0;
    tm_key_map_init(&map, budget, 0);
    tm_memory_fail_at(nth);
    for (uint32_t key = 0; key < 50; key++) {
      if (tm_key_map_insert(&map, &key, sizeof key, tm_hash_u64(key)) != NULL) made++;
    }
    tm_memory_fail_at(0);
    cr_assert_eq(map.count, made);
    cr_assert_geq(made, 49);
    tm_key_map_deinit(&map);
  }
}

Test(key_map, entries_order_by_their_bytes) {
  tm_key_map map;
  tm_key_map_init(&map, budget, 32);
  tm_key_entry *a = tm_key_map_insert(&map, "a", 1, 1), *ab = tm_key_map_insert(&map, "ab", 2, 2),
               *b = tm_key_map_insert(&map, "b", 1, 3), *none = tm_key_map_insert(&map, "", 0, 4);
  cr_expect_lt(tm_key_entry_compare(a, ab), 0);
  cr_expect_lt(tm_key_entry_compare(ab, b), 0);
  cr_expect_gt(tm_key_entry_compare(b, a), 0);
  cr_expect_lt(tm_key_entry_compare(none, a), 0);
  cr_expect_eq(tm_key_entry_compare(a, a), 0);
  tm_key_map_deinit(&map);
}
