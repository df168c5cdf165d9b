/* io/rolling.h: files with a day in their names, one a day.
 *
 * A day's file is written beside its name, as NAME.part, and gets its name when the day is over, so
 * whoever finds it has the whole day. What comes for a day that has its file is put behind what is
 * in it. Any number of days: few are open at a time. */
#ifndef TM_IO_ROLLING_H
#define TM_IO_ROLLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

typedef struct tm_rolling tm_rolling;

typedef struct tm_rolling_options {
  const char *path;    /* {date} stands for the day */
  const void *head;    /* what a file begins with */
  size_t head_size;
  bool adds;           /* to files, and to parts, that are there already; else they are replaced */
} tm_rolling_options;

/* options is copied, what it points to borrowed. NULL with err. */
tm_rolling *tm_rolling_create(tm_budget *budget, const tm_rolling_options *options, tm_error *err);
/* Whole records of one day, counted from 1970-01-01. 0 or -1. */
int tm_rolling_write(tm_rolling *rolling, int32_t day, const void *bytes, size_t size,
                     tm_error *err);
bool tm_rolling_waits(const tm_rolling *rolling); /* something was written and not flushed */
int tm_rolling_flush(tm_rolling *rolling, tm_error *err);
/* All that can fail for want of space, of days before that one. */
int tm_rolling_seal(tm_rolling *rolling, int64_t before_day, tm_error *err);
/* Seals them, and gives them their names. */
int tm_rolling_publish(tm_rolling *rolling, int64_t before_day, tm_error *err);
/* Throws away parts that were not published. */
void tm_rolling_discard(tm_rolling *rolling);
/* Parts stay as they are. NULL is a no-op. */
void tm_rolling_destroy(tm_rolling *rolling);

#endif
