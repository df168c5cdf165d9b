/* tests/fuzz/compress_fuzz.c: any bytes as gzip or zstd: text or an error, never more memory than
 * the budget, and the same answer whatever the steps. */
#include <stdlib.h>

#include "base/hash.h"
#include "format/compress.h"

enum { OUT_MAX = 1 << 20 };

static void require(bool holds) {
  if (!holds) abort();
}

typedef struct answer { int end; uint64_t size, digest; } answer;

static answer unpack(tm_compression kind, const uint8_t *data, size_t size, size_t in_step,
                     size_t out_step) {
  tm_budget *budget = tm_budget_create(NULL, "fuzz", 256 << 20);
  tm_error err = {0};
  answer a = {0};
  tm_decompress *d = tm_decompress_create(budget, kind, &err);
  require(d != NULL);
  uint8_t *out = malloc(OUT_MAX + out_step);
  size_t at = 0, given = 0;
  while (a.size < OUT_MAX) {
    size_t taken, made;
    if (given == 0) given = size - at < in_step ? size - at : in_step;
    uint8_t *exact = malloc(given + 1);
    memcpy(exact, data + at, given);
    int done = tm_decompress_run(d, "fuzz", exact, given, &taken, out + a.size, out_step, &made,
                                 &err);
    free(exact);
    if (done < 0) {
      require(err.code == TM_E_CORRUPT || err.code == TM_E_MEMORY);
      a.end = -1;
      break;
    }
    require(taken <= given && made <= out_step);
    a.size += made;
    at += taken;
    given -= taken;
    if (made == 0 && at == size) break;
    require(taken > 0 || made > 0);
  }
  if (a.size >= OUT_MAX) a.size = OUT_MAX, a.end = 2;
  else if (a.end == 0) a.end = tm_decompress_is_complete(d);
  a.digest = tm_hash_bytes(out, a.size);
  free(out);
  tm_decompress_destroy(d);
  tm_budget_destroy(budget);
  return a;
}

/* The text compressed, one byte of it changed: an error, or the text as it was; zstd forgives more,
 * for its headers say what is checked at all. */
static void damage(tm_compression kind, const uint8_t *data, size_t size) {
  tm_budget *budget = tm_budget_create(NULL, "fuzz", 256 << 20);
  tm_error err = {0};
  tm_bytes packed;
  tm_bytes_init(&packed, budget);
  tm_compress *c = tm_compress_create(budget, kind, &err);
  require(c != NULL && tm_compress_run(c, data + 4, size - 4, true, &packed, &err) == 0);
  tm_compress_destroy(c);
  size_t at = (data[1] | (size_t)data[2] << 8) % packed.size;
  answer whole = unpack(kind, packed.data, packed.size, packed.size, 4096);
  require(whole.end == 1 && whole.size == size - 4);
  require(whole.digest == tm_hash_bytes(data + 4, size - 4));
  packed.data[at] ^= data[3];
  if (tm_compression_of_bytes(packed.data, packed.size) == kind) {
    answer odd = unpack(kind, packed.data, packed.size, packed.size, 4096);
    require(odd.end != 1 || odd.digest == whole.digest || kind == TM_COMPRESSION_ZSTD);
  }
  tm_bytes_deinit(&packed);
  tm_budget_destroy(budget);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3) return 0;
  tm_compression kind = data[0] % 2 == 0 ? TM_COMPRESSION_GZIP : TM_COMPRESSION_ZSTD;
  if ((data[0] & 2) != 0 && size > 4) {
    damage(kind, data, size);
    return 0;
  }
  answer a = unpack(kind, data + 3, size - 3, size, 4096);
  answer b = unpack(kind, data + 3, size - 3, 1 + data[1], 1 + data[2]);
  /* An error may come later where steps are small; frames of old zstd versions need large ones. */
  if (a.end == 1 && b.end == 1) require(a.digest == b.digest);
  return 0;
}
