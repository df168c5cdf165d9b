"""Every aggregate, over random groups: its Lua, its SQL and its value by the model.

Sums of floats are exact and rounded once, as are means; DuckDB's are compared with a tolerance.
Variance, quantiles and means of floats are allowed the last digits.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Callable

from differential import column_types as ct
from differential import expressions
from differential.flows import POSITION, function, quoted, typed
from differential.random_tables import Column


class Overflow(Exception):
    """A sum that no result type holds: the run must fail."""


@dataclass(frozen=True)
class Aggregate:
    lua: str
    default: str | None  # the name that it has without one; None where it must be named
    column: Column       # type and tolerance of the result
    compute: Callable    # of the environments of a group's rows
    sql: str | None


def group_and_aggregate(rng, flow):
    usable = [c for c in flow.columns if not c.near]
    keys = rng.sample(usable, min(rng.choice([0, 1, 1, 1, 2, 2, 3]), len(usable)))
    positional, named = _named_aggregates(rng, flow, {c.name for c in keys})
    columns = [*keys, *(a.column.renamed(n) for n, a, _ in positional + named)]
    rows = _rows(flow, keys, [a for _, a, _ in positional + named])
    fields = [lua for _, _, lua in positional] + [f"{n} = {a.lua}" for n, a, _ in named]
    lua = f":agg {{ {', '.join(fields)} }}"
    if keys:
        names = ", ".join(f'"{c.name}"' for c in keys)
        lua = f":group_by({names})\n  {lua}"
    sql = _sql(flow, keys, positional + named)
    changes = {"order": "none", "merged": True, "positioned": False}
    return flow.then(lua, columns, rows, sql, **changes)


def _named_aggregates(rng, flow, taken):
    """([positional], [named]) of (name, aggregate, Lua), with names that do not clash."""
    names = [n for n in flow.free_names() if n not in taken]
    rng.shuffle(names)
    positional, named = [], []
    for _ in range(rng.randint(1, 4)):
        made = aggregate(rng, flow)
        if rng.random() < 0.3:
            named.append((names.pop(), made, None))
            continue
        name, lua = made.default, made.lua
        if name is None or name in taken or rng.random() < 0.6:
            name = names.pop()
            lua = f'{made.lua}:as "{name}"'
        taken.add(name)
        positional.append((name, made, lua))
    return positional, sorted(named, key=lambda entry: entry[0])


def _rows(flow, keys, aggregates):
    places = [flow.columns.index(c) for c in keys]
    groups = {} if keys else {(): ((), [])}
    for row in flow.rows:
        picked = tuple(row[p] for p in places)
        groups.setdefault(ct.equal_key(picked), (picked, []))[1].append(flow.env(row))
    return [(*k, *(a.compute(envs) for a in aggregates)) for k, envs in groups.values()]


def _sql(flow, keys, aggregates):
    if not flow.sql or not all(a.sql for _, a, _ in aggregates):
        return None
    parts = [f'"{c.name}"' for c in keys] + [f'{a.sql} as "{n}"' for n, a, _ in aggregates]
    group = f" group by {quoted(c.name for c in keys)}" if keys else ""
    return f"select {', '.join(parts)} from ({flow.sql}) r{group}"


def aggregate(rng, flow):
    """A random aggregate of a column or of a function, now and then of only some rows."""
    where = expressions.predicate(rng, flow.columns, depth=1) if rng.random() < 0.25 else None
    if rng.random() < 0.15:
        return _count_rows(rng, where)
    usable = [c for c in flow.columns if not c.near]
    if rng.random() < 0.25 or not usable:
        made = expressions.value(rng, flow.columns)
        source, default = typed(rng, made), None
        column = Column("", made.type, made.tame, made.plain)
    else:
        column = rng.choice(usable)
        made = expressions.Reference("r", column)
        source, default = f'"{column.name}"', column.name
    names = ["count", "min", "max", "count_distinct"]
    if flow.order == "input" and flow.positioned:
        names += ["first", "last"]
    if column.type.numeric:
        names += ["sum", "sum", "avg", "avg"]
        if column.tame:
            names += ["stddev", "variance", "median", "quantile"]
    if column.type.kind == "decimal" and column.type.digits > 30:
        names = [n for n in names if n != "avg"]  # four more digits may not fit
    return _over(rng, rng.choice(names), source, default, column, made, where)


def _count_rows(rng, where):
    lua = f"tm.count({{ where = {function(rng, where.lua)} }})" if where else "tm.count()"
    kept = where.value if where else lambda env: True
    sql = "count(*)"
    if where:
        sql = where.sql and f"count(*) filter (where {where.sql})"
    compute = lambda envs: sum(1 for env in envs if kept(env))
    return Aggregate(lua, "count", Column("", ct.INT64, nullable=False), compute, sql)


def _over(rng, name, source, default, column, made, where):
    quantile = rng.choice([0.0, 0.25, 0.5, 0.9, 1.0]) if name == "quantile" else None
    arguments = [source] + ([str(quantile)] if quantile is not None else [])
    if where:
        arguments.append(f"{{ where = {function(rng, where.lua)} }}")
    lua = f"tm.{name}({', '.join(arguments)})"

    def compute(envs):
        rows = [env for env in envs if not where or where.value(env)]
        values = [v for v in (made.value(env) for env in rows) if v is not None]
        return _value(name, column.type, values, quantile)

    sql = None
    if made.sql and (not where or where.sql):
        sql = _peer(name, column.type, made.sql, quantile, where.sql if where else "true")
    return Aggregate(lua, default, _result(name, column), compute, sql)


def _result(name, column):
    """The column that an aggregate gives: its type, and how closely values must agree."""
    kind = column.type
    if name in ("count", "count_distinct"):
        return Column("", ct.INT64, nullable=False)
    if name in ("min", "max", "first", "last"):
        return Column("", kind, column.tame, column.plain)
    if name == "sum":
        if kind.kind == "decimal":
            return Column("", ct.decimal(38, kind.scale), tame=False)
        if kind.kind == "float64":
            return Column("", kind, tame=False, peer="near" if column.tame else "skip")
        return Column("", ct.INT64, tame=False)
    if name == "avg" and kind.kind == "decimal":
        return Column("", ct.decimal(38, kind.scale + 4), tame=False, peer="near")
    if name == "avg":
        peer = "near" if column.tame else "skip"
        return Column("", ct.FLOAT64, tame=False, near=4e-16, peer=peer)
    return Column("", ct.FLOAT64, tame=False, near=1e-9, peer="near")


def _value(name, kind, values, quantile):
    if name == "count":
        return len(values)
    if name == "count_distinct":
        return len({ct.key(v) for v in values})
    if not values:
        return None
    match name:
        case "min":
            return min(values, key=ct.key)
        case "max":
            return max(values, key=ct.key)
        case "first":
            return values[0]
        case "last":
            return values[-1]
        case "sum":
            return _sum(kind, values)
        case "avg":
            return _average(kind, values)
        case "median":
            return _quantile(values, 0.5)
        case "quantile":
            return _quantile(values, quantile)
    return _deviation(values, name)


def _sum(kind, values):
    if kind.kind == "float64":
        return _float(*_exact_sum(values))
    total = sum(values)
    if kind.kind == "decimal":
        if abs(total.scaleb(kind.scale)) >= Decimal(10) ** 38:
            raise Overflow
        return total
    if not -(2**63) <= total < 2**63:
        raise Overflow
    return total


def _exact_sum(values):
    """(special, exact): NaN or an infinity if the sum is one, else the sum as a fraction."""
    odd = [v for v in values if math.isnan(v) or math.isinf(v)]
    if odd:
        return sum(odd), None
    return None, sum(map(Fraction, values), Fraction(0))


def _float(special, exact):
    if special is not None:
        return special
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _average(kind, values):
    count = len(values)
    if kind.kind == "decimal":
        unit = Decimal(1).scaleb(-kind.scale - 4)
        return (sum(values) / count).quantize(unit, ROUND_HALF_EVEN)
    if kind.kind == "float64":
        special, exact = _exact_sum(values)
        return _float(special, None if exact is None else exact / count)
    return float(Fraction(sum(values), count))


def _quantile(values, share):
    numbers = sorted(Fraction(v) for v in values)
    at = Fraction(share) * (len(numbers) - 1)
    below = math.floor(at)
    above = min(below + 1, len(numbers) - 1)
    return float(numbers[below] + (numbers[above] - numbers[below]) * (at - below))


def _deviation(values, name):
    """Sample variance or its root, exactly, rounded at the end; null below two values."""
    if len(values) < 2:
        return None
    numbers = [Fraction(v) for v in values]
    mean = sum(numbers) / len(numbers)
    variance = float(sum((n - mean) ** 2 for n in numbers) / (len(numbers) - 1))
    return variance if name == "variance" else math.sqrt(variance)


def _peer(name, kind, value, quantile, where):
    """DuckDB's spelling of the aggregate."""
    only = f" filter (where {where})"
    match name:
        case "count":
            return f"count({value}){only}"
        case "count_distinct":
            return f"count(distinct {value}){only}"
        case "min" | "max":
            return f"{name}({value}){only}"
        case "first" | "last":
            call = "arg_min" if name == "first" else "arg_max"
            return f"{call}({value}, {POSITION}) filter (where {where} and {value} is not null)"
        case "sum":
            call = f"{'fsum' if kind.kind == 'float64' else 'sum'}({value}){only}"
            return f"CAST({call} AS BIGINT)" if kind.kind in ("int32", "int64") else call
        case "stddev" | "variance":
            call = "var_samp" if name == "variance" else "stddev_samp"
            return f"{call}(CAST({value} AS DOUBLE)){only}"
    if name == "avg":
        return f"avg(CAST({value} AS DOUBLE)){only}"
    share = 0.5 if name == "median" else quantile
    return f"quantile_cont(CAST({value} AS DOUBLE), {share}){only}"
