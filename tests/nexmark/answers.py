"""Compares an answer of tidemill, CSV text, with DuckDB's rows for the same Nexmark query.

Rows are a set with repetitions: both sides are sorted. All values must be equal as text but for
averages, which DuckDB divides in another way: those may differ in the last digits.
"""

import math
from datetime import datetime

from support import csv_text

RELATIVE = 1e-12


def read(data):
    """(header, rows) of CSV text; ValueError where it is none."""
    return csv_text.read(data)


def difference(header, ours, names, rows):
    """None if they agree, else the first difference; `ours` are texts, `rows` values."""
    if header != names:
        return f"columns differ\n  ours  {header}\n  peer  {names}"
    if len(ours) != len(rows):
        return f"ours has {len(ours)} rows, the peer {len(rows)}"
    floats = {i for row in rows for i, value in enumerate(row) if isinstance(value, float)}
    mine = sorted((_split(row, floats, _float) for row in ours), key=_order)
    theirs = sorted(
        (_split(map(_text, row), floats, lambda value: value) for row in rows), key=_order
    )
    for number, (a, b) in enumerate(zip(mine, theirs), 1):
        if a[0] != b[0] or not all(map(_close, a[1], b[1])):
            return f"sorted row {number}\n  ours  {a}\n  peer  {b}"
    return None


def _split(row, floats, convert):
    """What must be equal, and what must be close."""
    row = list(row)
    return (
        [value for i, value in enumerate(row) if i not in floats],
        [convert(value) for i, value in enumerate(row) if i in floats],
    )


def _order(parts):
    return [(value is not None, value) for value in parts[0] + parts[1]]


def _float(text):
    return None if text is None else float(text)


def _close(a, b):
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=RELATIVE)


def _text(value):
    """As contract.md writes values; floats stay."""
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, datetime):
        text = value.strftime("%Y-%m-%dT%H:%M:%S")
        fraction = value.microsecond
        if fraction:
            text += f".{fraction // 1000:03}" if fraction % 1000 == 0 else f".{fraction:06}"
        return text + "Z"
    return str(value)
