"""A job that runs while a test talks to it: its rows, its lines on stderr, its ports, its end."""

import os
import queue
import signal
import socket
import subprocess
import threading
import time

from .program import binary

SECONDS_MAX = 20
HEAD = 'local tm <const> = require "tidemill"\n'


class LiveJob:
    """`with LiveJob(folder, script) as job:` runs it; what is left at the end is killed."""

    def __init__(self, folder, script, *options, stdin=None, reads=True, **more):
        self.folder = folder
        path = folder / "live.lua"
        path.write_text(HEAD + script)
        self.process = subprocess.Popen(
            [binary(), "run", str(path), *options], cwd=folder, stdin=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"}, **more)
        self.lines = []
        self.changed = threading.Condition()
        self.rows = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if reads:
            threading.Thread(target=self._read_rows, daemon=True).start()

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()

    def _read_rows(self):
        for line in self.process.stdout:
            self.rows.put(line.decode())
        self.rows.put("")

    def row(self):
        """The next line on stdout, "" at its end."""
        try:
            return self.rows.get(timeout=SECONDS_MAX)
        except queue.Empty:
            raise AssertionError("no row comes:\n" + "\n".join(self.lines)) from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def said(self, words, count=1):
        """The count-th line that holds the words; waits for it."""
        limit = time.monotonic() + SECONDS_MAX
        with self.changed:
            while True:
                found = [line for line in self.lines if words in line]
                if len(found) >= count:
                    return found[count - 1]
                if not self.changed.wait(max(0, limit - time.monotonic())):
                    raise AssertionError(f"it never said '{words}':\n" + "\n".join(self.lines))

    def port(self, number=1):
        """Of the listener that came up as that number."""
        return int(self.said("listening on ", number).rsplit(":", 1)[1])

    def connect(self, number=1):
        return Peer(socket.create_connection(("127.0.0.1", self.port(number)), SECONDS_MAX))

    def stop(self, with_signal=signal.SIGINT):
        """Asks it to end: (exit status, everything on stderr)."""
        self.process.send_signal(with_signal)
        return self.end()

    def end(self):
        try:
            status = self.process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            status = "no end"
            self.process.kill()
        self.reader.join(SECONDS_MAX)
        return status, "\n".join(self.lines)


class Peer:
    """One end of a connection, by lines."""

    def __init__(self, connected):
        self.socket = connected
        self.socket.settimeout(SECONDS_MAX)
        self.rest = b""

    def say(self, text):
        self.socket.sendall(text.encode())

    def line(self):
        """The next line, None at the end."""
        while b"\n" not in self.rest:
            got = self.socket.recv(1 << 16)
            if not got:
                return None
            self.rest += got
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def all(self):
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
        return lines

    def close(self):
        self.socket.close()


def wait_until(true):
    """Until the function gives something true, which is returned; else what it gave last."""
    limit = time.monotonic() + SECONDS_MAX
    while not (value := true()) and time.monotonic() < limit:
        time.sleep(0.01)
    return value
