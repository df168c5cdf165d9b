#!/usr/bin/env python3
"""Runs every suite of the tree and adds up what they say. The last line is `N passed, N failed`.

A suite is a command. It tells its numbers in one of three ways, looked for in this order:
Criterion's synthesis line, a line `N passed, N failed` at the end, or TAP. One that ends badly
without naming a failure, or that names no test at all, counts as one failure.

    run_tests.py --build build [--python PYTHON] [--long] [--seed N] [WORD…]

With words only the suites whose name holds one of them run: `make test ONLY=golden`.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITE_SECONDS_MAX = {False: 600, True: 4 * 3600}
SANITIZERS = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1",
}


# What the short form runs under sanitizers: under TSan the rooms in which threads meet; the sweeps
# of whole jobs (cli) are for the long one.
THREADED = ["base", "io", "stage", "exec"]
SWEPT = ["base", "store", "column", "kernel", "format", "io", "expr", "state", "stage", "operator",
         "connector", "plan", "exec", "script"]


def suites(options):
    """(name, command, more environment) of every suite, cheap ones first."""
    build, python = Path(options.build).resolve(), options.python
    found = [("tidy of tidy", ["lua5.4", "tests/tidy/tidy_test.lua"], {})]
    library = build / "libtidemill.a"
    found.append(("tidy", ["lua5.4", "tests/tidy/tidy.lua", ".", str(library)], {}))
    lua_path = {"LUA_PATH": "lua/?.lua;lua/?/init.lua;stdlib/?.lua;;"}
    for test in sorted(ROOT.glob("tests/**/*_test.lua")):
        if test.parent.name != "tidy":
            found.append((f"lua {relative(test)}", ["lua5.4", relative(test)], lua_path))
    kinds = [("", build), ("asan ", build / "asan"), ("tsan ", build / "tsan")]
    for kind, folder in kinds:
        if (folder / "tests").exists():
            command = [str(folder / "tests"), "--jobs", str(os.cpu_count())]
            if kind == "":
                command += ["--timeout", "240"]
            elif not options.long:
                command += THREADED if kind == "tsan " else SWEPT
            found.append((f"{kind}c", command, {}))
    for kind, folder in kinds:
        program = folder / "tidemill"
        if program.exists():
            command = [python, "tests/golden/golden.py", "--tidemill", str(program)]
            found.append((f"{kind}golden", command, {}))
    for kind, folder in kinds if options.long else kinds[:1]:
        program = folder / "tidemill"
        for test in sorted(ROOT.glob("tests/**/*_test.py")) if program.exists() else []:
            found.append((f"{kind}python {relative(test)}", [python, relative(test)],
                          {"TIDEMILL": str(program)}))
    return found


def relative(path):
    return str(path.relative_to(ROOT))


def numbers(output, status):
    """(passed, failed) of a suite, from what it printed and its exit status."""
    lines = output.splitlines()
    passed = failed = 0
    synthesis = re.findall(r"Tested: .*?(\d+).*? Passing: .*?(\d+)", strip_colour(output))
    closing = [m for line in lines if (m := re.fullmatch(r"(\d+) passed, (\d+) failed", line))]
    if synthesis:
        tested, passed = map(int, synthesis[-1])
        failed = tested - passed
    elif closing:
        passed, failed = int(closing[-1][1]), int(closing[-1][2])
    else:
        passed = sum(1 for line in lines if re.match(r"ok\b", line))
        failed = sum(1 for line in lines if re.match(r"not ok\b", line))
    if failed == 0 and (status != 0 or passed == 0):
        failed = 1
    return passed, failed


def strip_colour(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def run(name, command, more, options):
    environment = {**os.environ, **SANITIZERS, **more, "TM_TEST_SEED": options.seed}
    if options.long:
        environment["TM_TEST_LONG"] = "1"
    start, cpu = time.monotonic(), cpu_seconds()
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              timeout=SUITE_SECONDS_MAX[options.long])
        output, status = done.stdout.decode("utf-8", "replace"), done.returncode
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b"").decode("utf-8", "replace") + "\nno end in time\n"
        status = -1
    passed, failed = numbers(output, status)
    if failed > 0:
        print(output.rstrip())
        print(f"(exit status {status} of: {' '.join(command)})")
    print(f"{name:<48} {passed:>6} passed {failed:>4} failed {time.monotonic() - start:>7.1f} s "
          f"{cpu_seconds() - cpu:>7.1f} s cpu", flush=True)
    return passed, failed


def cpu_seconds():
    """Processor time of all suites that have ended, their children included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", default="1")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    passed = failed = 0
    for name, command, more in suites(options):
        if options.words and not any(word in name for word in options.words):
            continue
        suite_passed, suite_failed = run(name, command, more, options)
        passed, failed = passed + suite_passed, failed + suite_failed
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
