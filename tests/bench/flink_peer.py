"""Apache Flink as a peer: fetched by Maven into the build folder, with tests/bench/flink compiled.

The program there runs one Nexmark query in a process of its own, on the same events as ours, with
exactly-once checkpoints every ten seconds, mini-batches and object reuse on.
"""

import shutil
import subprocess
from pathlib import Path

from support.program import BUILD

SOURCE = Path(__file__).parent / "flink"
FOLDER = BUILD / "bench" / "flink"
OPENS = ["java.util", "java.lang", "java.nio", "java.time"]
LANES = 2


def install():
    """None once it is there, else why it cannot be had."""
    missing = [tool for tool in ("mvn", "javac", "java") if shutil.which(tool) is None]
    if missing:
        return f"no {', '.join(missing)}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not (FOLDER / "lib.made").exists():
        shutil.copy(SOURCE / "pom.xml", FOLDER)
        got = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime",
             "-DoutputDirectory=lib"], cwd=FOLDER, capture_output=True, text=True,
        )
        if got.returncode != 0:
            return f"mvn: {(got.stdout + got.stderr).strip().splitlines()[:1]}"
        (FOLDER / "lib.made").touch()
    services = FOLDER / "classes" / "META-INF" / "services"
    services.mkdir(parents=True, exist_ok=True)
    (services / "org.apache.flink.table.factories.Factory").write_text("NexmarkTables\n")
    built = subprocess.run(
        ["javac", "-nowarn", "-cp", "lib/*", "-d", "classes", *SOURCE.glob("*.java")],
        cwd=FOLDER, capture_output=True, text=True,
    )
    return None if built.returncode == 0 else f"javac: {built.stderr.strip()}"


def _command(query, events, seed, step_us, backend, *more):
    opens = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in OPENS]
    return ["java", "-Xmx3g", *opens, "-cp", "classes:lib/*", "NexmarkPeer", SOURCE / "sql", query,
            events, seed, step_us, LANES, backend, *more]


def _run(command):
    done = subprocess.run(list(map(str, command)), cwd=FOLDER, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError("\n".join(done.stderr.strip().splitlines()[:8]))
    return done.stdout


def measure(query, events, seed, step_us, backend="rocksdb"):
    """(wall seconds, CPU seconds) of a run on a machine that is warm."""
    last = _run(_command(query, events, seed, step_us, backend)).split()
    return float(last[-2]), float(last[-1])


def answer(query, events, seed, step_us):
    """The rows that are left at the end, as lists of texts."""
    file = FOLDER / f"{query}.answer"
    _run(_command(query, events, seed, step_us, "hashmap", file))
    return [line.split("\t") for line in file.read_text().splitlines()]
