"""Random tables, of small domains on purpose: keys repeat, groups hold rows, ties happen.

Every column draws from its own pool of values, extremes and odd text among them. A second table may
draw from the same pools, so that joins match. A column is *tame* where exact arithmetic stays in
range (no NaN, no infinities, no limits), *plain* where its text is ASCII.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from differential import column_types as ct

NAMES = (
    "id qty name city amt price at day flag code note ref x y z key kind total rate unit size "
    "lat born seen owner tag part zone_a b1 b2 c3 long_column_name"
).split()

DECIMALS = [
    (1, 0), (5, 2), (9, 9), (12, 2), (18, 4), (19, 0), (24, 6), (38, 10), (38, 0), (38, 38),
]

ODD_TEXT = [
    "", " ", "a", "A", "b", "abc", "äöü", "日本語", "e\u0301", "😀 ok", 'say "hi"', '"', "li\nne",
    "tab\there", "a,b", "a|b;c", "cr\r\nlf", "NULL", "null", "nan", "0", "-1", "\\N", "it's",
    "100%", "abcdefghijkl", "abcdefghijklm", "prefix-of-a-long-text-1", "prefix-of-a-long-text-2",
    "#no", " lead", "trail ", "true", "2024-01-01", "ÿ", "\u007f", "no \ufeffbom", "\u2028", "NA",
]
PLAIN_TEXT = [
    "", "a", "b", "ab", "abc", "Abc", "zz top", "x_y", "100%", "green door", "AIR", "AIR REG",
    "special big requests", "abcdefghijklm", "PROMO steel", "Brand#12", "13-555-0101",
]
ODD_FLOATS = [
    0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 5e-324, 1e16, 1e-5, 0.1,
    123456789.125, -2.5, 9007199254740992.0, 1.7976931348623157e308, 1.5, 2.0,
]
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata"]


@dataclass(frozen=True)
class Column:
    name: str
    type: ct.Type
    tame: bool = True
    plain: bool = True
    pool: tuple = ()
    nullable: bool = True
    near: float = 0.0      # the relative error that is allowed; 0 is exact
    peer: str = "exact"    # how DuckDB's value compares: exact, near, or skip

    def renamed(self, name):
        return replace(self, name=name)


@dataclass
class Table:
    columns: list
    rows: list


def column(rng, name):
    """A random column with its pool of non-null values."""
    maker = rng.choice(MAKERS)
    kind, values, tame, plain = maker(rng)
    few = rng.random() < 0.7
    pool = tuple(rng.sample(values, min(len(values), rng.randint(1, 6)))) if few else tuple(values)
    return Column(name, kind, tame, plain, pool, nullable=rng.random() < 0.75)


def table(rng, rows, columns=None, shared=()):
    """A random table; `shared` columns are taken over with their pools, for keys that match."""
    names = rng.sample(NAMES, columns or rng.randint(1, 7))
    made = [column(rng, name) for name in names]
    for place, one in zip(rng.sample(range(len(made)), min(len(shared), len(made))), shared):
        taken = {c.name for i, c in enumerate(made) if i != place}
        name = one.name if one.name not in taken and rng.random() < 0.6 else made[place].name
        made[place] = replace(one, name=name, nullable=rng.random() < 0.75)
    return Table(made, [tuple(value(rng, c) for c in made) for _ in range(rows)])


def value(rng, column):
    if column.nullable and rng.random() < 0.2:
        return None
    return rng.choice(column.pool)


def _ints32(rng):
    if rng.random() < 0.5:
        return ct.INT32, list(range(-4, 9)), True, True
    return ct.INT32, [0, 1, -1, 2**31 - 1, -(2**31), 65536, 7, 1000003], False, True


def _ints64(rng):
    if rng.random() < 0.5:
        return ct.INT64, list(range(-4, 9)) + [10**6, 10**9, -(10**9)], True, True
    return ct.INT64, [0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1, 2**31, 10**18, -7], False, True


def _floats(rng):
    if rng.random() < 0.5:
        return ct.FLOAT64, [i / 8 for i in range(-20, 40)] + [0.1, 0.7, 1e6, -3.3], True, True
    return ct.FLOAT64, ODD_FLOATS, False, True


def _decimals(rng):
    digits, scale = rng.choice(DECIMALS)
    most = 10**digits - 1
    if digits in (5, 12, 18) and rng.random() < 0.7:
        numbers = [rng.randint(-99999, 99999) for _ in range(12)] + [0, 1, -1]
        values = [_scaled(n, scale) for n in dict.fromkeys(numbers)]
        return ct.decimal(digits, scale), values, True, True
    numbers = dict.fromkeys([0, 1, -1, most, -most, most // 3])
    return ct.decimal(digits, scale), [_scaled(n, scale) for n in numbers], False, True


def _scaled(number, scale):
    sign, digits = (1, str(-number)) if number < 0 else (0, str(number))
    return Decimal((sign, tuple(map(int, digits)), -scale))


def _strings(rng):
    if rng.random() < 0.5:
        return ct.STRING, PLAIN_TEXT, True, True
    return ct.STRING, ODD_TEXT, True, False


def _bytes(rng):
    return ct.BYTES, [b"", b"\0", b"\xff\xfe", b"abc", bytes(range(13)), b"\x80" * 40], False, False


def _bools(rng):
    return ct.BOOL, [True, False], True, True


def _dates(rng):
    if rng.random() < 0.5:
        start = date(2023, 12, 28)
        return ct.DATE, [start + timedelta(days=9 * i) for i in range(12)], True, True
    return ct.DATE, [date(1, 1, 1), date(9999, 12, 31), date(1970, 1, 1), date(1969, 12, 31),
                     date(2000, 2, 29), date(1900, 2, 28), date(2024, 2, 29)], False, True


def _timestamps(rng):
    base = 1_709_164_800_000_000  # 2024-02-29T00:00:00Z
    if rng.random() < 0.4:
        return ct.TIMESTAMP, [base + i * 3_599_000_000 for i in range(-8, 30)], True, True
    if rng.random() < 0.4:
        zoned = ct.Type("timestamp", zone=rng.choice(ZONES))
        return zoned, [base + i * 8_640_000_123 * 37 for i in range(-8, 30)], True, True
    least, most = -62_135_596_800_000_000, 253_402_300_799_999_999
    odd = [least, most, 0, -1, 1, 1000, 999_999, -1_000_000, base + 123_000]
    return ct.TIMESTAMP, odd, False, True


def _many(rng):
    """A domain as large as the table: as a key it makes many groups."""
    if rng.random() < 0.5:
        return ct.INT64, [7919 * i % 3001 for i in range(3001)], True, True
    return ct.STRING, [f"user-{7919 * i % 3001}" for i in range(3001)], True, True


MAKERS = [
    _many, _ints32, _ints64, _ints64, _floats, _floats, _decimals, _decimals, _strings, _strings,
    _strings,
    _bytes, _bools, _dates, _timestamps,
]
