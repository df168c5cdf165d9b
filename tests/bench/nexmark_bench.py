"""Nexmark beside Flink, both on the same events, made inside: thousand events per CPU-second.

Two threads each. Ours is the whole process, `--as stream`, once with the rows that are left at the
end (`final`) and once with every update on the way (`updates`), thrown away. Flink's start and a
warm-up are not counted; its checkpoints are on. Where Flink cannot be had, the figures of the
design's machine stand in for it. QUERIES="q00 q05" chooses, FLINK=0 leaves Flink out, EVENTS= and
FLINK_EVENTS= set sizes in millions, FLINK_BACKEND=hashmap the other state backend.
"""

import os
import re
import subprocess

import flink_peer
import measure
from nexmark import tables
from support import csv_text
from support.program import binary, run

GOAL = 10
SEED = 1
STEP_US = 100
ANSWER_EVENTS, ANSWER_STEP_US = 20000, 2000  # whole milliseconds: Flink has no finer event time
RUNS = int(os.environ.get("BENCH_RUNS", "3"))

# Thousand events per CPU-second of Flink 2.3 with RocksDB, measured on a busier machine.
MEASURED = {
    "q00": 300, "q01": 315, "q02": 345, "q03": 258, "q04": 39, "q05": 57, "q07": 33, "q08": 154,
    "q09": 30, "q10": 181, "q11": 49, "q12": 187, "q13": 78, "q14": 291, "q15": 112, "q16": 17,
    "q17": 137, "q18": 95, "q19": 67, "q20": 41, "q21": 177, "q22": 241,
}
HEAVY = ["q04", "q05", "q07", "q09", "q11", "q16", "q18", "q19", "q20", "q23"]
# Equal prices may have any rank; nobody knows what the wall clock did; Flink cannot plan q06.
OPEN = ["q06", "q12", "q19"]


def bench():
    wanted = os.environ.get("QUERIES", "").split() or tables.QUERIES
    without = "FLINK=0" if os.environ.get("FLINK") == "0" else flink_peer.install()
    if without:
        print(f"without Flink ({without}): ratios are to the design's figures")
    return [_query(query, without is None and query != "q06") for query in wanted]


def _query(query, with_flink):
    result = {"name": f"nexmark {query}", "goal": GOAL}
    if with_flink and query not in OPEN:
        _compare_answers(query)
    events = int(float(os.environ.get("EVENTS", "5")) * 1e6)
    for name, out in (("final", "discard"), ("updates", "changelog")):
        result[name] = _ours(query, events // (5 if query == "q23" else 1), out)
    if with_flink:
        millions = float(os.environ.get("FLINK_EVENTS", "1" if query in HEAVY else "5"))
        result["flink"] = _flink(query, int(millions * 1e6))
    peer = result.get("flink", {}).get("thousand_per_cpu_second") or MEASURED.get(query)
    for name in ("final", "updates"):
        if peer and result[name]:
            result[name]["ratio"] = result[name]["thousand_per_cpu_second"] / peer
    _print(query, result)
    return result


def _figures(events, wall, cpu):
    return {
        "events": events, "wall_seconds": wall, "cpu_seconds": cpu,
        "thousand_per_cpu_second": events / cpu / 1000, "thousand_per_second": events / wall / 1000,
    }


def _ours(query, events, out):
    """The best of a few runs; None where the query cannot go that way."""
    given = {"events": events, "seed": SEED, "step": f"{STEP_US}us", "out": out}
    command = [binary(), "run", tables.PIPELINES / f"{query}.lua", "--as", "stream", "--workers", 2,
               *tables.parameters(given)]
    command = list(map(str, command))
    tried = subprocess.run(command, capture_output=True, text=True)
    if tried.returncode != 0:
        print(f"{query} {out}: {tried.stderr.strip().splitlines()[:1]}")
        return None
    one = measure.Contender("tidemill", command)
    measure.alternate([one], RUNS)
    return _figures(events, min(one.wall), min(one.cpu))


def _flink(query, events):
    backend = os.environ.get("FLINK_BACKEND", "rocksdb")
    try:
        wall, cpu = flink_peer.measure(query, events, SEED, STEP_US, backend)
    except RuntimeError as failed:
        print(f"{query}: Flink fails\n{failed}")
        return {}
    return _figures(events, wall, cpu)


def _compare_answers(query):
    given = {"events": ANSWER_EVENTS, "seed": SEED, "step": f"{ANSWER_STEP_US}us"}
    script = tables.PIPELINES / f"{query}.lua"
    done = run("run", script, "--as", "stream", "--format", "csv", *tables.parameters(given))
    if done.status != 0:
        return
    _, rows = csv_text.read(done.out)
    ours = sorted([_plain(text) for text in row] for row in rows)
    peer = flink_peer.answer(query, ANSWER_EVENTS, SEED, ANSWER_STEP_US)
    theirs = sorted([_plain(text) for text in row] for row in peer)
    if ours == theirs:
        return
    first = next((pair for pair in zip(ours, theirs) if pair[0] != pair[1]), "a row too few")
    raise SystemExit(f"{query}: the answers differ ({len(ours)}, {len(theirs)} rows)\n{first}")


def _plain(text):
    """One form for what both write differently: nulls, times, numbers with a fraction."""
    if text is None or text == "null":
        return ""
    if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z?", text):
        text = text.rstrip("Z")
        text = text if text.count(":") == 2 else text + ":00"
        whole, _, fraction = text.partition(".")
        return f"{whole}.{fraction[:3]:0<3}"
    if re.fullmatch(r"-?\d+\.\d+(E\d+)?", text):
        return f"{float(text):.10g}"
    return text


def _print(query, result):
    parts = [f"{query:<5}"]
    for name in ("final", "updates"):
        one = result[name]
        if not one:
            parts.append(f"{name}: no")
            continue
        rate, wall = one["thousand_per_cpu_second"], one["wall_seconds"]
        ratio = f" {one['ratio']:7.1f}x" if "ratio" in one else ""
        parts.append(f"{name} {rate:>8.0f} k/CPU-s {wall:6.2f} s wall{ratio}")
    if result.get("flink"):
        parts.append(f"flink {result['flink']['thousand_per_cpu_second']:>6.0f} k/CPU-s")
    elif query in MEASURED:
        parts.append(f"design {MEASURED[query]:>5} k/CPU-s")
    print("  ".join(parts), flush=True)


def show(results):
    """The table was printed line by line; what is left is the verdict."""
    for name in ("final", "updates"):
        ratios = {r["name"]: r[name]["ratio"] for r in results if r[name] and "ratio" in r[name]}
        below = [f"{query} {ratio:.1f}x" for query, ratio in ratios.items() if ratio < GOAL]
        verdict = "met" if ratios and not below else f"MISSED by {', '.join(below) or 'all'}"
        print(f"nexmark, {name}: goal {GOAL}x Flink on each of {len(ratios)} queries: {verdict}")
