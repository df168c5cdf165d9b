/* tests/io/tcp_test.c: records in and rows out over real connections of the loopback. */
#include <criterion/criterion.h>
#include <signal.h>

#include "base/env.h"
#include "base/log.h"
#include "io/tcp_input.h"
#include "io/tcp_output.h"
#include "tests/io/socket.h"
#include "tests/support/fixture.h"
#include "tests/support/rows.h"

static tm_reading reading;
static tm_mutex mutex;
static tm_cond cond;
static int wakes;
static char said[4096]; /* under the mutex: what was logged */

static void on_wake(void *waker) {
  (void)waker;
  tm_env_get()->mutex_lock(&mutex);
  __atomic_add_fetch(&wakes, 1, __ATOMIC_RELEASE);
  tm_env_get()->cond_broadcast(&cond);
  tm_env_get()->mutex_unlock(&mutex);
}

static void keep(void *context, tm_log_level level, const char *text) {
  (void)context, (void)level;
  tm_env_get()->mutex_lock(&mutex);
  strncat(said, text, sizeof said - strlen(said) - 2);
  strcat(said, ";");
  tm_env_get()->mutex_unlock(&mutex);
}

static bool was_said(const char *words) {
  tm_env_get()->mutex_lock(&mutex);
  bool was = strstr(said, words) != NULL;
  tm_env_get()->mutex_unlock(&mutex);
  return was;
}

static void wait_until_said(const char *words) {
  int64_t limit_us = tm_env_get()->monotonic_us() + 10 * 1000 * 1000;
  while (!was_said(words) && tm_env_get()->monotonic_us() < limit_us) {
    tm_env_get()->sleep_us(1000);
  }
}

static void begin(void) {
  setup();
  signal(SIGPIPE, SIG_IGN);
  tm_env_get()->mutex_init(&mutex);
  tm_env_get()->cond_init(&cond);
  tm_log_configure(TM_LOG_WARNING, keep, NULL);
}
TestSuite(tcp, .init = begin, .fini = teardown, .timeout = 60);

/* Until a wake has come since `before`; false after ten seconds. */
static bool wait_for_wake(int before) {
  const tm_env *env = tm_env_get();
  int64_t limit_us = env->monotonic_us() + 10 * 1000 * 1000;
  env->mutex_lock(&mutex);
  while (wakes == before && env->cond_wait_until(&cond, &mutex, limit_us) == 0) {}
  bool came = wakes != before;
  env->mutex_unlock(&mutex);
  return came;
}

static tm_tcp_address address_of(const char *host, int port) {
  char text[100];
  tm_tcp_address address;
  tm_error err = {0};
  sprintf(text, "%s:%d", host, port);
  cr_assert_eq(tm_tcp_address_parse(text, &address, &err), 0);
  return address;
}

static tm_tcp_input *open_input(const char *format, const char *ddl, bool listens, int port) {
  reading = (tm_reading){
    .format = tm_format_find(format), .schema = rows_schema(&arena, ddl), .batch_rows = 10,
    .record_bytes_max = 1 << 20,
    .options = {.delimiter = ',', .quote = '"', .header = true, .epoch_digits = TM_EPOCH_NONE},
  };
  tm_error err = {0};
  tm_tcp_address address = address_of("127.0.0.1", port);
  tm_tcp_input *in = tm_tcp_input_open(budget, &reading, &address, listens, &err);
  cr_assert_not_null(in, "%s", err.message);
  tm_live_input_listen(tm_tcp_input_queue(in), on_wake, NULL);
  return in;
}

/* The next item, "partition line:data", "… ends", "… wrong: …"; waits for it. */
static const char *next(tm_tcp_input *in) {
  static char text[1 << 17];
  tm_live_item item;
  tm_error err = {0};
  for (;;) {
    int before = __atomic_load_n(&wakes, __ATOMIC_ACQUIRE);
    switch (tm_live_input_take(tm_tcp_input_queue(in), &item, &err)) {
      case TM_LIVE_END: return "end";
      case TM_LIVE_FAILED: return strcpy(text, err.message);
      case TM_LIVE_LATER:
        if (!wait_for_wake(before)) return "nothing comes";
        continue;
      case TM_LIVE_TAKEN: break;
    }
    cr_assert_eq(strncmp(item.name, "tcp 127.0.0.1:", 14), 0);
    if (item.block == NULL) {
      sprintf(text, "%u ends%s%s", item.partition, *item.wrong ? " wrong: " : "", item.wrong);
      return text;
    }
    cr_assert_eq(item.block->file_index, item.partition);
    cr_assert_str_eq(item.block->file, item.name);
    sprintf(text, "%u %llu:%.*s", item.partition, (unsigned long long)item.block->first_line,
            (int)item.block->size, item.block->data);
    tm_block_release(item.block);
    return text;
  }
}

/* ---------------------------------------------------------------- in */

Test(tcp, each_connection_is_a_partition_with_a_header_of_its_own) {
  tm_tcp_input *in = open_input("csv", "id int64, s string", true, 0);
  int port = socket_port_of(tm_tcp_input_text(in));
  int a = socket_connect(port);
  socket_say(a, "id,s\n1,a\n2,\"b");
  cr_expect_str_eq(next(in), "0 2:1,a\n");
  int b = socket_connect(port);
  socket_say(b, "s,id\nx,9\n");
  cr_expect_str_eq(next(in), "1 2:x,9\n");
  socket_say(a, "\nb\"\n3,c");
  cr_expect_str_eq(next(in), "0 3:2,\"b\nb\"\n");
  close(a);
  cr_expect_str_eq(next(in), "0 5:3,c\n", "the last line is whole at the end");
  cr_expect_str_eq(next(in), "0 ends");
  int c = socket_connect(port);
  socket_say(c, "id,s\n7,x\n");
  cr_expect_str_eq(next(in), "0 2:7,x\n", "numbers of what has ended are used again");
  close(b);
  cr_expect_str_eq(next(in), "1 ends");
  close(c);
  cr_expect_str_eq(next(in), "0 ends");
  tm_tcp_input_close(in);
}

Test(tcp, what_a_broken_connection_left_is_no_record) {
  tm_tcp_input *in = open_input("lines", "line string", true, 0);
  int port = socket_port_of(tm_tcp_input_text(in));
  int a = socket_connect(port);
  socket_say(a, "one\ntw");
  cr_expect_str_eq(next(in), "0 1:one\n");
  socket_break(a);
  cr_expect_str_eq(next(in), "0 ends");
  close(socket_connect(port)); /* says nothing: nobody hears of it */
  int b = socket_connect(port);
  socket_say(b, "x\n");
  cr_expect_str_eq(strchr(next(in), ' '), " 1:x\n");
  close(b);
  tm_tcp_input_close(in);
}

Test(tcp, a_header_that_does_not_fit_costs_the_connection) {
  tm_tcp_input *in = open_input("csv", "id int64, s string", true, 0);
  int port = socket_port_of(tm_tcp_input_text(in));
  int a = socket_connect(port), b = socket_connect(port);
  char rest[10];
  socket_say(a, "name,other\n1,2\n");
  const char *got = next(in);
  cr_expect(strstr(got, "ends wrong: tcp 127.0.0.1:") != NULL, "%s", got);
  cr_expect(strstr(got, "the header has no column 'id'") != NULL, "%s", got);
  cr_expect_eq(socket_hear(a, rest, sizeof rest), 0, "it was closed");
  socket_say(b, "id,s\n1,b\n");
  cr_expect_str_eq(strchr(next(in), ' '), " 2:1,b\n");
  close(a);
  close(b);
  tm_tcp_input_close(in);
}

/* Nothing is taken: the sender is held back, far from what it has to send; then all comes. */
Test(tcp, a_slow_lane_holds_the_sender_back) {
  enum { BYTES = 64 << 20 };
  tm_tcp_input *in = open_input("lines", "line string", true, 0);
  int s = socket_connect(socket_port_of(tm_tcp_input_text(in)));
  static char line[1 << 16];
  memset(line, 'x', sizeof line);
  line[sizeof line - 1] = '\n';
  size_t sent = 0, heard = 0;
  struct timeval limit = {.tv_usec = 300 * 1000};
  setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  for (ssize_t n; sent < BYTES && (n = write(s, line + sent % sizeof line,
                                             sizeof line - sent % sizeof line)) > 0;) {
    sent += (size_t)n;
  }
  cr_expect_lt(sent, BYTES / 2, "it was not held back");
  cr_expect_lt(tm_budget_used(budget), 12 << 20);
  shutdown(s, SHUT_WR);
  for (const char *got; strstr(got = next(in), "ends") == NULL;) {
    heard += strlen(strchr(got, ':') + 1);
  }
  cr_expect_eq(heard, sent + (sent % sizeof line != 0), "%zu bytes of %zu came", heard, sent);
  close(s);
  tm_tcp_input_close(in);
}

Test(tcp, draining_lets_out_what_came) {
  tm_tcp_input *in = open_input("lines", "line string", true, 0);
  int port = socket_port_of(tm_tcp_input_text(in));
  int a = socket_connect(port);
  socket_say(a, "one\n");
  const char *got = next(in);
  cr_expect_str_eq(got, "0 1:one\n");
  tm_tcp_input_drain(in);
  cr_expect_str_eq(next(in), "end");
  struct sockaddr_in there = socket_address(port);
  int b = socket_make();
  cr_expect_neq(connect(b, (struct sockaddr *)&there, sizeof there), 0, "the door is open");
  close(a);
  close(b);
  tm_tcp_input_close(in);
}

Test(tcp, connects_again_and_again) {
  int port, listener = socket_listen(&port);
  tm_tcp_input *in = open_input("lines", "line string", false, port);
  int a = socket_accept(listener);
  socket_say(a, "one\n");
  cr_expect_str_eq(strchr(next(in), ' '), " 1:one\n");
  close(a);
  cr_expect_str_eq(strchr(next(in), ' '), " ends");
  a = socket_accept(listener);
  socket_say(a, "two\n");
  cr_expect_str_eq(strchr(next(in), ' '), " 1:two\n");
  close(a);
  close(listener);
  next(in);
  tm_tcp_input_close(in);
  cr_expect(strstr(said, "no connection since 20") != NULL, "%s", said);
  cr_expect(strstr(said, "(closed by the other side); trying again;") != NULL, "%s", said);
  cr_expect(strstr(said, ": connected after ") != NULL, "%s", said);
}

Test(tcp, waits_for_who_is_not_there_yet) {
  int port, listener = socket_reserve(&port);
  tm_tcp_input *in = open_input("lines", "line string", false, port);
  tm_env_get()->sleep_us(200 * 1000);
  cr_assert_eq(listen(listener, 5), 0);
  int a = socket_accept(listener);
  socket_say(a, "one\n");
  cr_expect_str_eq(strchr(next(in), ' '), " 1:one\n");
  close(a);
  close(listener);
  tm_tcp_input_close(in);
  cr_expect(strstr(said, "(connection refused); trying again") != NULL, "%s", said);
}

static const char *refusal(const char *host, int port, bool listens) {
  static tm_error err;
  tm_tcp_address address = address_of(host, port);
  tm_error_clear(&err);
  cr_assert_null(tm_tcp_input_open(budget, &reading, &address, listens, &err));
  cr_expect_eq(err.code, TM_E_SYSTEM);
  return err.message;
}

Test(tcp, what_cannot_be_is_told_at_the_start) {
  int port, listener = socket_listen(&port);
  char wanted[100];
  sprintf(wanted, "cannot listen on 127.0.0.1:%d: address already in use", port);
  cr_expect_str_eq(refusal("127.0.0.1", port, true), wanted);
  const char *far = refusal("203.0.113.7", 0, true);
  cr_expect(strstr(far, "address not available") != NULL, "%s", far);
  const char *name = refusal("no.such.host.invalid", 80, true);
  cr_expect(strncmp(name, "cannot listen on no.such.host.invalid:80: ", 42) == 0, "%s", name);
  close(listener);
}

Test(tcp, closes_while_all_is_on_its_way) {
  for (int i = 0; i < 20; i++) {
    tm_tcp_input *in = open_input("lines", "line string", true, 0);
    int a = socket_connect(socket_port_of(tm_tcp_input_text(in)));
    socket_say(a, "one\ntwo\nthr");
    if (i % 2 == 0) next(in);
    tm_tcp_input_close(in);
    close(a);
    int port, listener = socket_listen(&port);
    in = open_input("lines", "line string", false, port);
    tm_tcp_input_close(in);
    close(listener);
  }
}

/* ---------------------------------------------------------------- out */

static size_t whole_lines(void *context, const char *data, size_t size) {
  (void)context;
  while (size > 0 && data[size - 1] != '\n') size--;
  return size;
}

static tm_tcp_output *open_output(bool listens, int port, const char *head) {
  tm_error err = {0};
  tm_tcp_address address = address_of("127.0.0.1", port);
  tm_tcp_output_options options = {.listens = listens, .head = head, .head_size = strlen(head),
                                   .whole = whole_lines};
  tm_tcp_output *o = tm_tcp_output_open(budget, &address, &options, &err);
  cr_assert_not_null(o, "%s", err.message);
  tm_tcp_output_listen(o, on_wake, NULL);
  return o;
}

static int say(tm_tcp_output *o, const char *text) {
  tm_error err = {0};
  int done = tm_tcp_output_write(o, text, strlen(text), &err);
  cr_assert_geq(done, 0, "%s", err.message);
  return done;
}

static void finish(tm_tcp_output *o) {
  tm_error err = {0};
  for (;;) {
    int before = __atomic_load_n(&wakes, __ATOMIC_ACQUIRE);
    int done = tm_tcp_output_finish(o, &err);
    cr_assert_geq(done, 0);
    if (done == 0) return;
    cr_assert(wait_for_wake(before), "it does not end");
  }
}

Test(tcp, everybody_gets_the_head_and_then_all) {
  tm_tcp_output *o = open_output(true, 0, "h\n");
  int port = socket_port_of(tm_tcp_output_text(o));
  cr_expect_eq(say(o, "1\n"), 0);
  int a = socket_connect(port);
  socket_expect(a, "h\n1\n");
  int b = socket_connect(port);
  socket_expect(b, "h\n");
  say(o, "2\n");
  socket_expect(a, "2\n");
  socket_expect(b, "2\n");
  finish(o);
  char rest[4];
  cr_expect_eq(socket_hear(a, rest, 4), 0);
  cr_expect_eq(socket_hear(b, rest, 4), 0);
  close(a);
  close(b);
  tm_tcp_output_close(o);
}

Test(tcp, a_reader_that_stops_holds_back_and_loses_nothing) {
  enum { CHUNK = 100 * 1000 };
  tm_tcp_output *o = open_output(true, 0, "");
  int s = socket_connect(socket_port_of(tm_tcp_output_text(o)));
  static char chunk[CHUNK + 1], heard[CHUNK];
  tm_error err = {0};
  size_t chunks = 0;
  bool full = false;
  while (!full && chunks < 10000) {
    memset(chunk, 'a' + (int)(chunks % 26), CHUNK);
    chunk[CHUNK - 1] = '\n';
    full = say(o, chunk) > 0;
    chunks++;
  }
  cr_assert(full, "it takes everything");
  cr_expect_lt(tm_budget_used(budget), 8 << 20);
  cr_expect_eq(tm_tcp_output_room(o, &err), 1);
  int before = __atomic_load_n(&wakes, __ATOMIC_ACQUIRE);
  for (size_t i = 0; i < chunks; i++) {
    cr_assert_eq(socket_hear(s, heard, CHUNK), CHUNK);
    for (size_t k = 0; k + 1 < CHUNK; k += 997) cr_assert_eq(heard[k], 'a' + (int)(i % 26));
  }
  cr_expect(wait_for_wake(before), "nobody said that there is room");
  cr_expect_eq(tm_tcp_output_room(o, &err), 0);
  finish(o);
  close(s);
  tm_tcp_output_close(o);
}

Test(tcp, rows_that_nobody_got_wait_for_the_next) {
  tm_tcp_output *o = open_output(true, 0, "h\n");
  int port = socket_port_of(tm_tcp_output_text(o));
  int a = socket_connect(port);
  socket_expect(a, "h\n");
  close(a);
  wait_until_said("has gone");
  say(o, "1\n");
  say(o, "2\n");
  a = socket_connect(port);
  socket_expect(a, "h\n1\n2\n");
  finish(o);
  close(a);
  tm_tcp_output_close(o);
  cr_expect(strstr(said, "has gone; rows wait for the next reader;") != NULL, "%s", said);
}

/* What was on its way to one that broke off begins anew, with a whole record, for the next. */
Test(tcp, the_next_reader_begins_with_a_whole_record) {
  tm_tcp_output *o = open_output(true, 0, "head\n");
  int port = socket_port_of(tm_tcp_output_text(o));
  int a = socket_connect(port);
  socket_expect(a, "head\n");
  static char line[1001];
  uint64_t written = 0;
  bool full = false;
  while (!full) {
    memset(line, 'x', 1000);
    sprintf(line, "%08llu", (unsigned long long)written++);
    line[8] = ' ';
    line[999] = '\n';
    full = say(o, line) > 0;
  }
  socket_break(a);
  int b = socket_connect(port);
  socket_expect(b, "head\n");
  tm_error err = {0};
  wait_until_said("has gone");
  static char heard[1001];
  uint64_t expected = UINT64_MAX;
  if (tm_tcp_output_finish(o, &err) > 0) {
    while (socket_hear(b, heard, 1000) == 1000) {
      uint64_t number = strtoull(heard, NULL, 10);
      cr_assert_eq(heard[999], '\n');
      cr_assert(expected == UINT64_MAX || number == expected, "%llu follows %llu",
                (unsigned long long)number, (unsigned long long)expected);
      expected = number + 1;
    }
  }
  cr_expect(expected == UINT64_MAX || expected == written);
  close(b);
  tm_tcp_output_close(o);
}

Test(tcp, connects_to_write) {
  int port, listener = socket_listen(&port);
  tm_tcp_output *o = open_output(false, port, "h\n");
  int a = socket_accept(listener);
  socket_expect(a, "h\n");
  say(o, "1\n");
  socket_expect(a, "1\n");
  close(a);
  a = socket_accept(listener);
  socket_expect(a, "h\n");
  say(o, "2\n");
  socket_expect(a, "2\n");
  finish(o);
  close(a);
  close(listener);
  tm_tcp_output_close(o);
}

Test(tcp, what_cannot_be_sent_is_told) {
  int port, listener = socket_reserve(&port);
  tm_tcp_output *o = open_output(false, port, "");
  say(o, "12345\n");
  tm_error err = {0};
  wait_until_said("no connection since");
  cr_expect_eq(tm_tcp_output_finish(o, &err), 1);
  cr_expect_eq(tm_tcp_output_fail(o, &err), -1);
  cr_expect_eq(err.code, TM_E_WRITE);
  cr_expect(strstr(err.message, ": 6 bytes of rows were not sent: no connection since 20") != NULL,
            "%s", err.message);
  tm_tcp_output_close(o);
  close(listener);
}
