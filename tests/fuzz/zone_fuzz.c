/* tests/fuzz/zone_fuzz.c: time zone files, and rules as in TZ, from any bytes.
 *
 * What is taken for a zone is a table that keeps its promises; all lookups rest on them. */
#include <assert.h>
#include <string.h>

#include "base/zone_file.h"

static void check_table(tm_budget *budget, tm_zone_table *t) {
  if (t == NULL) return;
  assert(t->count > 0 && t->starts_us[0] == INT64_MIN);
  for (size_t i = 0; i < t->count; i++) {
    assert(i == 0 || t->starts_us[i] > t->starts_us[i - 1]);
    assert(t->offsets_s[i] >= t->offset_min_s && t->offsets_s[i] <= t->offset_max_s);
    assert(strlen(t->abbreviations + t->names[i]) < 512);
  }
  assert(t->offset_min_s >= -26 * 3600 && t->offset_max_s <= 26 * 3600);
  tm_zone_file_destroy(budget, t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  tm_budget *budget = tm_budget_create(NULL, "fuzz", 1 << 22);
  tm_error err = { .code = TM_E_NONE };
  check_table(budget, tm_zone_file_parse(budget, data, size, &err));
  char text[128];
  if (size < sizeof text) {
    memcpy(text, data, size);
    text[size] = 0;
    tm_error_clear(&err);
    check_table(budget, tm_zone_file_rule(budget, text, &err));
  }
  tm_budget_destroy(budget);
  return 0;
}
