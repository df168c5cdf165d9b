"""The test runner and the golden folders, tested on made-up output and a made-up program."""

import stat
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "golden")]

import golden
import run_tests
from support.report import Report

report = Report()


def equal(name, actual, expected):
    report.add(name, None if actual == expected else f"{actual!r}, not {expected!r}")


CRITERION = "[====] Synthesis: Tested: \x1b[1m28\x1b[0m | Passing: \x1b[32m26\x1b[0m | Failing: 2"
equal("criterion", run_tests.numbers(CRITERION, 1), (26, 2))
equal("closing line", run_tests.numbers("ok 1\n5 passed, 1 failed\n", 1), (5, 1))
equal("tap", run_tests.numbers("1..3\nok 1 - a\nnot ok 2 - b\nok 3\n", 1), (2, 1))
equal("a bad end without a failure", run_tests.numbers("5 passed, 0 failed\n", 1), (5, 1))
equal("no test at all", run_tests.numbers("", 0), (0, 1))
equal("a line about others", run_tests.numbers("say 5 passed, 0 failed\nok 1\n", 0), (1, 0))

equal("same lines", golden.compare(["a", "b"], ["a", "b"]), None)
equal("wildcard", golden.compare(["in <...> s (<...>)"], ["in 0.4 s (x)"]), None)
equal("wildcard takes the rest only", golden.line_matches("in <...> s", "in 4 s."), False)
equal("no pattern but the wildcard", golden.line_matches("a.*", "abc"), False)
report.add("a line more", None if golden.compare(["a"], ["a", "b"]) else "not seen")
report.add("a line less", None if golden.compare(["a", "b"], ["a"]) else "not seen")
difference = golden.compare(["t <...>", "b"], ["t 5", "c"])
equal("a diff keeps what fits", difference.splitlines()[3:], [" t <...>", "-b", "+c"])

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    program = folder / "program"
    program.write_text('#!/bin/sh\necho "ran $1"; pwd; printf x; echo "in 3.1 s" >&2; exit 3\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    case = folder / "case"
    case.mkdir()
    (case / "cmd").write_text("# a comment\ntidemill one\n\necho y > made; cat made\n")
    said = golden.run_case(case, program)
    equal("what a case says", said, [
        "$ tidemill one", "ran one", "<dir>", "x", "[no line end]", "! in 3.1 s", "[exit 3]",
        "$ echo y > made; cat made", "y", "[exit 0]",
    ])
    equal("the folder stays as it is", [p.name for p in case.iterdir()], ["cmd"])
    report.add("expected is missing", None if golden.check(case, program, False) else "not seen")
    (case / "expected").write_text("$ tidemill one\n! in <...> s\n")
    golden.check(case, program, True)
    lines = (case / "expected").read_text().splitlines()
    equal("accepting keeps wildcards", lines[5], "! in <...> s")
    equal("accepted is expected", golden.check(case, program, False), None)
    (case / "expected").write_text("")
    program.write_text('#!/bin/sh\necho "Done in 6.4 s · 1.9M rows/s · 212 MB peak" >&2\n')
    golden.check(case, program, True)
    equal("accepting adds wildcards", (case / "expected").read_text().splitlines()[1],
          "! Done in <...> s · <...> rows/s · <...> peak")

report.close()
