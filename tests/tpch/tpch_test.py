"""All 22 TPC-H answers at scale factor 0.01, with one worker and with three, against DuckDB.

Each case is one query with one number of workers. `tpch_test.py q03 q07` runs only those, SCALE=
takes another scale factor.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import duckdb

from support.program import ROOT, run
from support.report import Report
from tpch import answers, tables

SCALE = os.environ.get("SCALE") or ("0.1" if "TM_TEST_LONG" in os.environ else "0.01")


def main():
    chosen = sys.argv[1:] or tables.QUERIES
    folder = tables.make(SCALE)
    peer = duckdb.connect()
    for statement in tables.views(folder):
        peer.execute(statement)
    report = Report()
    for query in chosen:
        cursor = peer.execute(tables.sql(query))
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
        for workers in (1, 3):
            problem = _check(query, workers, folder, names, rows)
            report.add(f"{query} with {workers} workers", problem)
    report.close()


def _check(query, workers, folder, names, rows):
    script = ROOT / "pipelines" / "tpch" / f"{query}.lua"
    result = run(
        "run", script, "--param", f"data={folder}", "--workers", workers, "--format", "csv"
    )
    if result.status != 0:
        return f"exit status {result.status}\n{result.err}"
    return answers.difference(result.out, names, rows)


main()
