/* connector/nexmark_event.h: events of the Nexmark suite as pure functions of (seed, number).
 *
 * Of each 50 events the first is a new person, the next three are auctions, the rest are bids.
 * Event i happens i steps after the first one, but for one of each ten: those change places within
 * blocks of four seconds, so that the source is out of order by less than that (unless ten steps
 * take longer). No two events have one time (steps of 2 us or more). Whom a bid or an auction names
 * depends on how many persons and auctions there are by then: half of the bids are for the hot
 * auction (the first of the last hundred), three quarters by the hot bidder and three quarters of
 * the auctions are of the hot seller (the second and the first of the last hundred persons); the
 * others are spread over the last hundred auctions and thousand persons, and ten still to come. */
#ifndef TM_CONNECTOR_NEXMARK_EVENT_H
#define TM_CONNECTOR_NEXMARK_EVENT_H

#include <stdint.h>

typedef enum tm_nexmark_kind {
  TM_NEXMARK_PERSON,
  TM_NEXMARK_AUCTION,
  TM_NEXMARK_BID,
  TM_NEXMARK_KINDS,
} tm_nexmark_kind;

/* What is drawn at random of an event, each independently of the others. */
typedef enum tm_nexmark_draw {
  TM_NEXMARK_DELAY, TM_NEXMARK_BLOCK, TM_NEXMARK_AUCTION_OF_BID, TM_NEXMARK_BIDDER,
  TM_NEXMARK_SELLER, TM_NEXMARK_PRICE, TM_NEXMARK_RESERVE, TM_NEXMARK_CATEGORY, TM_NEXMARK_EXPIRES,
  TM_NEXMARK_CHANNEL, TM_NEXMARK_URL, TM_NEXMARK_NAME, TM_NEXMARK_EMAIL, TM_NEXMARK_CARD,
  TM_NEXMARK_CITY, TM_NEXMARK_STATE, TM_NEXMARK_DESCRIPTION, TM_NEXMARK_EXTRA,
  TM_NEXMARK_POOL, TM_NEXMARK_DRAWS,
} tm_nexmark_draw;

enum { TM_NEXMARK_EPOCH = 50, TM_NEXMARK_PRICE_STEPS = 1024, TM_NEXMARK_DISORDER_US = 4000000 };

typedef struct tm_nexmark_events {
  uint64_t draws[TM_NEXMARK_DRAWS];
  uint32_t prices[TM_NEXMARK_PRICE_STEPS + 1]; /* 100 to 1e8 in even ratios */
  int64_t base_us, step_us;
  uint64_t block_groups; /* tens of events in a block of four seconds */
} tm_nexmark_events;

void tm_nexmark_events_init(tm_nexmark_events *events, uint64_t seed, int64_t base_us,
                            int64_t step_us);

/* How many of the first `events` events are of that kind, and the number of the nth (from 0). */
uint64_t tm_nexmark_event_rows(tm_nexmark_kind kind, uint64_t events);
uint64_t tm_nexmark_event_number(tm_nexmark_kind kind, uint64_t nth);

/* 64 random bits of an event. */
uint64_t tm_nexmark_event_bits(const tm_nexmark_events *events, tm_nexmark_draw draw,
                               uint64_t number);
/* 0 … limit - 1 by the upper bits; the lowest few may serve for something else. */
static inline uint64_t tm_nexmark_event_pick(uint64_t bits, uint64_t limit) {
  return (uint64_t)((unsigned __int128)bits * limit >> 64);
}

/* Columns: `numbers` are those of the events, `out` has room for `rows`. */
void tm_nexmark_event_persons(const uint64_t *restrict numbers, uint32_t rows,
                              int64_t *restrict out);
void tm_nexmark_event_auctions(const uint64_t *restrict numbers, uint32_t rows,
                               int64_t *restrict out);
void tm_nexmark_event_times(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                            uint32_t rows, int64_t *restrict out);
void tm_nexmark_event_expires(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                              uint32_t rows, int64_t *restrict out);
void tm_nexmark_event_sellers(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                              uint32_t rows, int64_t *restrict out);
void tm_nexmark_event_bidders(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                              uint32_t rows, int64_t *restrict out);
void tm_nexmark_event_bid_auctions(const tm_nexmark_events *events,
                                   const uint64_t *restrict numbers, uint32_t rows,
                                   int64_t *restrict out);
void tm_nexmark_event_prices(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                             uint32_t rows, int64_t *restrict out);
/* The first bid's price and another price on top. */
void tm_nexmark_event_reserves(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                               uint32_t rows, int64_t *restrict out);
void tm_nexmark_event_categories(const tm_nexmark_events *events, const uint64_t *restrict numbers,
                                 uint32_t rows, int64_t *restrict out);

#endif
