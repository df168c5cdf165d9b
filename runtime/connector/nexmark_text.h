/* connector/nexmark_text.h: the texts of Nexmark events.
 *
 * Names, cities, channels and urls come out of tables, padding and descriptions are pieces of a
 * pool of random letters: columns are views of one object, made once a run, that batches pin. Only
 * emails and card numbers are written anew. As in the suite, ids, times and prices count 8 bytes
 * each, and `extra` pads a person to 200 bytes on average, an auction to 500, a bid to 100 (channel
 * and url come on top). */
#ifndef TM_CONNECTOR_NEXMARK_TEXT_H
#define TM_CONNECTOR_NEXMARK_TEXT_H

#include "column/batch.h"
#include "connector/nexmark_event.h"

typedef struct tm_nexmark_texts tm_nexmark_texts;

/* One reference; NULL when out of memory. `events` is copied. */
tm_nexmark_texts *tm_nexmark_texts_create(tm_budget *budget, const tm_nexmark_events *events);
void tm_nexmark_texts_retain(tm_nexmark_texts *texts);
void tm_nexmark_texts_release(void *texts); /* NULL is a no-op */

typedef enum tm_nexmark_text {
  TM_NEXMARK_TEXT_NAME,
  TM_NEXMARK_TEXT_EMAIL,
  TM_NEXMARK_TEXT_CARD,
  TM_NEXMARK_TEXT_CITY,
  TM_NEXMARK_TEXT_STATE,
  TM_NEXMARK_TEXT_ITEM,
  TM_NEXMARK_TEXT_DESCRIPTION,
  TM_NEXMARK_TEXT_CHANNEL,
  TM_NEXMARK_TEXT_URL,
  TM_NEXMARK_TEXT_EXTRA_OF_PERSON,
  TM_NEXMARK_TEXT_EXTRA_OF_AUCTION,
  TM_NEXMARK_TEXT_EXTRA_OF_BID,
} tm_nexmark_text;

/* A column of `batch`, which must pin the texts. 0 or -1 (memory). */
int tm_nexmark_texts_fill(const tm_nexmark_texts *texts, tm_nexmark_text what,
                          const uint64_t *restrict numbers, tm_batch *batch,
                          tm_str *restrict out);

#endif
