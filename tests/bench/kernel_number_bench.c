/* tests/bench/kernel_number_bench.c: nanoseconds a value of the number and text kernels.
 *
 * A program of its own, not run by the tests; an argument (parse, print, calendar, decimal, sums)
 * runs that part. Each line is the best of several rounds over a column of 2,048 values that lies
 * in the cache, as batches do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/calendar.h"
#include "kernel/decimal.h"
#include "kernel/exact_sum.h"
#include "kernel/int_sum.h"
#include "kernel/number_text.h"

enum { ROWS = 2048, ROUNDS = 200, TEXT_MAX = 64 };

static char text[ROWS * TEXT_MAX + 64];
static uint32_t begin[ROWS], end[ROWS];
static uint8_t status[ROWS], valid[ROWS];
static int64_t ints[ROWS], more_ints[ROWS], out_ints[ROWS];
static double floats[ROWS], out_floats[ROWS];
static int32_t days[ROWS];
static char printed[TM_PRINT_MAX];
static volatile size_t sink;

static uint64_t random_bits(void) {
  static uint64_t state = 42;
  state = state * 6364136223846793005u + 1442695040888963407u;
  uint64_t mixed = state ^ state >> 32;
  return mixed * 0x9e3779b97f4a7c15u;
}

static double now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void report(const char *name, void (*work)(void)) {
  double best = 1e300;
  for (int i = 0; i < ROUNDS; i++) {
    double start = now_ns();
    work();
    double taken = now_ns() - start;
    if (taken < best) best = taken;
  }
  printf("%-44s %7.2f ns\n", name, best / ROWS);
}

/* Fields of a random kind, each behind the other with a comma. */
static void fill_text(int (*field)(char *at)) {
  uint32_t at = 0;
  for (int i = 0; i < ROWS; i++) {
    begin[i] = at;
    at += (uint32_t)field(text + at);
    end[i] = at;
    text[at++] = ',';
  }
}

static int field_short_int(char *at) {
  static const uint64_t units[] = {10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
  return snprintf(at, 64, "%lu", random_bits() % units[random_bits() % 8]);
}
static int field_signed_int(char *at) {
  return snprintf(at, 64, "%s%lu", random_bits() & 1 ? "-" : "", random_bits() % 1000000);
}
static int field_long_int(char *at) {
  return snprintf(at, 64, "%lu", 1000000000 + random_bits() % 1000000000000000);
}
static int field_nullable_int(char *at) {
  return random_bits() & 1 ? snprintf(at, 64, "%lu", random_bits() % 100000) : 0;
}
static int field_price(char *at) {
  return snprintf(at, 64, "%lu.%02lu", random_bits() % 100000, random_bits() % 100);
}
static int field_measure(char *at) {
  return snprintf(at, 64, "%lu.%06lu", random_bits() % 100, random_bits() % 1000000);
}
static int field_double(char *at) {
  return snprintf(at, 64, "%.17g", (double)(random_bits() >> 11) * 0x1p-53);
}
static int field_wide_double(char *at) {
  return snprintf(at, 64, "%.17g", (double)(random_bits() >> 11) * 0x1p-300);
}
static int field_date(char *at) {
  return snprintf(at, 64, "%04lu-%02lu-%02lu", 1990 + random_bits() % 40, 1 + random_bits() % 12,
                  1 + random_bits() % 28);
}
static int field_timestamp(char *at) {
  int size = field_date(at);
  return size + snprintf(at + size, 54, "T%02lu:%02lu:%02lu.%03luZ", random_bits() % 24,
                         random_bits() % 60, random_bits() % 60, random_bits() % 1000);
}

static void run_int64(void) {
  sink += tm_parse_int64_column(text, begin, end, ROWS, out_ints, status);
}
static void run_float64(void) {
  sink += tm_parse_float64_column(text, begin, end, ROWS, out_floats, status);
}
static void run_decimal64(void) {
  sink += tm_parse_decimal64_column(text, begin, end, ROWS, 15, 2, out_ints, status);
}
static void run_date(void) {
  sink += tm_parse_date_column(text, begin, end, ROWS, days, status);
}
static void run_timestamp(void) {
  sink += tm_parse_timestamp_column(text, begin, end, ROWS, out_ints, NULL, status);
}
static void run_one_float64(void) {
  for (int i = 0; i < ROWS; i++)
    sink += (size_t)tm_parse_float64(text + begin[i], end[i] - begin[i], &out_floats[i]);
}
static void run_strtod(void) {
  for (int i = 0; i < ROWS; i++) out_floats[i] = strtod(text + begin[i], NULL);
}

static void bench_parse(void) {
  fill_text(field_short_int);
  report("int64 column, 1 to 8 digits", run_int64);
  fill_text(field_signed_int);
  report("int64 column, random signs", run_int64);
  fill_text(field_long_int);
  report("int64 column, 10 to 16 digits", run_int64);
  fill_text(field_nullable_int);
  report("int64 column, half nulls", run_int64);
  fill_text(field_price);
  report("decimal64 column, 12345.67", run_decimal64);
  report("float64 column, 12345.67", run_float64);
  fill_text(field_measure);
  report("float64 column, 12.345678", run_float64);
  fill_text(field_double);
  report("float64 column, 17 digits", run_float64);
  report("float64 one by one, 17 digits", run_one_float64);
  report("strtod, 17 digits", run_strtod);
  fill_text(field_wide_double);
  report("float64 column, 17 digits and exponent", run_float64);
  fill_text(field_date);
  report("date column", run_date);
  fill_text(field_timestamp);
  report("timestamp column", run_timestamp);
}

static void run_print_int64(void) {
  for (int i = 0; i < ROWS; i++) sink += tm_print_int64(printed, ints[i]);
}
static void run_print_decimal(void) {
  for (int i = 0; i < ROWS; i++) sink += tm_print_decimal(printed, ints[i], 2);
}
static void run_print_float64(void) {
  for (int i = 0; i < ROWS; i++) sink += tm_print_float64(printed, floats[i]);
}
static void run_print_lua(void) {
  for (int i = 0; i < ROWS; i++) sink += tm_print_lua_float(printed, floats[i]);
}
static void run_print_snprintf(void) {
  for (int i = 0; i < ROWS; i++)
    sink += (size_t)snprintf(printed, TM_PRINT_MAX, "%.17g", floats[i]);
}
static void run_print_date(void) {
  for (int i = 0; i < ROWS; i++) sink += tm_print_date(printed, days[i]);
}
static void run_print_timestamp(void) {
  for (int i = 0; i < ROWS; i++) sink += tm_print_timestamp(printed, ints[i], 0, true);
}

static void bench_print(void) {
  for (int i = 0; i < ROWS; i++) {
    ints[i] = (int64_t)(random_bits() % 100000000) >> random_bits() % 20;
    floats[i] = (double)(random_bits() >> 11) * 0x1p-53;
    days[i] = (int32_t)(random_bits() % 20000);
  }
  report("print int64, 1 to 8 digits", run_print_int64);
  report("print decimal, scale 2", run_print_decimal);
  report("print float64, 17 digits", run_print_float64);
  report("print as Lua, 17 digits", run_print_lua);
  report("snprintf %.17g", run_print_snprintf);
  for (int i = 0; i < ROWS; i++) floats[i] = (double)(random_bits() % 10000000) / 100;
  report("print float64, 12345.67", run_print_float64);
  report("print as Lua, 12345.67", run_print_lua);
  for (int i = 0; i < ROWS; i++) floats[i] = (double)(random_bits() % 10000000);
  report("print float64, integers", run_print_float64);
  report("print date", run_print_date);
  for (int i = 0; i < ROWS; i++) ints[i] = (int64_t)(random_bits() % 1800000000) * 1000000 + 123000;
  report("print timestamp", run_print_timestamp);
}

static void run_years(void) { tm_calendar_years(days, out_ints, ROWS); }
static void run_months(void) { tm_calendar_months(days, out_ints, ROWS); }
static void run_days_of_month(void) { tm_calendar_days_of_month(days, out_ints, ROWS); }
static void run_weekdays(void) { tm_calendar_weekdays(days, out_ints, ROWS); }
static void run_days_of_us(void) { tm_calendar_days_of_us(ints, days, ROWS); }
static void run_minutes(void) { tm_calendar_minutes(ints, out_ints, ROWS); }

static void bench_calendar(void) {
  report("year of days", run_years);
  report("month of days", run_months);
  report("day of month of days", run_days_of_month);
  report("weekday of days", run_weekdays);
  report("day of us", run_days_of_us);
  report("minute of us", run_minutes);
}

static __int128 wide[ROWS];

static void run_add(void) { sink += tm_decimal64_add(ints, more_ints, out_ints, ROWS); }
static void run_multiply(void) { sink += tm_decimal64_multiply(ints, more_ints, out_ints, ROWS); }
static void run_multiply_wide(void) { tm_decimal64_multiply_wide(ints, more_ints, wide, ROWS); }
static void run_one_add(void) {
  for (int i = 0; i < ROWS; i++)
    sink += (size_t)tm_decimal_add(ints[i], 2, more_ints[i], 4, &wide[i]);
}
static void run_one_multiply(void) {
  for (int i = 0; i < ROWS; i++)
    sink += (size_t)tm_decimal_multiply(ints[i], 2, more_ints[i], 4, &wide[i]);
}
static void run_one_divide(void) {
  for (int i = 0; i < ROWS; i++)
    sink += (size_t)tm_decimal_divide(ints[i], 2, more_ints[i], 4, 6, &wide[i]);
}
static void run_one_compare(void) {
  for (int i = 0; i < ROWS; i++) sink += tm_decimal_compare(ints[i], 2, more_ints[i], 4) < 0;
}
static void run_one_round(void) {
  for (int i = 0; i < ROWS; i++)
    sink += (size_t)tm_decimal_rescale(ints[i], 4, 2, TM_ROUND_HALF_UP, &wide[i]);
}
static void run_to_double(void) {
  for (int i = 0; i < ROWS; i++) out_floats[i] = tm_decimal_to_double(ints[i], 2);
}

static void bench_decimal(void) {
  for (int i = 0; i < ROWS; i++) {
    ints[i] = (int64_t)(random_bits() % 10000000);
    more_ints[i] = (int64_t)(random_bits() % 100000) + 1;
  }
  report("decimal64 add, column", run_add);
  report("decimal64 multiply, column", run_multiply);
  report("decimal64 multiply to 128 bits, column", run_multiply_wide);
  report("decimal add, other scales", run_one_add);
  report("decimal multiply", run_one_multiply);
  report("decimal divide", run_one_divide);
  report("decimal compare, other scales", run_one_compare);
  report("decimal round", run_one_round);
  report("decimal to double", run_to_double);
}

static void *heap_alloc(void *context, size_t bytes) { return (void)context, malloc(bytes); }
static void heap_free(void *context, void *block, size_t bytes) {
  (void)context, (void)bytes, free(block);
}
static const tm_exact_memory memory = {heap_alloc, heap_free, NULL};
static tm_exact_sum sums[64];
static __int128 int_sum;

static void run_sum_column(void) { tm_exact_sum_add_column(sums, floats, NULL, ROWS, &memory); }
static void run_sum_valid(void) { tm_exact_sum_add_column(sums, floats, valid, ROWS, &memory); }
static void run_sum_one(void) {
  for (int i = 0; i < ROWS; i++) tm_exact_sum_add(sums, floats[i], &memory);
}
static void run_sum_groups(void) {
  for (int i = 0; i < ROWS; i++) tm_exact_sum_add(&sums[status[i]], floats[i], &memory);
}
static void run_sum_naive(void) {
  double sum = 0;
  for (int i = 0; i < ROWS; i++) sum += floats[i];
  out_floats[0] = sum;
}
static void run_sum_result(void) {
  for (int i = 0; i < ROWS; i++) out_floats[i] = tm_exact_sum_result(&sums[i % 64]);
}
static void run_sum_merge(void) {
  for (int i = 0; i < ROWS; i++) tm_exact_sum_merge(&sums[i % 32], &sums[32 + i % 32], &memory);
}
static void run_int_sum(void) { tm_int_sum_add_int64(&int_sum, ints, NULL, ROWS); }
static void run_int_sum_valid(void) { tm_int_sum_add_int64(&int_sum, ints, valid, ROWS); }

static void clear_sums(void) {
  for (int i = 0; i < 64; i++) tm_exact_sum_deinit(&sums[i], &memory);
}

static void bench_sums(void) {
  for (int i = 0; i < ROWS; i++) {
    floats[i] = (double)(random_bits() % 100000000) / 100;
    status[i] = random_bits() % 64;
    valid[i] = random_bits() % 4 != 0;
  }
  report("double sum, not exact", run_sum_naive);
  report("exact sum, column of prices", run_sum_column);
  report("exact sum, column with nulls", run_sum_valid);
  report("exact sum, prices one by one", run_sum_one);
  report("exact sum, prices into 64 groups", run_sum_groups);
  report("exact sum, result", run_sum_result);
  report("exact sum, merge", run_sum_merge);
  for (int i = 0; i < ROWS; i += 2) floats[i] = 0;
  report("exact sum, half zeros one by one", run_sum_one);
  clear_sums();
  for (int i = 0; i < ROWS; i++) floats[i] = (double)(random_bits() >> 11) * 0x1p-1000;
  report("exact sum, 1e-290 one by one", run_sum_one);
  report("exact sum, column of 1e-290", run_sum_column);
  clear_sums();
  for (int i = 0; i < ROWS; i++)
    floats[i] = (double)(random_bits() >> 11) * (random_bits() & 1 ? 0x1p-1000 : 1);
  report("exact sum, 1e-290 and 1e16 mixed", run_sum_one);
  clear_sums();
  report("int64 sum, column", run_int_sum);
  report("int64 sum, column with nulls", run_int_sum_valid);
}

int main(int count, char **names) {
  const char *only = count > 1 ? names[1] : "";
  static const struct { const char *name; void (*run)(void); } parts[] = {
      {"parse", bench_parse}, {"print", bench_print}, {"calendar", bench_calendar},
      {"decimal", bench_decimal}, {"sums", bench_sums}};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (*only == 0 || strcmp(only, parts[i].name) == 0) parts[i].run();
  return 0;
}
