/* io/tcp_address.h: "HOST:PORT" as scripts write it. */
#ifndef TM_IO_TCP_ADDRESS_H
#define TM_IO_TCP_ADDRESS_H

#include "base/error.h"

enum { TM_TCP_TEXT_MAX = 300 };

typedef struct tm_tcp_address {
  char host[256]; /* a name or an address, without the brackets of IPv6 */
  char port[6];   /* decimal; "0": any that is free */
  char text[TM_TCP_TEXT_MAX]; /* as it was written, for messages */
} tm_tcp_address;

/* 0, or -1: TM_E_VALUE. */
int tm_tcp_address_parse(const char *text, tm_tcp_address *out, tm_error *err);

#endif
