"""Malformed rows among good ones: each must be refused with its reason, its line and its raw text,
in source order, and every good row must pass, whatever the workers and the size of batches.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from differential.expressions import Maker
from support import csv_text
from support.program import BUILD, run
from support.report import Report

SCHEMA = (
    "id int64 not null, small int32, ratio float64, price decimal(7,2), ok bool, day date, "
    "at timestamp, note string"
)
GOOD = {
    "id": ["1", "-5", "9223372036854775807"], "small": ["", "7", "-2147483648"],
    "ratio": ["", "1.5", "1e300", "NaN"], "price": ["", "12.50", "-99999.99", "3"],
    "ok": ["", "true", "no"], "day": ["", "2024-02-29"], "at": ["", "2024-02-29T10:00:00Z"],
    "note": ["", "plain", '"two\nlines, quoted"', '"say ""x"""', "äöü"],
}
BAD = {
    "id": [("", "null"), ("x", "type"), ("9223372036854775808", "range"), ("1.5", "type")],
    "small": [("2147483648", "range"), ("1e3", "type"), ("7 7", "type")],
    "ratio": [("abc", "type"), ("1e400", "range"), ("1.5.2", "type")],
    "price": [("12.345", "scale"), ("1000000.00", "range"), ("--1", "type")],
    "ok": [("maybe", "type"), ("2", "type")],
    "day": [("2024-02-30", "type range"), ("yesterday", "type")],
    "at": [("2024-02-29T25:00:00Z", "type range"), ("noon", "type")],
    "note": [(b"\xff\xfe", "encoding"), ('"a"b', "quote")],
}
NAMES = list(GOOD)
TINY = {"TIDEMILL_BATCH_ROWS": "3", "TIDEMILL_BLOCK_BYTES": "64"}


def main():
    seed = os.environ.get("SEED") or os.environ.get("TM_TEST_SEED", "1")
    count = int(os.environ.get("CASES") or (200 if "TM_TEST_LONG" in os.environ else 20))
    numbers = [int(os.environ["CASE"])] if "CASE" in os.environ else range(count)
    report = Report()
    for number in numbers:
        rng = Maker(f"rejects {seed} {number}")
        folder = BUILD / "differential" / f"rejects-{seed}-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        expected = _write(rng, folder, rng.choice([1, 10, 60, 3000]))
        for workers in ("1", "3"):
            for env in ({}, TINY):
                problem = _check(folder, workers, env, *expected)
                name = f"rejects SEED={seed} CASE={number}, {workers} workers, {env}"
                report.add(name, problem)
    for name, check in (("without bad", _first_stops), ("max_bad", _too_many), ("skip", _skipped)):
        report.add(name, check())
    report.close()


def _write(rng, folder, rows):
    """Writes two files and returns (ids of good rows in order, [(file, line, reasons, raw)])."""
    passed, refused = [], []
    for file in ("one.csv", "two.csv"):
        data, line = bytearray(",".join(NAMES).encode() + b"\n"), 2
        for _ in range(rows):
            raw, reasons, first = _row(rng)
            if reasons:
                refused.append((file, line, reasons, raw))
            else:
                passed.append(first)
            data += raw + b"\n"
            line += raw.count(b"\n") + 1
        (folder / file).write_bytes(bytes(data))
    return passed, refused


def _row(rng):
    """(raw bytes, reasons or None, the first field): one field of a bad row is wrong."""
    fields = [rng.choice(GOOD[name]).encode() for name in NAMES]
    reasons = None
    if rng.random() < 0.2:
        if rng.random() < 0.1:
            return b",".join(rng.choice([fields[:3], fields + [b"x"]])), "ragged", None
        place = rng.randrange(len(NAMES))
        text, reasons = rng.choice(BAD[NAMES[place]])
        fields[place] = text if isinstance(text, bytes) else text.encode()
    return b",".join(fields), reasons, fields[0].decode()


def _check(folder, workers, env, passed, refused):
    rejects = folder / "rejects.jsonl"
    script = folder / "case.lua"
    script.write_text(f"""local tm <const> = require "tidemill"
local rows = tm.csv {{
  path = {{ "{folder}/one.csv", "{folder}/two.csv" }}, schema = "{SCHEMA}",
  bad = tm.jsonl "{rejects}",
}}
return tm.batch {{ name = "rejects", rows:select("id"):to(tm.stdout()) }}
""")
    result = run("run", script, "--format", "csv", "--workers", workers, env=env)
    if result.status != 0:
        return f"exit status {result.status}\n{result.err}"
    ids = [row[0] for row in csv_text.read(result.out)[1]]
    if ids != passed:
        return f"{len(ids)} rows passed, expected {len(passed)}\n  {ids[:20]}\n  {passed[:20]}"
    found = [json.loads(line) for line in rejects.read_bytes().splitlines()]
    for mine, (file, line, reasons, raw) in zip(found, refused):
        text = raw.decode("utf-8", "replace")
        same = Path(mine["file"]).name == file and mine["line"] == line
        if not same or mine["reason"] not in reasons.split():
            return f"tidemill {mine}\nexpected {file} line {line} {reasons} {raw!r}"
        if "\ufffd" not in text and mine["raw"] != text:
            return f"raw of {file} line {line}\n  tidemill {mine['raw']!r}\n  expected {text!r}"
    if len(found) != len(refused):
        return f"{len(found)} rejects, expected {len(refused)}"
    return None


def _small_job(options):
    folder = BUILD / "differential" / "rejects-small"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "in.csv").write_text("id,n\n1,5\n2,x\n3,7\n4,y\n")
    (folder / "out.csv").unlink(missing_ok=True)
    script = folder / "case.lua"
    script.write_text(f"""local tm <const> = require "tidemill"
local rows = tm.csv {{ path = "{folder}/in.csv", schema = "id int64, n int64"{options} }}
return tm.batch {{ name = "small", rows:to(tm.csv "{folder}/out.csv") }}
""")
    result = run("run", script, "--workers", "3")
    out = folder / "out.csv"
    return result, out.read_text() if out.exists() else None, folder


def _first_stops():
    result, out, _ = _small_job("")
    if result.status != 1 or out is not None:
        return f"exit status {result.status}, output {out!r}\n{result.err}"
    if "in.csv" not in result.err or "line 3" not in result.err or "2,x" not in result.err:
        return f"the message shows neither the first bad line nor its text\n{result.err}"
    return None


def _too_many():
    folder = BUILD / "differential" / "rejects-small"
    bad = f', bad = tm.jsonl "{folder}/bad.jsonl", max_bad = '
    result, out, _ = _small_job(bad + "1")
    if result.status != 3 or out is not None:
        return f"two bad rows of at most 1: exit status {result.status}, output {out!r}"
    if len((folder / "bad.jsonl").read_text().splitlines()) != 2:
        return "a run that ends with 3 does publish its rejects"
    result, out, _ = _small_job(bad + "2")
    return None if result.status == 0 and out else f"two of 2: exit status {result.status}"


def _skipped():
    result, out, _ = _small_job(', on_error = "skip"')
    if result.status != 0 or out != "id,n\n1,5\n3,7\n":
        return f"exit status {result.status}, output {out!r}\n{result.err}"
    return None


main()
