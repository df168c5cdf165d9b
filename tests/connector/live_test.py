"""Streams through the whole program: real connections, files that are really rotated, pipes that
stall, readers that go, disks that are full."""

import gzip
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.live_job import LiveJob, Peer, wait_until
from support.program import BUILD, run
from support.report import Report

FOLDER = BUILD / "live_test"
TCP = 'tm.tcp { listen = "127.0.0.1:0", format = "jsonl", schema = "id int64, s string" }'


def expect(actual, wanted, what="", job=None):
    if actual == wanted:
        return None
    more = "\n" + "\n".join(job.lines) if job else ""
    return f"{what}: {actual!r}, not {wanted!r}{more}"


def ended_well(job, rows):
    status, err = job.stop()
    if status != 0 or f"ledger {rows:,} = " not in err:
        return f"exit status {status}, not a ledger of {rows} rows\n{err}"
    return None


def text_of(name):
    path = FOLDER / name
    return path.read_text() if path.exists() else None


def becomes(name, wanted):
    """The file holds that, soon."""
    wait_until(lambda: text_of(name) == wanted)
    return expect(text_of(name), wanted, name)


def append(name, text):
    with open(FOLDER / name, "a") as file:
        file.write(text)


# ------------------------------------------------------------------------------------------- tail

def tail_of_a_file_that_grows_and_is_rotated():
    append("app.csv", "id,s\n1,a\n2,b\n3,")
    script = """return tm.stream {
  tm.tail { path = "app.csv", format = "csv", schema = "id int64, s string" }
    :filter(function(r) return r.id ~= 2 end):to(tm.stdout()) }"""
    with LiveJob(FOLDER, script, "--format", "csv") as job:
        lines = [job.row() for _ in range(2)]
        append("app.csv", "c\n")
        lines.append(job.row())
        append("app.csv", "4,d\n")
        os.rename(FOLDER / "app.csv", FOLDER / "app.csv.1")
        append("app.csv.1", "5,e\n")
        append("app.csv", "s,id\nf,6\n")
        lines += [job.row() for _ in range(3)]
        (FOLDER / "app.csv").write_text("id,s\n7,g\n")
        lines.append(job.row())
        wanted = "id,s\n1,a\n3,c\n4,d\n5,e\n6,f\n7,g\n".splitlines(keepends=True)
        return expect(lines, wanted, "rows", job) or ended_well(job, 7)


def tail_of_files_that_join():
    (FOLDER / "logs").mkdir()
    append("logs/a.log", "1\n")
    script = """return tm.stream {
  tm.tail { path = "logs/*.log", format = "lines", from = "end", partitions = "files" }
    :to(tm.stdout()) }"""
    with LiveJob(FOLDER, script) as job:
        time.sleep(0.3)
        append("logs/a.log", "2\n")
        append("logs/b.log", "3\n")
        lines = {job.row() for _ in range(2)}
        return expect(lines, {'{"line":"2"}\n', '{"line":"3"}\n'}, "rows", job)


def tail_in_a_batch():
    script = """return tm.batch { tm.tail { path = "x", format = "lines" }:to(tm.stdout()) }"""
    result = run("run", "-e", script, cwd=FOLDER)
    fine = result.status == 2 and "tm.tail has no end: a batch cannot read it" in result.err
    return None if fine else f"{result.status}\n{result.err}"


# ------------------------------------------------------------------------------------------ stdin

def stdin_leaves_as_it_comes():
    script = """return tm.stream {
  tm.stdin { format = "csv", schema = "n int64" }:with { m = function(r) return r.n * 2 end }
    :to(tm.stdout()) }"""
    with LiveJob(FOLDER, script, stdin=subprocess.PIPE) as job:
        lines = []
        for number in range(3):
            job.process.stdin.write(b"n\n1\n" if number == 0 else b"%d\n" % (number + 1))
            job.process.stdin.flush()
            lines.append(job.row())
        wanted = ['{"n":%d,"m":%d}\n' % (n, 2 * n) for n in (1, 2, 3)]
        problem = expect(lines, wanted, "rows", job)
        job.process.stdin.write(b"4")
        job.process.stdin.close()
        status, err = job.end()
        rest = job.row()
        return problem or expect((status, rest), (0, '{"n":4,"m":8}\n'), "the end", job)


def stdin_that_is_silent_ends_when_told():
    script = 'return tm.stream { tm.stdin { format = "lines" }:to(tm.stdout()) }'
    with LiveJob(FOLDER, script, stdin=subprocess.PIPE) as job:
        job.process.stdin.write(b"x\n")
        job.process.stdin.flush()
        line = job.row()
        begin = time.monotonic()
        problem = expect(line, '{"line":"x"}\n', "row", job) or ended_well(job, 1)
        return problem or (None if time.monotonic() - begin < 5 else "it took long to end")


def stdout_that_nobody_reads_ends_the_run():
    script = """return tm.stream { tm.generate { rate = "1000/s", schema = "n int64" }
  :to(tm.stdout()) }"""
    with LiveJob(FOLDER, script, reads=False) as job:
        job.process.stdout.readline()
        job.process.stdout.close()
        status, err = job.end()
        return expect((status, "error" in err), (0, False), "the end", job)


def outputs_on_stdout_take_turns():
    script = f"""local all = {TCP}
return tm.stream {{ all:to(tm.stdout()), all:select("id"):to(tm.stdout()) }}"""
    with LiveJob(FOLDER, script) as job:
        peer = job.connect()
        found = []
        for i in range(3):
            peer.say(f'{{"id":{i},"s":"a"}}\n')
            found.append({job.row(), job.row()})
        wanted = [{f'{{"id":{i},"s":"a"}}\n', f'{{"id":{i}}}\n'} for i in range(3)]
        return expect(found, wanted, "rows", job)


# -------------------------------------------------------------------------------------------- tcp

def tcp_of_several_senders():
    script = f"return tm.stream {{ {TCP}:to(tm.stdout()) }}"
    with LiveJob(FOLDER, script) as job:
        a, b = job.connect(), job.connect()
        a.say('{"id":1,"s":"a"}\n{"id":')
        first = job.row()
        b.say('{"id":2,"s":"b"}')
        b.close()
        second = job.row()
        a.say('3,"s":"c"}\n')
        third = job.row()
        ids = [json.loads(line)["id"] for line in (first, second, third)]
        return expect(ids, [1, 2, 3], "rows", job) or ended_well(job, 3)


def tcp_bad_rows():
    script = """return tm.stream {
  tm.tcp { listen = "127.0.0.1:0", format = "csv", schema = "id int64", bad = tm.jsonl "bad.jsonl" }
    :to(tm.stdout()) }"""
    with LiveJob(FOLDER, script) as job:
        a, b = job.connect(), job.connect()
        a.say("id\nx\n1\n")
        line = job.row()
        b.say("other\n2\n")
        status = b.line()
        problem = expect((line, status), ('{"id":1}\n', None), "rows", job)
        bad = lambda: [json.loads(r) for r in (text_of("bad.jsonl") or "").splitlines()]
        wait_until(lambda: len(bad()) == 2)
        found = [(r["reason"], r["line"], r["raw"]) for r in bad()]
        told = bad()[-1]["message"] if bad() else ""
        if problem or found[:1] != [("type", 2, "x")] or "no column 'id'" not in told:
            return problem or f"refused: {bad()}"
        if not bad()[0]["file"].startswith("tcp 127.0.0.1:"):
            return f"refused of {bad()[0]['file']}"
        return ended_well(job, 3)


def tcp_a_bad_row_fails_the_run():
    script = f"return tm.stream {{ {TCP}:to(tm.stdout()) }}"
    with LiveJob(FOLDER, script) as job:
        job.connect().say('{"id":"x"}\n')
        status, err = job.end()
        return expect((status, "is no int64" in err), (1, True), "the end", job)


def tcp_in_and_out():
    sink = 'tm.tcp { listen = "127.0.0.1:0", format = "csv" }'
    script = f"return tm.stream {{ {TCP}:to({sink}) }}"
    with LiveJob(FOLDER, script) as job:
        sender = job.connect(1)
        sender.say('{"id":1,"s":"a"}\n')
        reader = job.connect(2)
        lines = [reader.line(), reader.line()]
        late = job.connect(2)
        lines.append(late.line())
        sender.say('{"id":2,"s":"b"}\n')
        lines += [reader.line(), late.line()]
        problem = expect(lines, ["id,s", "1,a", "id,s", "2,b", "2,b"], "rows", job)
        reader.close()
        late.close()
        job.said("rows wait for the next reader")
        sender.say('{"id":3,"s":"c"}\n')
        time.sleep(0.1)
        reader = job.connect(2)
        lines = [reader.line(), reader.line()]
        problem = problem or expect(lines, ["id,s", "3,c"], "what waited", job)
        return problem or ended_well(job, 3) or expect(reader.all(), [], "the rest", job)


def tcp_connections_are_partitions():
    """One that is behind holds windows back until it goes; who comes next is judged by itself."""
    source = """tm.tcp { listen = "127.0.0.1:0", format = "jsonl",
    schema = "id int64, at timestamp", epoch = "s", time = { field = "at", ahead = false } }"""
    script = f"""return tm.stream {{
  {source}:window(tm.tumbling "10s"):agg {{ tm.count() }}:to(tm.stdout()) }}"""
    with LiveJob(FOLDER, script, "--format", "csv") as job:
        problem = expect(job.row(), "window_start,window_end,count\n", "header", job)
        a, b = job.connect(), job.connect()
        b.say('{"id":0,"at":1}\n')
        time.sleep(0.1)
        a.say('{"id":1,"at":2}\n{"id":2,"at":12}\n{"id":3,"at":25}\n')
        time.sleep(0.3)
        early = not job.rows.empty()
        b.close()
        lines = [job.row(), job.row()]
        wanted = ["1970-01-01T00:00:00Z,1970-01-01T00:00:10Z,2\n",
                  "1970-01-01T00:00:10Z,1970-01-01T00:00:20Z,1\n"]
        problem = problem or expect((early, lines), (False, wanted), "rows", job)
        c = job.connect()
        c.say('{"id":4,"at":21}\n{"id":5,"at":31}\n')
        time.sleep(0.1)
        a.say('{"id":6,"at":40}\n')
        line = job.row()
        return problem or expect(line, "1970-01-01T00:00:20Z,1970-01-01T00:00:30Z,2\n", "row", job)


def tcp_connects_and_says_since_when():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))  # and does not listen yet
    port = server.getsockname()[1]
    script = f"""return tm.stream {{
  tm.tcp {{ connect = "127.0.0.1:{port}", format = "lines" }}:to(tm.stdout()) }}"""
    with LiveJob(FOLDER, script) as job:
        job.said(f"tcp 127.0.0.1:{port}: no connection since 20")
        server.listen()
        peer = Peer(server.accept()[0])
        job.said("connected after")
        peer.say("one\n")
        first = job.row()
        peer.close()
        job.said("closed by the other side")
        peer = Peer(server.accept()[0])
        peer.say("two\n")
        second = job.row()
        problem = expect([first, second], ['{"line":"one"}\n', '{"line":"two"}\n'], "rows", job)
        server.close()
        return problem or ended_well(job, 2)


def tcp_what_cannot_be():
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    cases = [
        (f'listen = "127.0.0.1:{port}", format = "lines"', 1, "address already in use"),
        ('listen = "nowhere", format = "lines"', 2, "it has no port"),
        ('listen = "no.such.host.invalid:80", format = "lines"', 1, "no.such.host.invalid"),
        ('listen = "127.0.0.1:0", format = "csv"', 2, "needs a schema"),
        ('listen = "127.0.0.1:0"', 2, "needs a format"),
    ]
    for options, status, words in cases:
        script = f"return tm.stream {{ tm.tcp {{ {options} }}:to(tm.stdout()) }}"
        result = run("run", "-e", script, cwd=FOLDER, timeout=20)
        if result.status != status or words not in result.err:
            return f"{options}: exit status {result.status}\n{result.err}"
    checked = run("check", "-e", f"return tm.stream {{ {TCP}:to(tm.stdout()) }}")
    if checked.status != 0 or "listening" in checked.err:
        return f"check: {checked.status}\n{checked.err}"
    return None


def a_reader_that_stops_holds_the_sender_back():
    """40 MB with 48 MB of memory; the reader sleeps first. Every row comes, once, in order."""
    rows, text = 40000, "x" * 1000
    sink = 'tm.tcp { listen = "127.0.0.1:0", format = "jsonl" }'
    script = f"return tm.stream {{ {TCP}:to({sink}) }}"
    with LiveJob(FOLDER, script, "--memory", "48M", "--summary", "slow.json") as job:
        sender, reader = job.connect(1), job.connect(2)
        sender.socket.setblocking(False)
        data = "".join(f'{{"id":{i},"s":"{text}"}}\n' for i in range(rows)).encode()
        sent, begin = 0, time.monotonic()
        while time.monotonic() - begin < 1.0:  # nobody reads
            try:
                sent += sender.socket.send(data[sent:sent + (1 << 20)])
            except BlockingIOError:
                time.sleep(0.01)
        if sent == len(data):
            return "the sender was not held back"
        stalled = sent
        sender.socket.setblocking(True)
        import threading
        rest = threading.Thread(target=lambda: (sender.socket.sendall(data[sent:]),
                                                sender.socket.shutdown(socket.SHUT_WR)))
        rest.start()
        for i in range(rows):
            line = reader.line()
            if line is None or not line.startswith(f'{{"id":{i},'):
                return f"row {i} is {line and line[:40]} (held back at {stalled})"
        rest.join()
        problem = ended_well(job, rows)
        peak = json.loads(text_of("slow.json"))["peak_memory_bytes"]
        return problem or (None if peak < 120 << 20 else f"{peak} bytes of memory")


def a_reader_that_takes_nothing_is_not_waited_for():
    sink = 'tm.tcp { listen = "127.0.0.1:0", format = "jsonl" }'
    script = f"return tm.stream {{ {TCP}:to({sink}) }}"
    with LiveJob(FOLDER, script) as job:
        job.connect(1).say('{"id":1}\n')
        time.sleep(0.2)
        status, err = job.stop()
        words = "bytes of rows were not sent: no reader"
        return expect((status, words in err), (1, True), "the end", job)


def the_second_signal_kills():
    sink = 'tm.tcp { listen = "127.0.0.1:0", format = "jsonl" }'
    script = f"return tm.stream {{ {TCP}:to({sink}) }}"
    with LiveJob(FOLDER, script) as job:
        job.connect(1).say('{"id":1}\n')
        time.sleep(0.2)
        job.process.send_signal(signal.SIGINT)
        job.said("again to kill")
        status, err = job.stop()
        return expect(status, 130, "exit status", job)


# --------------------------------------------------------------------------------------- generate

def generated_at_a_rate():
    script = """return tm.stream {
  tm.generate { rate = "200/s", row = function(i) return { n = i } end }:to(tm.stdout()) }"""
    with LiveJob(FOLDER, script) as job:
        begin = time.monotonic()
        lines = [job.row() for _ in range(61)]
        took = time.monotonic() - begin
        problem = expect(lines, ['{"n":%d}\n' % i for i in range(1, 62)], "rows", job)
        status, _ = job.stop()
        return problem or expect((status, took > 0.25), (0, True), f"after {took} s", job)


# ------------------------------------------------------------------------------------------ files

def a_file_in_place():
    (FOLDER / "out.csv").write_text("of a run before\n")
    script = f'return tm.stream {{ {TCP}:to(tm.csv "out.csv"), {TCP}:to(tm.jsonl "o/z.jsonl.gz") }}'
    with LiveJob(FOLDER, script) as job:
        a, b = job.connect(1), job.connect(2)
        problem = becomes("out.csv", "id,s\n")
        a.say('{"id":1,"s":"a"}\n')
        problem = problem or becomes("out.csv", "id,s\n1,a\n")
        a.say('{"id":2,"s":"b"}\n')
        b.say('{"id":3,"s":"c"}\n')
        problem = problem or becomes("out.csv", "id,s\n1,a\n2,b\n")

        def packed():
            with open(FOLDER / "o/z.jsonl.gz", "rb") as file, gzip.open(file) as text:
                return text.readline()
        wait_until(lambda: os.path.getsize(FOLDER / "o/z.jsonl.gz") > 10)
        problem = problem or expect(packed(), b'{"id":3,"s":"c"}\n', "while it runs", job)
        return problem or ended_well(job, 3)


def a_file_in_place_stays_after_a_kill():
    script = f'return tm.stream {{ {TCP}:to(tm.csv "killed.csv") }}'
    with LiveJob(FOLDER, script) as job:
        job.connect().say('{"id":1,"s":"a"}\n')
        problem = becomes("killed.csv", "id,s\n1,a\n")
        job.process.kill()
        job.process.wait()
        return problem or expect(text_of("killed.csv"), "id,s\n1,a\n", "after the kill")


def two_runs_on_one_file():
    script = f'return tm.stream {{ {TCP}:to(tm.csv "shared.csv") }}'
    with LiveJob(FOLDER, script) as job:
        job.port()
        with LiveJob(FOLDER, script) as second:
            status, err = second.end()
            words = "another run is writing 'shared.csv'"
            return expect((status, words in err), (4, True), "the second", second)


def a_file_a_day():
    source = """tm.tcp { listen = "127.0.0.1:0", format = "jsonl",
    schema = "id int64, at timestamp('Europe/Berlin')",
    time = { field = "at", out_of_order = "1h", ahead = false } }"""
    script = f'return tm.stream {{ {source}:to(tm.csv "days/{{date}}.csv") }}'
    with LiveJob(FOLDER, script, "--summary", "days.json") as job:
        peer = job.connect()
        for i, at in enumerate(["01T10:00", "01T22:59", "01T23:30", "01T22:30"]):
            peer.say(f'{{"id":{i},"at":"2026-03-{at}:00Z"}}\n')
        head = "id,at\n0,2026-03-01T11:00:00+01:00\n1,2026-03-01T23:59:00+01:00\n"
        day = head + "3,2026-03-01T23:30:00+01:00\n"
        problem = becomes("days/2026-03-01.csv.part", day)
        peer.say('{"id":4,"at":"2026-03-02T00:00:00Z"}\n')
        problem = problem or becomes("days/2026-03-01.csv", day)
        peer.say('{"id":5,"at":"2026-03-01T12:00:00Z"}\n')
        late = day + "5,2026-03-01T13:00:00+01:00\n"
        problem = problem or becomes("days/2026-03-01.csv", late)
        problem = problem or ended_well(job, 6)
        path = json.loads(text_of("days.json"))["outputs"][0]["path"]
        problem = problem or expect(path, "days/{date}.csv", "path in the summary")
        next_day = "id,at\n2,2026-03-02T00:30:00+01:00\n4,2026-03-02T01:00:00+01:00\n"
        left = sorted(path.name for path in (FOLDER / "days").iterdir())
        return problem or expect(text_of("days/2026-03-02.csv"), next_day, "at the end") or \
            expect(left, ["2026-03-01.csv", "2026-03-02.csv"], "files")


def a_file_a_day_of_bounded_input():
    (FOLDER / "in.csv").write_text("id,at\n1,2026-01-01T10:00:00Z\n2,2026-01-02T10:00:00Z\n")
    source = 'tm.csv { path = "in.csv", schema = "id int64, at timestamp", time = "at" }'
    script = f'return tm.stream {{ {source}:to(tm.csv "b/{{date}}.csv") }}'
    for _ in range(2):
        result = run("run", "-e", script, cwd=FOLDER)
        if result.status != 0:
            return result.err
    batch = run("run", "-e", script, "--as", "batch", "--date", "2026-05-05", cwd=FOLDER)
    left = sorted(path.name for path in (FOLDER / "b").iterdir())
    wanted = ["2026-01-01.csv", "2026-01-02.csv", "2026-05-05.csv"]
    return expect(left, wanted, f"files {batch.err}") or \
        expect(text_of("b/2026-01-02.csv"), "id,at\n2,2026-01-02T10:00:00Z\n", "a day")


def days_without_event_time():
    script = f'return tm.stream {{ {TCP}:to(tm.csv "e/{{date}}.csv") }}'
    result = run("check", "-e", script, cwd=FOLDER)
    fine = result.status == 2 and "rows have no event time" in result.err
    return None if fine else f"{result.status}\n{result.err}"


def a_full_disk():
    """A limit on the size of files stands for it: 100 kB."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
    script = f'return tm.stream {{ {TCP}:to(tm.csv "full.csv") }}'
    with LiveJob(FOLDER, script, preexec_fn=limit, restore_signals=False) as job:
        peer = job.connect()
        try:
            for i in range(2000):
                peer.say(f'{{"id":{i},"s":"{"x" * 100}"}}\n')
        except OSError:
            pass
        status, err = job.end()
        text = text_of("full.csv")
        lines = text.splitlines()
        whole = text.endswith("\n") and all(len(line) > 100 for line in lines[1:])
        return expect((status, "cannot write 'full.csv': File too large" in err, whole),
                      (1, True, True), f"{len(text)} bytes, {lines[-1]}", job)


CASES = [
    tail_of_a_file_that_grows_and_is_rotated, tail_of_files_that_join, tail_in_a_batch,
    stdin_leaves_as_it_comes, stdin_that_is_silent_ends_when_told,
    stdout_that_nobody_reads_ends_the_run, outputs_on_stdout_take_turns, tcp_of_several_senders,
    tcp_bad_rows, tcp_a_bad_row_fails_the_run, tcp_in_and_out, tcp_connections_are_partitions,
    tcp_connects_and_says_since_when, tcp_what_cannot_be,
    a_reader_that_stops_holds_the_sender_back, a_reader_that_takes_nothing_is_not_waited_for,
    the_second_signal_kills, generated_at_a_rate, a_file_in_place,
    a_file_in_place_stays_after_a_kill, two_runs_on_one_file, a_file_a_day,
    a_file_a_day_of_bounded_input, days_without_event_time, a_full_disk,
]


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    report = Report()
    for case in CASES:
        try:
            problem = case()
        except (AssertionError, OSError) as failure:
            problem = f"{type(failure).__name__}: {failure}"
        report.add(case.__name__.replace("_", " "), problem)
    report.close()


main()
