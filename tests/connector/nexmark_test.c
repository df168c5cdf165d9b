/* tests/connector/nexmark_test.c: events of the Nexmark suite: which there are, how they are
 * spread, and that any number of lanes makes the same. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "connector/nexmark_event.h"
#include "connector/nexmark_text.h"
#include "tests/support/fixture.h"
#include "tests/support/stage_harness.h"
#include "tests/support/values.h"

TestSuite(nexmark, .init = setup, .fini = teardown);

enum { EVENTS = 200000, ROWS_MAX = EVENTS };
#define BASE_US INT64_C(1436918400000000)

static tm_nexmark_events events;
static uint64_t numbers[ROWS_MAX];
static int64_t values[ROWS_MAX];

static uint32_t take(tm_nexmark_kind kind, uint64_t seed, int64_t step_us) {
  tm_nexmark_events_init(&events, seed, BASE_US, step_us);
  uint32_t rows = (uint32_t)tm_nexmark_event_rows(kind, EVENTS);
  for (uint32_t i = 0; i < rows; i++) numbers[i] = tm_nexmark_event_number(kind, i);
  return rows;
}

static tm_nexmark_kind kind_of(uint64_t number) {
  uint64_t place = number % 50;
  return place == 0 ? TM_NEXMARK_PERSON : place < 4 ? TM_NEXMARK_AUCTION : TM_NEXMARK_BID;
}

/* ---------------------------------------------------------------- numbers and ids */

Test(nexmark, kinds_share_the_events) {
  uint64_t counts[TM_NEXMARK_KINDS] = {0};
  for (uint64_t n = 0; n < 500; n++) {
    for (int k = 0; k < TM_NEXMARK_KINDS; k++) {
      cr_assert_eq(tm_nexmark_event_rows(k, n), counts[k], "kind %d of %d", k, (int)n);
    }
    tm_nexmark_kind kind = kind_of(n);
    cr_assert_eq(tm_nexmark_event_number(kind, counts[kind]), n);
    counts[kind]++;
  }
}

Test(nexmark, ids_count_up) {
  uint32_t rows = take(TM_NEXMARK_PERSON, 1, 100);
  tm_nexmark_event_persons(numbers, rows, values);
  for (uint32_t i = 0; i < rows; i++) cr_assert_eq(values[i], 1000 + i);
  rows = take(TM_NEXMARK_AUCTION, 1, 100);
  tm_nexmark_event_auctions(numbers, rows, values);
  for (uint32_t i = 0; i < rows; i++) cr_assert_eq(values[i], 1000 + i);
}

/* ---------------------------------------------------------------- spread */

static void expect_share(uint32_t part, uint32_t whole, double share) {
  double found = (double)part / whole;
  cr_expect(found > share * 0.95 && found < share * 1.05, "%g where %g is due", found, share);
}

Test(nexmark, bids_are_for_what_is_open) {
  uint32_t rows = take(TM_NEXMARK_BID, 5, 100), hot = 0;
  tm_nexmark_event_bid_auctions(&events, numbers, rows, values);
  for (uint32_t i = 0; i < rows; i++) {
    int64_t last = (int64_t)(numbers[i] / 50) * 3 + 2, id = values[i] - 1000;
    int64_t first = last > 100 ? last - 100 : 0, hottest = last / 100 * 100;
    cr_assert(id == hottest || (id >= first && id <= last + 10));
    hot += id == hottest;
  }
  expect_share(hot, rows, 0.505);
}

Test(nexmark, bidders_and_sellers_are_active) {
  static void (*const fill[])(const tm_nexmark_events *, const uint64_t *restrict, uint32_t,
                              int64_t *restrict) = {tm_nexmark_event_bidders,
                                                    tm_nexmark_event_sellers};
  for (int k = 0; k < 2; k++) {
    uint32_t rows = take(k == 0 ? TM_NEXMARK_BID : TM_NEXMARK_AUCTION, 6, 100), hot = 0;
    fill[k](&events, numbers, rows, values);
    for (uint32_t i = 0; i < rows; i++) {
      int64_t last = (int64_t)(numbers[i] / 50), id = values[i] - 1000;
      int64_t first = last >= 1000 ? last - 999 : 0, hottest = last / 100 * 100 + (1 - k);
      cr_assert(id == hottest || (id >= first && id <= last + 10));
      hot += id == hottest;
    }
    expect_share(hot, rows, 0.75);
  }
}

Test(nexmark, prices_are_even_in_their_logarithm) {
  static const int64_t decades[] = {100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
  uint32_t rows = take(TM_NEXMARK_BID, 7, 100), counts[6] = {0}, halves = 0;
  tm_nexmark_event_prices(&events, numbers, rows, values);
  for (uint32_t i = 0; i < rows; i++) {
    int d = 0;
    cr_assert(values[i] >= decades[0] && values[i] < decades[6]);
    while (values[i] >= decades[d + 1]) d++;
    counts[d]++;
    halves += values[i] < 3162 && values[i] >= 1000;
  }
  for (int d = 0; d < 6; d++) expect_share(counts[d], rows, 1.0 / 6);
  expect_share(halves, rows, 1.0 / 12);
  rows = take(TM_NEXMARK_AUCTION, 7, 100);
  int64_t *reserves = tm_arena_alloc(&arena, rows * sizeof *reserves);
  tm_nexmark_event_prices(&events, numbers, rows, values);
  tm_nexmark_event_reserves(&events, numbers, rows, reserves);
  for (uint32_t i = 0; i < rows; i++) cr_assert_geq(reserves[i], values[i] + 100);
  tm_nexmark_event_categories(&events, numbers, rows, values);
  uint32_t of[5] = {0};
  for (uint32_t i = 0; i < rows; i++) {
    cr_assert(values[i] >= 10 && values[i] < 15);
    of[values[i] - 10]++;
  }
  for (int c = 0; c < 5; c++) expect_share(of[c], rows, 0.2);
}

/* ---------------------------------------------------------------- times */

static int compare_times(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

static void expect_times(int64_t step_us, bool disorder) {
  tm_nexmark_events_init(&events, 9, BASE_US, step_us);
  for (uint32_t i = 0; i < EVENTS; i++) numbers[i] = i;
  tm_nexmark_event_times(&events, numbers, EVENTS, values);
  int64_t latest = INT64_MIN, worst = 0;
  uint32_t moved = 0;
  for (uint32_t i = 0; i < EVENTS; i++) {
    moved += values[i] != BASE_US + i * step_us;
    if (values[i] > latest) latest = values[i];
    if (latest - values[i] > worst) worst = latest - values[i];
  }
  if (step_us <= 400000) expect_share(moved, EVENTS, 0.1);
  else cr_expect_eq(moved, 0);
  cr_expect_lt(worst, 4000000, "step %d", (int)step_us);
  if (disorder) cr_expect_gt(worst, 3800000, "step %d: %d", (int)step_us, (int)worst);
  qsort(values, EVENTS, sizeof *values, compare_times);
  for (uint32_t i = 1; i < EVENTS; i++) cr_assert_lt(values[i - 1], values[i]);
  cr_expect_geq(values[0], BASE_US);
  cr_expect_lt(values[EVENTS - 1], BASE_US + EVENTS * step_us + 4000000);
}

Test(nexmark, times_are_out_of_order_by_less_than_four_seconds) {
  expect_times(100, true);
  expect_times(2, false);
  expect_times(999, true);
  expect_times(419, true);  /* 954 groups of ten in four seconds */
  expect_times(400000, false);
  expect_times(1000000, false);
}

Test(nexmark, auctions_expire) {
  uint32_t rows = take(TM_NEXMARK_AUCTION, 8, 100);
  int64_t *expires = tm_arena_alloc(&arena, rows * sizeof *expires);
  tm_nexmark_event_times(&events, numbers, rows, values);
  tm_nexmark_event_expires(&events, numbers, rows, expires);
  double sum = 0;
  for (uint32_t i = 0; i < rows; i++) {
    int64_t open_us = expires[i] - values[i];
    cr_assert(open_us >= 1000 && open_us < 1000 + 2 * 166600);
    sum += (double)open_us;
  }
  cr_expect(sum / rows > 160000 && sum / rows < 175000);
}

/* ---------------------------------------------------------------- texts */

static tm_batch *texts_of(tm_nexmark_texts *texts, tm_nexmark_kind kind, const char *ddl,
                          const tm_nexmark_text *what) {
  uint32_t rows = take(kind, 3, 100);
  if (rows > 20000) rows = 20000;
  tm_batch *batch = tm_batch_create(budget, rows_schema(&arena, ddl), rows);
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    cr_assert_eq(tm_batch_column(batch, c, false), 0);
    cr_assert_eq(tm_nexmark_texts_fill(texts, what[c], numbers, batch, batch->columns[c].data), 0);
  }
  return batch;
}

static double average_bytes(const tm_batch *batch, uint32_t numbers_bytes) {
  double sum = (double)numbers_bytes * batch->rows;
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    for (uint32_t i = 0; i < batch->rows; i++) {
      sum += ((const tm_str *)batch->columns[c].data)[i].size;
    }
  }
  return sum / batch->rows;
}

static void expect_letters(const tm_batch *batch, uint32_t column, const char *more) {
  for (uint32_t i = 0; i < batch->rows; i++) {
    const tm_str *s = &((const tm_str *)batch->columns[column].data)[i];
    const char *text = tm_str_bytes(s);
    cr_assert_gt(s->size, 0);
    cr_assert(text[0] != ' ' && text[s->size - 1] != ' ');
    for (uint32_t k = 0; k < s->size; k++) {
      cr_assert((text[k] >= 'a' && text[k] <= 'z') || strchr(more, text[k]) != NULL,
                "'%.*s'", (int)s->size, text);
    }
  }
}

Test(nexmark, sizes_and_letters) {
  tm_nexmark_events_init(&events, 3, BASE_US, 100);
  tm_nexmark_texts *texts = tm_nexmark_texts_create(budget, &events);
  cr_assert_not_null(texts);
  tm_batch *person = texts_of(
      texts, TM_NEXMARK_PERSON,
      "name string, email string, card string, city string, state string, extra string",
      (tm_nexmark_text[]){TM_NEXMARK_TEXT_NAME, TM_NEXMARK_TEXT_EMAIL, TM_NEXMARK_TEXT_CARD,
                          TM_NEXMARK_TEXT_CITY, TM_NEXMARK_TEXT_STATE,
                          TM_NEXMARK_TEXT_EXTRA_OF_PERSON});
  tm_batch *auction = texts_of(
      texts, TM_NEXMARK_AUCTION, "item string, description string, extra string",
      (tm_nexmark_text[]){TM_NEXMARK_TEXT_ITEM, TM_NEXMARK_TEXT_DESCRIPTION,
                          TM_NEXMARK_TEXT_EXTRA_OF_AUCTION});
  tm_batch *bid = texts_of(texts, TM_NEXMARK_BID, "extra string",
                           (tm_nexmark_text[]){TM_NEXMARK_TEXT_EXTRA_OF_BID});
  double person_bytes = average_bytes(person, 8), auction_bytes = average_bytes(auction, 48);
  double bid_bytes = average_bytes(bid, 32);
  cr_expect(person_bytes > 195 && person_bytes < 205, "%g", person_bytes);
  cr_expect(auction_bytes > 490 && auction_bytes < 510, "%g", auction_bytes);
  cr_expect(bid_bytes > 98 && bid_bytes < 102, "%g", bid_bytes);
  expect_letters(auction, 0, " ");
  expect_letters(auction, 1, " ");
  expect_letters(auction, 2, "");
  expect_letters(bid, 0, "");
  for (uint32_t i = 0; i < person->rows; i++) {
    const tm_str *email = &((const tm_str *)person->columns[1].data)[i];
    const tm_str *card = &((const tm_str *)person->columns[2].data)[i];
    int a = 0, b = 0, c = 0, d = 0, end = 0;
    char copy[32] = "";
    memcpy(copy, tm_str_bytes(card), card->size);
    cr_assert_eq(sscanf(copy, "%4d %4d %4d %4d%n", &a, &b, &c, &d, &end), 4, "%s", copy);
    cr_assert_eq(end, 19);
    memset(copy, 0, sizeof copy);
    memcpy(copy, tm_str_bytes(email), email->size);
    end = 0;
    sscanf(copy, "%*6[a-z]@%*4[a-z].com%n", &end);
    cr_assert_eq(end, (int)email->size, "%s", copy);
  }
  tm_batch_release(person);
  tm_batch_release(auction);
  tm_batch_release(bid);
  tm_nexmark_texts_release(texts);
}

Test(nexmark, channels_and_their_urls) {
  tm_nexmark_events_init(&events, 3, BASE_US, 100);
  tm_nexmark_texts *texts = tm_nexmark_texts_create(budget, &events);
  tm_batch *bid = texts_of(texts, TM_NEXMARK_BID, "channel string, url string",
                           (tm_nexmark_text[]){TM_NEXMARK_TEXT_CHANNEL, TM_NEXMARK_TEXT_URL});
  uint32_t hot = 0, without = 0, numbered = 0;
  for (uint32_t i = 0; i < bid->rows; i++) {
    char channel[64] = "", url[128] = "";
    const tm_str *c = &((const tm_str *)bid->columns[0].data)[i];
    const tm_str *u = &((const tm_str *)bid->columns[1].data)[i];
    memcpy(channel, tm_str_bytes(c), c->size);
    memcpy(url, tm_str_bytes(u), u->size);
    int end = 0, number = -1;
    sscanf(url, "https://www.nexmark.com/%*4[a-z_]/%*4[a-z_]/%*4[a-z_]/item.htm?query=1%n", &end);
    cr_assert_gt(end, 0, "%s", url);
    if (sscanf(channel, "channel-%d", &number) == 1) {
      cr_assert(number >= 0 && number < 10000);
      numbered++;
      if (url[end] == '\0') without++;
      else cr_assert_eq(strncmp(url + end, "&channel_id=", 12), 0, "%s", url);
    } else {
      cr_assert(strstr("Google Facebook Baidu Apple", channel) != NULL, "%s", channel);
      cr_assert_eq(url[end], '\0');
      hot++;
    }
  }
  expect_share(hot, bid->rows, 0.5);
  cr_expect(without > numbered / 13 && without < numbered / 8, "%u of %u", without, numbered);
  tm_batch_release(bid);
  tm_nexmark_texts_release(texts);
}

/* ---------------------------------------------------------------- the stage */

static tm_value options_of(const char *kind, int64_t count, int64_t seed) {
  return V_TABLE(&arena, {"kind", v_text(kind)}, {"events", v_int(count)}, {"seed", v_int(seed)});
}

static rows_list rows_of(const char *kind, int64_t count, int64_t seed, uint32_t lanes,
                         uint32_t batch_rows, const char *needed) {
  harness_case c = {.verb = "nexmark", .options = options_of(kind, count, seed), .needed = needed};
  harness_mode mode = {.seed = 1, .lanes = lanes, .batch_rows = batch_rows};
  harness_result r = harness_run(&c, &mode);
  cr_assert_eq(r.err.code, 0, "%s", r.err.message);
  rows_list rows = {0};
  rows_list_append(&rows, &r.rows);
  harness_result_clear(&r);
  return rows;
}

Test(nexmark, a_seed_gives_the_same_rows) {
  static const struct { const char *kind; uint32_t rows; } kinds[] = {
    {"person", 4}, {"auction", 12}, {"bid", 146}};
  for (int k = 0; k < 3; k++) {
    const char *kind = kinds[k].kind;
    rows_list one = rows_of(kind, 162, 1, 1, 5, NULL);
    rows_list other = rows_of(kind, 162, 2, 1, 5, NULL);
    cr_assert_eq(one.count, k == 2 ? 162 - 16 : kinds[k].rows);
    size_t equal = 0;
    for (size_t i = 0; i < one.count; i++) equal += strcmp(one.texts[i], other.texts[i]) == 0;
    cr_expect_eq(equal, 0);
    rows_list more = rows_of(kind, 1000, 1, 3, 7, NULL); /* has the same ones and others */
    for (size_t i = 0; i < one.count; i++) {
      size_t at = 0;
      while (at < more.count && strcmp(one.texts[i], more.texts[at]) != 0) at++;
      cr_assert_lt(at, more.count, "%s", one.texts[i]);
    }
    rows_list_clear(&one);
    rows_list_clear(&other);
    rows_list_clear(&more);
  }
}

Test(nexmark, any_lanes_pieces_and_saves) {
  static const char *const kinds[] = {"person", "auction", "bid"};
  static const int64_t counts[] = {1500, 500, 60};
  for (int k = 0; k < 3; k++) {
    harness_case c = {.verb = "nexmark", .options = options_of(kinds[k], counts[k], 4)};
    rows_list all = rows_of(kinds[k], counts[k], 4, 1, 1000, NULL);
    harness_sweep(&c, &(harness_expected){.rows = &all, .label = kinds[k]});
    harness_damage(&c, &(harness_expected){.rows = &all, .label = kinds[k]});
    rows_list_clear(&all);
  }
}

Test(nexmark, columns_that_nobody_reads) {
  rows_list some = rows_of("bid", 200, 4, 2, 16, "price dateTime");
  rows_list all = rows_of("bid", 200, 4, 1, 16, NULL);
  cr_assert_eq(some.count, all.count);
  harness_case c = {.verb = "nexmark", .options = options_of("bid", 200, 4),
                    .needed = "price dateTime"};
  harness_check(&c, &(harness_expected){.rows = &some, .label = "some"});
  char *price = strchr(strchr(all.texts[0], '|') + 1, '|') + 1;
  price[strcspn(price, "|")] = '\0';
  size_t found = 0;
  for (size_t i = 0; i < some.count; i++) found += strstr(some.texts[i], price) != NULL;
  cr_expect_geq(found, 1, "price %s", price);
  rows_list_clear(&some);
  rows_list_clear(&all);
}

Test(nexmark, a_rate_changes_no_row) {
  rows_list all = rows_of("bid", 300, 4, 1, 1000, NULL);
  harness_case c = {.verb = "nexmark", .options =
                    V_TABLE(&arena, {"kind", v_text("bid")}, {"events", v_int(300)},
                            {"seed", v_int(4)}, {"rate", v_int(1000000)})};
  harness_check(&c, &(harness_expected){.rows = &all, .label = "paced"});
  rows_list_clear(&all);
}

static int bind_code(tm_value options) {
  harness_case c = {.verb = "nexmark", .options = options};
  tm_bind bind;
  tm_error err = {0};
  return harness_bind(&c, &arena, 10, &bind, &err) < 0 ? err.code : 0;
}

Test(nexmark, what_is_refused) {
  tm_value bid = v_text("bid"), ten = v_int(10);
  cr_expect_eq(bind_code(V_TABLE(&arena, {"kind", bid})), TM_E_VALUE);
  cr_expect_eq(bind_code(V_TABLE(&arena, {"events", ten})), TM_E_VALUE);
  cr_expect_eq(bind_code(options_of("bids", 1, 1)), TM_E_VALUE);
  cr_expect_eq(bind_code(options_of("bid", -1, 1)), TM_E_VALUE);
  cr_expect_eq(bind_code(V_TABLE(&arena, {"kind", bid}, {"events", ten}, {"rate", v_int(0)})),
               TM_E_VALUE);
  cr_expect_eq(bind_code(V_TABLE(&arena, {"kind", bid}, {"events", ten}, {"step", v_text("0s")})),
               TM_E_VALUE);
  cr_expect_eq(bind_code(V_TABLE(&arena, {"kind", bid}, {"events", ten}, {"step", v_text("2h")})),
               TM_E_VALUE);
  cr_expect_eq(bind_code(V_TABLE(&arena, {"kind", bid}, {"events", ten}, {"rows", ten})),
               TM_E_OPTION);
  cr_expect_eq(bind_code(options_of("bid", 0, 1)), 0);
}
