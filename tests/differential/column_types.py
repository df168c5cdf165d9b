"""The scalar types of tidemill: how a value is written in CSV, in Lua and in SQL, and how it sorts.

A value in Python is None for null, else bool, int, float, Decimal, str, bytes, date; a timestamp is
an int of microseconds since the epoch. Everything that compares two values goes through key().
"""

import base64
import decimal as exact
import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

exact.getcontext().prec = 120  # more than any product of two decimals of 38 digits

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Type:
    kind: str
    digits: int = 0
    scale: int = 0
    zone: str = ""

    @property
    def ddl(self):
        if self.kind == "decimal":
            return f"decimal({self.digits},{self.scale})"
        return f"timestamp('{self.zone}')" if self.zone else self.kind

    @property
    def sql(self):
        if self.kind == "decimal":
            return f"DECIMAL({self.digits},{self.scale})"
        return SQL_NAMES[self.kind]

    @property
    def numeric(self):
        return self.kind in ("int32", "int64", "float64", "decimal")


SQL_NAMES = {
    "bool": "BOOLEAN", "int32": "INTEGER", "int64": "BIGINT", "float64": "DOUBLE",
    "string": "VARCHAR", "bytes": "BLOB", "date": "DATE", "timestamp": "TIMESTAMP",
}

BOOL, INT32, INT64, FLOAT64 = Type("bool"), Type("int32"), Type("int64"), Type("float64")
STRING, BYTES, DATE, TIMESTAMP = Type("string"), Type("bytes"), Type("date"), Type("timestamp")


def decimal(digits, scale):
    return Type("decimal", digits, scale)


def key(value):
    """What equal values share and what puts values in order: NaN is greatest, -0 is 0."""
    if isinstance(value, float):
        return (1, 0.0) if math.isnan(value) else (0, value + 0.0)
    return value.encode() if isinstance(value, str) else value


def row_key(row):
    """Orders whole rows by their columns left to right, nulls last."""
    return tuple((value is None, 0 if value is None else key(value)) for value in row)


def equal_key(values):
    """A hashable stand-in for a tuple of key columns; nulls are equal to each other."""
    return tuple(None if value is None else (key(value),) for value in values)


def text(kind, value):
    """The value as CSV and JSON have it; None for null."""
    if value is None:
        return None
    match kind.kind:
        case "bool":
            return "true" if value else "false"
        case "float64":
            return float_text(value)
        case "decimal":
            return f"{value + 0:.{kind.scale}f}"  # + 0: decimals have no negative zero
        case "bytes":
            return base64.b64encode(value).decode()
        case "date":
            return f"{value.year:04}-{value.month:02}-{value.day:02}"
        case "timestamp":
            return timestamp_text(value, kind.zone)
    return str(value)


def float_text(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def timestamp_text(value, zone=""):
    at = EPOCH + timedelta(microseconds=value)
    if zone:
        at = at.astimezone(ZoneInfo(zone))
    micros = at.microsecond
    fraction = "" if micros == 0 else f".{micros:06}" if micros % 1000 else f".{micros // 1000:03}"
    offset = at.strftime("%z") if zone else ""
    suffix = f"{offset[:3]}:{offset[3:]}" if zone else "Z"
    return f"{at.year:04}-{at.strftime('%m-%dT%H:%M:%S')}{fraction}{suffix}"


def lua_literal(kind, value):
    if value is None:
        return "nil"
    match kind.kind:
        case "bool":
            return "true" if value else "false"
        case "int32" | "int64":
            return "math.mininteger" if value == -(2**63) else str(value)
        case "float64":
            return lua_float(value)
        case "decimal":
            return f'tm.dec "{text(kind, value)}"'
        case "date":
            return f'tm.day "{text(kind, value)}"'
        case "timestamp":
            return f'tm.time "{timestamp_text(value)}"'
    return lua_string(value.encode() if isinstance(value, str) else value)


def lua_float(value):
    if math.isnan(value):
        return "(0/0)"
    if math.isinf(value):
        return "math.huge" if value > 0 else "-math.huge"
    return repr(value)


def lua_string(data):
    plain = lambda byte: 32 <= byte < 127 and byte not in b'"\\'
    return '"' + "".join(chr(b) if plain(b) else f"\\{b:03}" for b in data) + '"'


def sql_literal(kind, value):
    if value is None:
        return f"CAST(NULL AS {kind.sql})"
    match kind.kind:
        case "bytes":
            return f"unhex('{value.hex()}')"
        case "timestamp":
            return f"make_timestamp(CAST({value} AS BIGINT))"
        case "string":
            return "'" + value.replace("'", "''") + "'"
    return f"CAST('{text(kind, value)}' AS {kind.sql})"


def from_peer(kind, value):
    """A value as DuckDB's Python client returns it, in our representation."""
    if isinstance(value, datetime):
        return (value.replace(tzinfo=timezone.utc) - EPOCH) // timedelta(microseconds=1)
    if isinstance(value, bytearray):
        return bytes(value)
    if kind.kind == "float64" and isinstance(value, (int, Decimal)):
        return float(value)
    return value


def day_of(micros):
    return date(1970, 1, 1) + timedelta(days=micros // DAY_US)
