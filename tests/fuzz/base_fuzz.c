/* Texts that scripts and command lines hold: wildcards, durations, sizes, near names. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/glob.h"
#include "base/hash.h"
#include "base/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"delimiter", "path", "quote", "schema"};
  int64_t us;
  uint64_t bytes;
  char *text = malloc(size + 1); /* exact, so that a read beyond it is seen */
  memcpy(text, data, size);
  text[size] = '\0';
  if (tm_duration_parse(text, size, &us) == 0) assert(size >= 2);
  if (tm_size_parse(text, size, &bytes) == 0) assert(size >= 1);
  assert(tm_crc32c(0, data, size) == tm_crc32c_portable(0, data, size));
  (void)tm_hash_bytes(data, size);
  (void)tm_error_nearest(text, names, 4);
  char *cut = strchr(text, '\n'); /* the pattern before the first line end, the name behind it */
  if (cut != NULL) {
    *cut = '\0';
    (void)tm_glob_match(text, cut + 1);
  }
  free(text);
  return 0;
}
