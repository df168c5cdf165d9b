#!/usr/bin/env python3
"""Batch and stream give the same: random pipelines over random sources, each run as a batch and as
a stream in several orders of arrival (tidemill prove).

    parity_test.py [--seed N] [--count N] [--only N] [--keep]

`--only N` proves pipeline N of the seed alone and shows its script; `--keep` leaves its files."""

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from random_pipelines import Pipeline  # noqa: E402
from support import program  # noqa: E402
from support.report import Report  # noqa: E402

LONG = os.environ.get("TM_TEST_LONG") == "1"
REFUSED_MOST = 0.35  # of all pipelines: more would prove little

# A script that only loads and binds where the engine has the verb.
PROBES = {
    "dedup": 't:dedup("k", { within = "1m" })', "once": 't:once { per = "k", within = "1m" }',
    "over": 't:over { per = "k", n = tm.row_number() }', "lookup": 't:lookup(t, { on = "k" })',
    "process": 't:group_by "k":process { emits = "k string", on_row = function(r) end }',
    "join_interval": 't:join_interval(t, { on = "k", from = "0s", to = "1s", kind = "semi" })',
    "join_asof": 't:join_asof(t, { on = "k", prefix = "o_" })',
    "join_window": 't:join(t, { on = "k", kind = "semi", window = tm.tumbling "1m" })',
}
WINDOWS = {
    "tumbling": 'tm.tumbling "1m"', "hopping": 'tm.hopping("2m", "1m")',
    "cumulate": 'tm.cumulate("2m", "1m")', "session": 'tm.session "1m"',
    "sliding": 'tm.sliding "1m"', "count": "tm.count_window(2)",
}
ALWAYS = ["filter", "with", "select", "check", "union", "agg", "top", "distinct", "join", "limit"]
SOURCE = 'local t = tm.rows { schema = "k string, at timestamp", time = "at" } return '


def engine_verbs():
    probes = dict(PROBES)
    for kind, window in WINDOWS.items():
        probes[f"agg {kind}"] = f"t:window({window}):agg {{ tm.count() }}"
        probes[f"top {kind}"] = f't:window({window}):top(1, {{ by = "k" }})'
    for option in ("fill = true", 'lateness = "1m"', 'emit = "early 1m"'):
        name = option.split()[0]
        probes[name] = f't:window(tm.tumbling "1m", {{ {option} }}):agg {{ tm.count() }}'
    has = [verb for verb, text in probes.items() if all(
        program.run("check", "-e", SOURCE + text, "--as", kind).status == 0
        for kind in ("batch", "stream"))]
    return set(ALWAYS + has + (["regroup"] if "agg tumbling" in has else []))


def prove(seed, number, verbs, options):
    """(problem or None, verbs used, refused?)"""
    chance = random.Random(f"{seed}/{number}")
    folder = Path(tempfile.mkdtemp(prefix="tidemill-parity-"))
    try:
        pipeline = Pipeline(chance, folder, verbs)
        text = pipeline.script()
        script = folder / "job.lua"
        script.write_text(text)
        if options.only is not None:
            print(text)
        lift = ["--no-lift"] if number % 7 == 3 else []
        done = program.run("prove", script, "--orders", 12 if LONG else 4, "--seed", number + 1,
                           *lift)
        said = done.out.decode("utf-8", "replace") + done.err
        if options.only is not None:
            print(said)
        refused = done.status == 2 and ("taken back" in said or "changelog" in said)
        if done.status == 0 or refused:
            return None, pipeline.used, refused
        return (f"--seed {seed} --only {number}: exit {done.status}\n{text}\n{said}",
                pipeline.used, False)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", default=os.environ.get("TM_TEST_SEED", "1"))
    parser.add_argument("--count", type=int, default=2000 if LONG else 120)
    parser.add_argument("--only", type=int)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    report, used, refusals = Report(), Counter(), 0
    verbs = engine_verbs()
    numbers = [options.only] if options.only is not None else range(options.count)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        proofs = pool.map(lambda n: (n, prove(options.seed, n, verbs, options)), numbers)
        for number, (problem, words, refused) in proofs:
            report.add(f"pipeline {number}", problem)
            refusals += refused
            if not refused:
                used.update(set(words))
    if options.only is None:
        print(f"{refusals} of {len(numbers)} refused by the plan; pipelines a verb: "
              + ", ".join(f"{verb} {used[verb]}" for verb in sorted(verbs)))
        many = refusals > REFUSED_MOST * len(numbers)
        report.add("few are refused", f"{refusals} of {len(numbers)}" if many else None)
        unused = [verb for verb in verbs if used[verb] == 0]
        if options.count >= 100:
            report.add("every verb is used", ", ".join(unused) or None)
    report.close()


if __name__ == "__main__":
    main()
