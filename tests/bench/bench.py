"""Measures tidemill beside its peers: `bench.py [csv ndjson tpch start]`, all of them by default.

Every figure is of a whole process, from start to answer, two threads each, page cache warm. Answers
are compared first; then the contenders run in turn, and medians are divided. CPU seconds stand
beside them, and the peer's time without interpreter start-up and imports. BENCH_RUNS= sets how
often each runs. Results go to build/bench/NAME.json.
"""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import measure
import nexmark_bench
from support import csv_text
from support.program import BUILD, ROOT, binary
from tpch import answers, tables

FOLDER = BUILD / "bench"
JOBS = ROOT / "tests" / "bench" / "jobs"
ROWS = {"csv": "1e7", "ndjson": "3e6", "readings": "1e7"}
RUNS = int(os.environ.get("BENCH_RUNS", "5"))


def bench_csv():
    file = _generated("csv")
    results = []
    for key, limit in (("id1", 0.7), ("id3", 0.8)):
        contenders = [
            _ours(JOBS / "csv.lua", file=file, key=key),
            _peer("duckdb", "csv", file, key),
            _peer("polars", "csv", file, key),
        ]
        results.append(_race(f"csv, sum by {key}", contenders, limit))
    return results


def bench_ndjson():
    file = _generated("ndjson")
    contenders = [
        _ours(JOBS / "ndjson.lua", file=file),
        _peer("duckdb", "ndjson", file),
        _peer("polars", "ndjson", file),
    ]
    return [_race("ndjson, 2 of 8 fields", contenders, 0.5, against="duckdb")]


def bench_tpch():
    import duckdb

    folder = tables.make(os.environ.get("SCALE", "1"))
    measure.read_through(*folder.iterdir())
    peer = duckdb.connect()
    for statement in tables.views(folder):
        peer.execute(statement)
    results = []
    for query in tables.QUERIES:
        ours = _ours(ROOT / "pipelines" / "tpch" / f"{query}.lua", data=folder)
        cursor = peer.execute(tables.sql(query))
        names, rows = [c[0] for c in cursor.description], cursor.fetchall()
        wrong = answers.difference(ours.answer(), names, rows)
        if wrong:
            raise SystemExit(f"{query}: the answers differ\n{wrong}")
        contenders = [ours, _peer("duckdb", "tpch", folder, query)]
        measure.alternate(contenders, min(RUNS, 3))
        results.append(_result(f"tpch {query}", contenders, None, "duckdb"))
    results.append(_geometric_mean("tpch, geometric mean of 22", results, 0.8))
    return results


def bench_start():
    """No peer starts as a program does; DuckDB in Python stands by for the picture only."""
    contenders = [_ours(JOBS / "start.lua"), _peer("duckdb", "start")]
    _compare_answers("start", contenders)
    measure.alternate(contenders, 10 * RUNS)
    result = _result("start, a job of one row", contenders, None, "duckdb")
    result["limit_seconds"] = 0.010
    return [result]


def bench_window():
    """Tumbling 10 s count by key, 1e7 CSV rows, 10 k keys, file to file."""
    file = _generated("readings")
    results = []
    for mode, limit in (("stream", 1 / 0.7), ("batch", 1 / 1.3)):
        contenders = [
            _ours(JOBS / "window.lua", "--as", mode, file=file),
            _peer("polars", "window", file),
            _peer("duckdb", "window", file),
        ]
        result = _race(f"window, as {mode}", contenders, None, against="polars")
        result["limit_cpu"] = limit
        results.append(result)
    shapes = ("tumbling", "hopping")
    hops = [_ours(JOBS / "hopping.lua", "--as", "stream", window=shape) for shape in shapes]
    hops[0].name = "tumbling"
    measure.alternate(hops, RUNS)
    results.append(_ratio_of_two("hopping 10 min by 10 s", hops, 1.5))
    return results


def bench_latency():
    """One event, TCP to the window that it closes to TCP, at a steady rate; no peer."""
    client = _compiled("latency")
    results = []
    for rate in (100, 1000, 10000):
        figures = _latency_of(client, events=10 * rate if rate > 500 else 2000, rate=rate)
        results.append({"name": f"latency, {rate} events/s", "microseconds": figures,
                        "limit_us": {"p50": 200, "p99": 1000} if rate == 1000 else None})
    return results


def _latency_of(client, events, rate):
    """p50, p90, p99 and the greatest, in microseconds from the intended time of sending."""
    measuring = subprocess.Popen([client, str(events), str(rate)], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
    out = measuring.stdout.readline().strip()
    command = [binary(), "run", JOBS / "latency.lua", "--workers", "1", "--param", f"out={out}"]
    job = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    port = next(line for line in job.stderr if "listening on" in line).rsplit(":", 1)[1]
    figures, _ = measuring.communicate(port)
    job.kill()
    job.communicate()
    if measuring.returncode != 0:
        raise SystemExit("latency: results are missing")
    return dict(zip(("p50", "p90", "p99", "max"), map(float, figures.split())))


BENCHES = {"csv": bench_csv, "ndjson": bench_ndjson, "tpch": bench_tpch, "start": bench_start,
           "window": bench_window, "latency": bench_latency, "nexmark": nexmark_bench.bench}


def _generated(kind):
    """The input file of that kind, made once by the generator in C."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{kind}-{ROWS[kind]}.{kind}"
    if not file.exists():
        generator = _compiled("generate")
        partial = file.with_suffix(".partial")
        subprocess.run([generator, kind, ROWS[kind], partial], check=True)
        partial.rename(file)
    measure.read_through(file)
    return file


def _compiled(name):
    """A program of this folder that is one file of C."""
    compiler = os.environ.get("CC") or shutil.which("cc") or "gcc"
    program, source = FOLDER / name, ROOT / "tests" / "bench" / f"{name}.c"
    subprocess.run([compiler, "-std=gnu17", "-O2", source, "-o", program], check=True)
    return program


def _ours(script, *flags, **parameters):
    command = [binary(), "run", script, "--workers", "2", "--format", "csv", *flags]
    for name, value in parameters.items():
        command += ["--param", f"{name}={value}"]
    return measure.Contender("tidemill", list(map(str, command)))


def _peer(name, *arguments):
    command = [sys.executable, ROOT / "tests" / "bench" / "peers.py", name, *arguments]
    return measure.Contender(name, list(map(str, command)))


def _race(title, contenders, limit, against=None):
    _compare_answers(title, contenders)
    measure.alternate(contenders, RUNS)
    return _result(title, contenders, limit, against)


def _compare_answers(title, contenders):
    """All contenders must give the same rows, floats to nine digits, before any is measured."""
    first = None
    for one in contenders:
        header, rows = csv_text.read(one.answer())
        found = (header, sorted([_rounded(text) for text in row] for row in rows))
        if first is not None and found != first:
            raise SystemExit(f"{title}: {one.name} has another answer than {contenders[0].name}")
        first = first or found


def _rounded(text):
    if text and "." in text:
        return f"{float(text):.9g}"
    return text or ""


def _result(title, contenders, limit, against):
    """Ratios to one peer, or to the better of them by median."""
    figures = {one.name: one.summary() for one in contenders}
    peers = {name: f for name, f in figures.items() if name != "tidemill"}
    best = against or min(peers, key=lambda name: peers[name]["wall_median"])
    ours, theirs = figures["tidemill"], figures[best]
    return {
        "name": title, "contenders": figures, "against": best, "limit": limit,
        "ratio": ours["wall_median"] / theirs["wall_median"],
        "cpu_ratio": ours["cpu_median"] / theirs["cpu_median"],
        "ratio_without_start": ours["wall_median"] / theirs["without_start_median"],
    }


def _ratio_of_two(title, contenders, limit):
    """Of ours to ours: the second, named tidemill, to the first."""
    figures = {one.name: one.summary() for one in contenders}
    first, second = (figures[one.name] for one in contenders)
    return {
        "name": title, "contenders": figures, "against": contenders[0].name, "limit": limit,
        "ratio": second["wall_median"] / first["wall_median"],
        "cpu_ratio": second["cpu_median"] / first["cpu_median"],
        "ratio_without_start": second["wall_median"] / first["wall_median"],
    }


def _geometric_mean(title, results, limit):
    mean = lambda key: math.exp(sum(math.log(r[key]) for r in results) / len(results))
    ratios = {key: mean(key) for key in ("ratio", "cpu_ratio", "ratio_without_start")}
    return {"name": title, "against": "duckdb", "limit": limit, **ratios}


def _show(results):
    head = f"{'work':<28}{'contender':<10}{'min s':>8}{'median':>8}{'CPU s':>8}{'no start':>9}"
    print(f"\n{head}   ratio of medians: wall, CPU, to peer without start-up")
    for result in results:
        if "microseconds" in result:
            print(f"{result['name']:<28}{_latency_text(result)}")
            continue
        for name, f in result.get("contenders", {}).items():
            inner = f"{f['without_start_median']:9.3f}" if "without_start_median" in f else " " * 9
            times = f"{f['wall_min']:8.3f}{f['wall_median']:8.3f}{f['cpu_median']:8.3f}{inner}"
            print(f"{result['name']:<28}{name:<10}{times}")
        print(f"{result['name']:<28}{_verdict(result)}")


def _latency_text(result):
    figures = result["microseconds"]
    text = ", ".join(f"{name} {value:.0f}" for name, value in figures.items()) + " µs"
    for name, limit in (result["limit_us"] or {}).items():
        text += f"   goal {name} {limit}: {'met' if figures[name] <= limit else 'MISSED'}"
    return text


def _verdict(result):
    text = (
        f"= {result['ratio']:.2f} of {result['against']}, CPU {result['cpu_ratio']:.2f}, "
        f"without its start {result['ratio_without_start']:.2f}"
    )
    if result.get("limit"):
        met = "met" if result["ratio"] <= result["limit"] else "MISSED"
        text += f"   goal {result['limit']}: {met}"
    if result.get("limit_cpu"):
        met = "met" if result["cpu_ratio"] <= result["limit_cpu"] else "MISSED"
        text += f"   goal of CPU {result['limit_cpu']:.2f}: {met}"
    if result.get("limit_seconds"):
        median = result["contenders"]["tidemill"]["wall_median"]
        met = "met" if median <= result["limit_seconds"] else "MISSED"
        text += f"   goal {1000 * result['limit_seconds']:.0f} ms, {1000 * median:.1f} ms: {met}"
    return text


def main():
    names = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise SystemExit(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names:
        results = BENCHES[name]()
        (FOLDER / f"{name}.json").write_text(json.dumps(results, indent=2) + "\n")
        (nexmark_bench.show if name == "nexmark" else _show)(results)


main()
