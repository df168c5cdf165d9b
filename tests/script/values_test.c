/* tests/script/values_test.c: decimals, dates, durations and the functions of tm in Lua. */
#include <stdio.h>
#include <time.h>

#include "script_fixture.h"

TestSuite(script_values, .init = fixture_setup, .fini = fixture_teardown);

typedef struct expectation { const char *expression, *value; } expectation;

static void expect_values(const expectation *all, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const char *actual = fixture_value(all[i].expression);
    cr_expect_str_eq(actual, all[i].value, "%s\n  gives     %s\n  expected  %s",
                     all[i].expression, actual, all[i].value);
  }
}
#define EXPECT_VALUES(all) expect_values(all, sizeof(all) / sizeof *(all))

Test(script_values, decimals) {
  const expectation all[] = {
    {"tm.dec '12.50'", "12.50"},
    {"tm.dec '-0.005' + tm.dec '1'", "0.995"},
    {"tm.dec '1.5' - 2", "-0.5"},
    {"2 * tm.dec '1.25'", "2.50"},
    {"tm.dec '1.25' * tm.dec '0.01'", "0.0125"},
    {"tm.dec '1' / 3", "0.333333"},
    {"tm.dec '0.000003' / 2", "0.000002"},
    {"tm.dec '0.00000005' / 2", "0.00000002"},
    {"-tm.dec '3.10'", "-3.10"},
    {"tm.dec '1.0' == tm.dec '1.00'", "true"},
    {"tm.dec '1' == 1", "false"},
    {"tm.dec '1.5' < 2", "true"},
    {"2 <= tm.dec '2.00'", "true"},
    {"tm.dec '2' > tm.dec '10'", "false"},
    {"tm.dec '1.5' .. 'x' .. tm.dec '2'", "1.5x2"},
    {"tm.dec(7)", "7"},
    {"tm.dec '1' / 0", "! decimal division by zero"},
    {"tm.dec '99999999999999999999999999999999999999' + 1", "! decimal has more than 38 digits"},
    {"tm.dec '100000000000000000000000000000000000000'",
     "! '100000000000000000000000000000000000000' is no decimal of at most 38 digits"},
    {"tm.dec '1.5' + 1.5",
     "! attempt to add a decimal and a float, which is not exact; write tm.dec \"1.19\""},
    {"tm.dec '1.5' < 1.5",
     "! attempt to compare a decimal and a float, which is not exact; write tm.dec \"1.19\""},
    {"tm.dec '1.5' + '1'", "! attempt to add a decimal and a string"},
    {"tm.dec '1.5' + nil", "! attempt to add a decimal and a nil"},
    {"tm.dec(1.5)", "! tm.dec takes a text: a float is not exact; write tm.dec \"1.19\""},
    {"tm.dec 'x'", "! 'x' is no decimal of at most 38 digits"},
    {"tm.dec '1' // 2", "! decimals have + - * / only; tm.int(x) is the whole part of one"},
    {"getmetatable(tm.dec '1')", "false"},
  };
  EXPECT_VALUES(all);
}

Test(script_values, dates_and_durations) {
  const expectation all[] = {
    {"tm.day '2026-03-14' == tm.day '2026-03-14'", "true"},
    {"({ [tm.day '2026-03-14'] = 'x' })[tm.day '2026-03-14']", "x"},
    {"tm.day '2026-03-14' + tm.days(-14)", "2026-02-28"},
    {"tm.months(1) + tm.day '2024-01-31'", "2024-02-29"},
    {"tm.day '2024-02-29' + tm.years(1)", "2025-02-28"},
    {"tm.day '2026-03-14' - tm.months(13)", "2025-02-14"},
    {"tm.day '2026-03-14' - tm.weeks(1)", "2026-03-07"},
    {"tm.day '2026-03-14' - tm.day '2025-03-14'", "365"},
    {"tm.day '2026-03-14' < tm.day '2026-03-15'", "true"},
    {"tm.day '2026-03-14' <= tm.day '2026-03-14'", "true"},
    {"(tm.day '2026-03-14').year + (tm.day '2026-03-14').month + (tm.day '2026-03-14').day",
     "2043"},
    {"(tm.day '2026-03-14').hour", "! a date has no field 'hour' (year, month and day it has)"},
    {"tm.day '2026-03-14' + 1", "! attempt to add a date and an integer"},
    {"tm.day '2026-03-14' + tm.hours(1)",
     "! a date moves by whole days, as tm.days(1), or months"},
    {"tm.day '2026-02-29'", "! '2026-02-29' is no date (YYYY-MM-DD)"},
    {"tm.day '9999-12-31' + tm.days(1)", "! date is out of range"},
    {"tm.day '2026-03-14' < '2026-03-15'", "! attempt to compare a date and a string"},
    {"'out/' .. tm.date .. '.csv'", "out/2026-03-14.csv"},
    {"tm.hours(1) + tm.minutes(30)", "1h30m"},
    {"-tm.days(2) * 3", "-6d"},
    {"tm.milliseconds(1) + tm.microseconds(1)", "1ms1us"},
    {"tm.seconds(0)", "0s"},
    {"tm.months(14)", "14 months"},
    {"tm.minutes(60) == tm.hours(1)", "true"},
    {"tm.minutes(59) < tm.hours(1)", "true"},
    {"1000 + tm.seconds(1)", "1001000"},
    {"1000000 - tm.seconds(1)", "0"},
    {"5000001 > tm.seconds(5)", "true"},
    {"1 + tm.months(1)", "! months have no fixed length: move a date by them, not a timestamp"},
    {"tm.days(1) + tm.months(1)", "! months and days do not add up to one duration"},
    {"tm.days(1.5)", "! tm.days takes a whole number, not a float"},
    {"tm.days(math.maxinteger)", "! duration is out of range"},
    {"1.5 + tm.days(1)", "! attempt to add a float and a duration"},
  };
  EXPECT_VALUES(all);
}

Test(script_values, times) {
  const expectation all[] = {
    {"tm.time '1970-01-01T00:00:01Z'", "1000000"},
    {"tm.time '1970-01-01 00:00:00.5'", "500000"},
    {"tm.time('2026-07-01 12:00', 'Europe/Berlin') == tm.time '2026-07-01 10:00:00Z'", "true"},
    {"tm.time('2026-07-01 12:00+05:00', 'Europe/Berlin') == tm.time '2026-07-01 07:00:00Z'",
     "true"},
    {"tm.time('2026-03-29 02:30', 'Europe/Berlin')",
     "! 2026-03-29 02:30 does not exist in Europe/Berlin: clocks jumped over it"},
    {"tm.time('2026-10-25 02:30', 'Europe/Berlin') == tm.time '2026-10-25 00:30:00Z'", "true"},
    {"tm.time 'noon'", "! 'noon' is no timestamp (YYYY-MM-DD HH:MM:SS)"},
    {"tm.hour(tm.time '2026-07-01 23:30:59')", "23"},
    {"tm.hour(tm.time '2026-07-01 23:30:59Z', 'Europe/Berlin')", "1"},
    {"tm.minute(tm.time '2026-07-01 23:30:59') + tm.second(tm.time '2026-07-01 23:30:59')", "89"},
    {"tm.day_of(tm.time '2026-07-01 23:30:59Z', 'Europe/Berlin')", "2026-07-02"},
    {"tm.day_of(tm.day '2026-07-01')", "2026-07-01"},
    {"tm.day_of(-1)", "1969-12-31"},
    {"tm.year(tm.day '2026-03-14') * 100 + tm.month(tm.day '2026-03-14')", "202603"},
    {"tm.day_of_month(tm.day '2026-03-14')", "14"},
    {"tm.weekday(tm.day '2026-03-14')", "6"},
    {"tm.weekday(tm.day '2026-03-15')", "7"},
    {"tm.hour(tm.day '2026-03-14')", "0"},
    {"tm.year('2026')", "! tm.year takes a date or a timestamp, not a string"},
    {"tm.year(nil)", "! tm.year takes a date or a timestamp, not a nil"},
    {"tm.format(tm.day '2026-03-14', '%d.%m.%y %A')", "14.03.26 Saturday"},
    {"tm.format(tm.time '2026-07-01 10:00Z', '%H:%M %z %Z', 'Europe/Berlin')",
     "12:00 +0200 CEST"},
    {"tm.format(0, '%Q')", "! '%Q' is not a directive of a time format"},
    {"math.type(tm.now())", "integer"},
  };
  EXPECT_VALUES(all);
}

Test(script_values, conversions) {
  const expectation all[] = {
    {"tm.int(3.99)", "3"}, {"tm.int(-3.99)", "-3"}, {"tm.int(tm.dec '-3.99')", "-3"},
    {"tm.int ' 12 '", "12"}, {"tm.int '1e3'", "! '1e3' is no integer"},
    {"tm.int(tm.seconds(1))", "1000000"}, {"tm.int(7)", "7"},
    {"tm.int(1e300)", "! 1e+300 is out of range for an integer"},
    {"tm.int(0/0)", "! NaN is no integer"},
    {"tm.int(nil)", "! tm.int takes a number or a text, not a nil"},
    {"tm.float(tm.dec '0.1')", "0.1"}, {"tm.float '1e3'", "1000.0"}, {"tm.float(2)", "2.0"},
    {"tm.float 'x'", "! 'x' is no number"},
    {"tm.text(1e16)", "1e+16"}, {"tm.text(0.1)", "0.1"}, {"tm.text(-0.0)", "-0.0"},
    {"tm.text(1e-05)", "1e-05"}, {"tm.text(tm.dec '1.10')", "1.10"}, {"tm.text(true)", "true"},
    {"tm.text(tm.day '2026-03-14')", "2026-03-14"}, {"tm.text 'x'", "x"},
    {"tm.text {}", "! tm.text takes a value of a column, not a table"},
    {"tm.like('PROMO BRASS', '%BRASS')", "true"}, {"tm.like('äb', '_b')", "true"},
    {"tm.like('abc', 'a_')", "false"}, {"tm.like(nil, 'a')", "! tm.like takes a text, not a nil"},
  };
  EXPECT_VALUES(all);
}

Test(script_values, rounding) {
  const expectation all[] = {
    {"tm.round(tm.dec '1.005', 2)", "1.01"}, {"tm.round(tm.dec '-1.005', 2)", "-1.01"},
    {"tm.round(tm.dec '1.005', 2, 'half_even')", "1.00"},
    {"tm.round(tm.dec '1.001', 2, 'up')", "1.01"}, {"tm.round(tm.dec '1.009', 2, 'down')", "1.00"},
    {"tm.round(tm.dec '-1.001', 2, 'floor')", "-1.01"},
    {"tm.round(tm.dec '-1.009', 2, 'ceil')", "-1.00"},
    {"tm.round(tm.dec '1.5', 3)", "1.500"}, {"tm.round(tm.dec '1250', -2)", "1300"},
    {"tm.round(2.5)", "3.0"}, {"tm.round(-2.5)", "-3.0"}, {"tm.round(2.675, 2)", "2.67"},
    {"tm.round(0.1 + 0.2, 2)", "0.3"}, {"tm.round(-0.4)", "-0.0"},
    {"tm.round(1250.0, -2)", "1300.0"}, {"tm.round(1250.0, -2, 'half_even')", "1200.0"},
    {"tm.round(1250.001, -2, 'half_even')", "1300.0"}, {"tm.round(1e300, 2)", "1e+300"},
    {"tm.round(math.huge, 2)", "inf"}, {"tm.round(12345, -2)", "12300"}, {"tm.round(7, 3)", "7"},
    {"tm.round('7')", "! tm.round takes a number, not a string"},
    {"tm.round(7, 1, 'x')", "! bad argument #3 to 'round' (invalid option 'x')"},
  };
  EXPECT_VALUES(all);
}

Test(script_values, ids_depend_on_the_values_alone) {
  const char *script =
      "local t = tm.rows { schema = 'a int64' }\n"
      "return t:with { id = tm.id('a', 'b') }";
  tm_script *s = fixture_open(script);
  const tm_value *field =
      tm_value_get(tm_value_get(tm_script_graph(s)->nodes[1].options, "fields"), "id");
  cr_assert_eq(field->item_count, 2);
  cr_assert_eq(field->items[0].kind, TM_VALUE_FUNCTION);
  cr_assert_str_eq(field->items[1].text, "string not null");
  tm_script_close(s);
}

/* Sums, differences and products of small decimals against integers. */
Test(script_values, decimal_arithmetic_at_random) {
  static const char operators[] = "+-*";
  uint64_t state = 7;
  tm_bytes script, expected;
  tm_bytes_init(&script, fixture_budget);
  tm_bytes_init(&expected, fixture_budget);
  tm_bytes_append_text(&script, "table.concat({");
  for (int i = 0; i < 300; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    int64_t a = (int64_t)(state >> 33) % 2000001 - 1000000;
    int64_t b = (int64_t)(state >> 13) % 20001 - 10000;
    char operator = operators[state % 3];
    tm_bytes_format(&script, "tm.text(tm.dec '%s%lld.%03lld' %c tm.dec '%s%lld.%02lld'),",
                    a < 0 ? "-" : "", (long long)llabs(a) / 1000, (long long)llabs(a) % 1000,
                    operator, b < 0 ? "-" : "", (long long)llabs(b) / 100,
                    (long long)llabs(b) % 100);
    int64_t value = operator == '+' ? a + 10 * b : operator == '-' ? a - 10 * b : a * b;
    int64_t unit = operator == '*' ? 100000 : 1000;
    tm_bytes_format(&expected, "%s%s%lld.%0*lld", i > 0 ? " " : "", value < 0 ? "-" : "",
                    (long long)llabs(value) / unit, operator == '*' ? 5 : 3,
                    (long long)llabs(value) % unit);
  }
  tm_bytes_append_text(&script, "}, ' ')");
  cr_expect_str_eq(fixture_value(tm_bytes_c_string(&script)), tm_bytes_c_string(&expected));
  tm_bytes_deinit(&script);
  tm_bytes_deinit(&expected);
}

/* Parts of instants against libc. */
Test(script_values, calendar_at_random) {
  uint64_t state = 11;
  tm_bytes script, expected;
  tm_bytes_init(&script, fixture_budget);
  tm_bytes_init(&expected, fixture_budget);
  tm_bytes_append_text(&script, "(function() local out = {} for _, t in ipairs {");
  for (int i = 0; i < 200; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    time_t seconds = (time_t)(state >> 30) - (time_t)6000000000;
    struct tm parts;
    gmtime_r(&seconds, &parts);
    tm_bytes_format(&script, "%lld,", (long long)seconds * 1000000 + (long long)(i * 4999));
    tm_bytes_format(&expected, "%d-%d-%d %d:%d:%d %d\n", parts.tm_year + 1900, parts.tm_mon + 1,
                    parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                    (parts.tm_wday + 6) % 7 + 1);
  }
  tm_bytes_append_text(&script,
                       "} do out[#out + 1] = ('%d-%d-%d %d:%d:%d %d\\n'):format(tm.year(t), "
                       "tm.month(t), tm.day_of_month(t), tm.hour(t), tm.minute(t), tm.second(t), "
                       "tm.weekday(t)) end return table.concat(out) end)()");
  cr_expect_str_eq(fixture_value(tm_bytes_c_string(&script)), tm_bytes_c_string(&expected));
  tm_bytes_deinit(&script);
  tm_bytes_deinit(&expected);
}
