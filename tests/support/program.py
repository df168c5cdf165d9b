"""Runs the program under test. The binary is $TIDEMILL, else build/tidemill of this tree."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


def binary():
    """The absolute path of the program; a missing one is named, not traced."""
    path = Path(os.environ.get("TIDEMILL", BUILD / "tidemill"))
    path = path if path.is_absolute() else ROOT / path
    if not os.access(path, os.X_OK):
        raise SystemExit(f"{path} is not there: run make first, or set TIDEMILL")
    return str(path)


@dataclass
class Result:
    status: int
    out: bytes
    err: str


def run(*arguments, stdin=None, env=None, timeout=120, cwd=ROOT):
    """Runs `tidemill ARGUMENTS…`; env adds to the environment. Status -1 means it took too long."""
    command = [binary(), *map(str, arguments)]
    merged = {**os.environ, "NO_COLOR": "1", **(env or {})}
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, env=merged, timeout=timeout, cwd=cwd
        )
    except subprocess.TimeoutExpired as late:
        return Result(-1, late.stdout or b"", f"no end after {timeout} s")
    return Result(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))
