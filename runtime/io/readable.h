/* io/readable.h: a wake once a pipe or terminal can be read, by a thread that waits for it: the
 * lane does not, and the descriptor, which other processes share, stays as it is. */
#ifndef TM_IO_READABLE_H
#define TM_IO_READABLE_H

#include "base/error.h"
#include "base/memory.h"

typedef struct tm_readable tm_readable;

/* NULL with err. */
tm_readable *tm_readable_create(tm_budget *budget, void (*wake)(void *waker), void *waker,
                                tm_error *err);
/* One wake, once `file` can be read or has ended. Asked again before: nothing more. */
void tm_readable_ask(tm_readable *readable, int file);
void tm_readable_destroy(tm_readable *readable); /* NULL is a no-op */

#endif
