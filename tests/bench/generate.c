/*
 * Writes the input of the benches, the same bytes for the same arguments on every machine.
 *
 *   generate csv ROWS FILE      the nine columns of db-benchmark's G1_<rows>_1e2_0_0: 100 groups in
 *                               id1, id2, id4, id5, ROWS / 100 in id3 and id6, uniform, no nulls
 *   generate ndjson ROWS FILE   eight fields of a web event a line, some 200 bytes
 *   generate readings ROWS FILE CSV: 10,000 keys, 10,000 rows a second of event time, in order
 *
 * Every line is put together in a buffer by hand, since printf would take most of the time.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 1 << 20, LINE_BYTES_MAX = 512, GROUPS = 100 };

typedef struct {
  FILE *file;
  char *at;
  char bytes[BUFFER_BYTES + LINE_BYTES_MAX];
} output;

static output out;
static uint64_t random_state = 20240229;

/* splitmix64 */
static uint64_t random_next(void) {
  uint64_t z = (random_state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static uint64_t random_below(uint64_t n) {
  return (uint64_t)(((unsigned __int128)random_next() * n) >> 64);
}

static void put_text(const char *text) {
  size_t length = strlen(text);
  memcpy(out.at, text, length);
  out.at += length;
}

/* At least `width` digits, zeros in front. */
static void put_number(uint64_t n, int width) {
  char digits[24];
  int count = 0;
  while (n > 0 || count < width || count == 0) {
    digits[count++] = (char)('0' + n % 10);
    n /= 10;
  }
  while (count > 0) {
    *out.at++ = digits[--count];
  }
}

/* n / 10^digits without final zeros in the fraction, as most writers of CSV have it. */
static void put_fixed(uint64_t n, int digits) {
  uint64_t unit = 1;
  for (int i = 0; i < digits; i++) {
    unit *= 10;
  }
  put_number(n / unit, 1);
  if (n % unit == 0) {
    return;
  }
  *out.at++ = '.';
  put_number(n % unit, digits);
  while (out.at[-1] == '0') {
    out.at--;
  }
}

static int flush(size_t keep_below) {
  size_t length = (size_t)(out.at - out.bytes);
  if (length < keep_below) {
    return 0;
  }
  out.at = out.bytes;
  return fwrite(out.bytes, 1, length, out.file) == length ? 0 : -1;
}

static void write_csv_row(uint64_t row, uint64_t rows) {
  uint64_t many = rows / GROUPS > 0 ? rows / GROUPS : 1;
  (void)row;
  put_text("id");
  put_number(1 + random_below(GROUPS), 3);
  put_text(",id");
  put_number(1 + random_below(GROUPS), 3);
  put_text(",id");
  put_number(1 + random_below(many), 10);
  const uint64_t most[] = {GROUPS, GROUPS, many, 5, 15};
  for (int i = 0; i < 5; i++) {
    *out.at++ = ',';
    put_number(1 + random_below(most[i]), 1);
  }
  *out.at++ = ',';
  put_fixed(random_below(100000000), 6);
  *out.at++ = '\n';
}

static void write_event(uint64_t row, uint64_t rows) {
  static const char *const countries[] = {"NO", "SE", "DE", "FR", "IT", "PE", "BR", "US",
                                          "CA", "IN", "JP", "KR", "AU", "NZ", "ZA", "KE"};
  static const char *const actions[] = {"view", "click", "cart", "buy", "return"};
  (void)rows;
  put_text("{\"id\":");
  put_number(row, 1);
  put_text(",\"at\":\"2024-03-");
  put_number(1 + random_below(28), 2);
  *out.at++ = 'T';
  put_number(random_below(24), 2);
  *out.at++ = ':';
  put_number(random_below(60), 2);
  put_text(":00Z\",\"user\":\"user-");
  put_number(random_below(100000), 6);
  put_text("\",\"country\":\"");
  put_text(countries[random_below(16)]);
  put_text("\",\"action\":\"");
  put_text(actions[random_below(5)]);
  put_text("\",\"amount\":");
  put_fixed(random_below(1000000), 2);
  put_text(",\"agent\":\"Mozilla/5.0 (X11; Linux x86_64) Version/");
  put_number(random_below(200), 1);
  put_text("\",\"ok\":");
  put_text(random_below(20) > 0 ? "true}\n" : "false}\n");
}

/* Ten rows a millisecond, from 2024-03-01 on. */
static void write_reading(uint64_t row, uint64_t rows) {
  enum { PER_MS = 10, KEYS = 10000, DAY_S = 86400 };
  uint64_t ms = row / PER_MS, second = ms / 1000, of_day = second % DAY_S;
  (void)rows;
  put_text("2024-03-");
  put_number(1 + second / DAY_S, 2);
  *out.at++ = 'T';
  put_number(of_day / 3600, 2);
  *out.at++ = ':';
  put_number(of_day / 60 % 60, 2);
  *out.at++ = ':';
  put_number(of_day % 60, 2);
  *out.at++ = '.';
  put_number(ms % 1000, 3);
  put_text("Z,");
  put_number(random_below(KEYS), 1);
  *out.at++ = ',';
  put_fixed(random_below(1000000), 2);
  *out.at++ = '\n';
}

typedef struct {
  const char *name, *header;
  void (*write)(uint64_t row, uint64_t rows);
} kind;

static const kind kinds[] = {
  {"csv", "id1,id2,id3,id4,id5,id6,v1,v2,v3\n", write_csv_row},
  {"ndjson", "", write_event},
  {"readings", "at,key,value\n", write_reading},
};

static const kind *find_kind(const char *name) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].name, name) == 0) {
      return &kinds[i];
    }
  }
  return NULL;
}

int main(int argc, char **argv) {
  char *end = NULL;
  uint64_t rows = argc == 4 ? (uint64_t)strtod(argv[2], &end) : 0;
  const kind *made = argc == 4 ? find_kind(argv[1]) : NULL;
  if (made == NULL || *end != '\0' || rows == 0) {
    fputs("usage: generate csv|ndjson|readings ROWS FILE\n", stderr);
    return 2;
  }
  out.file = fopen(argv[3], "wb");
  if (out.file == NULL) {
    perror(argv[3]);
    return 1;
  }
  out.at = out.bytes;
  put_text(made->header);
  for (uint64_t row = 0; row < rows; row++) {
    made->write(row, rows);
    if (flush(BUFFER_BYTES) != 0) {
      break;
    }
  }
  if (flush(0) != 0 || fclose(out.file) != 0) {
    perror(argv[3]);
    return 1;
  }
  return 0;
}
