"""Verbs on tables of several hundred thousand rows, where key tables grow, hashes collide, workers
share and merge: the same text as DuckDB's, in order.

Values are chosen so that both sides' arithmetic is exact. Each case runs with one worker and three.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import duckdb

from support.program import BUILD, run
from support.report import Report

FOLDER = BUILD / "differential" / "large"
TABLES = {
    "a": """select range as id, hash(range) % 150000 as k1, hash(range + 1) % 900 as k2,
        'key-' || hash(range + 2) % 120000 as s, 'group ' || hash(range + 3) % 50 as g,
        cast(cast(hash(range + 4) % 10000000 as bigint) / 100 as decimal(12,2)) as d,
        cast(hash(range + 5) % 80000 as bigint) / 8 as f,
        date '2020-01-01' + cast(hash(range + 6) % 2000 as integer) as t,
        case when hash(range + 7) % 10 > 0 then cast(hash(range + 8) % 1000000 as bigint) end as n
        from range(400000)""",
    "b": """select distinct hash(range) % 150000 as k1, hash(range + 1) % 900 as k2,
        'key-' || hash(range + 2) % 120000 as s2, cast(hash(range + 9) % 5000 as integer) as v
        from range(100000, 350000)""",
}
SCHEMAS = {
    "a": "id int64, k1 int64, k2 int64, s string, g string, d decimal(12,2), f float64, t date, "
         "n int64",
    "b": "k1 int64, k2 int64, s2 string, v int32",
}

SUMS = """tm.count():as "c", tm.sum "d":as "d", tm.sum "f":as "f", tm.min "n":as "least",
  tm.max "t":as "last", tm.avg "n":as "m", tm.count_distinct "g":as "u" }"""
SQL_SUMS = """count(*) as c, sum(d) as d, sum(f) as f, min(n) as least, max(t) as last,
  avg(n) as m, count(distinct g) as u"""

CASES = {
    "group by a wide int": (
        f'a:group_by "k1":agg {{ {SUMS}', f"select k1, {SQL_SUMS} from a group by all"),
    "group by text": (f'a:group_by "s":agg {{ {SUMS}', f"select s, {SQL_SUMS} from a group by all"),
    "group by a date and text": (
        f'a:group_by("t", "g"):agg {{ {SUMS}', f"select t, g, {SQL_SUMS} from a group by all"),
    "group by two ints": (
        f'a:group_by("k1", "k2"):agg {{ {SUMS}', f"select k1, k2, {SQL_SUMS} from a group by all"),
    "group by null too": (
        'a:group_by "n":agg { tm.count() }', "select n, count(*) as count from a group by all"),
    "no groups": (
        f'a:agg {{ tm.median "n":as "h", {SUMS}',
        f"select median(n) as h, {SQL_SUMS} from a"),
    "quantiles": (
        'a:group_by "g":agg { tm.median "n":as "h", tm.quantile("f", 0.25):as "q" }',
        "select g, median(n) as h, quantile_cont(f, 0.25) as q from a group by all"),
    "count distinct": (
        'a:group_by "g":agg { tm.count_distinct "k1":as "k", tm.count_distinct "s":as "s" }',
        "select g, count(distinct k1) as k, count(distinct s) as s from a group by all"),
    "join on two ints": (
        'a:join(b, { on = { "k1", "k2" } }):select { "id", "k1", "k2", "s2", "v" }',
        "select id, k1, k2, s2, v from a join b using (k1, k2)"),
    "join the other way": (
        'b:join(a, { on = { "k1", "k2" } }):select { "id", "k1", "k2", "s2", "v" }',
        "select id, k1, k2, s2, v from a join b using (k1, k2)"),
    "join on text": (
        'b:join(a, { on = { s2 = "s" }, take = { "id" } }):group_by "s2":agg { n = tm.sum "id" }',
        "select s2, sum(id) as n from a join b on s2 = s group by all"),
    "left join": (
        'a:join(b, { kind = "left", on = { "k1", "k2" } }):agg { tm.count(), tm.sum "v" }',
        "select count(*) as count, sum(v) as v from a left join b using (k1, k2)"),
    "full join": (
        'a:join(b, { kind = "full", on = { "k1", "k2" } })'
        ':agg { tm.count(), tm.count "id", tm.count "v", tm.sum "k1" }',
        "select count(*) as count, count(id) as id, count(v) as v, sum(k1) as k1"
        " from a full join b using (k1, k2)"),
    "semi join with a condition": (
        'a:join(b, { kind = "semi", on = { s = "s2" }, where = function(l, r)'
        " return l.k2 < r.k2 end }):select { 'id', 's' }",
        "select id, s from a where exists (select 1 from b where s = s2 and a.k2 < b.k2)"),
    "anti join": (
        'a:join(b, { kind = "anti", on = { "k1", "k2" } }):select { "id" }',
        "select id from a where not exists (select 1 from b where a.k1 = b.k1 and a.k2 = b.k2)"),
    "distinct": ('a:distinct("k1", "g")', "select distinct k1, g from a"),
    "sort": (
        'a:sort { "-n", "t", "s", "id" }:select { "id", "n", "t" }',
        "select id, n, t from a order by n desc nulls last, t, s, id"),
    "top of each": (
        'a:top(3, { per = "k2", by = { "-d", "id" }, rank = "r" }):select { "k2", "d", "id", "r" }',
        "select * from (select k2, d, id, row_number() over (partition by k2 order by d desc, id)"
        " as r from a) where r <= 3 order by k2, r"),
    "union": (
        'a:select { "k1", "k2" }:union(b:select { "k1", "k2" }):group_by "k2":agg { tm.sum "k1" }',
        "select k2, sum(k1) as k1 from (select k1, k2 from a union all select k1, k2 from b)"
        " group by all"),
    "filter of all rows": (
        "a:filter(function(r) return r.n ~= nil and r.n % 7 == 3 or tm.like(r.s, '%99%') end)"
        ":select { 'id', 'n' }",
        "select id, n from a where coalesce(n % 7 = 3, false) or s like '%99%' order by id"),
}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    peer = duckdb.connect()
    for name, query in TABLES.items():
        peer.execute(f"create table {name} as {query}")
        peer.execute(f"copy {name} to '{FOLDER}/{name}.csv' (format csv, header)")
    report = Report()
    for name, (lua, sql) in CASES.items():
        expected = _answer(peer, sql)
        for workers in ("1", "3"):
            report.add(f"{name}, {workers} workers", _check(lua, expected, workers))
    report.close()


def _answer(peer, sql):
    order = "" if "order by n desc" in sql or "order by k2" in sql else " order by all nulls last"
    path = FOLDER / "expected.csv"
    peer.execute(f"copy (select * from ({sql}){order}) to '{path}' (format csv, header)")
    return path.read_bytes()


def _check(lua, expected, workers):
    source = 'local {0} = tm.csv {{ path = "{1}/{0}.csv", schema = "{2}" }}'
    ends = [source.format(name, FOLDER, schema) for name, schema in SCHEMAS.items()]
    script = "\n".join([*ends, f"return {lua}"])
    result = run("run", "-e", script, "--format", "csv", "--workers", workers)
    if result.status != 0:
        return f"exit status {result.status}\n{result.err}\n{lua}"
    if result.out == expected:
        return None
    ours, theirs = result.out.split(b"\n"), expected.split(b"\n")
    line = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]), "end")
    at = line if line != "end" else min(len(ours), len(theirs)) - 1
    sizes = f"{len(ours)} lines, expected {len(theirs)}"
    return f"line {at}: {sizes}\n  tidemill {ours[at]}\n  expected {theirs[at]}\n{lua}"


main()
