"""Compares rows: tidemill's CSV with the model, text for text and in order; DuckDB's with both."""

import math
from decimal import Decimal

from differential import column_types as ct
from support import csv_text


def with_program(flow, data):
    """None if the CSV text is what the flow must give, else the first difference."""
    try:
        header, ours = csv_text.read(data)
    except (ValueError, UnicodeDecodeError) as broken:
        return f"the answer is not CSV: {broken}"
    names = [c.name for c in flow.columns]
    if header != names:
        return f"columns differ\n  tidemill {header}\n  expected {names}"
    theirs = [[ct.text(c.type, v) for c, v in zip(flow.columns, row)] for row in flow.sorted()]
    if flow.merged:
        ours, theirs = _positive_zeros(flow, ours), _positive_zeros(flow, theirs)
    if flow.order == "loose":
        ours, theirs = sorted(ours, key=repr), sorted(theirs, key=repr)
    for number, (mine, expected) in enumerate(zip(ours, theirs), 1):
        pairs = zip(flow.columns, mine, expected)
        if mine != expected and not all(_close(c, a, b) for c, a, b in pairs):
            return f"row {number} of {len(theirs)}\n  tidemill {mine}\n  expected {expected}"
    if len(ours) != len(theirs):
        longer = (ours if len(ours) > len(theirs) else theirs)[min(len(ours), len(theirs))]
        return f"{len(ours)} rows, expected {len(theirs)}; the first that is too many\n  {longer}"
    return None


def _positive_zeros(flow, rows):
    """Which of -0.0 and 0.0 stands for a group of equal keys is not part of the contract."""
    floats = [c.type.kind == "float64" for c in flow.columns]
    zero = lambda text, is_float: "0.0" if is_float and text == "-0.0" else text
    return [[zero(text, f) for text, f in zip(row, floats)] for row in rows]


def _close(column, mine, expected):
    if mine == expected or not column.near or mine is None or expected is None:
        return mine == expected
    return _near(float(mine), float(expected), column.near)


def _near(a, b, relative):
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= relative * max(abs(a), abs(b), 1e-3 if relative > 1e-12 else 0)


def with_peer(flow, rows):
    """None if DuckDB's rows are the model's as a multiset, else the first difference."""
    rows = [tuple(ct.from_peer(c.type, v) for c, v in zip(flow.columns, row)) for row in rows]
    if len(rows) != len(flow.rows):
        return f"DuckDB has {len(rows)} rows, the model {len(flow.rows)}"
    exact = [i for i, c in enumerate(flow.columns) if c.peer == "exact" and not c.near]
    near = [i for i, c in enumerate(flow.columns) if c.peer == "near"]
    order = lambda row: (
        ct.row_key([row[i] for i in exact]),
        [(row[i] is None, 0.0 if row[i] is None else ct.key(float(row[i]))) for i in near],
    )
    for theirs, model in zip(sorted(rows, key=order), sorted(flow.rows, key=order)):
        same = ct.equal_key(theirs[i] for i in exact) == ct.equal_key(model[i] for i in exact)
        if not same or not all(_peer_close(theirs[i], model[i]) for i in near):
            return f"\n  DuckDB {theirs}\n  model  {model}"
    return None


def _peer_close(theirs, model):
    if theirs is None or model is None:
        return theirs is None and model is None
    slack = 10 ** model.as_tuple().exponent if isinstance(model, Decimal) else 1e-9
    a, b = float(theirs), float(model)
    return a == b or abs(a - b) <= slack + 1e-9 * abs(b) or (math.isnan(a) and math.isnan(b))
