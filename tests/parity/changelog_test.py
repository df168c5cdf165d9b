#!/usr/bin/env python3
"""What is left of the changelog of a stream is what a batch gives: random pipelines of the steps
that take rows back, over random sources, in batches of any size and with any number of workers.

    changelog_test.py [--seed N] [--count N] [--only N]

No row may be taken back before it was given, at any place in the changelog."""

import argparse
import csv
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

import random_data  # noqa: E402
from support import program  # noqa: E402
from support.report import Report  # noqa: E402

LONG = os.environ.get("TM_TEST_LONG") == "1"
NUMBERS = {"int64", "int32", "float64", "decimal"}


class Flow:
    """A name of the script, the columns that it has, and how many changelogs lie above."""

    def __init__(self, name, columns, final):
        self.name, self.columns, self.final = name, dict(columns), final

    def of(self, random, kinds=None):
        names = [n for n, kind in self.columns.items() if kinds is None or kind in kinds]
        return random.choice(names) if names else None


class Pipeline:
    def __init__(self, chance, folder):
        self.random, self.folder, self.lines, self.used = chance, folder, [], []
        self.made = 0
        self.sources = [self.source(i) for i in range(chance.choice([1, 2, 2]))]

    def new(self, text, columns, final):
        self.made += 1
        name = f"f{self.made}"
        self.lines.append(f"local {name} = {text}")
        return Flow(name, columns, final)

    def source(self, number):
        rows = random_data.rows_of(self.random, self.random.choice([0, 3, 40, 200]), "s", 5, 0)
        path = self.folder / f"s{number}.csv"
        random_data.write(path, rows)
        ddl = ", ".join(f"{name} {kind}" for name, kind in random_data.COLUMNS)
        kinds = {name: kind.split("(")[0] for name, kind in random_data.COLUMNS}
        return self.new(f'tm.csv {{ path = "{path}", schema = "{ddl}" }}', kinds, True)

    def filter(self, flow):
        column = flow.of(self.random, {"int64", "int32"})
        if column is None:
            return None
        body = f"return r.{column} ~= nil and r.{column} % 3 ~= {self.random.randint(0, 2)}"
        return self.new(f"{flow.name}:filter(function(r) {body} end)", flow.columns, flow.final)

    def add(self, flow):
        column = flow.of(self.random, {"int64"})
        if column is None:
            return None
        name = f"w{self.made}"
        body = f"return r.{column} and r.{column} // 2 + 1"
        fields = f"{name} = {{ function(r) {body} end, 'int64' }}"
        return self.new(f"{flow.name}:with {{ {fields} }}", {**flow.columns, name: "int64"},
                        flow.final)

    def agg(self, flow):
        count = min(self.random.choice([0, 1, 1, 2]), len(flow.columns))
        keys = self.random.sample(sorted(flow.columns), count)
        columns, parts = {k: flow.columns[k] for k in keys}, []
        for number in range(self.random.randint(1, 4)):
            agg = self.random.choice(["count", "count", "sum", "avg", "min", "max", "median",
                                      "count_distinct", "variance", "first", "last"])
            kinds = NUMBERS if agg in ("sum", "avg", "median", "variance") else None
            of, name = flow.of(self.random, kinds), f"a{self.made}_{number}"
            if of is None or (agg == "sum" and flow.columns[of] == "int64"):
                agg, of = "count", None
            parts.append(f"{self.call(flow, agg, of)}:as '{name}'")
            columns[name] = self.kind(agg, flow.columns.get(of))
        group = ", ".join(f'"{k}"' for k in keys)
        grouped = f"{flow.name}:group_by({group})" if keys else flow.name
        return self.new(f"{grouped}:agg {{ {', '.join(parts)} }}", columns, False)

    def call(self, flow, agg, of):
        if of is None:
            where = flow.of(self.random, {"int64", "int32"})
            if where is None or self.random.random() < 0.5:
                return "tm.count()"
            return f"tm.count {{ where = function(r) return r.{where} ~= nil end }}"
        return f'tm.{agg} "{of}"'

    @staticmethod
    def kind(agg, kind):
        if agg in ("count", "count_distinct"):
            return "int64"
        if agg in ("median", "variance"):
            return "float64"
        if agg == "avg":
            return "decimal" if kind == "decimal" else "float64"
        if agg == "sum":
            return kind if kind in ("decimal", "float64") else "int64"
        return kind

    def top(self, flow):
        by = [self.random.choice(["", "-"]) + c
              for c in self.random.sample(sorted(flow.columns), min(2, len(flow.columns)))]
        options = ["by = { " + ", ".join(f'"{c}"' for c in by) + " }"]
        columns = dict(flow.columns)
        if self.random.random() < 0.6:
            options.append(f'per = "{flow.of(self.random)}"')
        if self.random.random() < 0.4:
            options.append('ties = "all"')
        if self.random.random() < 0.4:
            options.append(f'rank = "r{self.made}"')
            columns[f"r{self.made}"] = "int64"
        n = self.random.choice([1, 2, 5])
        return self.new(f"{flow.name}:top({n}, {{ {', '.join(options)} }})", columns, False)

    def distinct(self, flow):
        some = self.random.sample(sorted(flow.columns), min(2, len(flow.columns)))
        names = ", ".join(f'"{c}"' for c in some)
        return self.new(f"{flow.name}:distinct({names})", {c: flow.columns[c] for c in some},
                        flow.final)

    def union(self, flow):
        other = self.random.choice([f for f in self.flows if f.columns == flow.columns])
        return self.new(f"{flow.name}:union({other.name})", flow.columns,
                        flow.final and other.final)

    def join(self, flow):
        other = self.random.choice(self.flows)
        left = flow.of(self.random)
        kind = flow.columns[left]
        right = other.of(self.random, {kind, "int32", "int64"} if "int" in kind else {kind})
        if right is None or len(flow.columns) + len(other.columns) > 24:
            return None
        how = self.random.choice(["inner", "left", "right", "full", "semi", "anti"])
        prefix = f"p{self.made}_"
        columns = dict(flow.columns)
        if how not in ("semi", "anti"):
            columns.update({prefix + c: k for c, k in other.columns.items()
                            if not (c == right == left)})
        return self.new(f'{flow.name}:join({other.name}, {{ on = {{ {left} = "{right}" }}, '
                        f'kind = "{how}", prefix = "{prefix}" }})', columns,
                        flow.final and other.final and how in ("inner", "semi"))

    def script(self):
        self.flows = list(self.sources)
        verbs = ["filter", "add", "agg", "agg", "top", "distinct", "join", "join", "union"]
        for _ in range(self.random.randint(2, 6)):
            verb = self.random.choice(verbs)
            made = getattr(self, verb)(self.random.choice(self.flows[-3:]))
            if made is not None:
                self.flows.append(made)
                self.used.append(verb)
        sinks = self.flows[-2:]
        outs = ", ".join(f'{f.name}:to(sink "{f.name}.csv")' for f in sinks)
        text = ['local tm <const> = require "tidemill"',
                "local folder = tm.param('out', '.')",
                "local changes = tm.param('changes', false)",
                'local function sink(name)',
                '  local file = tm.csv(folder .. "/" .. name)',
                '  return changes and tm.changelog(file) or file',
                'end', *self.lines, f"return tm.stream {{ name = 'random', {outs} }}"]
        return "\n".join(text) + "\n", [f.name for f in sinks]


def read(path, weighted):
    """(rows left, problem) of a file."""
    left = Counter()
    with open(path, newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        next(lines)
        for line in lines:
            line = line or [""]  # one column, which is null
            row, weight = (tuple(line[:-1]), int(line[-1])) if weighted else (tuple(line), 1)
            left[row] += weight
            if left[row] < 0:
                return left, f"{path.name}: {row} is taken back before it was given"
    return +left, None


def compare(name, batch, stream):
    expected, _ = read(batch, False)
    actual, problem = read(stream, True)
    if problem is not None or actual == expected:
        return problem
    return (f"{name}: missing {list((expected - actual).items())[:5]}, "
            f"too many {list((actual - expected).items())[:5]}")


def check(seed, number, options):
    """(problem or None, verbs used)"""
    chance = random.Random(f"{seed}/{number}")
    folder = Path(tempfile.mkdtemp(prefix="tidemill-changelog-"))
    try:
        pipeline = Pipeline(chance, folder)
        text, names = pipeline.script()
        script = folder / "job.lua"
        script.write_text(text)
        if options.only is not None:
            print(text)
        env = {"TIDEMILL_BATCH_ROWS": str(chance.choice([1, 3, 16, 100, 2048])),
               "TIDEMILL_BLOCK_BYTES": str(chance.choice([64, 300, 5000]))}
        for mode in ("batch", "stream"):
            more = ["--param", "changes=true"] if mode == "stream" else []
            done = program.run("run", script, "--as", mode, "--param", f"out={folder / mode}",
                               *more, "--workers", chance.choice([1, 2, 3]), env=env)
            if done.status == 2 and "of a top while it changes" in done.err:
                return None, ["refused"]
            if done.status != 0:
                return f"{seed}/{number}: {mode} exit {done.status}\n{text}\n{done.err}", []
        for name in names:
            problem = compare(name, folder / "batch" / f"{name}.csv",
                              folder / "stream" / f"{name}.csv")
            if problem is not None:
                return f"--seed {seed} --only {number} {env}\n{text}\n{problem}", []
        return None, pipeline.used
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", default=os.environ.get("TM_TEST_SEED", "1"))
    parser.add_argument("--count", type=int, default=3000 if LONG else 200)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    report, used = Report(), Counter()
    numbers = [options.only] if options.only is not None else range(options.count)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (problem, verbs) in pool.map(
                lambda n: (n, check(options.seed, n, options)), numbers):
            report.add(f"pipeline {number}", problem)
            used.update(verbs)
    print("steps: " + ", ".join(f"{verb} {count}" for verb, count in sorted(used.items())))
    report.close()


if __name__ == "__main__":
    main()
