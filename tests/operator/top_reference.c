/* tests/operator/top_reference.c: see top_reference.h. */
#include "tests/operator/top_reference.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *context, uint32_t a, uint32_t b) {
  const top_wish *w = context;
  int order = reference_compare_rows(w->table, a, b, w->keys, w->count);
  return order != 0 ? order : reference_compare_whole(w->table, a, b);
}

static void add_row(const top_wish *w, rows_list *list, uint32_t row, int64_t rank) {
  char *text = rows_text(w->table, row, NULL);
  if (w->ranked) {
    size_t size = strlen(text);
    text = realloc(text, size + 24);
    (void)snprintf(text + size, 24, "|%lld", (long long)rank);
  }
  rows_list_add(list, text);
}

rows_list top_reference(const top_wish *w) {
  rows_list list = {0};
  uint32_t rows[4096], count = w->table->rows;
  cr_assert_leq(count, 4096);
  for (uint32_t i = 0; i < count; i++) rows[i] = i;
  reference_sort(rows, count, compare, w);
  for (uint32_t i = 0; i < count; i++) {
    int64_t before = 0, less = 0;
    for (uint32_t k = 0; k < i; k++) {
      if (reference_compare_rows(w->table, rows[k], rows[i], w->keys, w->per) != 0) continue;
      before++;
      less += reference_compare_rows(w->table, rows[k], rows[i], w->keys, w->count) < 0;
    }
    int64_t rank = w->all_ties ? less + 1 : before + 1;
    if (rank <= w->n) add_row(w, &list, rows[i], rank);
  }
  return list;
}
