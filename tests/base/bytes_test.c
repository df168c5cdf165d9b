/* Byte buffers: what goes in comes out, books balance, refusal changes nothing. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

Test(bytes, random_appends_equal_a_plain_array) {
  tm_budget *budget = tm_budget_create(NULL, "b", 0);
  tm_bytes bytes;
  tm_bytes_init(&bytes, budget);
  uint8_t *plain = malloc(1 << 20);
  size_t size = 0;
  uint64_t seed = 3;
  while (size < (1 << 20) - 5000) {
    uint8_t piece[5000];
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    size_t length = (seed >> 33) % ((seed >> 20) % 4 == 0 ? 5000 : 20);
    for (size_t i = 0; i < length; i++) piece[i] = (uint8_t)(seed >> (i % 8 * 8)) ^ (uint8_t)i;
    if (length == 1) cr_assert(tm_bytes_append_byte(&bytes, piece[0]));
    else cr_assert(tm_bytes_append(&bytes, piece, length));
    memcpy(plain + size, piece, length);
    size += length;
    cr_assert_eq(bytes.size, size);
    cr_assert_geq(bytes.capacity, size);
  }
  cr_expect_eq(memcmp(bytes.data, plain, size), 0);
  cr_expect_eq(tm_budget_used(budget), bytes.capacity);
  free(plain);
  tm_bytes_deinit(&bytes);
  cr_expect_eq(tm_budget_used(budget), 0);
  tm_budget_destroy(budget);
}

Test(bytes, refusal_leaves_it_as_it_was) {
  tm_budget *budget = tm_budget_create(NULL, "b", 100);
  tm_bytes bytes;
  tm_bytes_init(&bytes, budget);
  char hundred[100];
  memset(hundred, 'h', sizeof hundred);
  cr_expect(tm_bytes_append(&bytes, hundred, 65));
  cr_expect(tm_bytes_append(&bytes, hundred, 35), "takes what is left where doubling is too much");
  cr_expect_not(tm_bytes_append(&bytes, "x", 1));
  cr_expect_not(tm_bytes_append_byte(&bytes, 'x'));
  cr_expect_not(tm_bytes_format(&bytes, "%d", 1));
  cr_expect_not(tm_bytes_reserve(&bytes, SIZE_MAX));
  cr_expect_null(tm_bytes_c_string(&bytes));
  cr_expect_eq(bytes.size, 100);
  cr_expect_eq(memcmp(bytes.data, hundred, 100), 0);
  tm_bytes_clear(&bytes);
  cr_expect_str_eq(tm_bytes_c_string(&bytes), "");
  tm_bytes_deinit(&bytes);
  tm_budget_destroy(budget);
}

Test(bytes, format_text_and_take) {
  tm_budget *budget = tm_budget_create(NULL, "b", 0);
  tm_bytes bytes;
  tm_bytes_init(&bytes, budget);
  cr_expect(tm_bytes_append(&bytes, NULL, 0), "nothing from nowhere is fine");
  cr_expect(tm_bytes_append_text(&bytes, "n="));
  for (int i = 0; i < 100; i++) cr_expect(tm_bytes_format(&bytes, "%d,", i));
  const char *text = tm_bytes_c_string(&bytes);
  cr_expect_eq(strncmp(text, "n=0,1,2,3,", 10), 0);
  cr_expect_eq(strlen(text), bytes.size);
  cr_expect_str_eq(text + bytes.size - 6, "98,99,");
  size_t size, capacity;
  uint8_t *taken = tm_bytes_take(&bytes, &size, &capacity);
  cr_expect_eq(size, 2 + 10 * 2 + 90 * 3);
  cr_expect_eq(bytes.size, 0);
  cr_expect_null(bytes.data);
  tm_bytes_deinit(&bytes);
  tm_free(budget, taken, capacity);
  tm_budget_destroy(budget);
}
