"""What tidemill writes, it reads back to the same rows: CSV, JSON lines, MessagePack, compressed.

A random table is written in every format in one run and read back from each in a second one; all
the rows must come out as the same text. Other readers must see the same values: Python's json and
gzip, pyarrow's zstd.
"""

import gzip
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pyarrow

from differential import column_types as ct
from differential import random_tables, sources
from differential.expressions import Maker
from support import csv_text
from support.program import BUILD, run
from support.report import Report

WRITTEN = {  # name of the file: (verb, options when writing and reading)
    "a.csv": ("csv", ""),
    "b.csv": ("csv", ', delimiter = ";"'),
    "c.csv": ("csv", ", header = false"),
    "d.tsv": ("csv", ""),
    "e.csv.gz": ("csv", ""),
    "f.csv.zst": ("csv", ""),
    "g.jsonl": ("jsonl", ""),
    "h.jsonl.gz": ("jsonl", ""),
    "i.jsonl.zst": ("jsonl", ""),
    "j.msgpack": ("msgpack", ""),
    "k.msgpack.gz": ("msgpack", ""),
}
TINY = {"TIDEMILL_BATCH_ROWS": "3", "TIDEMILL_BLOCK_BYTES": "64"}


def main():
    seed = os.environ.get("SEED") or os.environ.get("TM_TEST_SEED", "1")
    count = int(os.environ.get("CASES") or (300 if "TM_TEST_LONG" in os.environ else 30))
    numbers = [int(os.environ["CASE"])] if "CASE" in os.environ else range(count)
    report = Report()
    for number in numbers:
        problem = _check(seed, number)
        report.add(f"round trip {number}", problem and f"{problem}\nSEED={seed} CASE={number}")
    report.close()


def _check(seed, number):
    rng = Maker(f"round trip {seed} {number}")
    folder = BUILD / "differential" / f"round-{seed}-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    table = random_tables.table(rng, rng.choice([0, 1, 2, 30, 30, 400]))
    env = TINY if rng.random() < 0.5 else {}
    workers = rng.choice(["1", "3"])
    source = sources.write(rng, table, folder, "in")
    outputs = {
        name: f'flow:to(tm.{verb} {{ path = "{folder}/{name}"{more} }})'
        for name, (verb, more) in WRITTEN.items()
    }
    all_outputs = [*outputs.values(), "flow:to(tm.stdout())"]
    result = _run(folder / "write.lua", source, all_outputs, workers, env)
    if result.status != 0:
        return f"writing: exit status {result.status}\n{result.err}\n{source}"
    first = result.out
    problem = _wrong_text(table, first) or _wrong_json(table, folder / "g.jsonl")
    problem = problem or _wrong_compression(folder)
    if problem:
        return f"{problem}\n{source}"
    for name, (verb, more) in WRITTEN.items():
        ddl = sources.lua_ddl(table.columns)
        back = f'tm.{verb} {{ path = "{folder}/{name}", schema = {ddl}{more} }}'
        empty = not table.rows and (verb != "csv" or "false" in more)
        result = _run(folder / "read.lua", back, ["flow:to(tm.stdout())"], workers, env)
        if not empty and (result.status != 0 or result.out != first):
            return f"{name} does not come back\n{_difference(first, result)}\n{back}"
    return None


def _run(path, source, outputs, workers, env):
    lines = ['local tm <const> = require "tidemill"', f"local flow = {source}", ""]
    lines += ['return tm.batch { name = "trip",', *(f"  {output}," for output in outputs), "}", ""]
    path.write_text("\n".join(lines))
    return run("run", path, "--format", "csv", "--workers", workers, env=env)


def _wrong_text(table, data):
    header, rows = csv_text.read(data)
    expected = [[ct.text(c.type, v) for c, v in zip(table.columns, row)] for row in table.rows]
    for number, (mine, theirs) in enumerate(zip(rows, expected), 1):
        if mine != theirs:
            return f"row {number}\n  tidemill {mine}\n  expected {theirs}"
    if header != [c.name for c in table.columns] or len(rows) != len(expected):
        return f"{len(rows)} rows of {header}, expected {len(expected)}"
    return None


def _wrong_json(table, path):
    """Python's reader must see the same values; numbers are compared by their text."""
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    for line, row in zip(lines, table.rows):
        document = json.loads(line, parse_float=str, parse_int=str)
        if list(document) != [c.name for c in table.columns]:
            return f"{path.name}: fields {list(document)}"
        for column, value in zip(table.columns, row):
            mine = document[column.name]
            mine = str(mine).lower() if isinstance(mine, bool) else mine
            if mine != ct.text(column.type, value):
                return f"{path.name}: {column.name} is {mine!r}, expected {value!r}"
    return None if len(lines) == len(table.rows) else f"{path.name} has {len(lines)} lines"


def _wrong_compression(folder):
    read = lambda name: (folder / name).read_bytes()
    zstd = lambda name: pyarrow.input_stream(str(folder / name), compression="zstd").read()
    same = {
        "e.csv.gz": gzip.decompress(read("e.csv.gz")) == read("a.csv"),
        "f.csv.zst": zstd("f.csv.zst") == read("a.csv"),
        "h.jsonl.gz": gzip.decompress(read("h.jsonl.gz")) == read("g.jsonl"),
        "i.jsonl.zst": zstd("i.jsonl.zst") == read("g.jsonl"),
        "k.msgpack.gz": gzip.decompress(read("k.msgpack.gz")) == read("j.msgpack"),
    }
    wrong = [name for name, right in same.items() if not right]
    return f"{wrong} differ from what is not compressed" if wrong else None


def _difference(first, result):
    if result.status != 0:
        return f"exit status {result.status}\n{result.err}"
    pairs = zip(first.split(b"\n"), result.out.split(b"\n"))
    wrong = next((pair for pair in pairs if pair[0] != pair[1]), (b"more or fewer rows", b""))
    return f"  written {wrong[0]}\n  read    {wrong[1]}"


main()
