"""A flow is a pipeline so far in three forms: its Lua chain, its SQL, and its rows by a model.

The model is reference.md in Python. Every verb here takes a random Maker and a flow and returns the
next flow. Where DuckDB cannot say the same, `sql` becomes None and the model alone judges.

Orders: `input` as the source has them, `kept` by a sort, `none` sorted by columns at the end of the
job, `loose` where the rows are known but not their order.
"""

from dataclasses import dataclass, field, replace

from differential import column_types as ct
from differential import expressions
from differential.random_tables import NAMES, Column

POSITION = '"__pos"'


@dataclass
class Flow:
    columns: list
    rows: list
    lua: str
    sql: str | None = None
    order: str = "input"
    merged: bool = False   # rows met as keys: -0.0 may have become 0.0
    positioned: bool = False
    rejects: list = field(default_factory=list)  # (path, least rows, most rows)

    def env(self, row, variable="r"):
        return {variable: {c.name: v for c, v in zip(self.columns, row)}}

    def index(self, name):
        return [c.name for c in self.columns].index(name)

    def sorted(self):
        """The rows in the order in which the job must give them."""
        return sorted(self.rows, key=ct.row_key) if self.order in ("none", "loose") else self.rows

    def then(self, lua, columns, rows, sql, **changes):
        made = replace(self, lua=self.lua + "\n  " + lua, columns=columns, rows=rows, sql=sql)
        return replace(made, **changes) if changes else made

    def positions(self):
        return ", " + POSITION if self.positioned else ""

    def free_names(self):
        taken = {c.name for c in self.columns}
        return [name for name in NAMES if name not in taken]


def quoted(names):
    return ", ".join(f'"{name}"' for name in names)


def source(table, lua, number):
    """A flow straight from a random table, for DuckDB a list of values with their positions."""
    names = quoted([*(c.name for c in table.columns), "__pos"])
    literals = lambda row: [ct.sql_literal(c.type, v) for c, v in zip(table.columns, row)]
    rows = [f"({', '.join([*literals(row), str(at)])})" for at, row in enumerate(table.rows)]
    empty = ", ".join([*(ct.sql_literal(c.type, None) for c in table.columns), "0"])
    values = f"values {', '.join(rows)}" if rows else f"select {empty} where false"
    sql = f"select * from ({values}) as t{number}({names})"
    return Flow(list(table.columns), list(table.rows), lua, sql, positioned=True)


def function(rng, body, variables="r"):
    return f"function({variables}) return {body} end"


def typed(rng, made):
    """A function as `with` and the aggregates take it, with its type declared if this case does."""
    body = function(rng, made.lua)
    return f'{{ {body}, "{made.type.ddl}" }}' if rng.declares else body


def filter_rows(rng, flow):
    condition = expressions.predicate(rng, flow.columns)
    rows = [row for row in flow.rows if condition.value(flow.env(row))]
    sql = flow.sql and condition.sql and f"select * from ({flow.sql}) r where {condition.sql}"
    return flow.then(f":filter({function(rng, condition.lua)})", flow.columns, rows, sql)


def check_rows(rng, flow):
    condition = expressions.predicate(rng, flow.columns)
    rows = [row for row in flow.rows if condition.value(flow.env(row))]
    sql = flow.sql and condition.sql and f"select * from ({flow.sql}) r where {condition.sql}"
    path = rng.folder / f"rejects-{len(rng.locals)}-{len(flow.rejects)}.jsonl"
    lua = f':check("is fine", {function(rng, condition.lua)}, tm.jsonl "{path}")'
    refused = len(flow.rows) - len(rows)
    rejects = [*flow.rejects, (path, refused, refused)]
    return flow.then(lua, flow.columns, rows, sql, rejects=rejects)


def with_columns(rng, flow):
    """New columns at the end sorted by name, replaced ones in place, all from the input row."""
    names = rng.sample(flow.free_names(), rng.randint(1, 2))
    names += [c.name for c in flow.columns if rng.random() < 0.15]
    made = {name: _with_value(rng, flow) for name in names}
    kept = [c.name for c in flow.columns]
    order = kept + sorted(set(names) - set(kept))
    old = {c.name: c for c in flow.columns}
    columns = [_column(name, made[name][0]) if name in made else old[name] for name in order]
    rows = []
    for row in flow.rows:
        env = flow.env(row)
        rows.append(tuple(made[n][0].value(env) if n in made else env["r"][n] for n in order))
    sql = None
    if flow.sql and all(made[n][0].sql for n in names):
        parts = [f'{made[n][0].sql} as "{n}"' if n in made else f'"{n}"' for n in order]
        sql = f"select {', '.join(parts)}{flow.positions()} from ({flow.sql}) r"
    fields = ", ".join(f"{name} = {made[name][1]}" for name in names)
    return flow.then(f":with {{ {fields} }}", columns, rows, sql)


def _with_value(rng, flow):
    """(expression, its Lua): a function mostly, sometimes a constant."""
    constants = [c for c in flow.columns if c.pool and c.type.kind in ("int64", "string", "date")]
    if constants and rng.random() < 0.15:
        column = rng.choice(constants)
        value = rng.choice(column.pool)
        lua, sql = ct.lua_literal(column.type, value), ct.sql_literal(column.type, value)
        marks = {"type": column.type, "tame": column.tame, "plain": column.plain}
        return expressions.Expression(lua, sql, lambda env: value, **marks), lua
    made = expressions.value(rng, flow.columns)
    return made, typed(rng, made)


def _column(name, made):
    return Column(name, made.type, made.tame, made.plain)


def map_rows(rng, flow):
    """A fresh table for each row: columns sorted by name, or in the order of the declared types."""
    names = rng.sample(NAMES, rng.randint(1, 3))
    made = {name: expressions.value(rng, flow.columns) for name in names}
    order = names if rng.declares else sorted(names)
    rows = [tuple(made[n].value(flow.env(row)) for n in order) for row in flow.rows]
    sql = None
    if flow.sql and all(m.sql for m in made.values()):
        parts = ", ".join(f'{made[n].sql} as "{n}"' for n in order)
        sql = f"select {parts}{flow.positions()} from ({flow.sql}) r"
    table = ", ".join(f"{n} = {made[n].lua}" for n in names)
    ddl = ", ".join(f"{n} {made[n].type.ddl}" for n in names)
    lua = f":map({function(rng, '{ ' + table + ' }')}" + (f', "{ddl}")' if rng.declares else ")")
    return flow.then(lua, [_column(n, made[n]) for n in order], rows, sql)


def select_columns(rng, flow):
    """Positional names first, then renamed ones sorted by their new names."""
    chosen = rng.sample(flow.columns, rng.randint(1, len(flow.columns)))
    names = iter(rng.sample(flow.free_names(), min(len(chosen), len(flow.free_names()))))
    renamed = {next(names): c for c in chosen if rng.random() < 0.25}
    plain = [c for c in chosen if c not in renamed.values()]
    pairs = [(c.name, c) for c in plain] + sorted(renamed.items())
    parts = [f'"{c.name}"' for c in plain] + [f'{new} = "{c.name}"' for new, c in renamed.items()]
    return _picked(rng, flow, f":select {{ {', '.join(parts)} }}", pairs)


def _picked(rng, flow, lua, pairs):
    """The flow with only the (new name, old column) pairs, in that order."""
    places = [flow.columns.index(c) for _, c in pairs]
    rows = [tuple(row[p] for p in places) for row in flow.rows]
    parts = ", ".join(f'"{c.name}" as "{new}"' for new, c in pairs)
    sql = flow.sql and f"select {parts}{flow.positions()} from ({flow.sql}) r"
    return flow.then(lua, [c.renamed(new) for new, c in pairs], rows, sql)


def drop_columns(rng, flow):
    if len(flow.columns) == 1:
        return flow
    gone = rng.sample(flow.columns, rng.randint(1, len(flow.columns) - 1))
    kept = [(c.name, c) for c in flow.columns if c not in gone]
    names = ", ".join(f'"{c.name}"' for c in gone)
    form = rng.choice([f":drop {{ {names} }}", f":drop({names})"])
    return _picked(rng, flow, form, kept)


def rename_columns(rng, flow):
    old = rng.sample(flow.columns, rng.randint(1, min(2, len(flow.columns))))
    new = dict(zip([c.name for c in old], rng.sample(flow.free_names(), len(old))))
    fields = ", ".join(f'{fresh} = "{name}"' for name, fresh in new.items())
    pairs = [(new.get(c.name, c.name), c) for c in flow.columns]
    return _picked(rng, flow, f":rename {{ {fields} }}", pairs)


def limit_rows(rng, flow):
    count = rng.choice([0, 1, 3, 10, 1000])
    sql = None
    if flow.sql and flow.positioned:
        sql = f"select * from ({flow.sql}) r order by {POSITION} limit {count}"
    order = "loose" if flow.order in ("none", "loose") else flow.order
    rows = flow.sorted()[:count]
    # Nobody reads on behind a limit that is full, so rows there need not be refused.
    rejects = [(path, 0, most) for path, _, most in flow.rejects]
    lua = f":limit({count})"
    return flow.then(lua, flow.columns, rows, sql, order=order, rejects=rejects)


def distinct_rows(rng, flow):
    usable = [c for c in flow.columns if not c.near]
    if not usable or len(usable) < len(flow.columns):
        return flow
    whole = rng.random() < 0.5
    chosen = flow.columns if whole else rng.sample(usable, rng.randint(1, len(usable)))
    places = [flow.columns.index(c) for c in chosen]
    rows, seen = [], set()
    for row in flow.rows:
        picked = tuple(row[p] for p in places)
        if ct.equal_key(picked) not in seen:
            seen.add(ct.equal_key(picked))
            rows.append(picked)
    names = ", ".join(f'"{c.name}"' for c in chosen)
    sql = flow.sql and f"select distinct {names} from ({flow.sql}) r"
    lua = ":distinct()" if whole else f":distinct({names})"
    changes = {"order": "none", "merged": True, "positioned": False}
    return flow.then(lua, list(chosen), rows, sql, **changes)


def sort_rows(rng, flow):
    usable = [c for c in flow.columns if not c.near]
    if not usable or flow.order == "loose":
        return flow
    chosen = rng.sample(usable, rng.randint(1, min(3, len(usable))))
    keys = [(c, rng.random() < 0.4) for c in chosen]
    rows = list(flow.sorted())
    for column, down in reversed(keys):
        sort_by(rows, flow.columns.index(column), down)
    names = ", ".join(f'"{"-" if down else ""}{c.name}"' for c, down in keys)
    sql = flow.sql and f"select {quoted(c.name for c in flow.columns)} from ({flow.sql}) r"
    lua = f":sort {{ {names} }}"
    return flow.then(lua, flow.columns, rows, sql, order="kept", positioned=False)


def sort_by(rows, place, down):
    """Sorts stably by one column, nulls last in both directions."""
    nulls = [row for row in rows if row[place] is None]
    rows[:] = [row for row in rows if row[place] is not None]
    rows.sort(key=lambda row: ct.key(row[place]), reverse=down)
    rows += nulls


def top_rows(rng, flow):
    """The first n of each group by some columns; what ties is put in order by all columns."""
    usable = [c for c in flow.columns if not c.near]
    if len(usable) < len(flow.columns):
        return flow
    count, ties = rng.choice([1, 2, 5]), rng.random() < 0.3
    by = [(c, rng.random() < 0.5) for c in rng.sample(usable, rng.randint(1, min(2, len(usable))))]
    per = rng.sample(usable, rng.randint(0, min(2, len(usable))))
    rank = rng.choice(flow.free_names()) if rng.random() < 0.5 else None
    rows = sorted(flow.rows, key=ct.row_key)
    for column, down in reversed([*((c, False) for c in per), *by]):
        sort_by(rows, flow.columns.index(column), down)
    kept = _ranked(flow, rows, per, [c for c, _ in by], count, ties, rank)
    columns = [*flow.columns, Column(rank, ct.INT64)] if rank else flow.columns
    words = ", ".join(f'"{"-" if down else ""}{c.name}"' for c, down in by)
    options = [f"by = {{ {words} }}"]
    options += [f"per = {{ {', '.join(chr(34) + c.name + chr(34) for c in per)} }}"] if per else []
    options += ['ties = "all"'] if ties else []
    options += [f'rank = "{rank}"'] if rank else []
    sql = flow.sql and _top_sql(flow, per, by, count, ties, rank)
    changes = {"order": "kept", "positioned": False}
    return flow.then(f":top({count}, {{ {', '.join(options)} }})", columns, kept, sql, **changes)


def _ranked(flow, rows, per, by, count, ties, rank):
    group_of = lambda row: ct.equal_key(row[flow.columns.index(c)] for c in per)
    tie_of = lambda row: ct.equal_key(row[flow.columns.index(c)] for c in by)
    kept, group, seen, place, tie = [], object(), 0, 0, object()
    for row in rows:
        if group_of(row) != group:
            group, seen, tie = group_of(row), 0, object()
        seen += 1
        if not ties or tie_of(row) != tie:
            place, tie = seen, tie_of(row)
        if place <= count:
            kept.append((*row, place) if rank else row)
    return kept


def _top_sql(flow, per, by, count, ties, rank):
    names = quoted(c.name for c in flow.columns)
    order = [f'"{c.name}" {"desc" if down else "asc"} nulls last' for c, down in by]
    if not ties:
        order += [f'"{c.name}" nulls last' for c in flow.columns]
    over = f"partition by {quoted(c.name for c in per)} " if per else ""
    over += f"order by {', '.join(order)}"
    call = "rank()" if ties else "row_number()"
    ranked = f'select {names}, {call} over ({over}) as "__rank" from ({flow.sql}) r'
    last = f', "__rank" as "{rank}"' if rank else ""
    return f'select {names}{last} from ({ranked}) where "__rank" <= {count}'


def union_flows(rng, flow, other):
    """One input after another; `other` has the same names in any order, an int may widen."""
    places = [other.index(c.name) for c in flow.columns]
    rows = [*flow.sorted(), *(tuple(row[p] for p in places) for row in other.sorted())]
    columns = [_widened(c, other.columns[p]) for c, p in zip(flow.columns, places)]
    sql = None
    if flow.sql and other.sql:
        names = quoted(c.name for c in flow.columns)
        sql = f"select {names} from ({flow.sql}) union all select {names} from ({other.sql})"
    loose = "loose" in (flow.order, other.order)
    return flow.then(
        f":union({other.lua})", columns, rows, sql, order="loose" if loose else "kept",
        positioned=False, merged=flow.merged or other.merged, rejects=flow.rejects + other.rejects,
    )


def _widened(a, b):
    kind = ct.INT64 if {a.type.kind, b.type.kind} == {"int32", "int64"} else a.type
    pool = tuple(dict.fromkeys(a.pool + b.pool)) if a.pool and b.pool else ()
    near = max(a.near, b.near)
    return replace(
        a, type=kind, tame=a.tame and b.tame, plain=a.plain and b.plain, pool=pool, near=near
    )
