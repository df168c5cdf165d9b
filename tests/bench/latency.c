/* tests/bench/latency.c: how long one event takes through a running stream: out on one connection,
 * the result in on another, at a steady rate.
 *
 *   latency EVENTS RATE
 *
 * Listens for the results and says on stdout where; reads the address to send to from stdin.
 * Event n is {"n":n,"at":MS} with a time of n milliseconds, so that it closes the window of event
 * n - 1, whose result is a line that begins with the number n - 1. A result's latency counts from
 * when event n should have been sent, whether or not it was late. One thread, which never sleeps.
 * The figures, in microseconds: p50 p90 p99 max. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 256, WARM_UP = 500, PATIENCE_S = 20 };

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int listen_anywhere(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (s < 0 || bind(s, (struct sockaddr *)&address, sizeof address) < 0 || listen(s, 1) < 0 ||
      getsockname(s, (struct sockaddr *)&address, &size) < 0) {
    fail("listen");
  }
  printf("127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return s;
}

static int connect_to(const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((unsigned short)atoi(port))};
  int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (s < 0 || connect(s, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
  setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return s;
}

static void send_event(int out, long n) {
  char line[LINE_BYTES];
  int size = snprintf(line, sizeof line, "{\"n\":%ld,\"at\":%ld}\n", n, n);
  if (send(out, line, (size_t)size, 0) != size) fail("send");
}

/* Lines that have come, by the number that each begins with. */
typedef struct {
  char bytes[1 << 16];
  size_t size;
} incoming;

static long take_results(int in, incoming *buffer, long events, const double *due, double *taken) {
  ssize_t got = recv(in, buffer->bytes + buffer->size, sizeof buffer->bytes - buffer->size, 0);
  if (got < 0 && errno == EAGAIN) return 0;
  if (got <= 0) fail("receive");
  double now = now_us();
  long count = 0;
  buffer->size += (size_t)got;
  char *at = buffer->bytes, *end = buffer->bytes + buffer->size, *stop;
  for (; (stop = memchr(at, '\n', (size_t)(end - at))) != NULL; at = stop + 1, count++) {
    long n = strtol(at + strcspn(at, "0123456789"), NULL, 10);
    if (n >= 0 && n + 1 < events) taken[n] = now - due[n + 1];
  }
  memmove(buffer->bytes, at, (size_t)(end - at));
  buffer->size = (size_t)(end - at);
  return count;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  static incoming buffer;
  char port[64];
  long events = argc == 3 ? atol(argv[1]) : 0;
  double rate = argc == 3 ? atof(argv[2]) : 0;
  if (events <= WARM_UP + 1 || rate <= 0) {
    fputs("usage: latency EVENTS RATE\n", stderr);
    return 2;
  }
  double *due = calloc((size_t)events, sizeof *due), *taken = calloc((size_t)events, sizeof *taken);
  int listening = listen_anywhere();
  int in = accept(listening, NULL, NULL);
  if (in < 0 || due == NULL || taken == NULL || fgets(port, sizeof port, stdin) == NULL) {
    fail("accept");
  }
  fcntl(in, F_SETFL, O_NONBLOCK);
  int out = connect_to(port);
  double begin = now_us() + 1000;
  long sent = 0, came = 0;
  while (came < events - 1) {
    double now = now_us();
    if (sent < events && now >= begin + (double)sent * 1e6 / rate) {
      due[sent] = begin + (double)sent * 1e6 / rate;
      send_event(out, sent++);
    }
    came += take_results(in, &buffer, events, due, taken);
    if (now > begin + (double)events * 1e6 / rate + PATIENCE_S * 1e6) {
      fprintf(stderr, "only %ld of %ld results came\n", came, events - 1);
      return 1;
    }
  }
  long count = events - 1 - WARM_UP;
  qsort(taken + WARM_UP, (size_t)count, sizeof *taken, compare);
  const double shares[] = {0.5, 0.9, 0.99};
  for (int i = 0; i < 3; i++) {
    printf("%.0f ", taken[WARM_UP + (long)(shares[i] * (double)(count - 1))]);
  }
  printf("%.0f\n", taken[events - 2]);
  return 0;
}
