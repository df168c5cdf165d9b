"""kill -9 at random moments: an output is the old file or the whole new one, never a piece.

A job with five outputs (plain, compressed, sorted, aggregated, refused rows) is killed somewhere
between its start and its end. After each kill every final name must hold exactly what stood there
before or exactly what an undisturbed run writes; the next run must succeed and take away what the
dead ones left. 20 kills, in the long form 400, half of them while the processors are busy.
Then as many SIGINT and SIGTERM: all outputs or none, the exit status says which, no leftovers.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import program  # noqa: E402
from support.report import Report  # noqa: E402

LONG = "TM_TEST_LONG" in os.environ
KILLS = 400 if LONG else 20
ROWS = 150_000
OLD = b"what an earlier run left\n"

PIPELINE = """
local tm <const> = require "tidemill"
local rows = tm.csv { path = "in/*.csv", schema = "id int64, name string, value float64",
                      bad = tm.jsonl "out/bad.jsonl" }
return tm.batch { name = "killed",
  rows:filter(function(r) return r.id % 3 ~= 0 end):to(tm.csv "out/rows.csv"),
  rows:to(tm.jsonl "out/deep/rows.jsonl.gz"),
  rows:sort { "-value", "name" }:to(tm.csv "out/sorted.csv"),
  rows:group_by "name":agg { tm.count(), tm.sum "value" }:to(tm.msgpack "out/groups.msgpack"),
}
"""
OUTPUTS = ["out/rows.csv", "out/deep/rows.jsonl.gz", "out/sorted.csv", "out/groups.msgpack",
           "out/bad.jsonl"]


def write_inputs(folder, generator):
    (folder / "pipeline.lua").write_text(PIPELINE)
    (folder / "in").mkdir()
    for part in range(3):
        with open(folder / "in" / f"{part}.csv", "w") as file:
            file.write("id,name,value\n")
            for i in range(ROWS // 3):
                value = "oops" if i % 5000 == 7 else f"{generator.random() * 1000:.3f}"
                file.write(f"{part * ROWS + i},name-{generator.randrange(500)},{value}\n")


def command(generator):
    return [program.binary(), "run", "pipeline.lua", "--workers", str(generator.randint(1, 3))]


def read_outputs(folder):
    found = {}
    for name in OUTPUTS:
        path = folder / name
        found[name] = path.read_bytes() if path.exists() else None
    return found


def leftovers(folder):
    """Files under out/ that are none of the outputs."""
    files = [p for p in (folder / "out").rglob("*") if p.is_file()]
    return [str(p.relative_to(folder)) for p in files if str(p.relative_to(folder)) not in OUTPUTS]


def lay_old(folder, with_old):
    subprocess.run(["rm", "-rf", str(folder / "out")], check=True)
    for name in OUTPUTS if with_old else []:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(OLD)


def signalled_at(folder, seconds, number, generator):
    """The exit status of a run that got the signal."""
    child = subprocess.Popen(command(generator), cwd=folder, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    time.sleep(seconds)
    child.send_signal(number)
    return child.wait()


def judge(folder, whole, before):
    for name, bytes_now in read_outputs(folder).items():
        if bytes_now not in (before, whole[name]):
            size = "absent" if bytes_now is None else f"{len(bytes_now)} bytes"
            return f"{name} is neither the old file nor the whole new one ({size})"
    return None


def run_again(folder, whole, generator):
    done = subprocess.run(command(generator), cwd=folder, capture_output=True)
    if done.returncode != 0:
        return f"the next run ended {done.returncode}: {done.stderr.decode()}"
    found = read_outputs(folder)
    wrong = [name for name in OUTPUTS if found[name] != whole[name]]
    if wrong:
        return f"the next run wrote other bytes: {wrong}"
    if leftovers(folder):
        return f"left behind: {leftovers(folder)}"
    return None


def judge_signal(folder, whole, before, number, status):
    """A run that was asked to end: its status, and what it left."""
    found = read_outputs(folder)
    if leftovers(folder):
        return f"left behind: {leftovers(folder)}"
    if status == 0:
        return None if found == whole else "it succeeded, but not all outputs are there"
    if status not in (128 + number, -number):  # -number: before the program had begun
        return f"exit status {status}"
    return None if set(found.values()) == {before} else "it published all the same"


def interrupt(folder, whole, seconds, generator, report):
    hits = 0
    for i in range(KILLS):
        number = (signal.SIGINT, signal.SIGTERM)[i % 2]
        with_old = generator.random() < 0.5
        lay_old(folder, with_old)
        moment = seconds * generator.uniform(0.1, 1.0)
        status = signalled_at(folder, moment, number, generator)
        hits += status != 0
        seconds *= 1.02 if status != 0 else 0.9
        problem = judge_signal(folder, whole, OLD if with_old else None, number, status)
        report.add(f"signal {number} after {moment:.3f} s", problem)
    few = None if hits >= KILLS // 3 else f"only {hits} of {KILLS} came before the end"
    report.add("signals that hit", few)


def main():
    report = Report()
    generator = random.Random(int(os.environ.get("TM_TEST_SEED", "1")))
    with tempfile.TemporaryDirectory(prefix="tidemill-kill-") as name:
        folder = Path(name)
        write_inputs(folder, generator)
        start = time.monotonic()
        done = subprocess.run(command(generator), cwd=folder, capture_output=True)
        seconds = time.monotonic() - start
        whole = read_outputs(folder)
        if done.returncode != 0 or None in whole.values():
            report.add("undisturbed run", f"exit {done.returncode}\n{done.stderr.decode()}")
            report.close()
        busy, killed, published = [], 0, 0
        for i in range(KILLS):
            if LONG and i == KILLS // 2:
                loop = [sys.executable, "-c", "while True: pass"]
                busy = [subprocess.Popen(loop) for _ in range(os.cpu_count() or 1)]
            with_old = generator.random() < 0.5
            lay_old(folder, with_old)
            low = 0.0 if i % 2 == 0 else 0.7  # half of the kills near the publication
            moment = seconds * generator.uniform(low, 1.05)
            status = signalled_at(folder, moment, signal.SIGKILL, generator)
            hit = status == -signal.SIGKILL
            killed += hit
            seconds *= 1.02 if hit else 0.9  # the machine is never equally busy
            problem = judge(folder, whole, OLD if with_old else None)
            published += None not in read_outputs(folder).values() and not with_old
            if problem is None and (i % 4 == 3 or i + 1 == KILLS):
                problem = run_again(folder, whole, generator)
            report.add(f"kill {i} after {moment:.3f} s", problem)
        for loop in busy:
            loop.kill()
            loop.wait()
        few = None if killed >= KILLS // 2 else f"only {killed} of {KILLS} came before the end"
        report.add("kills that hit", few)
        interrupt(folder, whole, seconds, generator, report)
    print(f"{killed} of {KILLS} kills hit, {published} runs had published")
    report.close()


if __name__ == "__main__":
    main()
