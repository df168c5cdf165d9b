"""Hash joins of every kind, with several keys, residual conditions, `take`, `prefix`, and the join
with a single row: Lua, SQL, and a nested loop as the model.
"""

from dataclasses import replace

from differential import column_types as ct
from differential import expressions
from differential.flows import function

KINDS = ["inner", "inner", "left", "right", "full", "semi", "anti"]
INTS = {"int32", "int64"}
ROWS_MAX = 4000


def join_flows(rng, flow, other):
    """Joins the flow with another on random keys; the flow itself where no keys fit."""
    keys = _keys(rng, flow, other)
    if not keys:
        return flow
    return _joined(rng, flow, other, keys, rng.choice(KINDS))


def join_single(rng, flow, other):
    """The scalar join: `on = {}` with at most one row on the right."""
    if len(other.rows) > 1:
        return flow
    return _joined(rng, flow, other, [], rng.choice(["inner", "left"]))


def _keys(rng, flow, other):
    """Pairs of columns of one type, or ints; one name on both sides becomes a shared key."""
    usable = lambda c: not c.near
    pairs = [
        (a, b) for a in flow.columns for b in other.columns
        if (a.type == b.type or {a.type.kind, b.type.kind} == INTS) and usable(a) and usable(b)
    ]
    rng.shuffle(pairs)
    chosen = []
    for a, b in pairs[: rng.choice([1, 1, 2, 3]) * 3]:
        if all(a is not x and b is not y for x, y in chosen):
            chosen.append((a, b))
    return chosen[: rng.choice([1, 1, 2])]


def _joined(rng, flow, other, keys, kind):
    where = None
    if rng.random() < 0.3:
        where = expressions.pair_predicate(rng, flow.columns, other.columns)
    shared = [a.name for a, b in keys if a.name == b.name]
    fields, options = _right_columns(rng, flow, other, shared, kind)
    rows = _match(flow, other, keys, kind, where, fields, shared)
    if rows is None:
        return flow
    outer_left, outer_right = kind in ("right", "full"), kind in ("left", "full")
    left = [replace(c, nullable=True) if outer_left else c for c in flow.columns]
    right = [
        replace(c, name=new, nullable=c.nullable or outer_right) for new, c in fields
    ]
    on = [f'"{a.name}"' if a.name == b.name else f'{a.name} = "{b.name}"' for a, b in keys]
    parts = [f"on = {on[0]}" if len(on) == 1 and shared else f"on = {{ {', '.join(on)} }}"]
    parts += [f'kind = "{kind}"'] if kind != "inner" or rng.random() < 0.3 else []
    parts += options
    parts += [f"where = {function(rng, where.lua, 'l, r')}"] if where else []
    sql = _sql(flow, other, keys, kind, where, fields, shared)
    return flow.then(
        f":join({other.lua}, {{ {', '.join(parts)} }})", left + right, rows, sql, order="none",
        merged=True, positioned=False, rejects=flow.rejects + other.rejects,
    )


def _right_columns(rng, flow, other, shared, kind):
    """([(new name, right column)], options): what the join adds, free of collisions."""
    if kind in ("semi", "anti"):
        return [], []
    rest = [c for c in other.columns if c.name not in shared]
    taken = {c.name for c in flow.columns}
    clash = any(c.name in taken for c in rest)
    form = rng.choice(["take", "prefix", "all", "all"])
    if form == "all" and not clash:
        return [(c.name, c) for c in rest], []
    if form == "prefix" or not rest:
        if any("o_" + c.name in taken for c in rest):
            return _taken(rng, rest, flow)
        return [("o_" + c.name, c) for c in rest], ['prefix = "o_"']
    return _taken(rng, rest, flow)


def _taken(rng, rest, flow):
    chosen = rng.sample(rest, rng.randint(1, len(rest)))
    free = [n for n in flow.free_names() if n not in {c.name for c in rest}]
    names = iter(rng.sample(free, len(chosen)))
    taken = {c.name for c in flow.columns}
    renamed = {next(names): c for c in chosen if c.name in taken or rng.random() < 0.3}
    plain = [c for c in chosen if c not in renamed.values()]
    parts = [f'"{c.name}"' for c in plain] + [f'{new} = "{c.name}"' for new, c in renamed.items()]
    fields = [(c.name, c) for c in plain] + sorted(renamed.items())
    return fields, [f"take = {{ {', '.join(parts)} }}"]


def _match(flow, other, keys, kind, where, fields, shared):
    """The joined rows by comparing every pair; None where they would be too many."""
    left_places = [flow.columns.index(a) for a, _ in keys]
    right_places = [other.columns.index(b) for _, b in keys]
    right_envs = [other.env(row, "r") for row in other.rows]
    table = {}
    for number, row in enumerate(other.rows):
        picked = [row[p] for p in right_places]
        if None not in picked:
            table.setdefault(ct.equal_key(picked), []).append(number)
    took = [other.columns.index(c) for _, c in fields]
    rows, matched = [], set()
    for row in flow.rows:
        picked = [row[p] for p in left_places]
        numbers = [] if None in picked else table.get(ct.equal_key(picked), [])
        if where and numbers:
            env = flow.env(row, "l")
            numbers = [n for n in numbers if where.value({**env, **right_envs[n]})]
        matched.update(numbers)
        if kind in ("semi", "anti"):
            rows += [row] if bool(numbers) == (kind == "semi") else []
            continue
        rows += [(*row, *(other.rows[n][p] for p in took)) for n in numbers]
        if not numbers and kind in ("left", "full"):
            rows.append((*row, *(None for _ in took)))
        if len(rows) > ROWS_MAX:
            return None
    if kind in ("right", "full"):
        rows += _unmatched(flow, other, matched, took, shared)
    return rows


def _unmatched(flow, other, matched, took, shared):
    for number, row in enumerate(other.rows):
        if number not in matched:
            left = [row[other.index(c.name)] if c.name in shared else None for c in flow.columns]
            yield (*left, *(row[p] for p in took))


def _sql(flow, other, keys, kind, where, fields, shared):
    if not flow.sql or not other.sql or (where and not where.sql):
        return None
    conditions = [f'l."{a.name}" = r."{b.name}"' for a, b in keys]
    conditions += [where.sql] if where else []
    on = " and ".join(conditions) or "true"
    names = [f'l."{c.name}"' for c in flow.columns]
    if kind in ("semi", "anti"):
        word = "not exists" if kind == "anti" else "exists"
        exists = f"{word} (select 1 from ({other.sql}) r where {on})"
        return f"select {', '.join(names)} from ({flow.sql}) l where {exists}"
    if kind in ("right", "full"):
        names = [
            f'coalesce(l."{c.name}", r."{c.name}") as "{c.name}"' if c.name in shared else name
            for c, name in zip(flow.columns, names)
        ]
    names += [f'r."{c.name}" as "{new}"' for new, c in fields]
    return f"select {', '.join(names)} from ({flow.sql}) l {kind} join ({other.sql}) r on {on}"
