"""Builds one random case: its tables on disk, its script, the rows it must give, the peer's SQL."""

import shutil
from dataclasses import dataclass, replace

from differential import aggregates, flows, joins, random_tables, sources
from differential.expressions import Maker

ROW_VERBS = [
    (6, flows.filter_rows), (4, flows.with_columns), (2, flows.map_rows),
    (3, flows.select_columns), (1, flows.drop_columns), (2, flows.rename_columns),
    (1, flows.check_rows), (1, flows.limit_rows),
]
KEY_VERBS = [
    (8, aggregates.group_and_aggregate), (3, flows.distinct_rows), (3, flows.sort_rows),
    (3, flows.top_rows),
]


@dataclass
class Case:
    name: str
    script: str
    flow: flows.Flow
    declares: bool
    path: object


def make(seed, number, folder):
    """The same case for the same seed and number, whatever was made before it."""
    name = f"{seed}-{number}"
    rng = Maker(f"tidemill {seed} {number}")
    rng.folder = folder / name
    while True:
        shutil.rmtree(rng.folder, ignore_errors=True)
        rng.folder.mkdir(parents=True)
        del rng.locals[:]
        try:
            flow = _random_flow(rng)
        except aggregates.Overflow:
            continue
        if any(verb in flow.lua for verb in VERBS):
            break
    script = _script(rng, flow)
    path = rng.folder / "case.lua"
    path.write_text(script)
    return Case(name, script, flow, rng.declares, path)


VERBS = (
    ":filter", ":with", ":map", ":select", ":drop", ":rename", ":check", ":limit", ":group_by",
    ":agg", ":distinct", ":sort", ":top", ":join", ":union",
)


def _script(rng, flow):
    lines = ['local tm <const> = require "tidemill"', "", *rng.locals, ""]
    lines += [f"local answer = {flow.lua}", ""]
    lines += ['return tm.batch { name = "case", answer:to(tm.stdout()) }', ""]
    return "\n".join(lines)


def _random_flow(rng):
    tables = []
    flow = _source(rng, tables)
    for _ in range(rng.randint(0, 2)):
        flow = _step(rng, flow, ROW_VERBS)
    if rng.random() < 0.45:
        flow = _combined(rng, flow, tables)
    for _ in range(rng.randint(0, 3)):
        flow = _step(rng, flow, ROW_VERBS + KEY_VERBS)
    return flow


def _step(rng, flow, verbs):
    weights, choices = zip(*verbs)
    return rng.choices(choices, weights)[0](rng, flow)


def _source(rng, tables, shared=(), columns=None):
    count = rng.choice([0, 1, 5, 20, 60, 60, 200, 2500])
    if tables:
        count = min(count, 60)
    table = random_tables.table(rng, count, columns, shared)
    tables.append(table)
    lua = sources.write(rng, table, rng.folder, f"table{len(tables)}")
    name = rng.capture(lua, "source")
    return flows.source(table, name, len(tables))


def _combined(rng, flow, tables):
    """A join, a scalar join, a union, or a flow that meets its own aggregate: a diamond."""
    form = rng.random()
    if form < 0.5:
        usable = [c for c in flow.columns if c.pool and not c.near]
        shared = rng.sample(usable, min(len(usable), rng.randint(1, 3)))
        other = _source(rng, tables, shared)
        if rng.random() < 0.4:
            other = _step(rng, other, ROW_VERBS)
        return joins.join_flows(rng, flow, other)
    if form < 0.7:
        return _union(rng, flow, tables)
    flow = replace(flow, lua=rng.capture(flow.lua, "shared"))
    other = aggregates.group_and_aggregate(rng, flow)
    if len(other.rows) == 1 and rng.random() < 0.8:
        return joins.join_single(rng, flow, other)
    return joins.join_flows(rng, flow, replace(other, rejects=[]))


def _union(rng, flow, tables):
    """A union with a second table of the same columns in another order."""
    if not all(c.pool for c in flow.columns):
        return flow
    columns = rng.sample(flow.columns, len(flow.columns))
    rows = [
        tuple(random_tables.value(rng, c) for c in columns) for _ in range(rng.choice([0, 3, 40]))
    ]
    table = random_tables.Table(columns, rows)
    tables.append(table)
    lua = sources.write(rng, table, rng.folder, f"table{len(tables)}")
    other = flows.source(table, rng.capture(lua, "source"), len(tables))
    if rng.random() < 0.3:
        other = flows.filter_rows(rng, other)
    return flows.union_flows(rng, flow, other)
