"""What the reference decides and chance would rarely meet: one line of Lua a case, and its answer.

A case is (Lua of a flow, its CSV), or (Lua, exit status) where the job must be refused or fail;
two statuses where both are right. The Lua runs with `-e`, where `tm` is a local.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.program import run
from support.report import Report

HEAD = """
local function rows(schema, ...) return tm.rows { schema = schema, ... } end
local abc = rows("a int64, b string",
  { a = 2, b = "x" }, { b = "y" }, { a = 1, b = "x" }, { a = 2 })
local none = abc:filter(function(r) return r.a == 99 end)
local money = rows("d decimal(5,2)", { d = tm.dec "0.01" }, { d = tm.dec "0.02" }, {})
local floats = rows("f float64", { f = 0/0 }, { f = math.huge }, {}, { f = -0.0 }, { f = 0.0 })
local one = rows("a int64, f float64", { a = 7, f = 2.5 })
local function calc(ddl, f) return one:map(f, "v " .. ddl) end
"""

AGGREGATES = [
    ("none:agg { tm.count(), tm.sum 'a' }", "count,a\n0,\n"),
    ("none:group_by 'b':agg { tm.count() }", "b,count\n"),
    ("none:agg { tm.count_distinct 'a':as 'n', m = tm.median 'a', x = tm.max 'b' }",
     "n,m,x\n0,,\n"),
    ("abc:group_by 'b':agg { tm.count 'a' }", "b,a\nx,2\ny,0\n,1\n"),
    ("abc:group_by 'b':agg { z = tm.count(), tm.max 'a', y = tm.min 'a' }",
     "b,a,y,z\nx,2,1,2\ny,,,1\n,2,2,1\n"),
    ("abc:agg { tm.first 'a':as 'f', tm.last 'b':as 'l' }", "f,l\n2,x\n"),
    ("abc:agg { tm.sum('a', { where = function(r) return r.b == 'x' end }):as 's' }", "s\n3\n"),
    ("abc:agg { tm.count({ where = function(r) return r.a == 2 end }) }", "count\n2\n"),
    ("abc:agg { tm.sum(function(r) return r.a and r.a * 10 end):as 's' }", "s\n50\n"),
    ("abc:agg { tm.sum 'a':as 'x':as 'y' }", "y\n5\n"),
    ("abc:agg { tm.avg 'a':as 'm' }", "m\n1.6666666666666667\n"),
    ("abc:agg { tm.variance 'a':as 'v' }", "v\n0.3333333333333333\n"),
    ("one:agg { tm.variance 'a':as 'v', tm.stddev 'f':as 's' }", "v,s\n,\n"),
    ("abc:agg { tm.median 'a':as 'm', tm.quantile('a', 0.25):as 'q' }", "m,q\n2.0,1.5\n"),
    ("money:agg { tm.sum 'd':as 's', tm.avg 'd':as 'm' }", "s,m\n0.03,0.015000\n"),
    ("rows('d decimal(3,0)', { d = tm.dec '1' }, { d = tm.dec '1' }, { d = tm.dec '0' })"
     ":agg { tm.avg 'd':as 'm' }", "m\n0.6667\n"),
    ("rows('i int32', { i = 2147483647 }, { i = 2147483647 }):agg { tm.sum 'i':as 's' }",
     "s\n4294967294\n"),
    ("rows('i int64', { i = math.maxinteger }, { i = 1 }):agg { tm.sum 'i':as 's' }", 1),
    ("rows('i int64', { i = math.maxinteger }, { i = 1 }, { i = -1 }):agg { tm.sum 'i':as 's' }",
     "s\n9223372036854775807\n"),
    ("rows('f float64', { f = 1e308 }, { f = 1e308 }, { f = -1e308 }):agg { tm.sum 'f':as 's' }",
     "s\n1e+308\n"),
    ("rows('f float64', { f = 1e16 }, { f = 1.0 }, { f = -1e16 }):agg { tm.sum 'f':as 's' }",
     "s\n1.0\n"),
    ("floats:agg { tm.max 'f':as 'x', tm.count_distinct 'f':as 'c' }", "x,c\nNaN,3\n"),
    ("abc:agg { tm.sum 'b':as 's' }", 2),
    ("abc:agg { tm.sum(function(r) return 1 end) }", 2),
    ("abc:agg { tm.sum 'a', a = tm.max 'a' }", 2),
    ("abc:agg { tm.sum 'nothing' }", 2),
]

ORDER = [
    ("abc:sort { '-a', 'b' }", "a,b\n2,x\n2,\n1,x\n,y\n"),
    ("abc:sort 'a'", "a,b\n1,x\n2,x\n2,\n,y\n"),
    ("floats:sort '-f'", "f\nNaN\nInfinity\n-0.0\n0.0\n\n"),
    ("floats:sort 'f'", "f\n-0.0\n0.0\nInfinity\nNaN\n\n"),
    ("abc:limit(2)", "a,b\n2,x\n,y\n"),
    ("abc:limit(0)", "a,b\n"),
    ("abc:group_by 'b':agg { tm.count() }:limit(1)", "b,count\nx,2\n"),
    ("abc:distinct 'b'", "b\nx\ny\n\n"),
    ("abc:distinct()", "a,b\n1,x\n2,x\n2,\n,y\n"),
    ("abc:top(2, { by = '-a' })", "a,b\n2,x\n2,\n"),
    ("abc:top(1, { by = '-a', ties = 'all', rank = 'n' })", "a,b,n\n2,x,1\n2,,1\n"),
    ("abc:top(3, { by = '-a', ties = 'all', rank = 'n' })", "a,b,n\n2,x,1\n2,,1\n1,x,3\n"),
    ("abc:top(1, { by = 'a', per = 'b', rank = 'n' })", "a,b,n\n1,x,1\n,y,1\n2,,1\n"),
    ("abc:group_by 'b':agg { tm.count() }:union(abc:group_by 'b':agg { tm.count 'a' }"
     ":rename { count = 'a' })", "b,count\nx,2\ny,1\n,1\nx,2\ny,0\n,1\n"),
    ("abc:distinct():agg { tm.first 'a':as 'f', tm.last 'b':as 'l' }", "f,l\n1,y\n"),
    ("abc:join(abc:distinct 'b', { on = 'b' }):agg { tm.first 'a':as 'f', tm.last 'a':as 'l' }",
     "f,l\n1,2\n"),
    ("abc:union(abc:distinct()):agg { tm.first 'a':as 'f', tm.last 'b':as 'l' }", "f,l\n2,y\n"),
    ("abc:check('b', function(r) return r.b ~= 'z' end, tm.discard()):sort { '-a', '-b' }"
     ":agg { tm.first 'b':as 'f', tm.last 'b':as 'l' }", "f,l\nx,y\n"),
    ("abc:check('b', function(r) return r.b ~= 'z' end, tm.discard()):top(2, { by = 'a' })"
     ":agg { tm.first 'a':as 'f', tm.last 'a':as 'l' }", "f,l\n1,2\n"),
    ("abc:sort 'nothing'", 2),
    ("abc:top(-1, { by = 'a' })", 2),
]

ROWS = [
    ("abc:filter(function(r) return r.a end):select { c = 'a', 'b' }", "b,c\nx,2\nx,1\n,2\n"),
    ("tm.generate { rows = 2, row = function(i) return { i = i, x = i == 1 } end }",
     "i,x\n1,true\n2,false\n"),
    ("abc:rename { c = 'a' }:limit(1)", "c,b\n2,x\n"),
    ("abc:drop 'a':limit(1)", "b\nx\n"),
    ("abc:with { n = 1, a = function(r) return r.a == nil end }:limit(2)",
     "a,b,n\nfalse,x,1\ntrue,y,1\n"),
    ("abc:with { n = '\\xff' }", 2),
    ("abc:with { n = { '\\xff', 'bytes' } }:limit(1)", "a,b,n\n2,x,/w==\n"),
    ("abc:map(function(r) if r.a == 2 then return { q = r.b, p = r.a } end end)",
     "p,q\n2,x\n2,\n"),
    ("abc:map(function(r) return { q = r.b, p = r.a } end, 'q string, p int64'):limit(1)",
     "q,p\nx,2\n"),
    ("abc:union(rows('b string, a int32', { a = 5, b = 'z' }))", "a,b\n2,x\n,y\n1,x\n2,\n5,z\n"),
    ("abc:union(rows('a int64', {}))", 2),
    ("abc:union(rows('a string, b string', {}))", 2),
    ("abc:filter(function(r) return r.c end)", 2),
    ("abc:filter(function(r) return r.a > 1 end)", 1),
    ("abc:filter(function(r) return r.b:len() > 0 end)", 1),
    ("abc:select { 'a', a = 'b' }", 2),
    ("abc:select 'nothing'", 2),
    ("abc:nothing()", 2),
    ("abc:group_by 'a'", 2),
    ("tm.csv { path = 'x.csv', delimeter = ';' }", 2),
    ("tm.csv { path = 'x.csv', schema = 'a int65' }", 2),
    ("tm.csv 'build/there/is/no/such/file.csv'", 1),
    ("tm.csv { path = 'tests', schema = 'a int64' }", 1),
]

JOINS = [
    ("abc:join(rows('a int64, c string', { a = 2, c = 'p' }, { a = 3, c = 'q' }, { c = 'n' }),"
     " { on = 'a', kind = 'full' })", "a,b,c\n1,x,\n2,x,p\n2,,p\n3,,q\n,y,\n,,n\n"),
    ("abc:join(rows('a int64, c string', { a = 3, c = 'q' }), { on = 'a', kind = 'right' })",
     "a,b,c\n3,,q\n"),
    ("abc:join(rows('k int64', { k = 2 }), { on = { a = 'k' } })", "a,b,k\n2,x,2\n2,,2\n"),
    ("abc:join(rows('a int64', { a = 2 }, { a = 2 }), { on = 'a', kind = 'semi' })",
     "a,b\n2,x\n2,\n"),
    ("abc:join(rows('a int64', { a = 2 }, {}), { on = 'a', kind = 'anti' })", "a,b\n1,x\n,y\n"),
    ("abc:join(rows('a int64, b string', { a = 2, b = 'r' }), { on = 'a' })", 2),
    ("abc:join(rows('a int64, b string', { a = 2, b = 'r' }), { on = 'a', prefix = 'o_' })",
     "a,b,o_b\n2,x,r\n2,,r\n"),
    ("abc:join(rows('a int64, b string', { a = 2, b = 'r' }), { on = 'a', take = { c = 'b' } })",
     "a,b,c\n2,x,r\n2,,r\n"),
    ("abc:join(rows('a int64, m int64', { a = 2, m = 1 }), { on = 'a', kind = 'left',"
     " where = function(l, r) return l.b == 'x' and r.m == 1 end })",
     "a,b,m\n1,x,\n2,x,1\n2,,\n,y,\n"),
    ("abc:join(abc:agg { top = tm.max 'a' }, { on = {}, where = function(l, r)"
     " return l.a == r.top end })", "a,b,top\n2,x,2\n2,,2\n"),
    ("abc:join(none:select { z = 'a' }, { on = {}, kind = 'left' })",
     "a,b,z\n1,x,\n2,x,\n2,,\n,y,\n"),
    ("abc:join(abc:select { z = 'a' }, { on = {} })", 1),
    ("abc:join(rows('a string', {}), { on = 'a' })", 2),
    ("abc:join(rows('a int64', {}), { on = 'b' })", 2),
    ("floats:join(rows('f float64', { f = 0/0 }, { f = math.huge }), { on = 'f', kind = 'semi' })",
     "f\nInfinity\nNaN\n"),
]

VALUES = [
    ("calc('int64', function(r) return { v = r.a + math.maxinteger } end)",
     "v\n-9223372036854775802\n"),
    ("calc('int32', function(r) return { v = r.a + 2147483647 } end)", 1),
    ("calc('int64', function(r) return { v = r.f * 2 } end)", "v\n5\n"),
    ("calc('int64', function(r) return { v = r.f } end)", 1),
    ("calc('int64', function(r) return { v = 'x' } end)", (1, 2)),
    ("calc('int64', function(r) return { v = r.a // 0 } end)", 1),
    ("calc('float64', function(r) return { v = r.a / 0 } end)", "v\nInfinity\n"),
    ("calc('float64', function(r) return { v = r.a } end)", "v\n7.0\n"),
    ("calc('float64', function(r) return { v = 1e16 } end)", "v\n1e+16\n"),
    ("calc('float64', function(r) return { v = 1e15 / 10^20 } end)", "v\n1e-05\n"),
    ("calc('decimal(9,2)', function(r) return { v = r.a } end)", "v\n7.00\n"),
    ("calc('decimal(9,2)', function(r) return { v = r.f } end)", (1, 2)),
    ("calc('decimal(9,6)', function(r) return { v = tm.dec '2' / 3 } end)", "v\n0.666667\n"),
    ("calc('decimal(9,6)', function(r) return { v = tm.dec '0.000001' / 2 } end)", "v\n0.000000\n"),
    ("calc('decimal(9,6)', function(r) return { v = tm.dec '0.000003' / 2 } end)", "v\n0.000002\n"),
    ("calc('decimal(9,4)', function(r) return { v = tm.dec '1.25' * tm.dec '0.01' } end)",
     "v\n0.0125\n"),
    ("calc('decimal(9,2)', function(r) return { v = tm.dec '1.255' } end)", 1),
    ("calc('decimal(9,2)', function(r) return { v = tm.round(tm.dec '1.255', 2) } end)",
     "v\n1.26\n"),
    ("calc('decimal(9,2)', function(r)"
     " return { v = tm.round(tm.dec '1.245', 2, 'half_even') } end)",
     "v\n1.24\n"),
    ("calc('decimal(9,2)', function(r) return { v = tm.dec '1' / 0 } end)", 1),
    ("calc('decimal(9,2)', function(r) return { v = tm.dec '1' + r.f } end)", (1, 2)),
    ("money:filter(function(r) return r.d == 1 end)", 2),
    ("calc('date', function(r) return { v = tm.day '2024-01-31' + tm.months(1) } end)",
     "v\n2024-02-29\n"),
    ("calc('date', function(r) return { v = tm.day '1998-12-01' + tm.days(-90) } end)",
     "v\n1998-09-02\n"),
    ("calc('int64', function(r) return { v = tm.day '2024-03-01' - tm.day '2024-02-01' } end)",
     "v\n29\n"),
    ("calc('int64', function(r) return { v = tm.weekday(tm.day '2024-02-29') } end)", "v\n4\n"),
    ("calc('timestamp', function(r)"
     " return { v = tm.time '2024-02-29T10:00:00Z' + tm.minutes(90) } end)",
     "v\n2024-02-29T11:30:00Z\n"),
    ("calc('timestamp', function(r) return { v = 1500 } end)", "v\n1970-01-01T00:00:00.001500Z\n"),
    ("calc('timestamp', function(r) return { v = 1000 } end)", "v\n1970-01-01T00:00:00.001Z\n"),
    ("calc([[timestamp('Europe/Berlin')]], function(r)"
     " return { v = tm.time '2024-07-01T10:00:00Z' } end)",
     "v\n2024-07-01T12:00:00+02:00\n"),
    ("calc('string', function(r) return { v = '' } end)", 'v\n""\n'),
    ("calc('string', function(r) return { v = nil } end)", "v\n\n"),
    ("calc('string', function(r) return { v = 'a\"b,c' } end)", 'v\n"a""b,c"\n'),
    ("calc('string', function(r) return { v = '\\xff' } end)", 1),
    ("calc('bytes', function(r) return { v = '\\xff\\0' } end)", "v\n/wA=\n"),
    ("calc('bool', function(r) return { v = tm.like('axbx', 'a%b_') } end)", "v\ntrue\n"),
    ("calc('string', function(r) return { v = string.sub('hello', 2, -2) } end)", "v\nell\n"),
    ("calc('string', function(r) return { v = tm.text(r.f) } end)", "v\n2.5\n"),
]

USAGE = [
    ("abc:with { p = tm.param 'p' }", 2),
    ("abc:with { p = tm.param('p', 5) }:limit(1)", "a,b,p\n2,x,5\n"),
    ("tm.batch { abc:to(tm.csv 'build/same.csv'), abc:to(tm.csv 'build/same.csv') }", 2),
    ("tm.batch { abc:to(tm.csv 'build/a/./same.csv'), abc:to(tm.csv './build/b/../a/same.csv') }",
     2),
    ("tm.batch { schedule = { cron = '0 1 * * *' }, abc:to(tm.stdout()) }", 2),
    ("tm.streams { abc:to(tm.stdout()) }", 2),
    ("abc:window(tm.tumbling '1m')", 2),
    ("undeclared + 1", 2),
    ("5", 2),
]

GROUPS = {
    "aggregates": AGGREGATES, "order": ORDER, "rows": ROWS, "joins": JOINS, "values": VALUES,
    "usage": USAGE,
}


def main():
    report = Report()
    for group, cases in GROUPS.items():
        for lua, expected in cases:
            for lift in ([], ["--no-lift"]) if "function" in lua and "v =" in lua else ([],):
                report.add(f"{group}: {lua} {' '.join(lift)}", _check(lua, expected, lift))
    report.close()


def _check(lua, expected, options):
    result = run("run", "-e", f"{HEAD}return {lua}", "--format", "csv", *options, timeout=20)
    fails = not isinstance(expected, str)
    allowed = (0,) if not fails else expected if isinstance(expected, tuple) else (expected,)
    if result.status not in allowed:
        return f"exit status {result.status}, expected {allowed}\n{result.err}"
    if fails and ("error" not in result.err or result.out):
        return f"no message, or an answer in spite of the error: {result.out!r}\n{result.err}"
    if not fails and result.out.decode() != expected:
        return f"  tidemill {result.out.decode()!r}\n  expected {expected!r}"
    return None


main()
