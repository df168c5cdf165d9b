"""Random row functions, each in three forms that mean the same: Lua, SQL, and a Python closure.

Lua's rules decide: a null is nil, so arithmetic and order are guarded; NaN is unequal to itself;
integers wrap; `//` and `%` floor. SQL is None where DuckDB has no plain way to say the same.
`rng` is a Maker: its captured tables become locals of the script.
"""

import math
import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Callable

from differential import column_types as ct


@dataclass(frozen=True)
class Expression:
    lua: str
    sql: str | None
    value: Callable  # of an environment {variable: {column: value}}
    type: ct.Type = ct.BOOL
    tame: bool = True
    plain: bool = True


class Maker(random.Random):
    """Randomness of one case, and the locals that its functions capture."""

    def __init__(self, seed):
        super().__init__(seed)
        self.locals = []
        self.declares = self.random() < 0.5  # whether every function has its types declared
        self.folder = None                   # where the files of this case lie

    def capture(self, lua, name="captured"):
        name = f"{name}_{len(self.locals) + 1}"
        self.locals.append(f"local {name} <const> = {lua}")
        return name


class Reference:
    """A column of a row variable: `r.name` in Lua, `r."name"` in SQL."""

    def __init__(self, variable, column):
        self.column, self.type = column, column.type
        self.lua = f"{variable}.{column.name}"
        self.sql = f'{variable}."{column.name}"'
        self.value = lambda env: env[variable][column.name]


ORDER = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def lua_order(operator, a, b):
    """Lua's comparison of two values of one type, as Python has it: bytes for strings."""
    if isinstance(a, str):
        a, b = a.encode(), b.encode()
    return ORDER[operator](a, b)


def predicate(rng, columns, variable="r", depth=0):
    """A random condition on one row."""
    if depth < 2 and rng.random() < 0.45:
        return _combined(rng, lambda: predicate(rng, columns, variable, depth + 1))
    usable = [c for c in columns if not c.near]
    reference = Reference(variable, rng.choice(usable)) if usable else None
    if reference is None:
        return Expression("true", "true", lambda env: True)
    choices = [_is_null, _equals]
    if reference.type.kind == "bool":
        choices += [_truth, _truth]
    elif reference.column.pool:
        choices += [_ordered, _ordered, _ordered, _in_table]
    if reference.type.kind == "string" and reference.column.plain:
        choices += [_like, _like, _find]
    if reference.type.kind in ("int32", "int64"):
        choices += [_modulo]
    twins = [c for c in usable if c.type == reference.type and c is not reference.column]
    if twins and reference.type.kind not in ("bool", "bytes"):
        choices += [lambda r, a: pair_order(r, a, Reference(variable, r.choice(twins)))] * 2
    return rng.choice(choices)(rng, reference)


def pair_predicate(rng, left, right, variables=("l", "r")):
    """A random condition on two rows of a join; None where no columns can be compared."""
    usable = lambda c: not c.near and c.type.kind not in ("bool", "bytes")
    pairs = [(a, b) for a in left for b in right if a.type == b.type and usable(a) and usable(b)]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    made = pair_order(rng, Reference(variables[0], a), Reference(variables[1], b))
    if rng.random() < 0.3:
        side = rng.randrange(2)
        other = predicate(rng, (left, right)[side], variables[side], depth=2)
        return _join_words(rng.choice(["and", "or"]), made, other)
    return made


def pair_order(rng, a, b):
    operator = rng.choice(list(ORDER) + ["==", "~="])
    if operator in ORDER:
        lua = f"{a.lua} ~= nil and {b.lua} ~= nil and {a.lua} {operator} {b.lua}"
        sql = f"coalesce({_not_nan(a)}{_not_nan(b)}{a.sql} {operator} {b.sql}, false)"
        value = lambda env: _both(a, b, env) and lua_order(operator, a.value(env), b.value(env))
        return Expression(lua, sql, value)
    same = lambda env: a.value(env) == b.value(env)
    sql = f"{a.sql} is not distinct from {b.sql}"
    if a.type.kind == "float64":
        sql = f"coalesce({_not_nan(a)}{sql}, {sql})"
    if operator == "==":
        return Expression(f"{a.lua} == {b.lua}", sql, same)
    return Expression(f"{a.lua} ~= {b.lua}", f"(not ({sql}))", lambda env: not same(env))


def _both(a, b, env):
    return a.value(env) is not None and b.value(env) is not None


def _not_nan(reference):
    return f"not isnan({reference.sql}) and " if reference.type.kind == "float64" else ""


def _combined(rng, make):
    if rng.random() < 0.2:
        inner = make()
        sql = inner.sql and f"(not {inner.sql})"
        return Expression(f"not ({inner.lua})", sql, lambda env: not inner.value(env))
    return _join_words(rng.choice(["and", "or"]), make(), make())


def _join_words(word, a, b):
    sql = f"({a.sql} {word} {b.sql})" if a.sql and b.sql else None
    if word == "and":
        value = lambda env: a.value(env) and b.value(env)
    else:
        value = lambda env: a.value(env) or b.value(env)
    return Expression(f"({a.lua}) {word} ({b.lua})", sql, value)


def _is_null(rng, ref):
    null = lambda env: ref.value(env) is None
    if rng.random() < 0.5:
        return Expression(f"{ref.lua} == nil", f"({ref.sql} is null)", null)
    return Expression(f"{ref.lua} ~= nil", f"({ref.sql} is not null)", lambda e: not null(e))


def _truth(rng, ref):
    return Expression(ref.lua, f"coalesce({ref.sql}, false)", lambda env: bool(ref.value(env)))


def _constant(rng, ref):
    value = rng.choice(ref.column.pool or _FALLBACK[ref.type.kind])
    if isinstance(value, float) and math.isnan(value):
        value = 1.0
    return value, ct.lua_literal(ref.type, value), ct.sql_literal(ref.type, value)


_FALLBACK = {
    "bool": [True], "int32": [0, 3], "int64": [1, 5], "float64": [0.5, 3.0], "string": ["a", "abc"],
    "bytes": [b"abc"], "date": [date(2024, 1, 1)], "timestamp": [0], "decimal": [Decimal(0)],
}


def _equals(rng, ref):
    value, lua, sql = _constant(rng, ref)
    if rng.random() < 0.5:
        text = f"({ref.sql} is not distinct from {sql})"
        return Expression(f"{ref.lua} == {lua}", text, lambda env: ref.value(env) == value)
    text = f"({ref.sql} is distinct from {sql})"
    return Expression(f"{ref.lua} ~= {lua}", text, lambda env: ref.value(env) != value)


def _ordered(rng, ref):
    value, lua, sql = _constant(rng, ref)
    operator = rng.choice(list(ORDER))
    text = f"coalesce({_not_nan(ref)}{ref.sql} {operator} {sql}, false)"
    guard = lambda env: ref.value(env) is not None
    return Expression(
        f"{ref.lua} ~= nil and {ref.lua} {operator} {lua}",
        text if ref.type.kind != "bytes" else None,
        lambda env: guard(env) and lua_order(operator, ref.value(env), value),
    )


def _in_table(rng, ref):
    """A captured table as a set; only types whose values are table keys in Lua."""
    if ref.type.kind not in ("int32", "int64", "string", "date"):
        return _equals(rng, ref)
    values = list(dict.fromkeys(rng.choice(ref.column.pool) for _ in range(3)))
    entries = ", ".join(f"[{ct.lua_literal(ref.type, v)}] = true" for v in values)
    captured = rng.capture(f"{{ {entries} }}")
    sql = ", ".join(ct.sql_literal(ref.type, v) for v in values)
    return Expression(
        f"{ref.lua} ~= nil and {captured}[{ref.lua}] == true",
        f"coalesce({ref.sql} in ({sql}), false)",
        lambda env: ref.value(env) in values,
    )


def _like(rng, ref):
    pattern = rng.choice(["%a%", "a%", "%c", "%", "", "a_c", "_", "%special%requests%", "A%G"])
    sql = f"coalesce({ref.sql} like '{pattern}', false)"
    lua = f'{ref.lua} ~= nil and tm.like({ref.lua}, "{pattern}")'
    matches = lambda text: text is not None and like(pattern, text)
    return Expression(lua, sql, lambda env: matches(ref.value(env)))


def like(pattern, text):
    """SQL's LIKE without an escape, by plain recursion."""
    if pattern == "":
        return text == ""
    if pattern[0] == "%":
        return any(like(pattern[1:], text[i:]) for i in range(len(text) + 1))
    return text != "" and pattern[0] in ("_", text[0]) and like(pattern[1:], text[1:])


def _find(rng, ref):
    part = rng.choice(["a", "b", " ", "%", "REG", "-", "abcdefghijklmnop"])
    sql = f"coalesce(contains({ref.sql}, '{part}'), false)"
    return Expression(
        f'{ref.lua} ~= nil and string.find({ref.lua}, "{part}", 1, true) ~= nil',
        sql,
        lambda env: ref.value(env) is not None and part in ref.value(env),
    )


def _modulo(rng, ref):
    by, rest = rng.choice([2, 3, 7, 10]), rng.choice([0, 1])
    return Expression(
        f"{ref.lua} ~= nil and {ref.lua} % {by} == {rest}",
        f"coalesce((({ref.sql} % {by}) + {by}) % {by} = {rest}, false)",
        lambda env: ref.value(env) is not None and ref.value(env) % by == rest,
    )


def value(rng, columns, variable="r"):
    """A random value of one row, null where its column is null."""
    usable = [c for c in columns if not c.near]
    makers = [(c, m) for c in usable for m in _makers(c)]
    if not makers or rng.random() < 0.1:
        return _choice_of_text(rng, columns, variable)
    column, maker = rng.choice(makers)
    return maker(rng, Reference(variable, column))


def _makers(column):
    kind, makers = column.type.kind, []
    if kind in ("int32", "int64"):
        makers += [_integer, _integer, _half]
    if kind == "float64":
        makers += [_float]
    if kind == "decimal" and column.tame and column.type.digits <= 18:
        makers += [_decimal, _decimal, _quotient, _rounded]
    if kind == "string" and column.plain:
        makers += [_case, _part]
    if kind == "date":
        makers += [_date_part] + ([_shifted] if column.tame else [])
    if kind == "timestamp" and column.tame and not column.type.zone:
        makers += [_time_part, _day]
    return makers


def _guarded(ref, lua, sql, compute, kind, **marks):
    """`r.x and (…)`: null stays null, everything else is computed."""
    value = lambda env: None if ref.value(env) is None else compute(ref.value(env))
    return Expression(f"{ref.lua} and ({lua})", sql, value, kind, **marks)


def _wrap(number):
    return (number + 2**63) % 2**64 - 2**63


def _integer(rng, ref):
    by = rng.choice([1, 2, 3, 7, -5, 100])
    operator = rng.choice(["+", "-", "*", "//", "%"])
    compute = {
        "+": lambda x: x + by, "-": lambda x: x - by, "*": lambda x: x * by,
        "//": lambda x: x // by, "%": lambda x: x % by,
    }[operator]
    sql = f"(CAST({ref.sql} AS BIGINT) {operator} ({by}))"
    plain = ref.column.tame and operator in "+-*"
    return _guarded(
        ref, f"{ref.lua} {operator} {by}", sql if plain else None,
        lambda x: _wrap(compute(x)), ct.INT64, tame=ref.column.tame,
    )


def _half(rng, ref):
    sql, tame = f"(CAST({ref.sql} AS DOUBLE) / 2)", ref.column.tame
    return _guarded(ref, f"{ref.lua} / 2", sql, lambda x: float(x) / 2, ct.FLOAT64, tame=tame)


def _float(rng, ref):
    operator, by = rng.choice([("+", 1.5), ("-", 0.25), ("*", 3.0), ("/", 8.0)])
    compute = {
        "+": lambda x: x + by, "-": lambda x: x - by, "*": lambda x: x * by, "/": lambda x: x / by,
    }
    sql = f"({ref.sql} {operator} CAST({by} AS DOUBLE))"
    return _guarded(
        ref, f"{ref.lua} {operator} {by}", sql if ref.column.tame else None,
        compute[operator], ct.FLOAT64, tame=ref.column.tame,
    )


def _decimal(rng, ref):
    scale = ref.type.scale
    operator, by = rng.choice([("+", "1.25"), ("-", "0.5"), ("*", "1.1"), ("*", "-3"), ("+", "7")])
    number = Decimal(by)
    compute = {
        "+": lambda x: x + number, "-": lambda x: x - number, "*": lambda x: x * number,
    }[operator]
    digits = max(0, -number.as_tuple().exponent)
    kind = ct.decimal(38, scale + digits if operator == "*" else max(scale, digits))
    lua = by if digits == 0 and rng.random() < 0.5 else f'tm.dec "{by}"'
    sql = f"CAST({ref.sql} {operator} {by} AS {kind.sql})"
    return _guarded(ref, f"{ref.lua} {operator} {lua}", sql, compute, kind)


def _quotient(rng, ref):
    by = rng.choice(["3", "0.7", "-6", "1000"])
    scale = max(ref.type.scale, 6)
    divide = lambda x: (x / Decimal(by)).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_EVEN)
    lua = f'{ref.lua} / tm.dec "{by}"'
    return _guarded(ref, lua, None, divide, ct.decimal(38, scale))


def _rounded(rng, ref):
    digits = rng.randint(0, ref.type.scale)
    name, mode = rng.choice([("half_up", ROUND_HALF_UP), ("half_even", ROUND_HALF_EVEN)])
    compute = lambda x: x.quantize(Decimal(1).scaleb(-digits), mode)
    lua = f'tm.round({ref.lua}, {digits}, "{name}")'
    return _guarded(ref, lua, None, compute, ct.decimal(38, digits))


def _case(rng, ref):
    name = rng.choice(["upper", "lower"])
    compute = {"upper": str.upper, "lower": str.lower}[name]
    return _guarded(ref, f"string.{name}({ref.lua})", f"{name}({ref.sql})", compute, ct.STRING)


def _part(rng, ref):
    first, last = rng.choice([(1, 2), (2, 4), (1, -2), (-3, -1), (5, 2), (1, 100)])
    if last > 0:
        compute = lambda s: s[first - 1 : last] if first <= last else ""
    elif first > 0:
        compute = lambda s: s[first - 1 : len(s) + last + 1]
    else:
        compute = lambda s: s[max(0, len(s) + first) : len(s) + last + 1]
    return _guarded(ref, f"string.sub({ref.lua}, {first}, {last})", None, compute, ct.STRING)


def _date_part(rng, ref):
    name, compute = rng.choice([
        ("year", lambda d: d.year), ("month", lambda d: d.month), ("day_of_month", lambda d: d.day),
        ("weekday", lambda d: d.isoweekday()),
    ])
    sql = {"year": "year", "month": "month", "day_of_month": "day", "weekday": "isodow"}[name]
    return _guarded(
        ref, f"tm.{name}({ref.lua})", f"CAST({sql}({ref.sql}) AS BIGINT)", compute, ct.INT64
    )


def _shifted(rng, ref):
    days = rng.choice([1, -30, 366])
    sql = f"CAST({ref.sql} + ({days}) AS DATE)"
    shift = lambda d: d + timedelta(days=days)
    return _guarded(ref, f"{ref.lua} + tm.days({days})", sql, shift, ct.DATE)


def _time_part(rng, ref):
    name, unit, size = rng.choice([("hour", 3_600_000_000, 24), ("minute", 60_000_000, 60)])
    sql = f"CAST({name}({ref.sql}) AS BIGINT)"
    return _guarded(ref, f"tm.{name}({ref.lua})", sql, lambda t: t // unit % size, ct.INT64)


def _day(rng, ref):
    return _guarded(ref, f"tm.day_of({ref.lua})", f"CAST({ref.sql} AS DATE)", ct.day_of, ct.DATE)


def _choice_of_text(rng, columns, variable):
    """if … then … else: a function body, not one expression."""
    condition = predicate(rng, columns, variable, depth=1)
    sql = condition.sql and f"(case when {condition.sql} then 'yes' else 'no' end)"
    return Expression(
        f'({condition.lua}) and "yes" or "no"', sql,
        lambda env: "yes" if condition.value(env) else "no", ct.STRING,
    )
