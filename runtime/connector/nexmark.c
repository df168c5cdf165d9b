/* connector/nexmark.c: nexmark { kind = "bid", events = 1000000 }: the events of the Nexmark suite,
 * an auction site's new persons, auctions and bids.
 *
 * `events` counts all three kinds; of the first so many the source gives those of its kind, as
 * columns that somebody reads. They are functions of seed and number alone (nexmark_event.h), so
 * that three sources of one seed fit together, and lanes take pieces by a shared counter. With
 * `rate` an event comes when its number is due, so many events of all kinds a second. */
#include <string.h>

#include "base/env.h"
#include "connector/nexmark_text.h"
#include "stage/options.h"
#include "state/record.h"

static const tm_option nexmark_options[] = {
  {"kind", "text", NULL, "\"person\", \"auction\" or \"bid\"", NULL},
  {"events", "int", NULL, "how many events of all kinds; one of 50 is a person, three auctions",
   NULL},
  {"seed", "int", "1", "of all that is random", NULL},
  {"step", "text|duration", "100us", "event time between an event and the next", NULL},
  {"rate", "int", NULL, "events of all kinds a second; without it: as fast as can be", NULL},
  {"time", "table", NULL, "event time: { field = \"dateTime\", out_of_order = \"4s\" }", NULL},
  {NULL, NULL, NULL, NULL, NULL},
};

enum { PIECES_A_SECOND = 100, SECOND_US = 1000000 };
#define BASE_US (INT64_C(1436918400) * SECOND_US) /* 2015-07-15 */
#define STEP_US_MAX (INT64_C(3600) * SECOND_US)
#define EVENTS_MAX (INT64_C(1) << 40)

/* What a column is: one of the numbers, or a text. */
typedef enum filling {
  FILL_PERSON, FILL_AUCTION, FILL_TIME, FILL_EXPIRES, FILL_SELLER, FILL_BIDDER, FILL_BID_AUCTION,
  FILL_PRICE, FILL_RESERVE, FILL_CATEGORY, FILL_TEXT,
} filling;

typedef struct column {
  filling filling;
  tm_nexmark_text text;
} column;

enum { COLUMNS_MAX = 10 };

static const struct {
  const char *name, *ddl;
  column columns[COLUMNS_MAX];
} kinds[TM_NEXMARK_KINDS] = {
  [TM_NEXMARK_PERSON] = {
    "person",
    "id int64 not null, name string not null, emailAddress string not null, "
    "creditCard string not null, city string not null, state string not null, "
    "dateTime timestamp not null, extra string not null",
    {{FILL_PERSON, 0}, {FILL_TEXT, TM_NEXMARK_TEXT_NAME}, {FILL_TEXT, TM_NEXMARK_TEXT_EMAIL},
     {FILL_TEXT, TM_NEXMARK_TEXT_CARD}, {FILL_TEXT, TM_NEXMARK_TEXT_CITY},
     {FILL_TEXT, TM_NEXMARK_TEXT_STATE}, {FILL_TIME, 0},
     {FILL_TEXT, TM_NEXMARK_TEXT_EXTRA_OF_PERSON}}},
  [TM_NEXMARK_AUCTION] = {
    "auction",
    "id int64 not null, itemName string not null, description string not null, "
    "initialBid int64 not null, reserve int64 not null, dateTime timestamp not null, "
    "expires timestamp not null, seller int64 not null, category int64 not null, "
    "extra string not null",
    {{FILL_AUCTION, 0}, {FILL_TEXT, TM_NEXMARK_TEXT_ITEM},
     {FILL_TEXT, TM_NEXMARK_TEXT_DESCRIPTION}, {FILL_PRICE, 0}, {FILL_RESERVE, 0}, {FILL_TIME, 0},
     {FILL_EXPIRES, 0}, {FILL_SELLER, 0}, {FILL_CATEGORY, 0},
     {FILL_TEXT, TM_NEXMARK_TEXT_EXTRA_OF_AUCTION}}},
  [TM_NEXMARK_BID] = {
    "bid",
    "auction int64 not null, bidder int64 not null, price int64 not null, "
    "channel string not null, url string not null, dateTime timestamp not null, "
    "extra string not null",
    {{FILL_BID_AUCTION, 0}, {FILL_BIDDER, 0}, {FILL_PRICE, 0},
     {FILL_TEXT, TM_NEXMARK_TEXT_CHANNEL}, {FILL_TEXT, TM_NEXMARK_TEXT_URL}, {FILL_TIME, 0},
     {FILL_TEXT, TM_NEXMARK_TEXT_EXTRA_OF_BID}}},
};

typedef struct nexmark_plan {
  tm_nexmark_kind kind;
  const tm_schema *schema;
  uint64_t seed, events, rows, rate; /* rows of this kind; rate 0: none */
  uint64_t piece_rows;
  int64_t step_us;
} nexmark_plan;

typedef struct nexmark_shared {
  tm_budget *budget;
  tm_nexmark_events events;
  tm_nexmark_texts *texts; /* NULL: nobody reads one */
  uint64_t next;           /* piece; atomic */
  int64_t start_us;        /* monotonic, when event 0 was due; atomic, 0 before the first piece */
} nexmark_shared;

typedef struct nexmark {
  tm_stage_env env;
  const nexmark_plan *plan;
  nexmark_shared *shared;
  uint64_t held; /* a piece that was taken and is not due yet, plus one; 0: none */
} nexmark;

static int no_memory(tm_error *err) { return tm_fail(err, TM_E_MEMORY, "nexmark: out of memory"); }

/* ---------------------------------------------------------------- bind */

static int refuse(const char *option, const char *what, tm_error *err) {
  tm_fail(err, TM_E_VALUE, "option '%s' of nexmark is %s", option, what);
  tm_error_token(err, option, "");
  return -1;
}

static int read_options(const tm_bind *bind, nexmark_plan *plan, tm_error *err) {
  const char *kind = tm_value_text(bind->options, "kind", "");
  int64_t events = tm_options_int(bind->options, "events", -1);
  int64_t rate = tm_options_int(bind->options, "rate", 0);
  const tm_value *given = tm_value_get(bind->options, "rate");
  bool paced = given != NULL && given->kind != TM_VALUE_NIL;
  plan->step_us = tm_options_duration(bind->options, "step", 100);
  plan->kind = 0;
  while (plan->kind < TM_NEXMARK_KINDS && strcmp(kind, kinds[plan->kind].name) != 0) plan->kind++;
  if (plan->kind == TM_NEXMARK_KINDS) {
    return refuse("kind", "\"person\", \"auction\" or \"bid\"", err);
  }
  if (events < 0 || events > EVENTS_MAX) return refuse("events", "a number of events", err);
  if (paced && (rate <= 0 || rate > EVENTS_MAX)) return refuse("rate", "1 or more", err);
  if (plan->step_us <= 0 || plan->step_us > STEP_US_MAX) {
    return refuse("step", "a duration up to 1h", err);
  }
  plan->seed = (uint64_t)tm_options_int(bind->options, "seed", 1);
  plan->events = (uint64_t)events;
  plan->rate = (uint64_t)rate;
  return 0;
}

static int nexmark_bind(tm_bind *bind, tm_error *err) {
  nexmark_plan *plan = tm_arena_zero(bind->arena, sizeof *plan);
  if (plan == NULL) return no_memory(err);
  if (read_options(bind, plan, err) < 0) return -1;
  plan->schema = tm_schema_parse(bind->arena, kinds[plan->kind].ddl, err);
  if (plan->schema == NULL) return -1;
  plan->rows = tm_nexmark_event_rows(plan->kind, plan->events);
  plan->piece_rows = bind->job->batch_rows;
  if (plan->rate > 0) { /* pieces that come often, however few rows they have */
    uint64_t often = tm_nexmark_event_rows(plan->kind, plan->rate) / PIECES_A_SECOND + 1;
    if (often < plan->piece_rows) plan->piece_rows = often;
  }
  bind->plan = plan;
  bind->output = plan->schema;
  bind->order = TM_ORDER_MAKES;
  bind->rows_estimate = plan->rows;
  bind->detail = tm_arena_format(bind->arena, "%s, %llu of %llu events", kinds[plan->kind].name,
                                 (unsigned long long)plan->rows,
                                 (unsigned long long)plan->events);
  return bind->detail == NULL ? no_memory(err) : 0;
}

/* ---------------------------------------------------------------- share, open */

static bool is_needed(const tm_bind *bind, uint32_t column) {
  return bind->needed == NULL || bind->needed[column] != 0;
}

static int nexmark_share(const tm_bind *bind, uint32_t lanes, tm_budget *budget, void **out,
                         tm_error *err) {
  (void)lanes;
  const nexmark_plan *plan = bind->plan;
  nexmark_shared *s = tm_alloc_zero(budget, sizeof *s);
  if (s == NULL) return no_memory(err);
  s->budget = budget;
  tm_nexmark_events_init(&s->events, plan->seed, BASE_US, plan->step_us);
  bool texts = false;
  for (uint32_t c = 0; c < plan->schema->count; c++) {
    texts |= is_needed(bind, c) && kinds[plan->kind].columns[c].filling == FILL_TEXT;
  }
  if (texts && (s->texts = tm_nexmark_texts_create(budget, &s->events)) == NULL) {
    tm_free(budget, s, sizeof *s);
    return no_memory(err);
  }
  *out = s;
  return 0;
}

static void nexmark_unshare(void *object) {
  nexmark_shared *s = object;
  tm_nexmark_texts_release(s->texts);
  tm_free(s->budget, s, sizeof *s);
}

static int nexmark_open(const tm_stage_env *env, void **out, tm_error *err) {
  nexmark *n = tm_alloc_zero(env->budget, sizeof *n);
  if (n == NULL) return no_memory(err);
  *n = (nexmark){.env = *env, .plan = env->bind->plan, .shared = env->shared};
  *out = n;
  return 0;
}

static void nexmark_close(void *self) {
  nexmark *n = self;
  tm_free(n->env.budget, n, sizeof *n);
}


/* ---------------------------------------------------------------- rows */

/* The numbers of a piece's events, without a division a row. */
static uint64_t *number(tm_batch *batch, tm_nexmark_kind kind, uint64_t first) {
  static const struct { uint32_t from, count; } places[] = {{0, 1}, {1, 3}, {4, 46}};
  uint64_t *numbers = tm_batch_alloc(batch, batch->rows * sizeof *numbers);
  if (numbers == NULL) return NULL;
  uint32_t end = places[kind].from + places[kind].count;
  uint64_t at = tm_nexmark_event_number(kind, first);
  uint64_t epoch = at / TM_NEXMARK_EPOCH * TM_NEXMARK_EPOCH, place = at - epoch;
  for (uint32_t i = 0; i < batch->rows; i++) {
    numbers[i] = epoch + place;
    if (++place == end) epoch += TM_NEXMARK_EPOCH, place = places[kind].from;
  }
  return numbers;
}

static int fill(const nexmark *n, const column *what, const uint64_t *numbers, tm_batch *batch,
                void *out) {
  const tm_nexmark_events *e = &n->shared->events;
  uint32_t rows = batch->rows;
  switch (what->filling) {
    case FILL_PERSON: tm_nexmark_event_persons(numbers, rows, out); break;
    case FILL_AUCTION: tm_nexmark_event_auctions(numbers, rows, out); break;
    case FILL_TIME: tm_nexmark_event_times(e, numbers, rows, out); break;
    case FILL_EXPIRES: tm_nexmark_event_expires(e, numbers, rows, out); break;
    case FILL_SELLER: tm_nexmark_event_sellers(e, numbers, rows, out); break;
    case FILL_BIDDER: tm_nexmark_event_bidders(e, numbers, rows, out); break;
    case FILL_BID_AUCTION: tm_nexmark_event_bid_auctions(e, numbers, rows, out); break;
    case FILL_PRICE: tm_nexmark_event_prices(e, numbers, rows, out); break;
    case FILL_RESERVE: tm_nexmark_event_reserves(e, numbers, rows, out); break;
    case FILL_CATEGORY: tm_nexmark_event_categories(e, numbers, rows, out); break;
    case FILL_TEXT:
      return tm_nexmark_texts_fill(n->shared->texts, what->text, numbers, batch, out);
  }
  return 0;
}

static int fill_all(const nexmark *n, tm_batch *batch, uint64_t first) {
  const uint64_t *numbers = number(batch, n->plan->kind, first);
  if (numbers == NULL) return -1;
  if (n->shared->texts != NULL) {
    tm_nexmark_texts_retain(n->shared->texts);
    if (tm_batch_pin(batch, n->shared->texts, tm_nexmark_texts_release) < 0) {
      tm_nexmark_texts_release(n->shared->texts);
      return -1;
    }
  }
  for (uint32_t c = 0; c < batch->schema->count; c++) {
    if (!is_needed(n->env.bind, c)) continue;
    const column *what = &kinds[n->plan->kind].columns[c];
    if (tm_batch_column(batch, c, false) < 0 ||
        fill(n, what, numbers, batch, batch->columns[c].data) < 0) {
      return -1;
    }
  }
  return 0;
}

static tm_batch *make(const nexmark *n, uint64_t piece) {
  uint64_t first = piece * n->plan->piece_rows, left = n->plan->rows - first;
  uint32_t rows = (uint32_t)(left < n->plan->piece_rows ? left : n->plan->piece_rows);
  tm_batch *batch = tm_batch_create(n->env.budget, n->plan->schema, rows);
  if (batch == NULL) return NULL;
  batch->origin.source = n->env.bind->node;
  batch->sequence = piece;
  if (n->env.bind->emits_ordinals) {
    batch->ordinals = tm_batch_alloc(batch, rows * sizeof *batch->ordinals);
    for (uint32_t i = 0; batch->ordinals != NULL && i < rows; i++) {
      batch->ordinals[i] = first + i + 1;
    }
  }
  if ((n->env.bind->emits_ordinals && batch->ordinals == NULL) || fill_all(n, batch, first) < 0) {
    tm_batch_release(batch);
    return NULL;
  }
  return batch;
}

/* ---------------------------------------------------------------- resume */

/* When the last event of a piece is due. */
static int64_t due_us(const nexmark *n, uint64_t piece) {
  uint64_t last = (piece + 1) * n->plan->piece_rows;
  if (last > n->plan->rows) last = n->plan->rows;
  uint64_t event = tm_nexmark_event_number(n->plan->kind, last - 1);
  unsigned __int128 us = (unsigned __int128)event * SECOND_US / n->plan->rate;
  int64_t start_us = __atomic_load_n(&n->shared->start_us, __ATOMIC_ACQUIRE);
  return start_us + (int64_t)us;
}

/* The clock starts with the first piece that is taken, as if all before it had come in time. */
static void start_clock(nexmark *n, uint64_t piece, int64_t now_us) {
  int64_t none = 0;
  if (__atomic_load_n(&n->shared->start_us, __ATOMIC_ACQUIRE) != 0) return;
  uint64_t event = tm_nexmark_event_number(n->plan->kind, piece * n->plan->piece_rows);
  int64_t start_us = now_us - (int64_t)((unsigned __int128)event * SECOND_US / n->plan->rate);
  if (start_us == 0) start_us = 1;
  __atomic_compare_exchange_n(&n->shared->start_us, &none, start_us, false, __ATOMIC_ACQ_REL,
                              __ATOMIC_ACQUIRE);
}

static bool must_wait(nexmark *n, uint64_t piece) {
  if (n->plan->rate == 0) return false;
  int64_t now_us = tm_env_get()->monotonic_us();
  start_clock(n, piece, now_us);
  int64_t at_us = due_us(n, piece);
  if (now_us >= at_us) return false;
  n->env.wake_at(n->env.waker, at_us);
  return true;
}

static tm_flow nexmark_resume(void *self, tm_out *out, tm_error *err) {
  nexmark *n = self;
  if (__atomic_load_n(n->env.draining, __ATOMIC_ACQUIRE)) return TM_FLOW_FINISHED;
  uint64_t piece = n->held > 0 ? n->held - 1
                               : __atomic_fetch_add(&n->shared->next, 1, __ATOMIC_RELAXED);
  if (piece * n->plan->piece_rows >= n->plan->rows) return TM_FLOW_FINISHED;
  n->held = piece + 1;
  if (must_wait(n, piece)) return TM_FLOW_BLOCKED;
  tm_batch *batch = make(n, piece);
  if (batch == NULL) {
    no_memory(err);
    return TM_FLOW_FAILED;
  }
  n->held = 0;
  tm_out_emit(out, batch);
  return (piece + 1) * n->plan->piece_rows < n->plan->rows ? TM_FLOW_MORE : TM_FLOW_FINISHED;
}

/* ---------------------------------------------------------------- save, restore */

static int nexmark_save(void *self, tm_bytes *out, tm_error *err) {
  nexmark *n = self;
  tm_record_writer w = {.out = out};
  tm_record_put(&w, __atomic_load_n(&n->shared->next, __ATOMIC_RELAXED));
  tm_record_put(&w, n->held);
  return tm_record_end(&w, err);
}

static int nexmark_restore(void *self, const void *bytes, size_t size, tm_error *err) {
  nexmark *n = self;
  tm_record_reader reader;
  tm_record_open(&reader, bytes, size);
  uint64_t next = tm_record_get(&reader, EVENTS_MAX);
  n->held = tm_record_get(&reader, EVENTS_MAX);
  if (tm_record_close(&reader, err) < 0) return -1;
  if (next > __atomic_load_n(&n->shared->next, __ATOMIC_RELAXED)) {
    __atomic_store_n(&n->shared->next, next, __ATOMIC_RELAXED);
  }
  return 0;
}

const tm_stage tm_stage_nexmark = {
  .size = sizeof(tm_stage),
  .name = "nexmark",
  .summary = "events of the Nexmark suite",
  .inputs = 0,
  .options = nexmark_options,
  .bind = nexmark_bind,
  .share = nexmark_share,
  .open = nexmark_open,
  .restore = nexmark_restore,
  .resume = nexmark_resume,
  .save = nexmark_save,
  .close = nexmark_close,
  .unshare = nexmark_unshare,
};
