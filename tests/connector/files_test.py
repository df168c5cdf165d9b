"""Files, pipes and stdin through the whole program: what is done at a shell, what goes wrong."""

import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.program import BUILD, ROOT, binary, run
from support.report import Report

FOLDER = BUILD / "connector"
CSV = "id,name\n1,ada\n2,\"b,c\"\n3,\n"
JSON = '{"id":1,"name":"ada"}\n{"id":2,"name":"b,c"}\n{"id":3,"name":null}\n'


def flow(source, *options, stdin=None, env=None):
    return run("run", "-e", f"return {source}", *options, stdin=stdin, env=env, cwd=FOLDER)


def expect(result, status, out, words=()):
    if result.status != status or (out is not None and result.out.decode() != out):
        return f"exit status {result.status}, {result.out!r}\n{result.err}"
    missing = [word for word in words if word not in result.err]
    return f"the message lacks {missing}\n{result.err}" if missing else None


def stdin_sniffed():
    return expect(flow('tm.stdin "csv"', stdin=CSV.encode()), 0, JSON)


def stdin_with_schema():
    source = 'tm.stdin { format = "csv", schema = "id int64, name string" }'
    return expect(flow(source, "--workers", "3", stdin=CSV.encode()), 0, JSON)


def stdin_compressed():
    return expect(flow('tm.stdin "csv"', stdin=gzip.compress(CSV.encode())), 0, JSON)


def stdin_larger_than_the_sample():
    text = "id\n" + "".join(f"{i}\n" for i in range(50000))
    result = flow('tm.stdin "csv"', "--format", "csv", stdin=text.encode())
    return expect(result, 0, text)


def stdin_of_json_and_lines():
    problem = expect(flow('tm.stdin "jsonl"', stdin=JSON.encode()), 0, JSON)
    return problem or expect(flow('tm.stdin "lines"', stdin=b"a\n\nb"), 0,
                             '{"line":"a"}\n{"line":""}\n{"line":"b"}\n')


def empty_stdin():
    return expect(flow('tm.stdin "csv"', stdin=b""), 1, "", ["stdin is empty"])


def a_pipe_by_name():
    path = FOLDER / "pipe"
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    writer = subprocess.Popen(["sh", "-c", f"cat a.csv > {path}"], cwd=FOLDER)
    problem = expect(flow('tm.csv "pipe"'), 0, JSON)
    writer.wait(timeout=10)
    return problem


def two_readers_of_stdin():
    one = 'tm.stdin { format = "csv", schema = "id int64" }'
    return expect(flow(f"{one}:union({one})", stdin=CSV.encode()), 1, "", ["stdin has two readers"])


def path_is_a_dash():
    return expect(flow('tm.csv "-"', stdin=CSV.encode()), 0, JSON)


def many_files_in_order():
    folder = FOLDER / "many"
    folder.mkdir(exist_ok=True)
    wanted = ""
    for number in range(40):
        text = "n\n" + "".join(f"{number * 100 + i}\n" for i in range(number % 7))
        wanted += text[2:]
        path = folder / f"{number:03}.csv"
        path.write_bytes(gzip.compress(text.encode()) if number % 3 == 0 else text.encode())
    result = flow('tm.csv { path = "many/*.csv", schema = "n int64" }', "--format", "csv",
                  "--workers", "3", env={"TIDEMILL_BLOCK_BYTES": "32"})
    return expect(result, 0, "n\n" + wanted)


def folders_as_columns():
    for day, text in (("2026-01-01", "v\n1\n"), ("2026-01-02", "v\n2\n")):
        path = FOLDER / "hive" / f"dt={day}"
        path.mkdir(parents=True, exist_ok=True)
        (path / "x.csv").write_text(text)
    source = 'tm.csv { path = "hive/*/*.csv", schema = "v int64, dt date", partition = { "dt" } }'
    result = flow(source, "--format", "csv")
    return expect(result, 0, "v,dt\n1,2026-01-01\n2,2026-01-02\n")


def a_reader_that_goes_is_no_error():
    big = FOLDER / "big.csv"
    big.write_text("n\n" + "1234567890\n" * 300000)
    script = 'return tm.csv { path = "big.csv", schema = "n int64" }'
    job = subprocess.Popen([binary(), "run", "-e", script], cwd=FOLDER,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = job.stdout.readline()
    job.stdout.close()
    err = job.stderr.read().decode()
    status = job.wait(timeout=20)
    fine = status == 0 and first == b'{"n":1234567890}\n' and "error" not in err
    return None if fine else f"exit status {status}, {first!r}\n{err}"


def killed_jobs_leave_nothing():
    script = FOLDER / "slow.lua"
    out = FOLDER / "out"
    script.write_text("""local tm <const> = require "tidemill"
local flow = tm.stdin { format = "csv", schema = "n int64" }
return tm.batch { name = "slow", flow:to(tm.csv "out/a.csv"), flow:to(tm.jsonl "out/b.jsonl.gz") }
""")
    for number in range(6):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        (out / "a.csv").write_text("before\n")
        job = subprocess.Popen([binary(), "run", script], cwd=FOLDER, stdin=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        job.stdin.write(b"n\n" + b"1\n" * 100000)
        job.stdin.flush()
        time.sleep(0.02 * number)
        job.send_signal(signal.SIGKILL)
        job.stdin.close()
        job.wait(timeout=10)
        if (out / "a.csv").read_text() != "before\n" or (out / "b.jsonl.gz").exists():
            return f"after a kill: {sorted(os.listdir(out))}"
    done = run("run", script, stdin=b"n\n1\n", cwd=FOLDER)
    left = sorted(path.name for path in out.iterdir())
    fine = done.status == 0 and left == ["a.csv", "b.jsonl.gz"]
    return None if fine else f"the next run leaves {left}\n{done.err}"


def failed_jobs_publish_nothing():
    (FOLDER / "odd.csv").write_text("n\n1\nx\n")
    source = 'tm.csv { path = "odd.csv", schema = "n int64" }'
    script = f'return tm.batch {{ name = "b", {source}:to(tm.csv "no.csv") }}'
    result = run("run", "-e", script, cwd=FOLDER)
    if (FOLDER / "no.csv").exists():
        return "an output is there"
    return expect(result, 1, "", ["odd.csv line 3", "'x' is no int64"])


def a_truncated_file_among_others():
    data = gzip.compress(("n\n" + "1\n" * 1000).encode())
    (FOLDER / "cut").mkdir(exist_ok=True)
    (FOLDER / "cut" / "a.csv.gz").write_bytes(data)
    (FOLDER / "cut" / "b.csv.gz").write_bytes(data[:-9])
    result = flow('tm.csv { path = "cut/*.gz", schema = "n int64" }:agg { tm.count() }')
    return expect(result, 1, "", ["b.csv.gz is truncated"])


def not_readable():
    path = FOLDER / "secret.csv"
    path.write_text("n\n1\n")
    path.chmod(0)
    result = flow('tm.csv "secret.csv"')
    if os.geteuid() == 0:
        return None  # root reads everything
    return expect(result, 1, "", ["secret.csv: Permission denied"])


def outputs_on_stdout_come_in_order():
    script = """local a = tm.rows { schema = "n int64", { n = 1 }, { n = 2 } }
local more = a:with { m = 5 }
return tm.batch { name = "two", a:to(tm.stdout()), more:to(tm.stdout()), a:to(tm.stdout()) }"""
    result = run("run", "-e", script, "--format", "csv", "--workers", "2")
    return expect(result, 0, "n\n1\n2\nn,m\n1,5\n2,5\nn\n1\n2\n")


def a_record_of_more_than_16_mib():
    (FOLDER / "long.jsonl").write_text('{"a":1}\n{"a":"' + "x" * (17 << 20) + '"}\n{"a":2}\n')
    result = flow('tm.jsonl { path = "long.jsonl", schema = "a int64", on_error = "skip" }')
    problem = expect(result, 0, '{"a":1}\n{"a":2}\n')
    result = flow('tm.jsonl { path = "long.jsonl", schema = "a int64" }')
    return problem or expect(result, 1, "", ["too_long", "line 2"])


CASES = [
    stdin_sniffed, stdin_with_schema, stdin_compressed, stdin_larger_than_the_sample,
    stdin_of_json_and_lines, empty_stdin, a_pipe_by_name, path_is_a_dash, many_files_in_order,
    folders_as_columns, a_reader_that_goes_is_no_error, killed_jobs_leave_nothing,
    failed_jobs_publish_nothing, a_truncated_file_among_others, not_readable, two_readers_of_stdin,
    outputs_on_stdout_come_in_order, a_record_of_more_than_16_mib,
]


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "a.csv").write_text(CSV)
    report = Report()
    for case in CASES:
        report.add(case.__name__.replace("_", " "), case())
    report.close()


main()
