"""All 24 Nexmark answers against DuckDB: as batch and as stream, with one worker and with three,
from files and from the generator inside. Once an answer was found right, all others must be the
same rows, byte for byte.

`nexmark_test.py q03 q07` runs only those. EVENTS= takes another number of events.
"""

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import duckdb

from nexmark import answers, tables
from support.program import run
from support.report import Report

EVENTS = int(os.environ.get("EVENTS") or (100000 if "TM_TEST_LONG" in os.environ else 20000))
SEED = int(os.environ.get("TM_TEST_SEED", "1"))

# Event time between two events: some windows of ten seconds, less than one, days without disorder.
# The first with all events, the others with a quarter.
STEPS = ["2ms", "100us", "20s"]


def main():
    chosen = sys.argv[1:] or tables.QUERIES
    report = Report()
    for nth, step in enumerate(STEPS):
        seed = SEED + nth
        events = EVENTS if nth == 0 else EVENTS // 4
        folder = tables.make(events, seed, step)
        peer = duckdb.connect()
        tables.load(peer, folder)
        files = {"data": folder}
        made = {"events": events, "seed": seed, "step": step}
        for query in chosen:
            names, rows = _answer(peer, query)
            right = []
            for given, mode, workers in _cases(nth, files, made):
                if query == "q12" and mode == "batch":
                    continue  # no windows of processing time there
                problem = _check(query, (given, mode, workers), names, rows, right)
                report.add(f"{query} of {given} --as {mode}, {workers} workers", problem)
        if nth == 0:
            _parameters(peer, folder, made, report)
        if "q13" in chosen and nth == 0:
            _side_inputs(peer, folder, report)
    report.close()


def _parameters(peer, folder, made, report):
    """A rate takes its time and changes no row; what is wrong is said."""
    names, rows = _answer(peer, "q00")
    start = time.monotonic()
    problem = _check("q00", ({**made, "rate": 2 * made["events"]}, "stream", 2), names, rows, [])
    if problem is None and not 0.45 < time.monotonic() - start:
        problem = "half a second of events came sooner"
    report.add("q00 at a rate", problem)
    for given in ({}, {"data": folder, "rate": 5}, {"data": folder, "out": "answer.txt"}):
        done = run("run", tables.PIPELINES / "q00.lua", *tables.parameters(given))
        problem = None if done.status == 2 else f"exit status {done.status}\n{done.err}"
        report.add(f"q00 with {given}", problem)


def _side_inputs(peer, folder, report):
    """q13 takes the folder's table, whatever is in it, and makes one where there is none."""
    with tempfile.TemporaryDirectory() as other:
        for name in tables.COLUMNS:
            (Path(other) / f"{name}.jsonl").symlink_to(folder / f"{name}.jsonl")
        names, rows = _answer(peer, "q13")
        problem = _check("q13", ({"data": other}, "batch", 2), names, rows, [])
        report.add("q13 without side_input.csv", problem)
        (Path(other) / "side_input.csv").write_text("key,value\n1000,a thousand\n1007,\n")
        tables.load(peer, other)
        names, rows = _answer(peer, "q13")
        problem = _check("q13", ({"data": other}, "stream", 2), names, rows, [])
        report.add("q13 with another side_input.csv", problem)


def _answer(peer, query):
    cursor = peer.execute(tables.sql(query))
    return [column[0] for column in cursor.description], cursor.fetchall()


def _cases(nth, files, made):
    """Everything for the first step, a part for the others."""
    if nth == 0:
        yield from ((files, mode, n) for mode in ("batch", "stream") for n in (1, 3))
    yield made, "batch", 3
    yield made, "stream", 1
    yield made, "stream", 3


def _check(query, case, names, rows, right):
    """What is wrong, or None; `right` holds the sorted lines of an answer known to be right."""
    given, mode, workers = case
    result = run(
        "run", tables.PIPELINES / f"{query}.lua", *tables.parameters(given), "--as", mode,
        "--workers", workers, "--format", "csv",
    )
    if result.status != 0:
        return f"exit status {result.status}\n{result.err}"
    lines = sorted(result.out.splitlines())
    if lines in right:
        return None
    try:
        header, ours = answers.read(result.out)
    except ValueError as broken:
        return f"the answer is not CSV: {broken}"
    if query == "q12":
        header, ours = _without_windows(header, ours)
    problem = answers.difference(header, ours, names, rows)
    if problem is None and right and query != "q12":
        problem = "the answer is right, and yet not that of other runs byte for byte"
    if problem is None:
        right.append(lines)
    return problem


def _without_windows(header, rows):
    """Counts of a bidder over all windows of processing time."""
    sums = Counter()
    for bidder, count, *_ in rows:
        sums[bidder] += int(count)
    return header[:2], [[bidder, str(count)] for bidder, count in sums.items()]


main()
