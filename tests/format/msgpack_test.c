/* tests/format/msgpack_test.c: MessagePack, held against msgpack-c's own packer and unpacker. */
#include <criterion/criterion.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/msgpack_document.h"
#include "tests/format/rig.h"
#include "tests/support/fixture.h"

TestSuite(msgpack, .init = setup, .fini = teardown);

static void expect(const rig *r, const msgpack_sbuffer *text, const char *rows,
                   const char *refused) {
  for (size_t bytes = 1; bytes < 300; bytes = bytes * 2 + 1) {
    rig small = *r;
    small.block_bytes = bytes;
    rig_answer a = rig_read(&small, text->data, text->size);
    cr_assert_eq(a.err.code, 0, "%s", a.err.message);
    char got[4000] = "", wrong[4000] = "";
    for (size_t i = 0; i < a.rows.count; i++) strcat(strcat(got, a.rows.texts[i]), "\n");
    for (size_t i = 0; i < a.refused.count; i++) strcat(strcat(wrong, a.refused.texts[i]), "\n");
    cr_expect_str_eq(got, rows);
    cr_expect_str_eq(wrong, refused);
    rig_clear(&a);
  }
}

static void key(msgpack_packer *p, const char *name) {
  msgpack_pack_str(p, strlen(name));
  msgpack_pack_str_body(p, name, strlen(name));
}

Test(msgpack, values_of_every_kind) {
  msgpack_sbuffer text;
  msgpack_packer p;
  msgpack_sbuffer_init(&text);
  msgpack_packer_init(&p, &text, msgpack_sbuffer_write);
  static const int64_t whole[] = {0, 127, 128, -1, -32, -33, 255, 256, 65535, 65536, -32768,
                                  -32769, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
  char wanted[2000] = "";
  for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
    msgpack_pack_map(&p, 2);
    key(&p, "x");
    msgpack_pack_array(&p, 1);
    msgpack_pack_nil(&p);
    key(&p, "a");
    msgpack_pack_int64(&p, whole[i]);
    sprintf(wanted + strlen(wanted), "%lld\n", (long long)whole[i]);
  }
  rig r = rig_default("msgpack", "a int64");
  expect(&r, &text, wanted, "");
  msgpack_sbuffer_destroy(&text);
}

Test(msgpack, conversions) {
  msgpack_sbuffer text;
  msgpack_packer p;
  msgpack_sbuffer_init(&text);
  msgpack_packer_init(&p, &text, msgpack_sbuffer_write);
  msgpack_pack_map(&p, 4);
  key(&p, "i");
  msgpack_pack_double(&p, 3.0);
  key(&p, "d");
  msgpack_pack_double(&p, 12.5);
  key(&p, "t");
  msgpack_pack_ext(&p, 4, -1);
  msgpack_pack_ext_body(&p, "\0\0\0\5", 4);
  key(&p, "u");
  msgpack_pack_map(&p, 1);
  key(&p, "s");
  key(&p, "x");
  msgpack_pack_map(&p, 3);
  key(&p, "i");
  key(&p, "17");
  key(&p, "d");
  msgpack_pack_int(&p, -3);
  key(&p, "t");
  key(&p, "1970-01-01T00:00:09Z");
  msgpack_pack_map(&p, 1);
  key(&p, "i");
  msgpack_pack_uint64(&p, UINT64_MAX);
  msgpack_pack_map(&p, 1);
  key(&p, "i");
  msgpack_pack_double(&p, 1.5);
  msgpack_pack_map(&p, 1);
  key(&p, "t");
  msgpack_pack_int(&p, 7);
  msgpack_pack_map(&p, 1);
  key(&p, "u");
  msgpack_pack_int(&p, 7);
  rig r = rig_default("msgpack", "i int64, d decimal(5,2), t timestamp, s string 'u.s'");
  expect(&r, &text, "3|12.50|1970-01-01T00:00:05Z|'x'\n17|-3.00|1970-01-01T00:00:09Z|null\n"
                    "null|null|null|null\n",
         "3 range {\"i\":18446744073709551615}\n4 type {\"i\":1.5}\n5 type {\"t\":7}\n");
  msgpack_sbuffer_destroy(&text);
}

Test(msgpack, times_of_three_sizes) {
  static const struct { const char *bytes; size_t size; int answer; int64_t us; } cases[] = {
    {"\0\0\0\1", 4, 0, 1000000}, {"\xff\xff\xff\xff", 4, 0, INT64_C(4294967295000000)},
    {"\0\0\x0f\xa0\0\0\0\2", 8, 0, 2000001},
        {"\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12, 0, -1000000},
    {"\0\0\0\1\0\0\0\0\0\0\0\0", 12, 1, 0}, {"\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 12, -1, 0},
    {"\0\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12, 2, 0}, {"\0", 1, -1, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    tm_msgpack_value v = {.kind = TM_MSGPACK_TIME, .end = (uint32_t)cases[i].size};
    int64_t us = 0;
    cr_expect_eq(tm_msgpack_time((const uint8_t *)cases[i].bytes, &v, &us), cases[i].answer,
                 "%zu", i);
    if (cases[i].answer == 0) cr_expect_eq(us, cases[i].us, "%zu: %lld", i, (long long)us);
  }
}

/* ---------------------------------------------------------------- against msgpack-c */

static void pack_random(msgpack_packer *p, rows_random *random, int depth) {
  static const char bytes[70000] = {0};
  uint32_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536};
  uint32_t kind = rows_below(random, depth < 5 ? 9 : 7);
  size_t size = sizes[rows_below(random, rows_chance(random, 5) ? 8 : 6)];
  uint32_t few = rows_chance(random, 3) ? 20 : rows_below(random, 4);
  switch (kind) {
    case 0: msgpack_pack_nil(p); break;
    case 1: msgpack_pack_true(p); break;
    case 2: msgpack_pack_int64(p, (int64_t)rows_next(random) >> rows_below(random, 64)); break;
    case 3: msgpack_pack_double(p, (double)rows_next(random)); break;
    case 4:
      msgpack_pack_str(p, size);
      msgpack_pack_str_body(p, bytes, size);
      break;
    case 5:
      msgpack_pack_bin(p, size);
      msgpack_pack_bin_body(p, bytes, size);
      break;
    case 6:
      msgpack_pack_ext(p, size % 20, (int8_t)rows_below(random, 100));
      msgpack_pack_ext_body(p, bytes, size % 20);
      break;
    case 7:
      msgpack_pack_array(p, few);
      for (uint32_t i = 0; i < few; i++) pack_random(p, random, depth + 1);
      break;
    default:
      msgpack_pack_map(p, few);
      for (uint32_t i = 0; i < 2 * few; i++) pack_random(p, random, depth + 1);
  }
}

Test(msgpack, objects_end_where_msgpack_c_says) {
  rows_random random = rows_seed(1);
  for (int round = 0; round < 3000; round++) {
    msgpack_sbuffer text;
    msgpack_packer p;
    msgpack_sbuffer_init(&text);
    msgpack_packer_init(&p, &text, msgpack_sbuffer_write);
    pack_random(&p, &random, 0);
    pack_random(&p, &random, 0);
    /* A damaged byte now and then. */
    if (rows_chance(&random, 50)) text.data[rows_below(&random, (uint32_t)text.size)] ^=
        (char)(1 << rows_below(&random, 8));
    size_t size = rows_chance(&random, 30) ?
        rows_below(&random, (uint32_t)text.size + 1) : text.size;
    char *exact = malloc(size > 0 ? size : 1);
    memcpy(exact, text.data, size);
    msgpack_unpacked whole;
    msgpack_unpacked_init(&whole);
    size_t end = 0;
    msgpack_unpack_return got = msgpack_unpack_next(&whole, exact, size, &end);
    tm_msgpack_value v, skipped;
    uint32_t after = 0, after_skip = 0;
    const char *wrong = tm_msgpack_read((const uint8_t *)exact, 0, (uint32_t)size, &v, &after);
    const char *wrong_skip =
        tm_msgpack_skip((const uint8_t *)exact, 0, (uint32_t)size, &skipped, &after_skip);
    if (got == MSGPACK_UNPACK_SUCCESS) {
      cr_assert_null(wrong, "%s", wrong);
      cr_assert_eq(after, end);
      cr_assert_null(wrong_skip);
      cr_assert_eq(after_skip, end);
    } else if (got == MSGPACK_UNPACK_PARSE_ERROR || got == MSGPACK_UNPACK_CONTINUE) {
      cr_assert_not_null(wrong);
    }
    msgpack_unpacked_destroy(&whole);
    msgpack_sbuffer_destroy(&text);
    free(exact);
  }
}

Test(msgpack, what_is_written_is_what_msgpack_c_reads) {
  rig r = rig_default("msgpack",
                      "a int64, s string, d decimal(5,2), t timestamp, b bytes, k bool, f float64");
  tm_batch *table = rows_batch(budget, rows_schema(&arena, r.ddl),
                               "-5|x|1.5|1500000|q|true|0.5\nnull|null|null|null|null|null|null\n");
  size_t size, at = 0;
  char *text = rig_write(&r, table, &size);
  msgpack_unpacked got;
  msgpack_unpacked_init(&got);
  cr_assert_eq(msgpack_unpack_next(&got, text, size, &at), MSGPACK_UNPACK_SUCCESS);
  char shown[500];
  msgpack_object_print_buffer(shown, sizeof shown, got.data);
  cr_expect_str_eq(shown,
                   "{\"a\"=>-5, \"s\"=>\"x\", \"d\"=>\"1.50\", \"t\"=>(ext: "
                       "-1)\"\\x1d\\xcde\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\", "
                           "\"b\"=>\"q\", \"k\"=>true, \"f\"=>0.500000}");
  cr_assert_eq(msgpack_unpack_next(&got, text, size, &at), MSGPACK_UNPACK_SUCCESS);
  msgpack_object_print_buffer(shown, sizeof shown, got.data);
  cr_expect_str_eq(shown,
                   "{\"a\"=>nil, \"s\"=>nil, \"d\"=>nil, \"t\"=>nil, \"b\"=>nil, \"k\"=>nil, "
                       "\"f\"=>nil}");
  cr_expect_eq(at, size);
  msgpack_unpacked_destroy(&got);
  free(text);
  tm_batch_release(table);
}

Test(msgpack, damaged_files_are_told) {
  rig r = rig_default("msgpack", "a int64");
  rig_answer a = rig_read(&r, "\x81\xa1" "a\x05\x81\xa1" "a", 7);
  cr_expect_eq(a.rows.count, 1);
  cr_expect_eq(a.err.code, TM_E_FORMAT);
  rig_clear(&a);
  a = rig_read(&r, "\x81\xa1" "a\x05\xc1", 5);
  cr_expect_eq(a.rows.count, 1);
  cr_expect_eq(a.err.code, TM_E_FORMAT);
  rig_clear(&a);
  a = rig_read(&r, "a,b\n", 4);
  cr_expect_eq(a.err.code, TM_E_FORMAT);
  rig_clear(&a);
}

Test(msgpack, documents_that_are_no_maps_or_too_deep) {
  rig r = rig_default("msgpack", "a int64");
  rig_answer a = rig_read(&r, "\x81\xa1" "a\x05\x07\x81\xa1" "a\x06", 9);
  cr_expect_eq(a.rows.count, 2);
  cr_assert_eq(a.refused.count, 1);
  cr_expect_str_eq(a.refused.texts[0], "2 json 7");
  rig_clear(&a);
  char deep[200];
  memcpy(deep, "\x81\xa1z", 3);
  memset(deep + 3, 0x91, 70);
  memcpy(deep + 73, "\x01\x81\xa1" "a\x06", 5);
  a = rig_read(&r, deep, 78);
  cr_expect_eq(a.rows.count, 1);
  cr_expect_eq(a.refused.count, 1);
  rig_clear(&a);
}
