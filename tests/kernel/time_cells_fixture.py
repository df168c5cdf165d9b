#!/usr/bin/env python3
"""Writes tests/kernel/time_cells_fixture.txt: boundaries of cells from 2000 to 2037 by Python's
zoneinfo, found by looking at the clock of every zone each minute around a change of its offset and
each quarter of an hour elsewhere. Zone files are those of tests/base/zoneinfo, and of
tests/kernel/zoneinfo, which are compiled here. Run it by hand; its results are committed.

    python3 tests/kernel/time_cells_fixture.py [tzdata.zi]

Lines, times in seconds since the epoch:
    Z zone               the zone of the lines that follow
    U seconds            the unit
    R first step count   boundaries first, first + step … `count` of them
"""
import datetime as dt
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zoneinfo

HERE = pathlib.Path(__file__).resolve().parent
FILES = HERE / "zoneinfo"
BASE = HERE.parent / "base" / "zoneinfo"
OWN = ["Europe/Paris", "America/Havana"]
ZONES = OWN + """Africa/Casablanca Africa/Cairo America/New_York America/Sao_Paulo America/St_Johns
Antarctica/Troll Asia/Kathmandu Australia/Lord_Howe Europe/Dublin Pacific/Apia UTC""".split()
UTC = dt.timezone.utc
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
FIRST = round((dt.datetime(2000, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
LAST = round((dt.datetime(2037, 12, 31, tzinfo=UTC) - EPOCH).total_seconds())
YEARS_7H = (1293840000, 1356912000)
DAY = 86400
CLOCK_UNITS = [900, 1800, 3600, 2 * 3600, 6 * 3600, 7 * 3600]
DAY_UNITS = [1, 2, 7, 30]


def compile_zones(source):
    with tempfile.TemporaryDirectory() as folder:
        zic = shutil.which("zic") or "/usr/sbin/zic"
        subprocess.run([zic, "-b", "slim", "-d", folder, source], check=True,
                       stderr=subprocess.DEVNULL)
        for zone in OWN:
            (FILES / zone).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(pathlib.Path(folder) / zone, FILES / zone)


def look(zone, utc):
    """The wall clock as seconds since 1970, whether it shows that time again, and the shift."""
    local = (EPOCH + dt.timedelta(seconds=utc)).astimezone(zone)
    wall = utc + round(local.utcoffset().total_seconds())
    shift = 0
    if local.fold:
        shift = round((local.replace(fold=0).utcoffset() - local.utcoffset()).total_seconds())
    return wall, local.fold, shift


def instants(zone):
    """Every quarter of an hour; every minute where the offset changes within half a day."""
    for block in range(FIRST - DAY, LAST + 40 * DAY, DAY // 2):
        offsets = {look(zone, utc)[0] - utc
                   for utc in range(block - DAY // 2, block + DAY, 4 * 3600)}
        yield from range(block, block + DAY // 2, 900 if len(offsets) == 1 else 60)


def is_boundary(previous, wall, again, shift, unit):
    if wall > previous:
        day = wall // DAY * DAY
        multiple = day + (wall - day) // unit * unit
        if multiple <= previous:
            return False
        return not again or shift % unit == 0
    return (wall % DAY) % unit == 0 and shift % unit == 0


def runs(boundaries):
    at = 0
    while at + 1 < len(boundaries):
        step, count = boundaries[at + 1] - boundaries[at], 2
        while at + count < len(boundaries) and (boundaries[at + count] ==
                                                boundaries[at + count - 1] + step):
            count += 1
        yield f"R {boundaries[at]} {step} {count}"
        at += count - 1


def first_instants(walls):
    """date -> the first instant at which the clock shows it."""
    found = {}
    for utc, wall, _, _ in walls:
        found.setdefault(wall // DAY, utc)
    return found


def lines_of(name):
    zone = zoneinfo.ZoneInfo(name)
    walls = [(utc, *look(zone, utc)) for utc in instants(zone)]
    yield f"Z {name}"
    for unit in CLOCK_UNITS:
        found = []
        for (_, previous, _, _), (utc, wall, again, shift) in zip(walls, walls[1:]):
            if is_boundary(previous, wall, again, shift, unit):
                found.append(utc)
        yield f"U {unit}"
        # Cells of 7 h are uneven every day: two years say enough.
        first, last = (YEARS_7H if unit == 7 * 3600 else (FIRST, LAST))
        yield from runs([u for u in found if first <= u <= last])
    dates = first_instants(walls[DAY // 900:])
    last = max(dates)
    for days in DAY_UNITS:
        origin = 4 if days % 7 == 0 else 0
        found = []
        for day in range(min(dates) + 60, last + 1):
            if (day - origin) % days == 0:
                shown = [d for d in range(day, day + days) if d in dates]
                if shown:
                    found.append(dates[shown[0]])
        yield f"U {days * DAY}"
        yield from runs([u for u in found if FIRST <= u <= LAST])


def main():
    compile_zones(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/zoneinfo/tzdata.zi")
    zoneinfo.reset_tzpath(to=[str(FILES), str(BASE)])
    text = "\n".join(line for name in ZONES for line in lines_of(name)) + "\n"
    (HERE / "time_cells_fixture.txt").write_text(text, encoding="ascii")


main()
