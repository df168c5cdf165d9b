/* io/tcp_input.h: what comes over connections, as blocks of whole records.
 *
 * Each connection is a partition of its own. A thread reads them and cuts; the lane takes blocks.
 * While more waits than a few MB, nothing is read: senders are held back, nothing is dropped. */
#ifndef TM_IO_TCP_INPUT_H
#define TM_IO_TCP_INPUT_H

#include "format/format.h"
#include "io/live_input.h"
#include "io/tcp_address.h"

typedef struct tm_tcp_input tm_tcp_input;

/* Listens, or connects again and again. NULL with err: TM_E_SYSTEM. reading is borrowed. */
tm_tcp_input *tm_tcp_input_open(tm_budget *budget, const tm_reading *reading,
                                const tm_tcp_address *address, bool listens, tm_error *err);
/* Where it listens: "127.0.0.1:5123". */
const char *tm_tcp_input_text(const tm_tcp_input *input);
/* To take from. After the last of a partition comes an item that ends it; numbers of partitions
 * that have ended are used again. */
tm_live_input *tm_tcp_input_queue(tm_tcp_input *input);
/* Nothing more is read; what was read can still be taken, then the queue ends. */
void tm_tcp_input_drain(tm_tcp_input *input);
void tm_tcp_input_close(tm_tcp_input *input); /* NULL is a no-op; blocks may outlive it */

#endif
