/* state/slot_table.c: see slot_table.h. */
#include "state/slot_table.h"

#include <assert.h>

enum {
  BITS_MIN = 8,
  BITS_MAX = 31,
  STEP_SLOTS = 1 << 15, /* moved by one step: well under a millisecond */
};

static void free_slots(tm_slot_table *t, uint64_t *slots, uint32_t bits) {
  if (slots != NULL) tm_free(t->budget, slots, sizeof *slots << bits);
}

void tm_slot_table_deinit(tm_slot_table *t) {
  free_slots(t, t->slots, t->bits);
  free_slots(t, t->old, t->old_bits);
  *t = (tm_slot_table){.budget = t->budget};
}

static void place(tm_slot_table *t, uint64_t slot) {
  uint32_t mask = tm_slot_mask(t), at = tm_slot_home((uint32_t)(slot >> 32), t->bits);
  while (t->slots[at] != 0) at = (at + 1) & mask;
  t->slots[at] = slot;
}

/* Moves some of the old slots; true when none is left. */
static bool move_slots(tm_slot_table *t, uint64_t slots_max) {
  if (t->old == NULL) return true;
  uint64_t left = ((uint64_t)1 << t->old_bits) - t->old_next;
  uint64_t count = left < slots_max ? left : slots_max;
  const uint64_t *from = t->old + t->old_next;
  for (uint64_t i = 0; i < count; i++) {
    if (from[i] != 0) place(t, from[i]);
  }
  t->old_next += count;
  if (count < left) return false;
  free_slots(t, t->old, t->old_bits);
  t->old = NULL;
  return true;
}

static bool grow(tm_slot_table *t, uint32_t bits) {
  assert(t->old == NULL && bits > t->bits);
  if (bits > BITS_MAX) return false;
  uint64_t *slots = tm_alloc_zero(t->budget, sizeof *slots << bits);
  if (slots == NULL) return false;
  t->old = t->slots;
  t->old_bits = t->bits;
  t->old_next = 0;
  t->slots = slots;
  t->bits = bits;
  return true;
}

bool tm_slot_table_reserve(tm_slot_table *t, uint32_t more) {
  (void)move_slots(t, UINT64_MAX);
  uint64_t wanted = (uint64_t)t->count + more;
  if (t->bits > 0 && wanted <= (uint64_t)3 << (t->bits - 2)) return true;
  uint32_t bits = t->bits < BITS_MIN ? BITS_MIN : t->bits;
  while (wanted > (uint64_t)1 << (bits - 1)) bits++;
  return grow(t, bits) && move_slots(t, UINT64_MAX);
}

int tm_slot_table_settle_step(tm_slot_table *t) {
  if (t->old == NULL) {
    bool full = t->bits > 0 && t->count > (uint64_t)1 << (t->bits - 1);
    if (!full || t->bits == BITS_MAX) return 0;
    if (!grow(t, t->bits + 1)) return -1;
  }
  return move_slots(t, STEP_SLOTS) ? 0 : 1;
}

void tm_slot_table_insert(tm_slot_table *t, uint32_t salt, uint32_t id) {
  assert(t->old == NULL && t->bits > 0);
  place(t, tm_slot_make(salt, id));
  t->count++;
}

/* Closes the gap at slot `gap`: what lies behind it and belongs at it or before moves up. */
static void close_gap(tm_slot_table *t, uint32_t gap) {
  uint64_t *slots = t->slots;
  uint32_t mask = tm_slot_mask(t);
  for (uint32_t at = (gap + 1) & mask; slots[at] != 0; at = (at + 1) & mask) {
    uint32_t home = tm_slot_home((uint32_t)(slots[at] >> 32), t->bits);
    if (((at - home) & mask) < ((at - gap) & mask)) continue;
    slots[gap] = slots[at];
    gap = at;
  }
  slots[gap] = 0;
}

void tm_slot_table_remove(tm_slot_table *t, uint32_t salt, uint32_t id) {
  assert(t->old == NULL && t->count > 0);
  uint32_t mask = tm_slot_mask(t), at = tm_slot_home(salt, t->bits);
  while ((uint32_t)t->slots[at] != id + 1) at = (at + 1) & mask;
  close_gap(t, at);
  t->count--;
}
