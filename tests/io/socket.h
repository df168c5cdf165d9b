/* tests/io/socket.h: the other side of connections: plain sockets of the loopback. */
#ifndef TESTS_IO_SOCKET_H
#define TESTS_IO_SOCKET_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static inline struct sockaddr_in socket_address(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

static inline int socket_make(void) {
  int s = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  struct timeval limit = {.tv_sec = 10};
  cr_assert_geq(s, 0);
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return s;
}

/* A port of its own, at which nobody listens until listen(): connections are refused. */
static inline int socket_reserve(int *port) {
  int s = socket_make();
  struct sockaddr_in a = socket_address(0);
  socklen_t size = sizeof a;
  cr_assert_eq(bind(s, (struct sockaddr *)&a, sizeof a), 0);
  getsockname(s, (struct sockaddr *)&a, &size);
  *port = ntohs(a.sin_port);
  return s;
}

static inline int socket_listen(int *port) {
  int s = socket_reserve(port);
  cr_assert_eq(listen(s, 5), 0);
  return s;
}

static inline int socket_connect(int port) {
  int s = socket_make();
  struct sockaddr_in a = socket_address(port);
  cr_assert_eq(connect(s, (struct sockaddr *)&a, sizeof a), 0);
  return s;
}

static inline int socket_accept(int listener) {
  int s = accept(listener, NULL, NULL);
  struct timeval limit = {.tv_sec = 10};
  cr_assert_geq(s, 0);
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return s;
}

static inline void socket_say(int s, const char *text) {
  size_t size = strlen(text);
  cr_assert_eq(write(s, text, size), (ssize_t)size);
}

/* Reads exactly `size` bytes, or up to the end: the number. */
static inline size_t socket_hear(int s, char *out, size_t size) {
  size_t used = 0;
  ssize_t got;
  while (used < size && (got = read(s, out + used, size - used)) > 0) used += (size_t)got;
  return used;
}

/* The text comes, and nothing else before it. */
static inline void socket_expect(int s, const char *text) {
  char out[4096] = "";
  size_t got = socket_hear(s, out, strlen(text));
  cr_assert_eq(got, strlen(text), "'%s' came, not '%s'", out, text);
  cr_assert_str_eq(out, text);
}

/* The other side goes without a word: a reset. */
static inline void socket_break(int s) {
  struct linger at_once = {.l_onoff = 1};
  setsockopt(s, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(s);
}

static inline int socket_port_of(const char *text) { return atoi(strrchr(text, ':') + 1); }

#endif
