/* tests/format/damage_test.c: texts cut off everywhere and changed at random: whatever comes out,
    it
 * does not depend on the sizes of blocks and batches, and no byte beyond the text is read. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/format/rig.h"

static const char csv[] =
    "id,name,price,at\r\n1,\"a \"\"quoted\"\" name\",12.50,2026-03-14T01:30:00Z\r\n"
    "2,\"two\nlines\",-3,\n\n3,plain,,2026-03-29 02:30:00\n4,\xc3\xa9t\xc3\xa9,1e3,x\n";
static const char jsonl[] =
    "{\"id\":1,\"user\":{\"name\":\"a \\\"b\\\" "
        "\\u00e9\"},\"price\":12.5,\"at\":\"2026-03-14T01:30:00Z\"}\n"
    "{\"id\":2,\"user\":{\"name\":null,\"z\":[1,{\"y\":\"]\"}]},\"price\":\"3\"}\r\n"
    "{\"price\":1e2,\"id\":3.0,\"id\":4}\n{ \"id\" : 5 , \"user\" : {} }\n";
static const char msgpack[] =
    "\x83\xa2id\x01\xa4user\x81\xa4name\xa5hello\xa5price\xcb\x40\x29\0\0\0\0\0\0"
    "\x82\xa2id\xd1\xff\x00\xa2" "at\xd6\xff\0\0\0\1\x81\xa4user\x93\x01\xc0\xdb\0\0\0\3abc";

typedef struct sample {
  const char *format, *ddl, *text;
  size_t size;
} sample;

static const sample samples[] = {
  {"csv", "id int64, name string, price decimal(9,2), at timestamp('Europe/Berlin')", csv,
   sizeof csv - 1},
  {"csv", "at timestamp, name string not null", csv, sizeof csv - 1},
  {"jsonl", "id int64, n string 'user.name', price decimal(9,2), at timestamp", jsonl,
   sizeof jsonl - 1},
  {"jsonl", "u string 'user', price float64", jsonl, sizeof jsonl - 1},
  {"msgpack", "id int64, n string 'user.name', price decimal(9,2), at timestamp", msgpack,
   sizeof msgpack - 1},
  {"lines", "line string", csv, sizeof csv - 1},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static void compare(const sample *s, const char *text, size_t size, rows_random *random) {
  rig r = rig_default(s->format, s->ddl);
  rig_answer whole = rig_read(&r, text, size);
  r.block_bytes = 1 + rows_below(random, 50);
  r.batch_rows = 1 + rows_below(random, 4);
  rig_answer pieces = rig_read(&r, text, size);
  cr_assert_eq(whole.err.code, pieces.err.code);
  if (whole.err.code == 0) {
    rows_list_expect(&pieces.rows, &whole.rows, s->format);
    rows_list_expect_set(&pieces.refused, &whole.refused, s->format);
  }
  rig_clear(&whole);
  rig_clear(&pieces);
}

Test(damage, every_truncation) {
  rows_random random = rows_seed(1);
  for (size_t i = 0; i < SAMPLES; i++) {
    for (size_t size = 0; size <= samples[i].size; size++) {
      compare(&samples[i], samples[i].text, size, &random);
    }
  }
}

static size_t mutate(char *text, size_t size, rows_random *random) {
  static const char odd[] = "\"\\,\n\r{}[]:\0\xff\x81\xdf\xc1'0-";
  uint32_t count = 1 + rows_below(random, 3);
  for (uint32_t k = 0; k < count && size > 0; k++) {
    size_t at = rows_below(random, (uint32_t)size), other = rows_below(random, (uint32_t)size);
    switch (rows_below(random, 5)) {
      case 0: text[at] ^= (char)(1 << rows_below(random, 8)); break;
      case 1: text[at] = odd[rows_below(random, sizeof odd - 1)]; break;
      case 2: text[at] = text[other]; break;
      case 3:
        memmove(text + at, text + at + 1, size - at - 1);
        size--;
        break;
      default:
        memmove(text + at + 1, text + at, size - at - 1);
        text[at] = odd[rows_below(random, sizeof odd - 1)];
    }
  }
  return size;
}

Test(damage, random_changes) {
  const char *seed = getenv("TM_TEST_SEED");
  rows_random random = rows_seed(seed != NULL ? strtoull(seed, NULL, 10) : 1);
  int rounds = getenv("TM_TEST_LONG") != NULL ? 40000 : 2000;
  for (int round = 0; round < rounds; round++) {
    const sample *s = &samples[(size_t)round % SAMPLES];
    char text[600];
    memcpy(text, s->text, s->size);
    size_t size = mutate(text, s->size, &random);
    compare(s, text, size, &random);
  }
}
