/* tests/support/harness_damage.c: saved states with bytes flipped, cut off or put behind. Files of
 * checkpoints carry checksums, so that a stage meets such states only through a bug; it must refuse
 * them or live with them, and read nothing beyond their end. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "harness_parts.h"

enum { FLIPS = 24, CUTS = 12 };

/* Restores every lane, that of `index` from `bytes`. Whether all of them accept it. */
static bool accepts(harness *h, uint32_t index, const uint8_t *bytes, size_t size) {
  const tm_stage *stage = h->bind.stage;
  tm_error err = {0};
  bool accepted = harness_open(h, &err) == 0;
  cr_assert(accepted, "%s", err.message);
  for (uint32_t i = 0; accepted && i < h->mode->lanes; i++) {
    harness_lane *l = &h->lanes[i];
    size_t length = i == index ? size : l->saved.size;
    const uint8_t *from = i == index ? bytes : l->saved.data;
    uint8_t *exact = malloc(length + 1);
    if (length > 0) memcpy(exact, from, length);
    accepted = stage->restore(l->self, exact, length, &err) == 0;
    free(exact);
    cr_assert(accepted || err.code != TM_E_NONE, "a refusal without an error");
  }
  harness_close(h);
  return accepted;
}

static void damage_lane(harness *h, uint32_t index) {
  const tm_bytes *saved = &h->lanes[index].saved;
  uint8_t *bytes = malloc(saved->size + 9);
  for (int n = 0; n < CUTS && saved->size > 0; n++) {
    size_t size = n == 0 ? saved->size - 1 : rows_next(&h->random) % saved->size;
    cr_assert_not(accepts(h, index, saved->data, size), "%s: %zu of %zu bytes are accepted",
                  h->bind.verb, size, saved->size);
  }
  for (int n = 0; n < FLIPS && saved->size > 0; n++) {
    memcpy(bytes, saved->data, saved->size);
    bytes[rows_next(&h->random) % saved->size] ^= (uint8_t)(1 << rows_below(&h->random, 8));
    (void)accepts(h, index, bytes, saved->size);
  }
  if (saved->size > 0) memcpy(bytes, saved->data, saved->size);
  memset(bytes + saved->size, 0, 9);
  cr_assert_not(accepts(h, index, bytes, saved->size + 9),
                "%s: bytes behind the state are accepted", h->bind.verb);
  free(bytes);
}

void harness_try_damage(harness *h) {
  if (!rows_chance(&h->random, 25)) return;
  damage_lane(h, rows_below(&h->random, h->mode->lanes));
}
