"""The examples print what their comments promise; the end-of-day report has DuckDB's figures."""

import gzip
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import duckdb

from support import csv_text
from support.program import BUILD, ROOT, run
from support.report import Report

ANSWERS = {
    "hello": 'name,born,greeting\nAda,1815,"hello, ADA"\nGrace,1906,"hello, GRACE"\n'
             'Barbara,1939,"hello, BARBARA"\n',
    "filter": "sold_on,item,quantity\n2026-03-02,kettle,2\n2026-03-03,mug,4\n",
    "revenue": "country,sales,revenue,items\n"
               "Italy,3,152.90,3\nNorway,3,106.80,3\nPeru,2,140.50,2\n",
    "top": "store,place,item,total\nlima,1,lamp,117.00\noslo,1,kettle,49.80\nrome,1,lamp,74.00\n",
    "rejects": 'id,name,amount\n1,Ada,12.50\n3,"Cleo, the third",7.25\n',
    "convert": "at,user_id,country,action,amount\n2026-03-02T08:17:30.250Z,9,PE,buy,19.90\n"
               "2026-03-02T09:01:12Z,7,NO,buy,5.00\n",
    "windows": "window_start,window_end,views,users\n"
               "2026-03-02T10:00:00Z,2026-03-02T10:01:00Z,4,2\n"
               "2026-03-02T10:01:00Z,2026-03-02T10:02:00Z,2,2\n"
               "2026-03-02T10:07:00Z,2026-03-02T10:08:00Z,2,2\n"
               "2026-03-02T10:08:00Z,2026-03-02T10:09:00Z,2,1\n",
    "sessions": "user,window_start,window_end,views,from,to\n"
                "bob,2026-03-02T10:00:21Z,2026-03-02T10:06:30Z,2,home,item\n"
                "ada,2026-03-02T10:00:04Z,2026-03-02T10:05:58Z,3,home,item\n"
                "cyd,2026-03-02T10:01:02Z,2026-03-02T10:06:02Z,1,home,home\n"
                "bob,2026-03-02T10:07:20Z,2026-03-02T10:12:20Z,1,cart,cart\n"
                "ada,2026-03-02T10:07:45Z,2026-03-02T10:13:10Z,3,home,item\n",
    "silence": "user,since\nada,2026-03-02T10:00:58Z\nbob,2026-03-02T10:01:30Z\n",
}
REJECTS = [(3, "type"), (5, "ragged"), (6, "check"), (7, "range")]
EVENTS = (
    "at,user_id,country,action,amount\n2026-03-02T08:15:00Z,7,NO,login,\n"
    "2026-03-02T08:17:30.250Z,9,PE,buy,19.90\n2026-03-02T09:01:12Z,7,NO,buy,5.00\n"
    "2026-03-02T09:44:00Z,12,,login,\n"
)

DATA = ROOT / "examples" / "data" / "nycflights13"
CLEAN = f"""
create view clean as
select f.*, a.name as airline, p.name as destination, w.precip, w.visib
from read_csv('{DATA}/flights/{{days}}.csv.gz') f
join '{DATA}/airlines.csv.gz' a on f.carrier = a.carrier
left join '{DATA}/airports.csv.gz' p on f.dest = p.faa
left join '{DATA}/weather.csv.gz' w on f.origin = w.origin and f.time_hour = w.time_hour
where tailnum is not null and (arr_delay is null or arr_delay < 720)
"""
FIGURES = """count(*) as flights, count(*) filter (dep_time is null) as cancelled,
  count(*) filter (arr_delay > 15) as late,
  count(*) filter (arr_delay > 15 and (precip > 0 or visib < 3)) as late_in_bad_sky,
  median(dep_delay) as median_delay, max(arr_delay) as worst_delay"""
REPORTS = {
    "stdout": f"select airline, {FIGURES} from clean group by all order by late desc, airline",
    "delays": f"select airline, hour, {FIGURES} from clean group by all order by airline, hour",
    "routes": f"""select origin, dest, destination, {FIGURES} from clean group by all
        order by flights desc, origin, dest limit 10""",
}


def main():
    report = Report()
    written = {path.stem for path in (ROOT / "examples").glob("*.lua")}
    missing = written ^ set(ANSWERS)
    report.add("every example is tested", f"{missing}" if missing else None)
    for name in sorted(written & set(ANSWERS)):
        report.add(f"example {name}", _check_example(name))
    report.add("example rejects: the refused rows", _check_rejects())
    report.add("example convert: the file", _check_convert())
    for date, days in (("2013-01-16", None), ("2013-01-31", "2013-01-*")):
        report.add(f"end of day {date}, {days}", _check_end_of_day(date, days))
    report.close()


def _check_example(name):
    result = run("run", f"examples/{name}.lua", "--format", "csv")
    if result.status != 0:
        return f"exit status {result.status}\n{result.err}"
    if result.out.decode() != ANSWERS[name]:
        return f"  tidemill {result.out.decode()!r}\n  expected {ANSWERS[name]!r}"
    return None


def _check_rejects():
    lines = (BUILD / "examples" / "rejects.jsonl").read_text().splitlines()
    found = sorted((row["line"], row["reason"]) for row in map(json.loads, lines))
    return None if found == REJECTS else f"{found}, expected {REJECTS}"


def _check_convert():
    text = gzip.decompress((BUILD / "examples" / "events.csv.gz").read_bytes()).decode()
    return None if text == EVENTS else f"  tidemill {text!r}\n  expected {EVENTS!r}"


def _check_end_of_day(date, days):
    """The reports of a day or of the month, on stdout and as files, equal to DuckDB's text."""
    out = BUILD / "test-demo"
    shutil.rmtree(out, ignore_errors=True)
    options = ["--date", date, "--param", f"out={out}", "--format", "csv"]
    options += ["--param", f"days={days}"] if days else []
    result = run("run", "pipelines/flights/eod.lua", *options)
    if result.status != 0:
        return f"exit status {result.status}\n{result.err}"
    peer = duckdb.connect()
    peer.execute(CLEAN.format(days=days or date))
    files = {name: (out / f"{name}-{date}.csv").read_bytes() for name in ("delays", "routes")}
    if not result.out.endswith(files["routes"]):
        return f"stdout does not end with the routes\n{result.out.decode()}"
    files["stdout"] = result.out[: -len(files["routes"])]
    for name, query in REPORTS.items():
        text = files[name]
        header, ours = csv_text.read(text)
        cursor = peer.execute(query)
        theirs = [[None if v is None else str(v) for v in row] for row in cursor.fetchall()]
        if header != [c[0] for c in cursor.description]:
            return f"{name}: columns {header}"
        wrong = [pair for pair in zip(ours, theirs) if pair[0] != pair[1]]
        if wrong or len(ours) != len(theirs):
            return f"{name}: {len(ours)} rows, expected {len(theirs)}; {wrong[:1]}"
    refused = (out / f"rejects-{date}.jsonl").read_text().splitlines()
    count = lambda table: peer.execute(f"select count(*) from {table}").fetchone()[0]
    total, passed = count(f"'{DATA}/flights/{days or date}.csv.gz'"), count("clean")
    if len(refused) != total - passed:
        return f"{len(refused)} rejects, expected {total - passed}"
    return None


main()
