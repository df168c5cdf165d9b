"""Compares an answer of tidemill, CSV text, with DuckDB's rows for the same TPC-H query.

Decimals, integers, dates and text must be equal as text. Where DuckDB leaves decimals (averages and
quotients are doubles there), ours must be the double rounded to our six digits.
"""

from decimal import Decimal

from support import csv_text

DIGITS = 6  # scale of avg over decimal(12,2), and of a quotient of decimals


def difference(data, names, rows):
    """None if CSV `data` equals the rows in order under those names, else the first difference."""
    try:
        header, ours = csv_text.read(data)
    except ValueError as broken:
        return f"the answer is not CSV: {broken}"
    if header != names:
        return f"columns differ\n  ours  {header}\n  peer  {names}"
    for number, (mine, theirs) in enumerate(zip(ours, rows), 1):
        for name, text, value in zip(header, mine, theirs):
            if not _equal(text, value):
                return f"row {number}, column {name}: ours {text!r}, peer {value!r}"
    if len(ours) != len(rows):
        return f"ours has {len(ours)} rows, the peer {len(rows)}"
    return None


def _equal(text, value):
    if text is None or value is None:
        return text is None and value is None
    if isinstance(value, float):
        exact = Decimal(value)
        mine = Decimal(text)
        slack = Decimal(5) / 10 ** (DIGITS + 1) + abs(exact) * Decimal("1e-14")
        return -mine.as_tuple().exponent == DIGITS and abs(mine - exact) <= slack
    return text == str(value)
