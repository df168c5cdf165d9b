/* io/tcp_address.c: see tcp_address.h. */
#include "io/tcp_address.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PORT_MAX = 65535 };

static int refuse(const char *text, const char *why, tm_error *err) {
  tm_fail(err, TM_E_VALUE, "'%.200s' is no address: %s", text, why);
  return tm_error_help(err, "write \"127.0.0.1:9000\", \"example.org:9000\" or \"[::1]:9000\"; to "
                       "listen on all interfaces \"0.0.0.0:9000\"");
}

static bool read_port(const char *text, char out[6]) {
  size_t size = strlen(text);
  unsigned port = 0;
  if (size == 0 || size > 5) return false;
  for (size_t i = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    port = port * 10 + (unsigned)(text[i] - '0');
  }
  if (port > PORT_MAX) return false;
  snprintf(out, 6, "%u", port);
  return true;
}

int tm_tcp_address_parse(const char *text, tm_tcp_address *out, tm_error *err) {
  const char *colon = strrchr(text, ':'), *host = text, *end = colon;
  if (colon == NULL) return refuse(text, "it has no port", err);
  if (!read_port(colon + 1, out->port)) {
    return refuse(text, "a port is a number from 0 to 65535", err);
  }
  if (*host == '[' && end > host && end[-1] == ']') {
    host++;
    end--;
  } else if (memchr(host, ':', (size_t)(end - host)) != NULL) {
    return refuse(text, "an IPv6 address stands in brackets", err);
  }
  size_t size = (size_t)(end - host);
  if (size == 0) return refuse(text, "it has no host", err);
  if (size >= sizeof out->host || strlen(text) >= sizeof out->text) {
    return refuse(text, "it is too long", err);
  }
  memcpy(out->host, host, size);
  out->host[size] = '\0';
  snprintf(out->text, sizeof out->text, "%s", text);
  return 0;
}
