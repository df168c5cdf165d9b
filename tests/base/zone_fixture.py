#!/usr/bin/env python3
"""Writes tests/base/zone_fixture.txt: what Python's zoneinfo says about the zone files in
tests/base/zoneinfo, which are compiled here as small as they get (rules in the footer, not in the
table). Run it by hand; its results are committed, so that a test does not depend on the release of
the zone files on a machine.

    python3 tests/base/zone_fixture.py [tzdata.zi]

Lines, times in seconds since the epoch (L and D: the local clock as if it were UTC):
    Z zone                                 the zone of the lines that follow
    T utc before after name name           a transition: offsets and abbreviations around it
    I utc offset name                      any instant
    L local fit utc                        fit: 0 one, 1 gap (utc is the transition), 2 overlap
    D day utc                              the first instant of a local day
"""
import datetime as dt
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import zoneinfo

HERE = pathlib.Path(__file__).resolve().parent
FILES = HERE / "zoneinfo"
EPOCH = dt.datetime(1970, 1, 1)
UTC = dt.timezone.utc
ZONES = """Africa/Casablanca Africa/Cairo America/New_York America/Nuuk America/Santiago
America/Sao_Paulo America/St_Johns Antarctica/Troll Asia/Gaza Asia/Kathmandu Asia/Tehran
Australia/Lord_Howe Australia/Sydney Europe/Berlin Europe/Dublin Europe/London Pacific/Apia
Pacific/Chatham""".split()


def compile_zones(source):
    shutil.rmtree(FILES, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        zic = shutil.which("zic") or "/usr/sbin/zic"
        subprocess.run([zic, "-b", "slim", "-d", folder, source], check=True,
                       stderr=subprocess.DEVNULL)
        for zone in ZONES:
            (FILES / zone).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(pathlib.Path(folder) / zone, FILES / zone)


def seconds(day):
    return round((day - EPOCH).total_seconds())


def at(zone, utc):
    local = (EPOCH + dt.timedelta(seconds=utc)).replace(tzinfo=UTC).astimezone(zone)
    return round(local.utcoffset().total_seconds()), local.tzname()


def transitions(zone, first, last):
    """Instants at which the offset changes: a change a sixth of a day is looked for, then halved.
    A pair of changes closer than that is not found; no zone has one after 1950."""
    found, step = [], 4 * 3600
    low = seconds(dt.datetime(first, 1, 1))
    end = seconds(dt.datetime(last, 12, 31))
    before = at(zone, low)[0]
    while low < end:
        high = low + step
        after = at(zone, high)[0]
        if after != before:
            a, b = low, high
            while b - a > 1:
                middle = (a + b) // 2
                if at(zone, middle)[0] == before:
                    a = middle
                else:
                    b = middle
            found.append(b)
        low, before = high, after
    return found


def local_line(zone, local, known):
    naive = EPOCH + dt.timedelta(seconds=local)
    offsets = [round(naive.replace(tzinfo=zone, fold=f).utcoffset().total_seconds())
               for f in (0, 1)]
    if offsets[0] == offsets[1]:
        return f"L {local} 0 {local - offsets[0]}"
    if offsets[0] > offsets[1]:
        return f"L {local} 2 {local - offsets[0]}"
    jump = [t for t in known if local - offsets[1] <= t <= local - offsets[0]]
    assert len(jump) == 1, (zone, local, jump)
    return f"L {local} 1 {jump[0]}"


def lines_of(name, rng):
    zone = zoneinfo.ZoneInfo(name)
    yield f"Z {name}"
    spans = [(1970, 2037), (2098, 2099), (2399, 2401), (2443, 2444), (9900, 9901)]
    for first, last in spans:
        known = transitions(zone, first, last)
        for t in known:
            (before, old), (after, new) = at(zone, t - 1), at(zone, t)
            yield f"T {t} {before} {after} {old} {new}"
            if first == 1970 and t < seconds(dt.datetime(1999, 1, 1)):
                continue
            low, high = t + min(before, after), t + max(before, after)
            for local in (low - 1, low, (low + high) // 2, high - 1, high):
                yield local_line(zone, local, known)
            # The wall clock's days around the transition, from the instants themselves.
            for day in {(t + before) // 86400, (t + after) // 86400, (t + after) // 86400 + 1}:
                starts = [u for u in (day * 86400 - before, day * 86400 - after)
                          if u + at(zone, u)[0] == day * 86400]
                yield f"D {day} {min(starts) if starts else t}"
    for _ in range(60):
        utc = rng.randrange(seconds(dt.datetime(1850, 1, 1)), seconds(dt.datetime(9998, 1, 1)))
        offset, tzname = at(zone, utc)
        yield f"I {utc} {offset} {tzname}"


def main():
    compile_zones(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/zoneinfo/tzdata.zi")
    zoneinfo.reset_tzpath(to=[str(FILES)])
    rng = random.Random(20260314)
    text = "\n".join(line for name in ZONES for line in lines_of(name, rng)) + "\n"
    (HERE / "zone_fixture.txt").write_text(text, encoding="ascii")


main()
