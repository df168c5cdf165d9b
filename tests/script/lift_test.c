/* tests/script/lift_test.c: compiled functions against the VM, on rows full of traps.
 *
 * Every function runs as trees and in the VM over the same rows: nulls, NaN, the ends of int64,
 * empty strings, -0.0, dead rows full of rubbish. Results must be the same bits, or the row must
 * have been handed back. `expect` says what becomes of the function itself. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "lift_harness.h"

typedef enum expect {
  L, /* lifted, no row misses */
  M, /* lifted, and rows miss exactly where the VM refuses them */
  X, /* lifted, and some rows miss that the VM can decide after all */
  N, /* not lifted */
  E, /* a plan error: code */
} expect;

typedef struct example {
  expect expect;
  const char *source; /* an expression of r (and o), or statements with a return */
  const char *text;   /* as explain has it, or what is wrong; NULL: any */
  int code;
} example;

enum { COUNT_MAX = 200 };
static char sources[COUNT_MAX][1200];
static const char *functions[COUNT_MAX];

static void write_functions(const example *list, uint32_t count) {
  cr_assert_leq(count, COUNT_MAX);
  for (uint32_t i = 0; i < count; i++) {
    bool whole = strstr(list[i].source, "return") != NULL;
    snprintf(sources[i], sizeof sources[i], "function(r, o) %s%s end", whole ? "" : "return ",
             list[i].source);
    functions[i] = sources[i];
  }
}

static void check(const example *x, const tm_lift_report *report, const char *rows) {
  static const char *const verdicts[] = {"lifted", "left to the VM", "a plan error", "different"};
  tm_lift_verdict wanted = x->expect == N ? TM_LIFT_VM : x->expect == E ? TM_LIFT_ERROR
                                                                        : TM_LIFT_SAME;
  cr_expect_eq(report->verdict, wanted, "%s (%s): is %s: %s %s", x->source, rows,
               verdicts[report->verdict], report->why, report->text);
  if (report->verdict != wanted) return;
  if (x->expect == E) {
    cr_expect_eq(report->err.code, x->code, "%s: E%d %s", x->source, report->err.code,
                 report->err.message);
    cr_expect_neq(report->err.script_line, 0, "%s: no line", x->source);
  }
  if (x->expect == L) cr_expect_eq(report->missed, 0, "%s: %u misses", x->source, report->missed);
  if (x->expect == L) cr_expect_not(report->may_raise, "%s: may raise", x->source);
  if (x->expect == M) {
    cr_expect_eq(report->missed, report->refused, "%s (%s): %u misses, %u refused", x->source,
                 rows, report->missed, report->refused);
    cr_expect(report->may_raise, "%s: cannot raise", x->source);
  }
  if (x->text == NULL) return;
  const char *said = x->expect == N ? report->why : x->expect == E ? report->err.message
                                                                   : report->text;
  if (x->expect == N || x->expect == E) {
    cr_expect_not_null(strstr(said, x->text), "%s: says %s", x->source, said);
  } else {
    cr_expect_str_eq(said, x->text, "%s: is %s", x->source, said);
  }
}

static void run_all(const example *list, uint32_t count, tm_shape shape, uint32_t inputs) {
  static const struct { const char *name; uint32_t rows, nulls; bool selection; } batches[] = {
    {"some nulls", 300, 150, false}, {"no nulls", 300, 0, false}, {"selected", 300, 150, true},
    {"slices", 4500, 20, true}, {"one row", 1, 500, false}, {"all null", 40, 1000, false},
  };
  tm_lift_harness h;
  write_functions(list, count);
  tm_lift_harness_init(&h, functions, count);
  for (uint32_t b = 0; b < sizeof batches / sizeof *batches; b++) {
    tm_batch *batch = tm_lift_rows(&h, inputs, batches[b].rows, 1000 + b, batches[b].nulls,
                                   batches[b].selection);
    for (uint32_t i = 0; i < count; i++) {
      tm_lift_report report;
      tm_lift_harness_run(&h, i, shape, inputs, NULL, batch, &report);
      check(&list[i], &report, batches[b].name);
    }
    tm_batch_release(batch);
  }
  tm_lift_harness_deinit(&h);
}

#define RUN(LIST, SHAPE, INPUTS) run_all(LIST, sizeof LIST / sizeof *LIST, SHAPE, INPUTS)

/* ---------------------------------------------------------------- one value */

static const example numbers[] = {
  {L, "r.k", "k", 0}, {L, "r.j", "j", 0}, {L, "1", "1", 0}, {L, "limit", "10", 0},
  {L, "r.k + 1", "k + 1", 0}, {M, "r.i + r.j", "i + j", 0}, {L, "r.k - 1", NULL, 0},
  {L, "1 - r.k", "1 - k", 0}, {L, "2 * r.k - r.n * 3", "2 * k - n * 3", 0},
  {L, "-r.k", "-k", 0}, {L, "r.k * r.k", NULL, 0}, {L, "(r.k + 1) * 2", "(k + 1) * 2", 0},
  {M, "r.k // r.n", NULL, 0}, {M, "r.k % r.n", NULL, 0}, {M, "1 // r.k", NULL, 0},
  {M, "1 // 0", NULL, 0}, {M, "1 % 0", NULL, 0}, {L, "r.k // 3", NULL, 0},
  {L, "r.k // -1", NULL, 0}, {L, "r.k % -3", NULL, 0}, {L, "r.k // 1 % 5", NULL, 0},
  {L, "r.k / r.n", NULL, 0}, {L, "r.k // 0.0", NULL, 0}, {L, "1 // 0.0", "Infinity", 0},
  {L, "r.g // r.k", NULL, 0}, {L, "r.g % 3", NULL, 0}, {L, "r.g % -2.5", NULL, 0},
  {L, "r.g % r.n", NULL, 0}, {L, "r.g ^ 2", NULL, 0}, {L, "r.k ^ 2", NULL, 0},
  {L, "2 ^ r.n", NULL, 0}, {L, "r.g * r.g - r.k", NULL, 0}, {L, "-r.g", NULL, 0},
  {L, "1 / (r.g - 0)", NULL, 0}, {L, "1 / (0 - r.g)", NULL, 0},
  {M, "r.f + r.i", NULL, 0}, {L, "r.k & 255 | 1 ~ r.n", NULL, 0}, {L, "~r.k", NULL, 0},
  {L, "r.k << 3", NULL, 0}, {L, "r.k >> r.n", NULL, 0}, {L, "1 << r.k", NULL, 0},
  {L, "r.k << r.k", NULL, 0}, {N, "r.g & 1", "bits of a float", 0},
  {N, "\"10\" * 2", "reckons with a string", 0}, {N, "r.t + 1", "reckons with a string", 0},
  {N, "r.b + 1", "reckons with a boolean", 0}, {N, "-r.t", "reckons with a string", 0},
  {L, "9007199254740993 == 9007199254740992.0", "false", 0},
  {L, "r.k == 9007199254740992.0", NULL, 0}, {L, "r.g == 9007199254740993", NULL, 0},
  {L, "r.k == r.g", NULL, 0}, {L, "r.k < r.g", NULL, 0}, {L, "r.g <= r.k", NULL, 0},
  {L, "r.k > r.g", NULL, 0}, {L, "r.g >= r.k", NULL, 0}, {L, "r.n < 1e300", NULL, 0},
  {L, "r.g == r.g", NULL, 0}, {L, "r.f ~= r.f", NULL, 0}, {L, "not (r.g < 0)", NULL, 0},
  {L, "r.i == r.j", NULL, 0}, {M, "r.i < r.j", NULL, 0}, {L, "r.k == nil", "false", 0},
  {L, "r.i == nil", "i == nil", 0}, {L, "r.i ~= nil and r.i > 3", "i ~= nil and i > 3", 0},
  {L, "r.k == \"1\"", "false", 0}, {N, "r.k < \"1\"", "compares an integer with a string", 0},
  {L, "math.floor(r.k)", "k", 0}, {X, "math.floor(r.g)", NULL, 0}, {X, "math.ceil(r.g)", NULL, 0},
  {L, "math.abs(r.k)", NULL, 0}, {L, "math.abs(r.g)", NULL, 0}, {L, "math.sqrt(r.n)", NULL, 0},
  {L, "math.exp(r.g) + math.log(r.g)", NULL, 0}, {L, "math.sin(r.k) * math.cos(r.g)", NULL, 0},
  {N, "math.log(r.g, 2)", "math.log", 0},
  {L, "math.max(r.k, r.n, 5)", NULL, 0}, {L, "math.min(r.g, 0.5)", NULL, 0},
  {N, "math.max(r.k, r.g)", "math.max", 0}, {L, "math.tointeger(r.k)", "k", 0},
  {L, "tonumber(r.k)", "k", 0}, {N, "tonumber(r.t)", "tonumber", 0},
  {M, "tm.int(r.g)", NULL, 0}, {L, "tm.int(r.p)", "tm.int(p)", 0}, {L, "tm.float(r.p)", NULL, 0},
  {L, "tm.float(r.e)", NULL, 0}, {L, "tm.float(r.k)", NULL, 0}, {L, "tm.round(r.g, 2)", NULL, 0},
  {L, "tm.round(r.g, 2, \"half_even\")", "tm.round(g, 2, \"half_even\")", 0},
  {L, "tm.round(r.k, 2)", "k", 0}, {M, "tm.round(r.k, -2)", NULL, 0},
};
Test(lift, numbers) { RUN(numbers, TM_SHAPE_VALUE, 1); }

static const example decimals[] = {
  {L, "r.p * (1 - r.p)", "p * (1 - p)", 0}, {M, "r.p * (1 - r.q) * (1 + r.q)", NULL, 0},
  {L, "r.p + 1", "p + 1", 0}, {L, "1 + r.p - 2", NULL, 0}, {L, "r.p * 2", "p * 2", 0},
  {M, "r.d + r.d", "d + d", 0}, {M, "r.d * r.k", NULL, 0}, {L, "r.p * r.n", NULL, 0},
  {L, "vat * r.p", "1.19 * p", 0}, {L, "tm.dec \"0.05\" + r.p", "0.05 + p", 0},
  {L, "r.p / 7", "p / 7", 0}, {M, "r.p / r.p", NULL, 0}, {M, "r.e / r.p", NULL, 0},
  {M, "r.e * r.e", NULL, 0}, {M, "r.e * r.p", NULL, 0}, {L, "r.e + r.p", NULL, 0},
  {M, "r.e * r.e + r.p", NULL, 0}, {L, "-r.p", NULL, 0}, {L, "r.p - r.e", NULL, 0},
  {L, "r.p == r.e", NULL, 0}, {L, "r.p < r.e", NULL, 0}, {L, "r.d == r.q", NULL, 0},
  {L, "r.p > 10", "p > 10", 0}, {L, "10 >= r.p", "p <= 10", 0},
  {L, "r.p < tm.dec \"0.005\"", NULL, 0},
  {L, "r.e >= r.k", NULL, 0}, {L, "r.d or 0", "(if d == nil then 0 else d)", 0},
  {L, "r.d or r.k", NULL, 0}, {L, "(r.d or 0) * 2", NULL, 0}, {L, "r.bb and r.p or 0", NULL, 0},
  {L, "(r.bb and r.p or 1) * 2", "(if bb then p * 2 else 2)", 0}, {M, "net(r) == nil", NULL, 0},
  {L, "tm.round(r.p, 1)", NULL, 0}, {L, "tm.round(r.e, 0, \"floor\")", NULL, 0},
  {X, "tm.round(r.p, -2)", NULL, 0}, {L, "tm.round(r.p, 4)", NULL, 0},
  {L, "tm.dec(r.n) * r.p", NULL, 0}, {L, "tm.dec(r.p)", "p", 0}, {N, "r.p // 2", "operator", 0},
  {E, "r.p * 1.19", "a decimal and a float do not mix", TM_E_TYPE},
  {E, "r.g + r.p", NULL, TM_E_TYPE}, {E, "r.p < 1.5", NULL, TM_E_TYPE},
  {E, "r.p == 1", "a decimal is never equal to an integer", TM_E_TYPE},
  {E, "r.g ~= r.p", "never equal to a float", TM_E_TYPE}, {E, "r.p == \"1\"", NULL, TM_E_TYPE},
  {L, "tostring(r.p)", NULL, 0}, {L, "tm.text(r.e)", NULL, 0},
};
Test(lift, decimals) { RUN(decimals, TM_SHAPE_VALUE, 1); }

static const example patterns[] = {
  {M, "r.t:match(\"l+\")", "utf8(string.match(t, \"l+\"))", 0},
  {M, "r.t:match(\"^(.)(.*)$\")", NULL, 0},
  {M, "local a, b = r.t:match(\"^(.)(.*)$\") return b",
   "utf8(string.match(t, \"^(.)(.*)$\")[2])", 0},
  {N, "local a, b = r.t:match(\"(l)o\") return b", "always returns nil", 0},
  {M, "r.s:match(\"%w+\") or \"none\"", NULL, 0}, {M, "r.t:match(\"\")", NULL, 0},
  {M, "r.t:match(\"[^/]*\", nil)", NULL, 0}, {M, "r.t:match \"nowhere\" == nil", NULL, 0},
  {M, "r.t:match(\"(.)%1\")", NULL, 0}, {M, "r.t:match(\"%f[%w]%w\")", NULL, 0},
  {M, "#(r.t:match(\"o(.*)\") or \"\")", NULL, 0}, {M, "r.by:match(\".\")", NULL, 0},
  {M, "(r.t:match \"%a\" or \"x\") .. \"!\"", NULL, 0},
  {L, "string.match(\"a=b\", \"=(.*)\")", "\"b\"", 0},
  {N, "r.t:match(\"()\")", "match", 0}, {N, "r.t:match(\"(\")", "match", 0},
  {N, "r.t:match(r.t)", "match", 0}, {N, "r.t:match(\"l\", 2)", "match", 0},
  {M, "local a, b = r.t:find(\"l+\") return b", "string.find(t, \"l+\")[2]", 0},
  {M, "local a, b, c = r.t:find(\"(l)(.)\") return c", "utf8(string.match(t, \"(l)(.)\"))", 0},
  {N, "r.t:find(\"l+\", 2)", "find", 0}, {M, "r.t:gsub(\"l\", \"L\")", NULL, 0},
  {M, "local a, b = r.t:gsub(\"l\", \"\") return b", "string.gsub(t, \"l\", \"\")[2]", 0},
  {M, "local a, b = r.t:gsub(\"l+\", \"\") return b", NULL, 0},
  {M, "local a, b = r.t:gsub(\"\", \"-\") return a .. b", NULL, 0},
  {M, "r.t:gsub(\"(%w)(%w)\", \"%2%1%0%%\")", NULL, 0}, {M, "r.t:gsub(\"%w\", \"%1%1\")", NULL, 0},
  {M, "r.t:gsub(\".\", \"0123456789abcdef\")", NULL, 0}, {M, "r.t:gsub(\".\", \"\")", NULL, 0},
  {M, "r.t:gsub(\"^.\", \"\")", NULL, 0}, {N, "r.t:gsub(\"a\", \"%2\")", "gsub", 0},
  {N, "r.t:gsub(\"a\", r.t)", "gsub", 0}, {N, "r.t:gsub(\"a\", \"b\", 1)", "gsub", 0},
  {N, "r.t:gsub(\"a\", codes)", "gsub", 0},
};
Test(lift, patterns) { RUN(patterns, TM_SHAPE_VALUE, 1); }

static const example strings[] = {
  {L, "r.t == \"a\"", "t == \"a\"", 0}, {L, "r.s == \"hello world, hello\"", NULL, 0},
  {L, "r.s ~= \"\"", NULL, 0}, {L, "r.s == r.t", NULL, 0}, {L, "r.t < \"b\"", NULL, 0},
  {L, "\"hello world, hellp\" > r.t", NULL, 0}, {M, "r.s <= r.t", NULL, 0},
  {L, "r.t == \"exactly12byt\"", NULL, 0}, {L, "#r.t", "#t", 0}, {M, "#r.s", NULL, 0},
  {M, "string.sub(r.t, 1, 2)", NULL, 0}, {M, "r.t:sub(-3)", NULL, 0},
  {M, "r.t:sub(r.k, r.n)", NULL, 0},
  {M, "r.t:sub(3, -2)", NULL, 0}, {L, "r.t:sub(1, 3) == \"gr\\xc3\"", NULL, 0},
  {L, "#r.t:sub(2, 4)", NULL, 0}, {L, "r.t:upper()", "string.upper(t)", 0},
  {M, "r.s:lower()", NULL, 0}, {L, "string.len(r.t)", "#t", 0}, {L, "r.t:byte(1)", NULL, 0},
  {L, "r.t:byte(-1)", NULL, 0}, {L, "r.t:byte(r.k)", NULL, 0},
  {L, "r.t:find(\"a\", 1, true)", NULL, 0},
  {L, "r.t:find(\"lo\")", NULL, 0}, {L, "r.t:find(\"l\", 4, true)", NULL, 0},
  {L, "r.t:find(\"\", 100, true)", NULL, 0}, {L, "r.t:find(\"%\", -2, true)", NULL, 0},
  {L, "local a, b = r.t:find(\"ll\", 1, true) return b", NULL, 0},
  {M, "r.t:find(\"l+\")", NULL, 0},
  {M, "r.t .. \"!\"", "t .. \"!\"", 0}, {M, "r.t .. r.k .. r.t", NULL, 0},
  {X, "r.t .. r.g", NULL, 0}, {M, "r.s .. r.t", NULL, 0}, {M, "r.t .. r.p", NULL, 0},
  {M, "r.da .. \"/\"", NULL, 0}, {M, "r.k .. r.e", NULL, 0},
  {N, "r.t .. r.bb", "concatenates a boolean", 0},
  {L, "tostring(r.k)", NULL, 0}, {X, "tostring(r.g)", NULL, 0}, {L, "tostring(r.bb)", NULL, 0},
  {L, "tm.text(r.g)", NULL, 0}, {L, "tostring(r.da)", NULL, 0},
  {M, "string.format(\"%s-%d%%\", r.t, r.k)", NULL, 0}, {L, "string.format(\"%5d\", r.k)", NULL, 0},
  {X, "string.format(\"%.2f\", r.g)", NULL, 0}, {M,
  "string.format(\"%08.3f;%x;%-5d|\", r.k, r.k, r.n)", NULL, 0},
  {X, "string.format(\"%g %e\", r.f, r.n)", NULL, 0},
  {N, "string.format(\"%5s\", r.t)", "format", 0},
  {N, "string.format(\"%q\", r.t)", "format", 0}, {N, "string.format(\"%d\", r.g)", "format", 0},
  {M, "tm.int(r.t)", "tm.int(t)", 0}, {M, "tm.float(r.t)", "tm.float(t)", 0},
  {M, "tm.day(r.t)", "tm.day(t)", 0},
  {M, "tm.time(r.t, \"Europe/Berlin\")", NULL, 0}, {M, "tm.int(r.k .. \"\")", NULL, 0},
  {L, "tm.like(r.t, \"%BRASS\")", "tm.like(t, \"%BRASS\")", 0},
  {L, "tm.like(r.t, \"%a_c%\")", NULL, 0},
  {M, "tm.like(r.s, \"PROMO%\")", NULL, 0}, {L, "not tm.like(r.t, \"%special%requests%\")", NULL,
  0},
  {N, "tm.like(r.t, r.t)", "tm.like", 0}, {N, "r.t:rep(2)", "string.rep", 0},
  {N, "r.t:nothing()", NULL, 0},
  {L, "type(r.s)", NULL, 0}, {L, "type(r.p)", "\"userdata\"", 0}, {L, "r.by", "by", 0},
  {M, "r.by:sub(1, 1)", NULL, 0}, {L, "r.by == r.t", NULL, 0}, {L, "word", "\"a\"", 0},
  {L, "string.sub(\"hello\", 2, 3)", "\"el\"", 0}, {L, "codes[r.t]", "codes[t]", 0},
  {L, "codes[r.s]", NULL, 0}, {L, "set[r.t]", NULL, 0}, {L, "codes.a + r.k", "1 + k", 0},
  {N, "codes.zzz", "always returns nil", 0}, {L, "sizes[r.k]", NULL, 0}, {L, "sizes[r.j]", NULL, 0},
  {L, "far[r.k]", NULL, 0}, {L, "names[r.n]", NULL, 0}, {L, "names[2]", "\"two\"", 0},
  {N, "names[r.g]", "key", 0}, {N, "mixed[r.t]", "several kinds", 0}, {L, "prices[r.t]", NULL, 0},
  {L, "holidays[r.da]", NULL, 0}, {L, "holidays[r.dt]", NULL, 0},
  {M, "info[r.t].label", "info[t].label", 0}, {L, "info[r.t] and info[r.t].rate", NULL, 0},
  {L, "(info[r.t] or {}).label", NULL, 0}, {L, "local x = info[r.s] return x and x.label or \"?\"",
  NULL, 0},
  {N, "info[r.t]", "returns an entry", 0}, {L, "info.a.label", "\"A\"", 0},
};
Test(lift, strings) {
  RUN(strings, TM_SHAPE_VALUE, 1);
}

static const example times[] = {
  {L, "r.da <= cutoff", "da <= 1998-09-02", 0}, {M, "r.dt < r.da", NULL, 0},
  {L, "r.dt == r.da", NULL, 0},
  {L, "r.da >= tm.day \"1994-01-01\" and r.da < tm.day \"1995-01-01\"",
   "da >= 1994-01-01 and da < 1995-01-01", 0},
  {L, "r.da.year", "tm.year(da)", 0}, {L, "r.da.month * 100 + r.da.day", NULL, 0},
  {N, "r.da.week", "reads 'week' of a date", 0}, {L, "tm.year(r.da)", NULL, 0},
  {M, "tm.month(r.dt)", NULL, 0}, {L, "tm.day_of_month(r.da)", NULL, 0},
  {L, "tm.weekday(r.da)", NULL, 0},
  {L, "tm.hour(r.da)", "0", 0}, {L, "tm.year(r.tn)", NULL, 0}, {L, "tm.hour(r.tn)", NULL, 0},
  {L, "tm.minute(r.tn, \"Asia/Kolkata\")", NULL, 0}, {L, "tm.second(r.tn)", NULL, 0},
  {L, "tm.hour(r.tn, \"Europe/Berlin\")", "tm.hour(tn, \"Europe/Berlin\")", 0},
  {L, "tm.day_of(r.tn)", NULL, 0}, {L, "tm.day_of(r.tn, \"America/New_York\")", NULL, 0},
  {L, "tm.day_of(r.da)", "da", 0}, {N, "tm.hour(r.tn, \"Nowhere/Land\")", "tm.hour", 0},
  {M, "r.da + tm.days(30)", NULL, 0}, {M, "r.da - tm.days(1)", NULL, 0},
  {M, "r.da + tm.months(1)", NULL, 0},
  {M, "tm.months(-13) + r.da", NULL, 0}, {M, "r.da + tm.days(r.n)", NULL, 0},
  {M, "r.da - tm.months(r.n)", NULL, 0},
  {M, "r.da + tm.weeks(2)", NULL, 0}, {N, "r.da + tm.hours(5)", "duration", 0},
  {L, "r.da - r.da", NULL, 0},
  {M, "r.da - r.dt", NULL, 0}, {M, "r.tn + tm.minutes(15)", NULL, 0},
  {M, "r.tn - tm.hours(1)", NULL, 0},
  {N, "r.tn + tm.months(1)", "months", 0}, {L, "r.tn - r.tn", NULL, 0}, {L, "r.tn + 1", NULL, 0},
  {L, "r.tn >= start", "tn >= 2024-02-29T12:00:00Z", 0}, {L, "r.tn // 1000000 % 60", NULL, 0},
  {L, "r.tn == r.k", NULL, 0}, {N, "tm.now()", "tm.now", 0},
  {L, "tm.format(r.da, \"%Y-%m\")", NULL, 0},
  {L, "tm.format(r.tn, \"%FT%T%z\", \"Europe/Berlin\")", NULL, 0},
  {L, "tm.format(r.tn, \"%A %d. %B %Y %H:%M:%S.%f\")", NULL, 0},
  {N, "tm.format(r.tn, r.t)", "tm.format", 0}, {M, "tm.time(tm.format(r.tn, \"%F %T\"))", NULL, 0},
  {M, "tm.day(tm.format(r.da, \"%F\"))", NULL, 0}, {M, "r.tn + tm.minutes(r.n)", NULL, 0},
  {M, "r.tn - tm.hours(r.k)", NULL, 0},
  {N, "r.da + tm.weeks(r.n)", "duration", 0},
  {E, "r.da == \"1998-09-02\"", "a date cannot be compared with a string", TM_E_TYPE},
  {E, "r.da < \"1998-09-02\"", NULL, TM_E_TYPE}, {E, "r.tn > \"2024-01-01\"", "a timestamp",
  TM_E_TYPE},
};
Test(lift, times) { RUN(times, TM_SHAPE_VALUE, 1); }

static const example flow[] = {
  {L, "r.b", "b", 0}, {L, "not r.b", NULL, 0}, {L, "not r.i", "i == nil", 0},
  {N, "r.b and r.k", "returns int64 here and bool", 0},
  {L, "r.i or r.k", "(if i == nil then k else i)", 0}, {L, "r.b and r.i or r.k", NULL, 0},
  {L, "r.k > 5 and \"big\" or \"small\"", "(if k > 5 then \"big\" else \"small\")", 0},
  {L, "r.i and r.i * 2", NULL, 0}, {L, "r.f or r.i", NULL, 0}, {L, "0 and r.k", "k", 0},
  {L, "\"\" and r.k", "k", 0}, {L, "off or r.k", "k", 0}, {L, "none or r.k", "k", 0},
  {L, "r.bb and 1 or 2.5", NULL, 0}, {L, "(r.bb and 1 or 2.5) * 2", NULL, 0},
  {L, "if r.k > 5 then return \"a\" elseif r.k > 0 then return \"b\" end return \"c\"", NULL, 0},
  {L, "if r.k > 5 then return \"a\" end", NULL, 0},
  {L, "local x = 0 if r.bb then x = r.k else x = r.n end return x + 1", NULL, 0},
  {M, "local x = r.i + 1 if r.k > 0 then return x end return 0", NULL, 0},
  {M, "local x = r.i + 1 return 5", "5", 0},
  {M, "local x = 1 // r.k if r.bb then return 1 else return 2 end", NULL, 0},
  {L, "if r.i == nil then return r.k end return r.i * 2", NULL, 0},
  {L, "if r.i ~= nil and r.j ~= nil then return r.i + r.j end return nil", NULL, 0},
  {L, "local i = r.i if not i then i = 0 end return i + 1", NULL, 0},
  {L, "local i = r.i or 0 local j = r.j or 0 local f = r.f or 0.0 return i + j + f", NULL, 0},
  {L, "(r.k == 1 or r.k == 2) and (r.n == 3 or r.n == 4)",
   "(k == 1 or k == 2) and (n == 3 or n == 4)", 0},
  {L, "r.k == 1 and r.n == 2 or r.k == 3 and r.n == 4", NULL, 0},
  {L, "not (r.k == 1 and r.n == 2)", "k ~= 1 or n ~= 2", 0},
  {L, "local a = r.k > 1 local b = r.n > 1 return a == b", NULL, 0},
  {L, "twice(r.k)", "k * 2", 0}, {L, "deep(r.k)", "k * 2 * 2", 0},
  {L, "pick(r.b and 1.5, r.k)", NULL, 0},
  {L, "pick(r.i, r.f)", NULL, 0}, {L, "sign(r.k) * sign(r.n)", NULL, 0},
  {L, "local x, y, z = both(r.k) return x + y", NULL, 0}, {L, "select and 1 or 2", "1", 0},
  {M, "net(r)", "p * (1 - q)", 0}, {N, "fact(r.k)", "more than 4 deep", 0},
  {L, "local t = { a = r.k, b = 2 } t.a = t.a + 1 return t.a * t.b", NULL, 0},
  {L, "local t = {} if r.bb then t.x = 1 end return t.x or 5", NULL, 0},
  {N, "for i = 1, 3 do end return r.k", "loop", 0},
  {N, "local i = 0 while i < 3 do i = i + 1 end return i", "loop", 0},
  {N, "local t = { 1, 2 } return #t", NULL, 0}, {N, "(function() return r.k end)()",
  "makes a function", 0},
  {N, "nil", "always returns nil", 0}, {N, "r", "returns a row", 0},
  {N, "{}", "returns a table", 0},
  {N, "tostring(r)", "row", 0}, {N, "if r.bb then return \"a\" end return 1", "here and", 0},
  {E, "r.xyz", "unknown column 'xyz'", TM_E_FIELD}, {E, "r.K + 1", NULL, TM_E_FIELD},
  {E, "local x = r.k for i = 1, 2 do x = x + r.nope end return x", "nope", TM_E_FIELD},
  {E, "limit = 5 return r.k", "limit", TM_E_IMPURE},
  {E, "codes.x = r.k return 1", NULL, TM_E_IMPURE},
};
Test(lift, flow) { RUN(flow, TM_SHAPE_VALUE, 1); }

/* ---------------------------------------------------------------- the other shapes */

static const example truths[] = {
  {L, "r.b", "b", 0}, {L, "r.k", "true", 0}, {L, "r.i", "i ~= nil", 0}, {L, "nil", "false", 0},
  {L, "r.i and r.i > 2", "i ~= nil and i > 2", 0}, {L, "codes[r.t]", "codes[t] ~= nil", 0},
  {L, "set[r.t] and r.k > 3", "set[t] and k > 3", 0}, {L, "sizes[r.k]", "sizes[k]", 0},
  {L, "r.k > 1 and r.n < 50 and r.t ~= \"a\" and r.g >= 0", NULL, 0}, {L, "{}", "true", 0},
  {M, "r.s ~= \"a\" and r.k < 10 or r.f > 3 and not r.b", NULL, 0}, {L, "r", "true", 0},
  {L, "r.p >= 1 and (r.t == \"a\" and set[r.t] and r.p <= 5 or r.t == \"b\" and codes[r.t])",
   "p >= 1 and (t == \"a\" and set[t] and p <= 5 or t == \"b\" and codes[t] ~= nil)", 0},
  {M, "r.i + r.j > 0 or r.k == 2", NULL, 0}, {L, "not (r.g < 3) and not (r.g > 9)", NULL, 0},
  {M, "r.d < 10 or r.d > 20", NULL, 0}, {L, "r.s == nil or #r.s > 3", NULL, 0},
  {L, "if r.k > 5 then return r.b end return r.bb", NULL, 0}, {L, "r.bb", "bb", 0},
  {L, "if r.k > 5 then return {} end return r.bb", NULL, 0}, {N, "math.type(r.k)", NULL, 0},
  {M, "r.k // r.n > 1 and r.k % r.n < 2", NULL, 0}, {L, "info[r.t] ~= nil", NULL, 0},
  {L, "r.k >= -9223372036854775807 - 1 and r.n == 2147483648", NULL, 0},
};
Test(lift, truths) { RUN(truths, TM_SHAPE_TRUTH, 1); }

static const example rows[] = {
  {L, "{ b = r.s, a = r.k }", "{ a = k, b = s }", 0}, {L, "return r", NULL, 0},
  {L, "if r.k > 5 then return nil end return { x = r.i }", "if k <= 5: { x = i }", 0},
  {L, "if r.b then return { a = 1, b = 2 } else return { a = r.d } end", NULL, 0},
  {L, "local t = {} t.a = r.k if r.b then t.b = 5 end return t", NULL, 0},
  {L, "r.k > 3 and { a = r.k, b = r.g } or nil", "if k > 3: { a = k, b = g }", 0},
  {M, "if r.i + 1 > 0 then return { a = 1 } end", NULL, 0}, {L, "r.bb and r or nil", NULL, 0},
  {M, "{ a = r.i + 1, b = r.j * 2, c = r.i // r.j }", NULL, 0}, {N, "{ r.k }", "positional", 0},
  {M, "if r.bb then return nil end return { a = 1 // r.k, b = r.t .. r.k }", NULL, 0},
  {N, "nil", "no fields", 0}, {N, "5", "where a table", 0}, {N, "{ a = {} }", "returns a table", 0},
  {N, "{ a = nil, b = 1, [r.t] = 2 }", "computed", 0},
  {L, "{ a = r.p * 2, b = r.p * 2 + 1 }", NULL, 0},
  {L, "if r.t == \"a\" then return { a = \"x\" } elseif r.t == \"b\" then return end "
   "return { a = r.s }", NULL, 0},
};
Test(lift, rows) { RUN(rows, TM_SHAPE_ROW, 1); }

static const example pairs[] = {
  {L, "r.k == o.k", "left.k == right.k", 0}, {M, "r.dt < o.da", NULL, 0},
  {L, "r.t ~= o.t", NULL, 0},
  {M, "r.d < tm.dec \"0.2\" * o.d", NULL, 0}, {L, "o.p > r.e and r.n < o.n", NULL, 0},
  {L, "o.t == \"a\" and r.p >= 1 and r.p <= 11 or o.t == \"b\" and r.p >= 10", NULL, 0},
  {E, "r.k == o.nothing", "unknown column 'nothing'", TM_E_FIELD}, {L, "r.k", "true", 0},
};
Test(lift, two_inputs) { RUN(pairs, TM_SHAPE_TRUTH, 2); }

/* ---------------------------------------------------------------- declared types */

typedef struct declaration {
  const char *source, *ddl;
  expect expect;
} declaration;

static const declaration declarations[] = {
  {"r.k", "x int32", M}, {"r.n", "x int64", L}, {"r.k", "x float64", L}, {"r.g", "x int64", M},
  {"r.g", "x int32", M}, {"r.k", "x timestamp", L}, {"r.tn", "x int64", L},
      {"r.p", "x decimal(10,1)", M},
  {"r.p", "x decimal(38,4)", L}, {"r.e", "x decimal(12,2)", M}, {"r.k", "x decimal(12,2)", M},
  {"r.n", "x decimal(12,2)", L}, {"r.i", "x int64 not null", M}, {"r.s", "x bytes", L},
  {"r.by", "x string", M}, {"r.t:sub(1, 2)", "x bytes", L}, {"r.p", "x int64", N},
      {"r.g", "x decimal(12,2)", N},
  {"r.k", "x string", N}, {"r.t", "x int64", N}, {"r.da", "x date", L},
      {"r.bb and 1 or nil", "x int32", L},
  {"nil", "x int64", L}, {"nil", "x int64 not null", M},
      {"for i = 1, 2 do end return r.k", "x int64", N},
  {"r.bb", "x bool", L}, {"r.p * r.q", "x decimal(20,5)", M}, {"r.p * r.p", "x decimal(15,2)", M},
};

Test(lift, declared_types) {
  enum { COUNT = sizeof declarations / sizeof *declarations };
  example list[COUNT];
  for (int i = 0; i < COUNT; i++) {
    list[i] = (example){declarations[i].expect, declarations[i].source, NULL, 0};
  }
  tm_lift_harness h;
  write_functions(list, COUNT);
  tm_lift_harness_init(&h, functions, COUNT);
  for (int pass = 0; pass < 2; pass++) {
    tm_batch *batch = tm_lift_rows(&h, 1, 700, 77, pass * 100, pass == 1);
    for (uint32_t i = 0; i < COUNT; i++) {
      tm_lift_report report;
      tm_lift_harness_run(&h, i, TM_SHAPE_VALUE, 1, declarations[i].ddl, batch, &report);
      check(&list[i], &report, declarations[i].ddl);
    }
    tm_batch_release(batch);
  }
  tm_lift_harness_deinit(&h);
}

/* Types as they are inferred. */
Test(lift, inferred_types) {
  static const struct { const char *source, *ddl; } cases[] = {
    {"r.j", "f0000 int32"}, {"r.n + 1", "f0001 int64 not null"}, {"r.d", "f0002 decimal(12,2)"},
    {"r.p * (1 - r.p)", "f0003 decimal(31,4) not null"},
        {"r.p + r.p", "f0004 decimal(16,2) not null"},
    {"r.e + r.p", "f0005 decimal(31,4) not null"}, {"r.p / 7", "f0006 decimal(19,6) not null"},
    {"r.tn - r.tn", "f0007 int64 not null"}, {"r.tn + 5", "f0008 timestamp not null"},
    {"r.bb and r.p or 0", "f0009 decimal(15,2) not null"},
        {"r.bb and r.n or 2.5", "f0010 float64 not null"},
    {"r.i and r.i + 1", "f0011 int64"}, {"r.t:sub(1, 2)", "f0012 string not null"},
    {"tm.day_of(r.tn)", "f0013 date not null"}, {"codes[r.t]", "f0014 int64"},
  };
  enum { COUNT = sizeof cases / sizeof *cases };
  example list[COUNT];
  for (int i = 0; i < COUNT; i++) list[i] = (example){L, cases[i].source, NULL, 0};
  tm_lift_harness h;
  write_functions(list, COUNT);
  tm_lift_harness_init(&h, functions, COUNT);
  tm_batch *batch = tm_lift_rows(&h, 1, 10, 3, 0, false);
  for (uint32_t i = 0; i < COUNT; i++) {
    tm_lift_report report;
    tm_lift_harness_run(&h, i, TM_SHAPE_VALUE, 1, NULL, batch, &report);
    cr_expect_str_eq(report.types, cases[i].ddl, "%s", cases[i].source);
  }
  tm_batch_release(batch);
  tm_lift_harness_deinit(&h);
}

/* ---------------------------------------------------------------- bounds */

enum { LONG_MAX = 40000 };

static void check_long(const char *text, const example *x) {
  tm_lift_harness h;
  tm_lift_report report;
  tm_lift_harness_init(&h, &text, 1);
  tm_batch *batch = tm_lift_rows(&h, 1, 200, 5, 100, false);
  tm_lift_harness_run(&h, 0, TM_SHAPE_VALUE, 1, NULL, batch, &report);
  check(x, &report, "long");
  tm_batch_release(batch);
  tm_lift_harness_deinit(&h);
}

/* `head`, then `part` with the numbers from 0, then `tail`. */
static void repeat(char *out, const char *head, const char *part, int count, const char *tail) {
  size_t size = (size_t)snprintf(out, LONG_MAX, "%s", head);
  for (int i = 0; i < count; i++) {
    for (const char *at = part; *at != '\0'; at++) {
      if (*at == '#') size += (size_t)snprintf(out + size, LONG_MAX - size, "%d", i);
      else out[size++] = *at;
    }
  }
  snprintf(out + size, LONG_MAX - size, "%s", tail);
}

Test(lift, large_functions) {
  static char text[LONG_MAX];
  repeat(text, "function(r) local v = 0 ", "if r.k > # then v = v + # else v = v * 2 end ", 100,
         "return v end");
  check_long(text, &(example){L, "values that meet a hundred times", NULL, 0});
  repeat(text, "function(r) return ", "r.k == # or ", 300, "false end");
  check_long(text, &(example){L, "a chain of 300", NULL, 0});
  repeat(text, "function(r) return ", "r.k == # or ", 700, "false end");
  check_long(text, &(example){N, "a chain of 700", "too deep", 0});
  repeat(text, "function(r) local t = 0 ", "local x# = r.bb and 1 or 2.5 t = t + x# ", 30,
         "return t end");
  check_long(text, &(example){N, "kinds that vary 30 times", "too many ways", 0});
  repeat(text, "function(r) ", "if r.k == # then return 'v#' end ", 200, "return r.s end");
  check_long(text, &(example){L, "200 returns", NULL, 0});
}

Test(lift, memory_runs_out) {
  static const char *const one[] = {
    "function(r) if info[r.t] then return pick(r.i, 5) + #(r.s or '') * codes[r.t] end\n"
    "return 1 end",
  };
  tm_lift_harness h;
  tm_lift_harness_init(&h, one, 1);
  const tm_function_source *source = tm_value_get(h.functions, "f0000")->function;
  tm_function_want want = {.shape = TM_SHAPE_VALUE, .input_count = 1, .inputs = {h.schema},
                           .verb = "with", .name = "x"};
  int status = -1;
  for (uint64_t nth = 1; nth < 2000 && status != 0; nth++) {
    tm_arena arena;
    tm_function *f = NULL;
    tm_error err = {0};
    tm_arena_pool_clear();
    tm_arena_init(&arena, h.budget);
    tm_memory_fail_at(nth);
    status = source->bind(source, &want, &arena, &f, &err);
    tm_memory_fail_at(0);
    if (status == 0) cr_expect_not_null(f->trees, "lifting goes on once there is memory");
    cr_expect(status == 0 || err.code == TM_E_MEMORY, "request %llu: E%d %s",
              (unsigned long long)nth, err.code, err.message);
    tm_arena_deinit(&arena);
  }
  cr_expect_eq(status, 0);
  tm_lift_harness_deinit(&h);
}
