#!/usr/bin/env python3
"""State that time bounds stays bounded: a day of event time over a hundred thousand keys needs as
much memory as a third of it."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.program import BUILD, run
from support.report import Report

FOLDER = BUILD / "data" / "day"
LONG = os.environ.get("TM_TEST_LONG") == "1"
ROWS = 8_000_000 if LONG else 1_200_000  # in a day
KEYS = 100_000
SLACK_BYTES = 4_000_000

SOURCE = f"""
local tm <const> = require "tidemill"
local rows <const> = tm.param("rows", 0)
local step <const> = 86400000000 // {ROWS}
local function source(salt)
  return tm.generate {{
    rows = rows, schema = "k int64 not null, at timestamp not null, v int64 not null",
    row = function(i)
      return {{ k = i * 7919 % {KEYS}, v = i % 1000,
                at = 1767225600000000 + i * step - i * salt % 1000 * 10000 }}
    end,
    time = {{ field = "at", out_of_order = "10s" }},
  }}
end
local r = source(31)
"""

FLOWS = {
    "tumbling": 'r:group_by "k":window(tm.tumbling "1m"):agg { tm.count(), tm.sum "v" }',
    "hopping": 'r:group_by "k":window(tm.hopping("4m", "1m")):agg { tm.count() }',
    "session": 'r:group_by "k":window(tm.session("5m", { max = "1h" })):agg { tm.median "v" }',
    "sliding": 'r:group_by "k":window(tm.sliding "5m"):agg { tm.count(), m = tm.max "v" }',
    "dedup": 'r:dedup("k", { within = "10m" })',
    "once": 'r:once { per = "k", within = "10m" }',
    "join_interval": 'r:join_interval(source(37), { on = "k", from = "-1m", to = "1m", '
                     'kind = "left", take = { w = "v" } })',
    "over": 'r:over { per = "k", s = tm.sum("v", { range = "10m" }) }',
    "process": """r:group_by "k":process {
        state = { n = { "int64", ttl = "10m" } }, emits = "k int64",
        on_row = function(e, state, out)
          state.n = (state.n or 0) + 1
          out:timer("end", e.at + tm.minutes(5))
        end,
        on_timer = function(name, key, state, out) state.n = nil end,
      }""",
}


def peak(name, rows):
    """Bytes, or what went wrong."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    job, summary = FOLDER / f"{name}.lua", FOLDER / f"{name}.json"
    job.write_text(SOURCE + f"return tm.stream {{ ({FLOWS[name]}):to(tm.discard()) }}\n")
    done = run("run", job, "--workers", 1, "--param", f"rows={rows}", "--summary", summary,
               timeout=600)
    if done.status != 0:
        return None, f"exit {done.status}\n{done.err}"
    said = json.loads(summary.read_text())
    late = sum(step["late"] for step in said["steps"])
    return said["peak_memory_bytes"], f"{late} rows are late" if late else None


def problem_of(name):
    part, problem = peak(name, ROWS // 3)
    if problem:
        return problem
    whole, problem = peak(name, ROWS)
    if problem or whole <= part * 1.15 + SLACK_BYTES:
        return problem
    return f"{whole / 1e6:.1f} MB in a day, {part / 1e6:.1f} MB in a third of it"


def main():
    report = Report()
    for name in FLOWS:
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        report.add(f"a day of {name}", problem_of(name))
    report.close()


main()
