"""Runs processes and measures each as a whole: wall time from start to exit, and CPU seconds."""

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field


@dataclass
class Contender:
    """One program that does the work; `inner` is what a peer says it took without start-up."""

    name: str
    command: list
    env: dict = field(default_factory=dict)
    wall: list = field(default_factory=list)
    cpu: list = field(default_factory=list)
    inner: list = field(default_factory=list)

    def answer(self):
        """Runs once without being measured and returns what it wrote to stdout."""
        return self._run().out

    def measure(self):
        done = self._run()
        self.wall.append(done.wall)
        self.cpu.append(done.cpu)
        if done.err.strip() and "peers.py" in " ".join(self.command):
            self.inner.append(float(done.err.split()[-1]))

    def _run(self):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            start = time.perf_counter()
            process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={**os.environ, **self.env},
            )
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            done = Done(wall, usage.ru_utime + usage.ru_stime, out.read(), err.read().decode())
        if process.returncode != 0:
            raise SystemExit(f"{self.name} ended with {process.returncode}\n{done.err}")
        return done

    def summary(self):
        figures = {
            "wall_min": min(self.wall),
            "wall_median": statistics.median(self.wall),
            "cpu_median": statistics.median(self.cpu),
            "runs": len(self.wall),
        }
        if self.inner:
            figures["without_start_median"] = statistics.median(self.inner)
        return figures


@dataclass
class Done:
    wall: float
    cpu: float
    out: bytes
    err: str


def alternate(contenders, runs):
    """A B A B …, so that whatever else the machine does meets all of them alike."""
    for _ in range(runs):
        for one in contenders:
            one.measure()


def read_through(*paths):
    """Brings files into the page cache."""
    for path in paths:
        with open(path, "rb") as file:
            while file.read(1 << 24):
                pass
