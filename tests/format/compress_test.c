/* tests/format/compress_test.c: gzip and zstd streams: whole, in members, cut off, damaged. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "format/compress.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

TestSuite(compress, .init = setup, .fini = teardown);

/* Compressed in pieces of random sizes. */
static tm_bytes pack(tm_compression kind, const char *text, size_t size, rows_random *random) {
  tm_bytes out;
  tm_error err = {0};
  tm_bytes_init(&out, budget);
  tm_compress *c = tm_compress_create(budget, kind, &err);
  cr_assert_not_null(c);
  for (size_t at = 0; at < size;) {
    size_t step = 1 + rows_below(random, 5000);
    if (step > size - at) step = size - at;
    cr_assert_eq(tm_compress_run(c, text + at, step, false, &out, &err), 0);
    at += step;
  }
  cr_assert_eq(tm_compress_run(c, NULL, 0, true, &out, &err), 0);
  tm_compress_destroy(c);
  return out;
}

/* What comes out, with input and output in small steps; whether the end may be there, or -1. */
static int unpack(tm_compression kind, const uint8_t *in, size_t size, size_t in_step,
                  size_t out_step, tm_bytes *out) {
  tm_error err = {0};
  tm_decompress *d = tm_decompress_create(budget, kind, &err);
  cr_assert_not_null(d);
  uint8_t *piece = malloc(out_step);
  size_t at = 0, given = 0;
  int answer = 0;
  for (;;) {
    size_t taken, made;
    if (given == 0) given = size - at < in_step ? size - at : in_step;
    if (tm_decompress_run(d, "f", in + at, given, &taken, piece, out_step, &made, &err) < 0) {
      cr_assert_eq(err.code, TM_E_CORRUPT);
      answer = -1;
      break;
    }
    tm_bytes_append(out, piece, made);
    at += taken;
    given -= taken;
    if (made == 0 && at == size) break;
    cr_assert(taken > 0 || made > 0, "no progress");
  }
  if (answer == 0) answer = tm_decompress_is_complete(d);
  free(piece);
  tm_decompress_destroy(d);
  return answer;
}

static char *make_text(size_t size, rows_random *random) {
  char *text = malloc(size + 1);
  for (size_t i = 0; i < size; i++) text[i] = (char)("abcdefgh,\n"[rows_below(random, 10)]);
  return text;
}

static const tm_compression kinds[] = {TM_COMPRESSION_GZIP, TM_COMPRESSION_ZSTD};

Test(compress, what_goes_in_comes_out) {
  rows_random random = rows_seed(1);
  for (int round = 0; round < 40; round++) {
    size_t size = rows_below(&random, round % 2 == 0 ? 200 : 300000);
    char *text = make_text(size, &random);
    for (int k = 0; k < 2; k++) {
      tm_bytes packed = pack(kinds[k], text, size, &random), out;
      cr_expect_eq(tm_compression_of_bytes(packed.data, packed.size), kinds[k]);
      tm_bytes_init(&out, budget);
      cr_assert_eq(unpack(kinds[k], packed.data, packed.size, 1 + rows_below(&random, 3000),
                          1 + rows_below(&random, 3000), &out), 1);
      cr_assert_eq(out.size, size);
      cr_assert(size == 0 || memcmp(out.data, text, size) == 0);
      tm_bytes_deinit(&out);
      tm_bytes_deinit(&packed);
    }
    free(text);
  }
}

Test(compress, the_libraries_read_it) {
  rows_random random = rows_seed(2);
  char *text = make_text(5000, &random), back[6000];
  tm_bytes gzip = pack(TM_COMPRESSION_GZIP, text, 5000, &random);
  z_stream z = {.next_in = gzip.data, .avail_in = (uInt)gzip.size, .next_out = (Bytef *)back,
                .avail_out = sizeof back};
  inflateInit2(&z, 31);
  cr_expect_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
  cr_expect_eq(z.total_out, 5000);
  cr_expect_eq(memcmp(back, text, 5000), 0);
  inflateEnd(&z);
  tm_bytes zstd = pack(TM_COMPRESSION_ZSTD, text, 5000, &random);
  cr_expect_eq(ZSTD_decompress(back, sizeof back, zstd.data, zstd.size), 5000);
  cr_expect_eq(memcmp(back, text, 5000), 0);
  tm_bytes_deinit(&gzip);
  tm_bytes_deinit(&zstd);
  free(text);
}

Test(compress, several_members_are_one_text) {
  rows_random random = rows_seed(3);
  char *text = make_text(3000, &random);
  for (int k = 0; k < 2; k++) {
    tm_bytes all, out;
    tm_bytes_init(&all, budget);
    for (int i = 0; i < 3; i++) {
      tm_bytes part = pack(kinds[k], text + 1000 * i, 1000, &random);
      tm_bytes_append(&all, part.data, part.size);
      tm_bytes_deinit(&part);
    }
    if (k == 0) tm_bytes_append(&all, "\0\0\0\0", 4);
    for (size_t step = 1; step < 4000; step = step * 3 + 1) {
      tm_bytes_init(&out, budget);
      cr_assert_eq(unpack(kinds[k], all.data, all.size, step, step, &out), 1, "steps of %zu", step);
      cr_assert_eq(out.size, 3000);
      cr_expect_eq(memcmp(out.data, text, 3000), 0);
      tm_bytes_deinit(&out);
    }
    tm_bytes_append(&all, "garbage", 7);
    tm_bytes_init(&out, budget);
    cr_expect_eq(unpack(kinds[k], all.data, all.size, 100, 100, &out), -1);
    tm_bytes_deinit(&out);
    tm_bytes_deinit(&all);
  }
  free(text);
}

Test(compress, every_truncation_is_noticed) {
  rows_random random = rows_seed(4);
  char *text = make_text(400, &random);
  for (int k = 0; k < 2; k++) {
    tm_bytes packed = pack(kinds[k], text, 400, &random);
    for (size_t size = 0; size < packed.size; size++) {
      tm_bytes out;
      tm_bytes_init(&out, budget);
      cr_expect_neq(unpack(kinds[k], packed.data, size, 50, 50, &out), 1, "%s cut at %zu",
                    tm_compression_name(kinds[k]), size);
      tm_bytes_deinit(&out);
    }
    tm_bytes_deinit(&packed);
  }
  free(text);
}

/* A flipped bit is an error, or leaves the text as it was (in a header field that says little). */
Test(compress, damage_never_passes_as_another_text) {
  rows_random random = rows_seed(5);
  char *text = make_text(300, &random);
  for (int k = 0; k < 2; k++) {
    tm_bytes packed = pack(kinds[k], text, 300, &random);
    for (size_t bit = 0; bit < packed.size * 8; bit++) {
      tm_bytes out;
      tm_bytes_init(&out, budget);
      packed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
      tm_compression kind = tm_compression_of_bytes(packed.data, packed.size);
      if (kind == kinds[k] && unpack(kind, packed.data, packed.size, 64, 64, &out) == 1) {
        bool same = out.size == 300 && memcmp(out.data, text, 300) == 0;
        /* A zstd frame can become a skippable one, or lose its checksum. */
        cr_expect(same || k == 1, "bit %zu of %s", bit, tm_compression_name(kind));
      }
      packed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
      tm_bytes_deinit(&out);
    }
    tm_bytes_deinit(&packed);
  }
  free(text);
}

Test(compress, kinds_by_ending) {
  cr_expect_eq(tm_compression_of_path("a.csv.gz"), TM_COMPRESSION_GZIP);
  cr_expect_eq(tm_compression_of_path("a.zst"), TM_COMPRESSION_ZSTD);
  cr_expect_eq(tm_compression_of_path("a.csv"), TM_COMPRESSION_NONE);
  cr_expect_eq(tm_compression_of_path(".gz"), TM_COMPRESSION_NONE);
  cr_expect_eq(tm_compression_of_bytes("id,a", 4), TM_COMPRESSION_NONE);
  cr_expect_eq(tm_compression_of_bytes("", 0), TM_COMPRESSION_NONE);
}
