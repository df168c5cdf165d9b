#!/usr/bin/env python3
"""Golden folders: a job is run as a user would run it, and everything it says is compared.

tests/golden/<case>/ holds
  cmd       shell lines, run one after the other in a copy of the folder with `tidemill` on PATH
            (without this file: `tidemill run pipeline.lua`); a line that starts with # is a comment
  expected  what they said: for each line `$ the line`, its stdout, its stderr with `! ` before each
            line, and `[exit N]`. `<...>` stands for any text within a line: times, sizes.
and whatever the job reads. Output files are compared by a `cat` in cmd.

    golden.py --tidemill build/tidemill [--accept] [CASE…]     --accept rewrites `expected`
"""

import argparse
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS_MAX = 120
# What differs from run to run; --accept puts the wildcard in these places.
VARIABLE = [
    (r"Done in [\d.]+ (s|ms)", r"Done in <...> \1"),
    (r"[\d.]+[kMG]? rows/s", "<...> rows/s"),
    (r"[\d.]+ [kMG]?B peak", "<...> peak"),
    (r'("seconds":\s?)[\d.e-]+', r"\1<...>"),
    (r'("peak_memory_bytes":\s?)\d+', r"\1<...>"),
    (r"(\[OK) [\d.]+ ?m?s\]", r"\1 <...>]"),
]


def cases(names):
    folders = [HERE / name for name in names] if names else HERE.iterdir()
    return sorted(f for f in folders if (f / "cmd").exists() or (f / "pipeline.lua").exists())


def run_case(folder, tidemill):
    """The lines that the case's commands say."""
    said = []
    with tempfile.TemporaryDirectory(prefix="tidemill-golden-") as temporary:
        work = Path(temporary).resolve() / "case"
        shutil.copytree(folder, work)
        for name in ("cmd", "expected"):
            (work / name).unlink(missing_ok=True)
        bin_folder = Path(temporary) / "bin"
        bin_folder.mkdir()
        (bin_folder / "tidemill").symlink_to(Path(tidemill).resolve())
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TIDEMILL")}
        environment.update(
            PATH=f"{bin_folder}:{environment['PATH']}", HOME=temporary, TZ="UTC", LANG="C.UTF-8"
        )
        environment.pop("NO_COLOR", None)
        for line in commands(folder):
            said.append(f"$ {line}")
            said += run_line(line, work, environment)
    return said


def commands(folder):
    path = folder / "cmd"
    text = path.read_text() if path.exists() else "tidemill run pipeline.lua"
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def run_line(line, work, environment):
    try:
        done = subprocess.run(
            ["sh", "-c", line], cwd=work, env=environment, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=SECONDS_MAX,
        )
    except subprocess.TimeoutExpired:
        return [f"[no end after {SECONDS_MAX} s]"]
    clean = lambda data: data.decode("utf-8", "backslashreplace").replace(str(work), "<dir>")
    said = clean(done.stdout).split("\n")
    said[-1:] = [] if said[-1] == "" else [said[-1], "[no line end]"]
    said += [f"! {text}".rstrip() for text in clean(done.stderr).splitlines()]
    return said + [f"[exit {done.returncode}]"]


def line_matches(expected, actual):
    if "<...>" not in expected:
        return expected == actual
    return re.fullmatch(".*".join(map(re.escape, expected.split("<...>"))), actual) is not None


def compare(expected, actual):
    """None if all lines match, else a diff that shows only real differences."""
    if len(expected) == len(actual) and all(map(line_matches, expected, actual)):
        return None
    pairs = align(expected, actual)
    shown = [pairs.get(i, line) for i, line in enumerate(actual)]
    return "\n".join(difflib.unified_diff(expected, shown, "expected", "actual", lineterm=""))


def align(expected, actual):
    """For lines of actual the expected line with a wildcard that fits, taken in order."""
    pairs, start = {}, 0
    for i, line in enumerate(actual):
        for j in range(start, len(expected)):
            if line_matches(expected[j], line):
                if "<...>" in expected[j]:
                    pairs[i] = expected[j]
                start = j + 1
                break
    return pairs


def accept(folder, actual):
    path = folder / "expected"
    pairs = align(path.read_text().splitlines() if path.exists() else [], actual)
    lines = []
    for i, line in enumerate(actual):
        if i not in pairs and not line.startswith("$"):
            for pattern, wildcard in VARIABLE:
                line = re.sub(pattern, wildcard, line)
        lines.append(pairs.get(i, line))
    path.write_text("\n".join(lines) + "\n")


def check(folder, tidemill, accepting):
    actual = run_case(folder, tidemill)
    if accepting:
        accept(folder, actual)
        return None
    path = folder / "expected"
    if not path.exists():
        return "there is no file `expected`: make golden-accept CASE=" + folder.name
    return compare(path.read_text().splitlines(), actual)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tidemill", required=True)
    parser.add_argument("--accept", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    folders = cases(options.names)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda f: check(f, options.tidemill, options.accept), folders))
    failed = 0
    for folder, problem in zip(folders, results):
        if problem is not None:
            failed += 1
            print(f"FAIL golden {folder.name}\n{problem}\n")
    print(f"{len(folders) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
