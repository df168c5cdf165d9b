"""Every verb and aggregate on random tables, against a model of reference.md and against DuckDB.

SEED= and CASES= choose the cases (fixed by default), CASE= runs one of them. Each case runs with
one worker and with three, with whole and with tiny batches, and without lifting where its functions
declare their types. The rows must be equal as text and in the documented order.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import duckdb

from differential import cases, compare
from support.program import BUILD, run
from support.report import Report

TINY = {"TIDEMILL_BATCH_ROWS": "3", "TIDEMILL_BLOCK_BYTES": "64"}
RUNS = [
    ("one worker", ["--workers", "1"], {}),
    ("three workers", ["--workers", "3"], {}),
    ("one worker, tiny batches", ["--workers", "1"], TINY),
    ("three workers, tiny batches", ["--workers", "3"], TINY),
]
UNLIFTED = ("without lifting", ["--workers", "2", "--no-lift"], {})


def main():
    seed = os.environ.get("SEED") or os.environ.get("TM_TEST_SEED", "1")
    count = int(os.environ.get("CASES") or (1500 if "TM_TEST_LONG" in os.environ else 150))
    numbers = [int(os.environ["CASE"])] if "CASE" in os.environ else range(count)
    folder = BUILD / "differential"
    peer = duckdb.connect()
    report, judged = Report(), 0
    for number in numbers:
        case = cases.make(seed, number, folder)
        problem, by_peer = _check_model(peer, case)
        judged += by_peer
        for run_name, options, env in RUNS + ([UNLIFTED] if case.declares else []):
            problem = problem or _check_run(case, run_name, options, env)
        if problem:
            problem += f"\nSEED={seed} CASE={number} {case.path}\n{case.script}"
        report.add(f"case {case.name}", problem)
    print(f"{judged} of {len(numbers)} cases were judged by DuckDB too")
    report.close()


def _check_model(peer, case):
    """(problem, whether DuckDB could judge): the model's rows against DuckDB's."""
    if not case.flow.sql:
        return None, False
    names = ", ".join(f'"{c.name}"' for c in case.flow.columns)
    try:
        rows = peer.execute(f"select {names} from ({case.flow.sql})").fetchall()
    except duckdb.Error as refused:
        if os.environ.get("VERBOSE"):
            print(f"case {case.name}: DuckDB does not run it: {str(refused)[:300]}")
        return None, False
    problem = compare.with_peer(case.flow, rows)
    return problem and f"the model differs from DuckDB: {problem}", True


def _check_run(case, run_name, options, env):
    summary = case.path.with_name("summary.json")
    for path, *_ in case.flow.rejects:
        path.unlink(missing_ok=True)
    result = run(
        "run", case.path, *options, "--format", "csv", "--summary", summary, env=env, timeout=60
    )
    if result.status != 0:
        return f"{run_name}: exit status {result.status}\n{result.err}"
    problem = compare.with_program(case.flow, result.out)
    problem = problem or _check_rejects(case) or _check_ledger(json.loads(summary.read_text()))
    return problem and f"{run_name}: {problem}"


def _check_rejects(case):
    for path, least, most in case.flow.rejects:
        lines = path.read_bytes().splitlines()
        reasons = {json.loads(line)["reason"] for line in lines}
        if not least <= len(lines) <= most or reasons - {"check"}:
            return f"{path} has {len(lines)} rejects {reasons or ''}, expected {least} to {most}"
    return None


def _check_ledger(summary):
    """Each step balances: what went in, and what it made, is accounted for."""
    parts = ["passed", "filtered", "duplicate", "late", "rejected", "unmatched", "absorbed", "held"]
    for step in summary["steps"]:
        given = step["in"] + step["produced"]
        spent = sum(step[part] for part in parts)
        if given != spent:
            return f"step {step['name']} does not balance: {given} in, {spent} out\n  {step}"
    return None


main()
