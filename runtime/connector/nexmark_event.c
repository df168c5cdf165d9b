/* connector/nexmark_event.c: see nexmark_event.h. Nothing here has state: a number and a seed make
 * an event, so that every kind can be made alone and in any number of lanes. */
#include "connector/nexmark_event.h"

#include <assert.h>
#include <stdbool.h>

#include "base/hash.h"

enum {
  EPOCH = TM_NEXMARK_EPOCH, PERSONS = 1, AUCTIONS = 3, BIDS = EPOCH - PERSONS - AUCTIONS,
  FIRST_ID = 1000,            /* of persons and of auctions */
  FIRST_CATEGORY = 10, CATEGORIES = 5,
  HOT_BATCH = 100,            /* the hot ones are those that begin a hundred */
  ACTIVE_PERSONS = 1000, OPEN_AUCTIONS = 100,
  LEAD = 10,                  /* ids that are not there yet */
  GROUP = 10,                 /* events of which one is out of order */
  SHUFFLE = 953,              /* a prime */
  AUCTION_US_MIN = 1000,
};

void tm_nexmark_events_init(tm_nexmark_events *events, uint64_t seed, int64_t base_us,
                            int64_t step_us) {
  assert(step_us > 0);
  *events = (tm_nexmark_events){.base_us = base_us, .step_us = step_us};
  uint64_t hash = tm_hash_u64(seed);
  for (uint64_t d = 0; d < TM_NEXMARK_DRAWS; d++) events->draws[d] = tm_hash_combine(hash, d);
  /* 10^(6 / 1024), six decades above 100; products alone are the same on every machine. */
  double price = 100;
  for (int i = 0; i <= TM_NEXMARK_PRICE_STEPS; i++) {
    events->prices[i] = (uint32_t)(price + 0.5);
    price *= 1.0135831333340657;
  }
  int64_t groups = TM_NEXMARK_DISORDER_US / GROUP / step_us;
  events->block_groups = (uint64_t)groups; /* 0: one group takes longer than that; nothing moves */
}

/* ---------------------------------------------------------------- numbers */

static uint64_t rest_of(uint64_t rest, uint64_t before, uint64_t kind) {
  if (rest <= before) return 0;
  return rest - before < kind ? rest - before : kind;
}

uint64_t tm_nexmark_event_rows(tm_nexmark_kind kind, uint64_t events) {
  uint64_t epochs = events / EPOCH, rest = events % EPOCH;
  switch (kind) {
    case TM_NEXMARK_PERSON: return epochs * PERSONS + rest_of(rest, 0, PERSONS);
    case TM_NEXMARK_AUCTION: return epochs * AUCTIONS + rest_of(rest, PERSONS, AUCTIONS);
    default: return epochs * BIDS + rest_of(rest, PERSONS + AUCTIONS, BIDS);
  }
}

uint64_t tm_nexmark_event_number(tm_nexmark_kind kind, uint64_t nth) {
  switch (kind) {
    case TM_NEXMARK_PERSON: return nth * EPOCH;
    case TM_NEXMARK_AUCTION: return nth / AUCTIONS * EPOCH + PERSONS + nth % AUCTIONS;
    default: return nth / BIDS * EPOCH + PERSONS + AUCTIONS + nth % BIDS;
  }
}

uint64_t tm_nexmark_event_bits(const tm_nexmark_events *events, tm_nexmark_draw draw,
                               uint64_t number) {
  return tm_hash_u64(events->draws[draw] + number);
}

/* The same for loops, which hold the draw's word. */
static inline uint64_t bits_of(uint64_t draw, uint64_t number) {
  return tm_hash_u64(draw + number);
}

/* ---------------------------------------------------------------- times */

/* Where the odd one of a group goes: an affine permutation of the block's groups. */
static uint64_t swapped_group(const tm_nexmark_events *e, uint64_t group) {
  uint64_t groups = e->block_groups, block = group / groups, at = group - block * groups;
  uint64_t shift = tm_nexmark_event_pick(bits_of(e->draws[TM_NEXMARK_BLOCK], block), groups);
  uint64_t factor = groups % SHUFFLE == 0 ? 1 : SHUFFLE;
  return block * groups + (at * factor + shift) % groups;
}

static inline int64_t time_of(const tm_nexmark_events *e, uint64_t number) {
  uint64_t group = number / GROUP, nth = number - group * GROUP;
  uint64_t odd = tm_nexmark_event_pick(bits_of(e->draws[TM_NEXMARK_DELAY], group), GROUP);
  if (nth != odd || e->block_groups == 0) return e->base_us + (int64_t)number * e->step_us;
  /* Half a step behind the group's first slot there is nobody else. */
  return e->base_us + (int64_t)(swapped_group(e, group) * GROUP) * e->step_us + e->step_us / 2;
}

void tm_nexmark_event_times(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                            uint32_t rows, int64_t *restrict out) {
  for (uint32_t i = 0; i < rows; i++) out[i] = time_of(events, numbers[i]);
}

/* On average an auction is open until OPEN_AUCTIONS others have come. */
void tm_nexmark_event_expires(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                              uint32_t rows, int64_t *restrict out) {
  uint64_t draw = events->draws[TM_NEXMARK_EXPIRES];
  uint64_t horizon_us = (uint64_t)events->step_us * (OPEN_AUCTIONS * EPOCH / AUCTIONS);
  for (uint32_t i = 0; i < rows; i++) {
    uint64_t open_us = tm_nexmark_event_pick(bits_of(draw, numbers[i]), 2 * horizon_us);
    out[i] = time_of(events, numbers[i]) + AUCTION_US_MIN + (int64_t)open_us;
  }
}

/* ---------------------------------------------------------------- who */

void tm_nexmark_event_persons(const uint64_t *restrict numbers, uint32_t rows,
                              int64_t *restrict out) {
  for (uint32_t i = 0; i < rows; i++) out[i] = FIRST_ID + (int64_t)(numbers[i] / EPOCH);
}

void tm_nexmark_event_auctions(const uint64_t *restrict numbers, uint32_t rows,
                               int64_t *restrict out) {
  for (uint32_t i = 0; i < rows; i++) {
    uint64_t epoch = numbers[i] / EPOCH;
    out[i] = FIRST_ID + (int64_t)(epoch * AUCTIONS + (numbers[i] - epoch * EPOCH - PERSONS));
  }
}

/* One of the persons that are active when the epoch's person has come. Bits choose whether it is
 * the hot one: three times of four. */
static inline int64_t person_of(uint64_t bits, uint64_t epoch, uint64_t hot) {
  uint64_t persons = epoch + 1;
  uint64_t active = persons < ACTIVE_PERSONS ? persons : ACTIVE_PERSONS;
  uint64_t some = persons - active + tm_nexmark_event_pick(bits, active + LEAD);
  bool is_hot = (bits & 3) != 0;
  return FIRST_ID + (int64_t)(is_hot ? epoch / HOT_BATCH * HOT_BATCH + hot : some);
}

void tm_nexmark_event_sellers(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                              uint32_t rows, int64_t *restrict out) {
  uint64_t draw = events->draws[TM_NEXMARK_SELLER];
  for (uint32_t i = 0; i < rows; i++) {
    out[i] = person_of(bits_of(draw, numbers[i]), numbers[i] / EPOCH, 0);
  }
}

void tm_nexmark_event_bidders(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                              uint32_t rows, int64_t *restrict out) {
  uint64_t draw = events->draws[TM_NEXMARK_BIDDER];
  for (uint32_t i = 0; i < rows; i++) {
    out[i] = person_of(bits_of(draw, numbers[i]), numbers[i] / EPOCH, 1);
  }
}

void tm_nexmark_event_bid_auctions(const tm_nexmark_events *events,
                                   const uint64_t *restrict numbers, uint32_t rows,
                                   int64_t *restrict out) {
  uint64_t draw = events->draws[TM_NEXMARK_AUCTION_OF_BID];
  for (uint32_t i = 0; i < rows; i++) {
    uint64_t last = numbers[i] / EPOCH * AUCTIONS + AUCTIONS - 1;
    uint64_t first = last > OPEN_AUCTIONS ? last - OPEN_AUCTIONS : 0;
    uint64_t bits = bits_of(draw, numbers[i]);
    uint64_t some = first + tm_nexmark_event_pick(bits, last - first + 1 + LEAD);
    out[i] = FIRST_ID + (int64_t)((bits & 1) != 0 ? last / HOT_BATCH * HOT_BATCH : some);
  }
}

/* ---------------------------------------------------------------- what */

/* Prices are spread evenly over the logarithm of six decades: between two steps of the table on a
 * straight line. */
static inline int64_t price_of(const uint32_t *prices, uint64_t bits) {
  enum { FRACTION_BITS = 32 };
  uint64_t at = bits >> 22; /* 42 bits: ten for the step, 32 within it */
  uint64_t step = at >> FRACTION_BITS, within = at & UINT32_MAX;
  uint64_t low = prices[step], wide = prices[step + 1] - low;
  return (int64_t)(low + (wide * within >> FRACTION_BITS));
}

void tm_nexmark_event_prices(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                             uint32_t rows, int64_t *restrict out) {
  uint64_t draw = events->draws[TM_NEXMARK_PRICE];
  for (uint32_t i = 0; i < rows; i++) out[i] = price_of(events->prices, bits_of(draw, numbers[i]));
}

void tm_nexmark_event_reserves(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                               uint32_t rows, int64_t *restrict out) {
  uint64_t draw = events->draws[TM_NEXMARK_PRICE], more = events->draws[TM_NEXMARK_RESERVE];
  for (uint32_t i = 0; i < rows; i++) {
    out[i] = price_of(events->prices, bits_of(draw, numbers[i])) +
             price_of(events->prices, bits_of(more, numbers[i]));
  }
}

void tm_nexmark_event_categories(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                                 uint32_t rows, int64_t *restrict out) {
  uint64_t draw = events->draws[TM_NEXMARK_CATEGORY];
  for (uint32_t i = 0; i < rows; i++) {
    out[i] = FIRST_CATEGORY +
             (int64_t)tm_nexmark_event_pick(bits_of(draw, numbers[i]), CATEGORIES);
  }
}
