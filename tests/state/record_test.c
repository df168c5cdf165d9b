/* Records come back as they went in, and nothing else is taken for one. */
#include <criterion/criterion.h>
#include <stdint.h>

#include "state/record.h"

Test(record, numbers_and_bytes_come_back_in_order) {
  tm_budget *budget = tm_budget_create(NULL, "test", 0);
  tm_bytes bytes;
  tm_bytes_init(&bytes, budget);
  tm_record_writer w = {.out = &bytes};
  tm_record_put(&w, 0);
  tm_record_put(&w, UINT64_MAX);
  tm_record_put_bytes(&w, "hello", 5);
  tm_record_put_bytes(&w, NULL, 0);
  tm_record_put(&w, 7);
  cr_assert_eq(tm_record_end(&w, NULL), 0);
  const uint8_t first[] = {0xcf, 0, 0, 0, 0, 0, 0, 0, 0};
  cr_expect_arr_eq(bytes.data, first, sizeof first, "uint 64 of MessagePack");
  cr_expect_eq(bytes.data[18], 0xc6, "bin 32");

  tm_record_reader r;
  char text[6] = "";
  size_t size;
  tm_record_open(&r, bytes.data, bytes.size);
  cr_expect_eq(tm_record_get(&r, 10), 0);
  cr_expect_eq(tm_record_get(&r, UINT64_MAX), UINT64_MAX);
  tm_record_get_bytes(&r, text, 5);
  cr_expect_str_eq(text, "hello");
  (void)tm_record_view(&r, &size);
  cr_expect_eq(size, 0);
  cr_expect_eq(tm_record_get(&r, 7), 7);
  tm_error err = {0};
  cr_expect_eq(tm_record_close(&r, &err), 0);

  for (size_t cut = 1; cut <= bytes.size; cut++) {
    tm_record_open(&r, bytes.data, bytes.size - cut);
    (void)tm_record_get(&r, 10);
    (void)tm_record_get(&r, UINT64_MAX);
    tm_record_get_bytes(&r, text, 5);
    (void)tm_record_view(&r, &size);
    (void)tm_record_get(&r, 7);
    tm_error cut_err = {0};
    cr_expect_eq(tm_record_close(&r, &cut_err), -1, "cut by %zu", cut);
    cr_expect_eq(cut_err.code, TM_E_LOCKED);
  }
  tm_bytes_deinit(&bytes);
  tm_budget_destroy(budget);
}

Test(record, refuses_what_it_did_not_expect) {
  const uint8_t number[] = {0xcf, 0, 0, 0, 0, 0, 0, 0, 9}, bin[] = {0xc6, 0, 0, 0, 2, 'a', 'b'};
  const uint8_t long_bin[] = {0xc6, 0xff, 0xff, 0xff, 0xff, 'a'};
  tm_record_reader r;
  size_t size;
  char text[4] = "xxx";
  tm_record_open(&r, number, sizeof number);
  cr_expect_eq(tm_record_get(&r, 8), 0, "more than what is allowed");
  cr_expect(r.failed);
  tm_record_open(&r, number, sizeof number);
  (void)tm_record_view(&r, &size);
  cr_expect(r.failed && size == 0);
  tm_record_open(&r, bin, sizeof bin);
  (void)tm_record_get(&r, UINT64_MAX);
  cr_expect(r.failed);
  tm_record_open(&r, bin, sizeof bin);
  tm_record_get_bytes(&r, text, 3);
  cr_expect(r.failed && text[0] == 0 && text[2] == 0, "the wrong length gives zeros");
  tm_record_open(&r, long_bin, sizeof long_bin);
  (void)tm_record_view(&r, &size);
  cr_expect(r.failed);
  tm_record_open(&r, bin, sizeof bin);
  tm_error err = {0};
  cr_expect_eq(tm_record_close(&r, &err), -1, "bytes are left over");
}

Test(record, out_of_memory_is_said_once) {
  tm_budget *budget = tm_budget_create(NULL, "test", 16);
  tm_bytes bytes;
  tm_bytes_init(&bytes, budget);
  tm_record_writer w = {.out = &bytes};
  for (int i = 0; i < 100; i++) tm_record_put(&w, 1);
  tm_error err = {0};
  cr_expect_eq(tm_record_end(&w, &err), -1);
  cr_expect_eq(err.code, TM_E_MEMORY);
  tm_bytes_deinit(&bytes);
  tm_budget_destroy(budget);
}
