#!/usr/bin/env python3
"""Every pipeline that comes with tidemill gives the same as a batch and as a stream, in several
orders of arrival (tidemill prove). Words on the command line choose among them."""

import json
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.program import BUILD, ROOT, run
from support.report import Report
from tpch import tables

LONG = os.environ.get("TM_TEST_LONG") == "1"
PIPELINES = ROOT / "pipelines"
WORK = BUILD / "data" / "parity"

# What cannot be proven, and why.
NOT_PROVEN = {
    "nexmark/q12": "counts by the clock of the machine, which is another in every run",
    "nexmark/events": "a module", "nexmark/generate": "makes data", "tpch/tables": "a module",
    "sensors/readings": "makes data", "fraud/transactions": "makes data",
}


def make(name, maker, field, disorder):
    """Data by a pipeline that makes some, less the rows that come later than is declared: they are
    there to be late, and with late rows there is nothing to compare."""
    folder = WORK / name
    done = run("run", PIPELINES / maker, "--param", f"data={folder}", "--param", "rows=4000")
    if done.status != 0:
        raise SystemExit(f"{maker}: exit {done.status}\n{done.err}")
    for path in folder.glob("*.jsonl"):
        latest, kept = datetime.min, []
        for line in path.read_text().splitlines():
            at = datetime.fromisoformat(json.loads(line)[field].removesuffix("Z"))
            if latest == datetime.min or at >= latest - disorder:
                kept.append(line)
                latest = max(latest, at)
        path.write_text("\n".join(kept) + "\n")
    return folder


def sensors():
    return {"data": make("sensors", "sensors/readings.lua", "ts", timedelta(minutes=2))}


def fraud():
    return {"data": make("fraud", "fraud/transactions.lua", "at", timedelta(seconds=30))}


def parameters(name):
    folder = name.split("/")[0]
    if folder == "nexmark":
        return {"events": 20000 if LONG else 3000, "seed": 3, "step": "20ms"}
    if folder == "tpch":
        return {"data": tables.make("0.01")}
    if folder == "flights":
        return {"days": "2013-01-0*"}
    return {"sensors": sensors, "fraud": fraud}[folder]()


def orders(name):
    """Without event time there is one order: a few runs are enough."""
    if name.startswith("tpch/"):
        return 3 if LONG else 1
    return 12 if LONG else 4


def problem_of(name):
    arguments = ["prove", PIPELINES / f"{name}.lua", "--orders", orders(name)]
    for key, value in parameters(name).items():
        arguments += ["--param", f"{key}={value}"]
    if name.startswith("flights/"):
        arguments += ["--date", "2013-01-31"]
    done = run(*arguments, timeout=600)
    if done.status == 0:
        return None
    return f"exit {done.status}\n{done.out.decode('utf-8', 'replace')}{done.err}"


def main():
    report = Report()
    chosen = sys.argv[1:]
    for path in sorted(PIPELINES.glob("*/*.lua")):
        name = f"{path.parent.name}/{path.stem}"
        if name in NOT_PROVEN or chosen and not any(word in name for word in chosen):
            continue
        report.add(name, problem_of(name))
    report.close()


if __name__ == "__main__":
    main()
