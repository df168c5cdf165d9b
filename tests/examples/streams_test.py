#!/usr/bin/env python3
"""The pipelines for sensors and for card fraud, as batch and as stream, against the same rules
written down plainly in Python."""

import csv
import gzip
import json
import math
import shutil
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.program import BUILD, ROOT, run
from support.report import Report

WORK = BUILD / "data" / "streams"
WEATHER = ROOT / "examples" / "data" / "nycflights13" / "weather.csv.gz"
NEW_YORK = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def read_json(path):
    return [json.loads(line, parse_float=Decimal) for line in path.read_text().splitlines()]


def read_csv(path):
    return list(csv.reader(path.read_text().splitlines()))[1:]


def on_time(rows, field, out_of_order):
    """Rows that are not behind, and those that are: by the largest time of those before."""
    kept, late, latest = [], [], None
    for row in rows:
        at = instant(row[field])
        behind = latest is not None and at < latest - out_of_order
        (late if behind else kept).append((at, row))
        latest = at if latest is None else max(latest, at)
    return kept, late


def run_pipeline(name, mode, data, out, workers):
    shutil.rmtree(out, ignore_errors=True)
    done = run("run", ROOT / "pipelines" / f"{name}.lua", "--as", mode, "--workers", workers,
               "--param", f"data={data}", "--param", f"out={out}")
    return None if done.status == 0 else f"exit {done.status}\n{done.err}"


def difference(what, found, wanted):
    if found == wanted:
        return None
    few = [row for row in wanted if row not in found][:3]
    many = [row for row in found if row not in wanted][:3]
    return f"{what}: {len(found)} rows, not {len(wanted)}; missing {few}, too many {many}"


# ---------------------------------------------------------------------------------------- sensors

def quantile(values, share):
    values, at = sorted(values), share * (len(values) - 1)
    low = math.floor(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (at - low)


def sessions_of(rows, gap, longest):
    """Rows of one device in time order to (start, end, rows)."""
    done, start, current = [], None, []
    for at, row in rows:
        if current and (at - current[-1][0] > gap or at >= start + longest):
            done.append((start, min(current[-1][0] + gap, start + longest), current))
            current = []
        if not current:
            start = at
        current.append((at, row))
    if current:
        done.append((start, min(current[-1][0] + gap, start + longest), current))
    return done


def silences_of(rows, until):
    """Each reading sets the alarm anew; at equal time the reading comes first."""
    wait, found = 15 * MINUTE, []
    for (at, _), following in zip(rows, [r[0] for r in rows[1:]] + [None]):
        rings = at + wait
        if (following is None or following > rings) and rings <= until:
            found.append(at)
    return found


def expected_sensors(data, stream):
    limits = {row[0]: (row[1], float(row[2])) for row in read_csv(data / "devices.csv")}
    rows = read_json(data / "readings.jsonl")
    wait = 2 * MINUTE if stream else timedelta(days=9999)
    kept, late = on_time(rows, "ts", wait)
    until = max(instant(row["ts"]) for row in rows)
    devices = defaultdict(list)
    for at, row in sorted(kept, key=lambda pair: pair[0]):
        devices[row["device_id"]].append((at, row))
    runs, alarms = [], []
    for device, its in devices.items():
        site, limit = limits[device]
        for start, end, members in sessions_of(its, 5 * MINUTE, timedelta(hours=8)):
            temps = [float(row["temp"]) for _, row in members]
            p95 = f"{quantile(temps, 0.95):.9g}"
            runs.append((device, start, end, site, limit, len(temps), max(temps), p95))
            if max(temps) > limit:
                alarms.append((device, "overheat", end))
        alarms += [(device, "silent", at) for at in silences_of(its, until)]
    return sorted(runs), sorted(alarms), len(late)


def expected_days():
    """Each station's days by New York's clocks."""
    days = defaultdict(list)
    for row in csv.DictReader(gzip.open(WEATHER, "rt")):
        at = instant(row["time_hour"]).astimezone(NEW_YORK)
        days[row["origin"], at.date()].append(float(row["temp"]) if row["temp"] else None)
    result = []
    for (station, day), temps in days.items():
        start = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)
        there = [t for t in temps if t is not None]
        result.append((station, start.astimezone(timezone.utc), len(temps), min(there), max(there)))
    return sorted(result)


def check_sensors(mode, workers):
    data, out = WORK / "sensors", WORK / "sensors-out"
    problem = run_pipeline("sensors/sensors", mode, data, out, workers)
    if problem:
        return problem
    runs, alarms, late = expected_sensors(data, mode == "stream")
    found = sorted((r[0], instant(r[1]), instant(r[2]), r[3], float(r[4]), int(r[5]), float(r[6]),
                    f"{float(r[7]):.9g}") for r in read_csv(out / "runs.csv"))
    problem = difference("runs", found, runs)
    found = sorted((r[0], r[1], instant(r[2])) for r in read_csv(out / "alarms.csv"))
    problem = problem or difference("alarms", found, alarms)
    found = sorted((r[0], instant(r[1]), int(r[3]), float(r[4]), float(r[5]))
                   for r in read_csv(out / "days.csv"))
    problem = problem or difference("days", found, expected_days())
    said = read_json(out / "late-ts.jsonl")
    if problem is None and (len(said) != late or {r["reason"] for r in said} - {"late"}):
        problem = f"{len(said)} late rows are told, not {late}"
    return problem or (None if late > 0 or mode == "batch" else "no row is late: what is tested?")


# ------------------------------------------------------------------------------------------ fraud

def expected_alerts(data):
    """For every transaction that is not a repetition: its card's ten minutes up to it."""
    rows, _ = on_time(read_json(data / "txns.jsonl"), "at", timedelta(seconds=30))
    rows.sort(key=lambda pair: pair[0])
    last_kept, kept = {}, []
    for at, row in rows:
        before = last_kept.get(row["txn_id"])
        if before is None or at - before > 60 * MINUTE:
            last_kept[row["txn_id"]] = at
            kept.append((at, row))
    cards, told, alerts = defaultdict(list), {}, []
    for at, row in kept:
        cards[row["card"]].append((at, row))
    for at, row in kept:
        window = [r for t, r in cards[row["card"]] if at - 10 * MINUTE < t <= at]
        spent = sum(r["amount"] for r in window)
        countries = len({r["country"] for r in window})
        if not (len(window) >= 5 and spent > 2000 or countries >= 3):
            continue
        before = told.get(row["card"])
        if before is None or at - before > 10 * MINUTE:
            told[row["card"]] = at
            severity = "high" if countries >= 3 else "medium"
            alerts.append((row["card"], at, len(window), spent, countries, severity))
    return sorted(alerts)


def check_fraud(mode, workers):
    data, out = WORK / "fraud", WORK / "fraud-out"
    problem = run_pipeline("fraud/fraud", mode, data, out, workers)
    if problem:
        return problem
    found, ids = [], []
    with open(out / "alerts.csv", newline="") as file:
        for r in csv.DictReader(file):
            found.append((r["card"], instant(r["window_end"]), int(r["n"]), Decimal(r["spent"]),
                          int(r["countries"]), r["severity"]))
            ids.append(r["alert_id"])
    wanted = expected_alerts(data)
    problem = difference("alerts", sorted(found), wanted)
    high = [row for row in read_json(out / "high.jsonl") if row["severity"] == "high"]
    if problem is None and len(high) != sum(row[5] == "high" for row in wanted):
        problem = f"{len(high)} high alerts"
    if problem is None and (len(set(ids)) != len(ids) or not wanted):
        problem = f"{len(ids)} alerts, {len(set(ids))} ids"
    return problem


def make(maker, folder):
    done = run("run", ROOT / "pipelines" / maker, "--param", f"data={folder}")
    if done.status != 0:
        raise SystemExit(f"{maker}: exit {done.status}\n{done.err}")


def main():
    report = Report()
    make("sensors/readings.lua", WORK / "sensors")
    make("fraud/transactions.lua", WORK / "fraud")
    for mode in ("batch", "stream"):
        for workers in (1, 3):
            report.add(f"sensors as {mode}, {workers} workers", check_sensors(mode, workers))
            report.add(f"fraud as {mode}, {workers} workers", check_fraud(mode, workers))
    report.close()


main()
