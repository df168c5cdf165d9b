/* tests/stage/out_test.c: what a call gives back, and the books. */
#include <criterion/criterion.h>
#include <string.h>

#include "stage/out.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(out, .init = setup, .fini = teardown);

Test(out, books_balance_or_not) {
  tm_ledger l = {.in = 10, .produced = 5, .passed = 8, .filtered = 1, .duplicate = 1, .late = 1,
                 .rejected = 1, .unmatched = 1, .absorbed = 1, .held = 1};
  cr_expect(tm_ledger_balances(&l));
  uint64_t *words = (uint64_t *)&l;
  for (size_t i = 0; i < sizeof l / sizeof *words; i++) {
    words[i]++;
    cr_expect_not(tm_ledger_balances(&l), "word %zu counts", i);
    words[i]--;
  }
  tm_ledger sum = l;
  tm_ledger_add(&sum, &l);
  for (size_t i = 0; i < sizeof l / sizeof *words; i++) {
    cr_expect_eq(((uint64_t *)&sum)[i], 2 * words[i]);
  }
}

Test(out, a_batch_without_rows_is_none) {
  tm_batch *batch = rows_batch(budget, rows_schema(&arena, "a int32"), "1\n2");
  tm_out out = tm_out_make(&arena);
  batch->selected = 0;
  tm_out_emit(&out, batch);
  cr_expect_null(out.main);
  batch = rows_batch(budget, rows_schema(&arena, "a int32"), "1\n2");
  tm_out_emit(&out, batch);
  cr_expect_eq(out.main, batch);
  tm_batch_release(batch);
}

Test(out, a_refused_row_is_told_as_json) {
  tm_batch *batch = rows_batch(budget, rows_schema(&arena, "a int32, s string, f float64"),
                               "1|x|0.5\nnull|a \"longer\" text|2");
  uint64_t ordinals[] = {17, 18};
  batch->ordinals = ordinals;
  batch->origin = (tm_origin){.source = 3, .file = "in.csv", .file_index = 2};
  tm_out out = tm_out_make(&arena);
  char message[32] = "attempt to compare";
  cr_assert_eq(tm_out_reject(&out, batch, 1, TM_REASON_LUA, 12, message), 0);
  memset(message, 'x', sizeof message - 1); /* it was copied */
  cr_assert_eq(out.reject_count, 1);
  const tm_reject *r = &out.rejects[0];
  cr_expect_eq(r->reason, TM_REASON_LUA);
  cr_expect_str_eq(r->message, "attempt to compare");
  cr_expect_str_eq(r->file, "in.csv");
  cr_expect(r->source == 3 && r->file_index == 2 && r->ordinal == 18);
  cr_expect(r->offset == -1 && r->script_line == 12);
  tm_batch_release(batch);
  const char *json = "{\"a\":null,\"s\":\"a \\\"longer\\\" text\",\"f\":2.0}";
  cr_assert_eq(r->raw.size, strlen(json));
  cr_expect_eq(memcmp(tm_str_bytes(&r->raw), json, strlen(json)), 0);
}

Test(out, many_refused_rows_keep_their_order) {
  tm_out out = tm_out_make(&arena);
  for (uint64_t i = 0; i < 1000; i++) {
    char raw[32] = "a raw line that is long enough";
    raw[0] = (char)('a' + i % 26);
    tm_reject r = {.reason = TM_REASON_RAGGED, .message = "too few fields", .ordinal = i + 1,
                   .offset = (int64_t)i * 10, .raw = tm_str_make(raw, strlen(raw))};
    cr_assert_eq(tm_out_reject_raw(&out, &r), 0);
  }
  cr_assert_eq(out.reject_count, 1000);
  for (uint64_t i = 0; i < 1000; i++) {
    cr_assert_eq(out.rejects[i].ordinal, i + 1);
    cr_assert_eq(out.rejects[i].offset, (int64_t)i * 10);
    cr_assert_eq(tm_str_bytes(&out.rejects[i].raw)[0], (char)('a' + i % 26));
  }
}

Test(out, no_memory_is_told) {
  tm_batch *batch = rows_batch(budget, rows_schema(&arena, "a int32"), "1\n2");
  int failures = 0;
  for (uint64_t n = 1; n <= 4; n++) {
    tm_arena scratch;
    tm_arena_init(&scratch, budget);
    tm_out out = tm_out_make(&scratch);
    tm_memory_fail_at(n);
    failures += tm_out_reject(&out, batch, 0, TM_REASON_CHECK, 1, "m") < 0;
    tm_memory_fail_at(0);
    tm_arena_deinit(&scratch);
  }
  cr_expect_geq(failures, 1); /* a buffer may have asked again, for less */
  tm_batch_release(batch);
}
