#!/usr/bin/env python3
"""Traps that streams fall into, through the whole program: readers of split files, rows tied at the
watermark, the last window, a slow consumer, silence, updates, signals."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.program import BUILD, binary, run
from support.report import Report

FOLDER = BUILD / "data" / "traps"
SMALL = {"TIDEMILL_BLOCK_BYTES": "300", "TIDEMILL_BATCH_ROWS": "3"}


def at(second):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1767225600 + second))


def write(name, rows):
    path = FOLDER / name
    path.write_text("at,k\n" + "".join(f"{at(second)},{k}\n" for second, k in rows))
    return path


def script(name, text):
    path = FOLDER / name
    path.write_text('local tm <const> = require "tidemill"\n' + text)
    return path


def rows_of(out):
    return [json.loads(line) for line in out.decode().splitlines()]


def counted(rows):
    """Windows of ten seconds: (start, k) to how many."""
    return Counter((at(second // 10 * 10), k) for second, k in rows)


def found(out):
    return Counter({(r["window_start"], r["k"]): r["count"] for r in rows_of(out)})


def windows_over(source, env=SMALL, workers=(1, 3)):
    """The same counts whatever the number of workers, none late; else what is wrong."""
    job = script("windows.lua", source + """
return tm.stream {
  rows:group_by "k":window(tm.tumbling "10s"):agg { tm.count() }:to(tm.stdout()),
}""")
    results = []
    for count in workers:
        summary = FOLDER / "summary.json"
        done = run("run", job, "--workers", count, "--summary", summary, env=env)
        if done.status != 0:
            return None, f"exit {done.status}\n{done.err}"
        late = sum(step["late"] for step in json.loads(summary.read_text())["steps"])
        if late:
            return None, f"{late} rows are late with {count} workers\n{done.err}"
        results.append(found(done.out))
    if any(one != results[0] for one in results):
        return None, f"workers differ: {results}"
    return results[0], None


def expect_windows(source, rows, **options):
    got, problem = windows_over(source, **options)
    if problem or got == counted(rows):
        return problem
    return f"missing {counted(rows) - got}, too many {got - counted(rows)}"


def readers_of_split_files():
    """Each file is in order for itself; their times run through each other."""
    one = [(second, 1) for second in range(0, 900, 3)]
    two = [(second, 2) for second in range(400, 1300, 2)]
    three = [(second, 1) for second in range(0, 300)]
    for name, rows in (("a.csv", one), ("b.csv", two), ("c.csv", three)):
        write(name, rows)
    schema = 'schema = "at timestamp not null, k int64"'
    files = ", ".join(f'"{FOLDER}/{name}.csv"' for name in "abc")
    problem = expect_windows(
        f'local rows = tm.csv {{ path = {{ {files} }}, {schema}, time = "at", '
        'partitions = "files" }', one + two + three)
    if problem:
        return problem
    ends = "".join(
        f'local {name} = tm.csv {{ path = "{FOLDER}/{name}.csv", {schema}, time = "at" }}\n'
        for name in "abc")
    return expect_windows(ends + "local rows = a:union(b, c)", one + two + three)


def rows_tied_at_the_watermark():
    """Many rows of one time, over many batches: none is behind another."""
    rows = [(second, k) for second in range(0, 40, 5) for k in range(100)]
    write("ties.csv", rows)
    return expect_windows(
        f'local rows = tm.csv {{ path = "{FOLDER}/ties.csv", '
        'schema = "at timestamp not null, k int64", time = "at" }', rows)


def the_last_window_comes_out():
    rows = [(3, 1), (12, 1), (13, 2)]
    write("last.csv", rows)
    return expect_windows(
        f'local rows = tm.csv {{ path = "{FOLDER}/last.csv", '
        'schema = "at timestamp not null, k int64", time = "at" }', rows)


class Job:
    """A stream that listens: `send` rows to it, read what it says."""

    def __init__(self, text, *options):
        command = [binary(), "run", script("live.lua", text), "--summary",
                   FOLDER / "live.json", *options]
        self.process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.said = ""
        while (line := self.process.stderr.readline().decode()) != "":
            self.said += line
            port = re.search(r"listening on \S+:(\d+)", line)
            if port:
                self.socket = socket.create_connection(("127.0.0.1", int(port.group(1))))
                return
        raise SystemExit(f"no port: {self.said}")

    def send(self, rows):
        lines = "".join(json.dumps({"at": at(second), "k": k}) + "\n" for second, k in rows)
        self.socket.sendall(lines.encode())

    def line(self):
        return json.loads(self.process.stdout.readline())

    def end(self, signal_number=signal.SIGINT):
        """What it had not said yet, and its exit status."""
        self.process.send_signal(signal_number)
        out, err = self.process.communicate(timeout=60)
        self.said += err.decode()
        return out, self.process.returncode

    def summary(self):
        return json.loads((FOLDER / "live.json").read_text())


LIVE = """
local rows = tm.tcp { listen = "127.0.0.1:0", format = "jsonl", schema = "at timestamp, k int64",
                      time = { field = "at", TIME }, on_error = "skip" }
return tm.stream { rows:group_by "k":window(tm.tumbling "1s"):agg { tm.count() }:to(tm.stdout()) }
"""


def a_slow_consumer_makes_no_row_late():
    """Time stands still while nobody reads, though it is far longer than idle."""
    job = Job(LIVE.replace("TIME", 'idle = "200ms"'))
    rows = [(second, k) for second in range(3000) for k in range(20)]
    job.socket.setblocking(True)
    sent = [False]

    def feed():
        for first in range(0, len(rows), 2000):
            job.send(rows[first:first + 2000])
        sent[0] = True

    feeder = threading.Thread(target=feed)
    feeder.start()
    time.sleep(2)  # the pipe is full by now, and nobody reads
    reader_out = []
    reader = threading.Thread(target=lambda: reader_out.append(job.process.stdout.read()))
    reader.start()
    feeder.join()
    time.sleep(0.5)
    job.process.send_signal(signal.SIGINT)
    reader.join()
    job.process.wait(timeout=60)
    job.said += job.process.stderr.read().decode()
    late = sum(step["late"] for step in job.summary()["steps"])
    total = sum(r["count"] for r in rows_of(reader_out[0]))
    if late or total != len(rows):
        return f"{total} of {len(rows)} rows are counted, {late} late\n{job.said}"
    return None


def silence_closes_windows():
    job = Job(LIVE.replace("TIME", 'idle = "200ms"'))
    job.send([(10, 1), (10, 2)])
    begin = time.monotonic()
    lines = sorted(job.line()["k"] for _ in range(2))
    waited = time.monotonic() - begin
    out, status = job.end()
    if lines != [1, 2] or status != 0 or waited > 30:
        return f"{lines} after {waited} s, exit {status}\n{job.said}"
    return None


def rows_after_silence_are_told():
    job = Job(LIVE.replace("TIME", 'idle = "200ms"'))
    job.send([(10, 1)])
    job.line()
    job.send([(10, 1), (90, 7)])
    time.sleep(0.3)
    out, status = job.end()
    agg = next(s for s in job.summary()["steps"] if s["verb"] == "agg")
    if agg["late"] != 1 or "W411" not in job.said or [r["k"] for r in rows_of(out)] != [7]:
        return f"late {agg['late']}, {out}, exit {status}\n{job.said}"
    return None


def the_future_is_refused():
    job = Job(LIVE.replace("TIME", 'ahead = "1h"'))
    now = int(time.time()) - 1767225600
    job.send([(now - 5, 1), (now + 7200, 2), (now, 3)])
    time.sleep(0.5)
    out, status = job.end()
    summary = job.summary()
    if sorted(r["k"] for r in rows_of(out)) != [1, 3] or summary["rejected"] != 1 or status != 0:
        return f"{out}, rejected {summary['rejected']}, exit {status}\n{job.said}"
    return None


def the_first_signal_drains():
    job = Job(LIVE.replace("TIME", "idle = false"))
    job.send([(10, 1), (11, 1)])
    first = job.line()
    out, status = job.end(signal.SIGTERM)
    rest = rows_of(out)
    said = "finishing" in job.said and "Done in" in job.said
    if first["count"] != 1 or len(rest) != 1 or status != 0 or not said:
        return f"{first} {rest}, exit {status}\n{job.said}"
    return None


def updates_come_with_retractions():
    """The changes add up to what a batch says, at every point to one row a key."""
    source = f"""
local rows = tm.csv {{ path = "{FOLDER}/ties.csv", schema = "at timestamp not null, k int64" }}
local counts = rows:with {{ g = function(r) return r.k % 7 end }}:group_by "g":agg {{ tm.count() }}
"""
    text = source + 'return tm.stream { counts:to(tm.changelog(tm.stdout())) }'
    done = run("run", script("changes.lua", text), env=SMALL)
    text = source + 'return tm.batch { counts:to(tm.stdout()) }'
    batch = run("run", script("changes_batch.lua", text))
    if done.status != 0 or batch.status != 0:
        return f"{done.err}\n{batch.err}"
    changes = rows_of(done.out)
    now = {}
    for row in changes:
        weight = row.pop("weight")
        key = json.dumps(row, sort_keys=True)
        now[key] = now.get(key, 0) + weight
        if now[key] not in (0, 1):
            return f"{row} has the weight {now[key]}"
    net = sorted(key for key, weight in now.items() if weight)
    wanted = sorted(json.dumps(row, sort_keys=True) for row in rows_of(batch.out))
    if net != wanted or len(changes) <= len(wanted):
        return f"net {net}, batch {wanted}, {len(changes)} changes"
    return None


def a_range_of_time():
    """--from and --to, half-open; other rows are none of the run's."""
    rows = [(second, second % 3) for second in range(0, 100)]
    path = write("range.csv", rows)
    source = (f'local rows = tm.csv {{ path = "{path}", '
              'schema = "at timestamp not null, k int64", time = "at" }')
    job = script("range.lua", source + """
return tm.stream {
  rows:group_by "k":window(tm.tumbling "10s"):agg { tm.count() }:to(tm.stdout()),
}""")
    wanted = counted([row for row in rows if 15 <= row[0] < 40])
    for mode in ("batch", "stream"):
        done = run("run", job, "--as", mode, "--from", at(15), "--to", at(40))
        if done.status != 0 or found(done.out) != wanted or "75 filtered" not in done.err:
            return f"as {mode}: exit {done.status}, {done.out}\n{done.err}"
    untimed = script("untimed.lua", f'return tm.batch {{ tm.csv "{path}":to(tm.stdout()) }}')
    done = run("run", untimed, "--from", "2026-01-01")
    if done.status != 2 or "go by event time" not in done.err:
        return f"exit {done.status}\n{done.err}"
    return None


def files_are_followed():
    """The script of a batch, as its file grows."""
    path = write("grow.csv", [(1, 1), (2, 2)])
    job = script("grow.lua", f"""
local rows = tm.csv {{ path = "{path}", schema = "at timestamp, k int64" }}
return tm.batch {{ rows:filter(function(r) return r.k ~= 2 end):to(tm.stdout()) }}""")
    process = subprocess.Popen([binary(), "run", str(job), "--follow"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    first = json.loads(process.stdout.readline())["k"]
    with open(path, "a") as file:
        file.write(f"{at(3)},3\n")
    second = json.loads(process.stdout.readline())["k"]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if (first, second, process.returncode) != (1, 3, 0):
        return f"{first} {second}, exit {process.returncode}\n{err.decode()}"
    return None


CASES = [
    readers_of_split_files, rows_tied_at_the_watermark, the_last_window_comes_out,
    a_slow_consumer_makes_no_row_late, silence_closes_windows, rows_after_silence_are_told,
    the_future_is_refused, the_first_signal_drains, updates_come_with_retractions,
    a_range_of_time, files_are_followed,
]


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    report = Report()
    for case in CASES:
        if len(sys.argv) > 1 and case.__name__ not in sys.argv[1:]:
            continue
        report.add(case.__name__, case())
    report.close()


main()
