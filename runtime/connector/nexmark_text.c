/* connector/nexmark_text.c: see nexmark_text.h. The tables are functions of the seed, so that every
 * lane, run and kind has the same. */
#include "connector/nexmark_text.h"

#include "base/hash.h"
#include "kernel/print.h"

enum {
  POOL = 65536, POOL_SLACK = 1024, /* a piece begins in the pool and may end in the slack */
  SPACE_ONE_IN = 13,
  CHANNELS = 10000, HOT_CHANNELS = 4,
  URL_BYTES = 80, DIRECTORIES = 3, URL_WITHOUT_ID_ONE_IN = 10,
  FIRST_NAMES = 11, LAST_NAMES = 9, NAMES = FIRST_NAMES * LAST_NAMES, NAME_BYTES = 24,
  CITIES = 10, STATES = 6,
  CARD_GROUPS = 4, CARD_DIGITS = 4, CARD_BYTES = CARD_GROUPS * (CARD_DIGITS + 1) - 1,
  EMAIL_BYTES_MAX = 16,
  STATE_BYTES = 2, WORD_BYTES = 8,
  PERSON_BYTES = 200, AUCTION_BYTES = 500, BID_BYTES = 100,
};

struct tm_nexmark_texts {
  int references; /* atomic */
  tm_budget *budget;
  tm_nexmark_events events;
  char letters[POOL + POOL_SLACK];
  char words[POOL + POOL_SLACK]; /* the same with blanks, never two in a row */
  char names_text[NAMES][NAME_BYTES];
  tm_str names[NAMES];
  tm_str channels[CHANNELS + HOT_CHANNELS]; /* the hot ones last */
  tm_str urls[CHANNELS + HOT_CHANNELS];
  char urls_text[CHANNELS + HOT_CHANNELS][URL_BYTES];
};

static const char *const first_names[FIRST_NAMES] = {
  "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"};
static const char *const last_names[LAST_NAMES] = {
  "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"};
static const char *const cities[CITIES] = {
  "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle",
  "Kent", "Cheyenne"};
static const char states[STATES][STATE_BYTES + 1] = {"AZ", "CA", "ID", "OR", "WA", "WY"};
static const char *const hot_channels[HOT_CHANNELS] = {"Google", "Facebook", "Baidu", "Apple"};

/* ---------------------------------------------------------------- tables */

static void make_pools(tm_nexmark_texts *t) {
  uint64_t draw = t->events.draws[TM_NEXMARK_POOL];
  for (uint32_t i = 0; i < POOL + POOL_SLACK; i++) {
    uint64_t bits = tm_hash_u64(draw + i);
    t->letters[i] = (char)('a' + tm_nexmark_event_pick(bits, 26));
    bool blank = (bits & UINT32_MAX) % SPACE_ONE_IN == 0 && i > 0 && t->words[i - 1] != ' ';
    t->words[i] = blank ? ' ' : t->letters[i];
  }
}

static void make_names(tm_nexmark_texts *t) {
  for (uint32_t i = 0; i < NAMES; i++) {
    const char *first = first_names[i / LAST_NAMES], *last = last_names[i % LAST_NAMES];
    size_t size = strlen(first), more = strlen(last);
    char *text = t->names_text[i];
    memcpy(text, first, size);
    text[size++] = ' ';
    memcpy(text + size, last, more);
    t->names[i] = tm_str_make(text, size + more);
  }
}

static size_t put(char *text, size_t at, const char *more) {
  size_t size = strlen(more);
  memcpy(text + at, more, size);
  return at + size;
}

/* https://www.nexmark.com/abc/defg/h_i/item.htm?query=1&channel_id=123 */
static void make_url(tm_nexmark_texts *t, uint32_t channel) {
  uint64_t bits = tm_nexmark_event_bits(&t->events, TM_NEXMARK_URL, channel);
  char *text = t->urls_text[channel];
  size_t at = put(text, 0, "https://www.nexmark.com/");
  bool without = bits % URL_WITHOUT_ID_ONE_IN == 0;
  for (uint32_t d = 0; d < DIRECTORIES; d++) {
    bits = tm_hash_u64(bits);
    uint32_t size = 3 + (bits & 1);
    const char *word = t->words + tm_nexmark_event_pick(bits, POOL);
    for (uint32_t i = 0; i < size; i++) text[at++] = word[i] == ' ' ? '_' : word[i];
    text[at++] = '/';
  }
  at = put(text, at, "item.htm?query=1");
  if (channel < CHANNELS && !without) {
    at = put(text, at, "&channel_id=");
    /* Numbers of all sizes: the channel's with its bits in reverse. */
    uint32_t id = 0;
    for (uint32_t bit = 0; bit < 31; bit++) id |= (channel >> bit & 1) << (30 - bit);
    char digits[TM_PRINT_MAX];
    size_t size = tm_print_int64(digits, id);
    memcpy(text + at, digits, size);
    at += size;
  }
  t->urls[channel] = tm_str_make(text, at);
}

static void make_channels(tm_nexmark_texts *t) {
  for (uint32_t i = 0; i < CHANNELS + HOT_CHANNELS; i++) {
    make_url(t, i);
    if (i >= CHANNELS) {
      const char *hot = hot_channels[i - CHANNELS];
      t->channels[i] = tm_str_make(hot, strlen(hot));
      continue;
    }
    char text[TM_PRINT_MAX + 8] = "channel-"; /* with four digits it still lies inline */
    size_t size = 8 + tm_print_int64(text + 8, i);
    t->channels[i] = tm_str_make(text, size);
  }
}

tm_nexmark_texts *tm_nexmark_texts_create(tm_budget *budget, const tm_nexmark_events *events) {
  tm_nexmark_texts *t = tm_alloc_zero(budget, sizeof *t);
  if (t == NULL) return NULL;
  t->references = 1;
  t->budget = budget;
  t->events = *events;
  make_pools(t);
  make_names(t);
  make_channels(t);
  return t;
}

void tm_nexmark_texts_retain(tm_nexmark_texts *texts) {
  __atomic_fetch_add(&texts->references, 1, __ATOMIC_RELAXED);
}

void tm_nexmark_texts_release(void *texts) {
  tm_nexmark_texts *t = texts;
  if (t == NULL || __atomic_sub_fetch(&t->references, 1, __ATOMIC_ACQ_REL) > 0) return;
  tm_free(t->budget, t, sizeof *t);
}

/* ---------------------------------------------------------------- one text */

static inline uint64_t bits_of(const tm_nexmark_texts *t, tm_nexmark_draw draw, uint64_t number) {
  return tm_hash_u64(t->events.draws[draw] + number);
}

static inline const tm_str *name_of(const tm_nexmark_texts *t, uint64_t number) {
  return &t->names[tm_nexmark_event_pick(bits_of(t, TM_NEXMARK_NAME, number), NAMES)];
}

static inline const char *city_of(const tm_nexmark_texts *t, uint64_t number) {
  return cities[tm_nexmark_event_pick(bits_of(t, TM_NEXMARK_CITY, number), CITIES)];
}

static inline uint32_t channel_of(const tm_nexmark_texts *t, uint64_t number) {
  uint64_t bits = bits_of(t, TM_NEXMARK_CHANNEL, number);
  uint64_t hot = CHANNELS + tm_nexmark_event_pick(bits, HOT_CHANNELS);
  uint64_t some = tm_nexmark_event_pick(bits, CHANNELS);
  return (uint32_t)((bits & 1) != 0 ? hot : some);
}

/* A view of the pool's words: 3 to limit - 1 letters, blanks at its ends cut off. */
static tm_str words_of(const tm_nexmark_texts *t, tm_nexmark_draw draw, uint64_t number,
                       uint32_t limit) {
  uint64_t bits = bits_of(t, draw, number);
  uint32_t size = 3 + (uint32_t)((bits & UINT32_MAX) % (limit - 3));
  const char *text = t->words + tm_nexmark_event_pick(bits, POOL);
  if (text[0] == ' ') text++, size--;
  if (text[size - 1] == ' ') size--;
  return tm_str_make(text, size);
}

static inline tm_str item_of(const tm_nexmark_texts *t, uint64_t number) {
  return words_of(t, TM_NEXMARK_NAME, number, 20);
}

static inline tm_str description_of(const tm_nexmark_texts *t, uint64_t number) {
  return words_of(t, TM_NEXMARK_DESCRIPTION, number, 100);
}

/* abcdef@ghi.com */
static size_t write_email(const tm_nexmark_texts *t, uint64_t number, char out[EMAIL_BYTES_MAX]) {
  uint64_t bits = bits_of(t, TM_NEXMARK_EMAIL, number);
  size_t user = 3 + (bits & 3), host = 3 + (bits >> 2 & 1);
  memcpy(out, t->letters + tm_nexmark_event_pick(bits, POOL), user);
  out[user] = '@';
  memcpy(out + user + 1, t->letters + tm_nexmark_event_pick(tm_hash_u64(bits), POOL), host);
  memcpy(out + user + 1 + host, ".com", 4);
  return user + host + 5;
}

static void write_card(const tm_nexmark_texts *t, uint64_t number, char out[CARD_BYTES]) {
  uint64_t bits = bits_of(t, TM_NEXMARK_CARD, number);
  for (uint32_t i = 0; i < CARD_BYTES; i++) {
    if (i % (CARD_DIGITS + 1) == CARD_DIGITS) {
      out[i] = ' ';
      continue;
    }
    out[i] = (char)('0' + tm_nexmark_event_pick(bits, 10));
    bits *= 10; /* what is left of the fraction */
  }
}

/* What pads an event of `taken` bytes to `target` on average, a fifth more or less. */
static inline tm_str extra_of(const tm_nexmark_texts *t, uint64_t number, uint32_t taken,
                              uint32_t target) {
  uint64_t bits = bits_of(t, TM_NEXMARK_EXTRA, number);
  uint32_t wanted = target > taken ? target - taken : 0;
  uint32_t delta = (wanted * 2 + 5) / 10;
  uint32_t size = wanted - delta;
  if (delta > 0) size += (uint32_t)((bits & UINT32_MAX) * (2 * delta) >> 32);
  return tm_str_make(t->letters + tm_nexmark_event_pick(bits, POOL), size);
}

static uint32_t person_bytes(const tm_nexmark_texts *t, uint64_t number) {
  char email[EMAIL_BYTES_MAX];
  return WORD_BYTES + name_of(t, number)->size + (uint32_t)write_email(t, number, email) +
         CARD_BYTES + (uint32_t)strlen(city_of(t, number)) + STATE_BYTES;
}

static uint32_t auction_bytes(const tm_nexmark_texts *t, uint64_t number) {
  return 6 * WORD_BYTES + item_of(t, number).size + description_of(t, number).size;
}

/* ---------------------------------------------------------------- columns */

static int fill_emails(const tm_nexmark_texts *t, const uint64_t *restrict numbers,
                       tm_batch *batch, tm_str *restrict out) {
  char text[EMAIL_BYTES_MAX];
  for (uint32_t i = 0; i < batch->rows; i++) {
    if (!tm_batch_text(batch, text, write_email(t, numbers[i], text), &out[i])) return -1;
  }
  return 0;
}

static int fill_cards(const tm_nexmark_texts *t, const uint64_t *restrict numbers,
                      tm_batch *batch, tm_str *restrict out) {
  char *text = tm_batch_alloc(batch, (size_t)batch->rows * CARD_BYTES);
  if (text == NULL) return -1;
  for (uint32_t i = 0; i < batch->rows; i++, text += CARD_BYTES) {
    write_card(t, numbers[i], text);
    out[i] = tm_str_make(text, CARD_BYTES);
  }
  return 0;
}

static inline tm_str text_of(const tm_nexmark_texts *t, tm_nexmark_text what, uint64_t number) {
  const char *text;
  switch (what) {
    case TM_NEXMARK_TEXT_NAME: return *name_of(t, number);
    case TM_NEXMARK_TEXT_CITY: text = city_of(t, number); return tm_str_make(text, strlen(text));
    case TM_NEXMARK_TEXT_STATE:
      text = states[tm_nexmark_event_pick(bits_of(t, TM_NEXMARK_STATE, number), STATES)];
      return tm_str_make(text, STATE_BYTES);
    case TM_NEXMARK_TEXT_ITEM: return item_of(t, number);
    case TM_NEXMARK_TEXT_DESCRIPTION: return description_of(t, number);
    case TM_NEXMARK_TEXT_CHANNEL: return t->channels[channel_of(t, number)];
    case TM_NEXMARK_TEXT_URL: return t->urls[channel_of(t, number)];
    case TM_NEXMARK_TEXT_EXTRA_OF_PERSON:
      return extra_of(t, number, person_bytes(t, number), PERSON_BYTES);
    case TM_NEXMARK_TEXT_EXTRA_OF_AUCTION:
      return extra_of(t, number, auction_bytes(t, number), AUCTION_BYTES);
    default: return extra_of(t, number, 4 * WORD_BYTES, BID_BYTES);
  }
}

/* Inlined, so that the columns of the many bids have loops of their own. */
static inline void fill(const tm_nexmark_texts *t, tm_nexmark_text what,
                        const uint64_t *restrict numbers, uint32_t rows, tm_str *restrict out) {
  for (uint32_t i = 0; i < rows; i++) out[i] = text_of(t, what, numbers[i]);
}

int tm_nexmark_texts_fill(const tm_nexmark_texts *texts, tm_nexmark_text what,
                          const uint64_t *restrict numbers, tm_batch *batch,
                          tm_str *restrict out) {
  uint32_t rows = batch->rows;
  switch (what) {
    case TM_NEXMARK_TEXT_EMAIL: return fill_emails(texts, numbers, batch, out);
    case TM_NEXMARK_TEXT_CARD: return fill_cards(texts, numbers, batch, out);
    case TM_NEXMARK_TEXT_CHANNEL: fill(texts, TM_NEXMARK_TEXT_CHANNEL, numbers, rows, out); break;
    case TM_NEXMARK_TEXT_URL: fill(texts, TM_NEXMARK_TEXT_URL, numbers, rows, out); break;
    case TM_NEXMARK_TEXT_EXTRA_OF_BID:
      fill(texts, TM_NEXMARK_TEXT_EXTRA_OF_BID, numbers, rows, out);
      break;
    default: fill(texts, what, numbers, rows, out); break;
  }
  return 0;
}
