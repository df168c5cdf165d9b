"""Runs one job in a peer, as a process of its own: `peers.py duckdb|polars JOB ARGUMENT…`.

The answer goes to stdout as CSV, the seconds without interpreter and imports to stderr as the last
line. Both peers get two threads, declared types, and the plan that suits them best.
"""

import os
import sys
import time
from pathlib import Path

THREADS = 2
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

CSV_TYPES = {
    "id1": "VARCHAR", "id2": "VARCHAR", "id3": "VARCHAR", "id4": "BIGINT", "id5": "BIGINT",
    "id6": "BIGINT", "v1": "BIGINT", "v2": "BIGINT", "v3": "DOUBLE",
}


def duckdb_job(job, arguments):
    import duckdb

    start = time.perf_counter()
    peer = duckdb.connect(config={"threads": THREADS})
    query = {
        "csv": duckdb_csv, "ndjson": duckdb_ndjson, "tpch": duckdb_tpch, "start": duckdb_start,
        "window": duckdb_window,
    }[job](peer, *arguments)
    peer.execute(f"copy ({query}) to '/dev/stdout' (format csv, header)")
    return start


def duckdb_csv(peer, file, key):
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in CSV_TYPES.items())
    options = f"header = true, delim = ',', auto_detect = false, columns = {{{columns}}}"
    return f"select {key}, sum(v1) as v1 from read_csv('{file}', {options}) group by {key}"


def duckdb_ndjson(peer, file):
    columns = "{'country': 'VARCHAR', 'amount': 'DOUBLE'}"
    read = f"read_json('{file}', format = 'newline_delimited', columns = {columns})"
    sums = "count(*) as events, sum(amount) as amount"
    return f"select country, {sums} from {read} group by country"


def duckdb_window(peer, file):
    columns = "{'at': 'TIMESTAMP', 'key': 'BIGINT', 'value': 'DOUBLE'}"
    options = f"header = true, delim = ',', auto_detect = false, columns = {columns}"
    bucket = 'time_bucket(interval 10 second, "at")'
    text = lambda value: f"strftime({value}, '%Y-%m-%dT%H:%M:%SZ')"
    return (
        f"select key, {text('first')} as window_start, "
        f"{text('first + interval 10 second')} as window_end, count(*) as count "
        f"from (select key, {bucket} as first from read_csv('{file}', {options})) "
        "group by key, first"
    )


def duckdb_tpch(peer, folder, query):
    from tpch import tables

    for statement in tables.views(folder):
        peer.execute(statement)
    return tables.sql(query)


def duckdb_start(peer):
    return "select * from (values (1, 'one')) as t(id, name) where id > 0"


def polars_job(job, arguments):
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    import polars

    start = time.perf_counter()
    jobs = {"csv": polars_csv, "ndjson": polars_ndjson, "window": polars_window}
    made = jobs[job](polars, *arguments)
    made.collect(engine="streaming").write_csv(sys.stdout.buffer)
    return start


def polars_csv(pl, file, key):
    kinds = {"VARCHAR": pl.String, "BIGINT": pl.Int64, "DOUBLE": pl.Float64}
    schema = {name: kinds[kind] for name, kind in CSV_TYPES.items()}
    return pl.scan_csv(file, schema=schema).group_by(key).agg(pl.col("v1").sum())


def polars_window(pl, file):
    schema = {"at": pl.String, "key": pl.Int64, "value": pl.Float64}
    at = pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us")
    start = at.dt.truncate("10s").alias("window_start")
    rows = pl.scan_csv(file, schema=schema).select("key", start)
    end = (pl.col("window_start") + pl.duration(seconds=10)).alias("window_end")
    text = lambda column: pl.col(column).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    counts = rows.group_by("key", "window_start").agg(pl.len().alias("count")).with_columns(end)
    return counts.select("key", text("window_start"), text("window_end"), "count")


def polars_ndjson(pl, file):
    schema = {"country": pl.String, "amount": pl.Float64}
    lines = pl.scan_ndjson(file, schema=schema)
    return lines.group_by("country").agg(pl.len().alias("events"), pl.col("amount").sum())


def main():
    peer, job, *arguments = sys.argv[1:]
    start = {"duckdb": duckdb_job, "polars": polars_job}[peer](job, arguments)
    sys.stdout.flush()
    print(time.perf_counter() - start, file=sys.stderr)


main()
