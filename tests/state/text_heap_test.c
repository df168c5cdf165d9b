/* Strings in a heap stay where they are, also while batches outlive what made it. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "state/text_heap.h"

Test(text_heap, keeps_strings_of_every_length_in_place) {
  enum { COUNT = 3000 };
  static tm_str kept[COUNT];
  static char big[200000];
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  tm_text_heap *heap = tm_text_heap_create(budget);
  memset(big, 'x', sizeof big);
  for (int i = 0; i < COUNT; i++) {
    char text[40];
    int size = sprintf(text, "%0*d", i % 30 + 5, i);
    tm_str s = i % 500 == 499 ? tm_str_make(big, sizeof big) : tm_str_make(text, (size_t)size);
    cr_assert(tm_text_heap_keep(heap, &s, &kept[i]));
  }
  for (int i = 0; i < COUNT; i++) {
    char text[40];
    int size = sprintf(text, "%0*d", i % 30 + 5, i);
    tm_str s = i % 500 == 499 ? tm_str_make(big, sizeof big) : tm_str_make(text, (size_t)size);
    cr_assert(tm_str_equal(&s, &kept[i]), "%d", i);
  }
  cr_expect_lt(tm_budget_used(budget), 4 << 20);
  tm_text_heap_release(heap);
  cr_expect_eq(tm_budget_used(budget), 0);
  tm_budget_destroy(budget);
}

Test(text_heap, a_batch_keeps_it_alive) {
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  tm_text_heap *heap = tm_text_heap_create(budget);
  tm_field field = {.name = "s", .type = tm_type_of(TM_STRING)};
  tm_schema schema = {1, &field};
  tm_batch *batch = tm_batch_create(budget, &schema, 1);
  tm_str s = tm_str_make("longer than twelve bytes", 24);
  cr_assert_eq(tm_batch_column(batch, 0, false), 0);
  cr_assert(tm_text_heap_keep(heap, &s, batch->columns[0].data));
  cr_assert_eq(tm_text_heap_pin(heap, batch), 0);
  tm_text_heap_release(heap);
  cr_expect(tm_str_equal(batch->columns[0].data, &s));
  tm_batch_release(batch);
  tm_arena_pool_clear();
  cr_expect_eq(tm_budget_used(budget), 0);
  tm_budget_destroy(budget);
}

Test(text_heap, a_refusal_leaves_it_sound) {
  tm_budget *budget = tm_budget_create(NULL, "test", 6000);
  tm_text_heap *heap = tm_text_heap_create(budget);
  char text[5000] = {0};
  tm_str small = tm_str_make(text, 100), large = tm_str_make(text, sizeof text), out;
  cr_expect(tm_text_heap_keep(heap, &small, &out));
  cr_expect_not(tm_text_heap_keep(heap, &large, &out));
  cr_expect(tm_text_heap_keep(heap, &small, &out));
  tm_text_heap_release(heap);
  tm_budget_destroy(budget);
}
