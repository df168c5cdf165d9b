"""Nexmark events for tests and benches, written by pipelines/nexmark/generate.lua, and DuckDB's
view of the same files.
"""

from pathlib import Path

from support.program import BUILD, ROOT, run

SQL = Path(__file__).parent / "sql"
PIPELINES = ROOT / "pipelines" / "nexmark"
QUERIES = [f"q{number:02}" for number in range(24)]

COLUMNS = {
    "person": """id BIGINT, name VARCHAR, emailAddress VARCHAR, creditCard VARCHAR, city VARCHAR,
        state VARCHAR, dateTime TIMESTAMP, extra VARCHAR""",
    "auction": """id BIGINT, itemName VARCHAR, description VARCHAR, initialBid BIGINT,
        reserve BIGINT, dateTime TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT,
        extra VARCHAR""",
    "bid": """auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR,
        dateTime TIMESTAMP, extra VARCHAR""",
}


def make(events, seed, step):
    """Writes the files once and returns their folder; a broken run leaves no folder."""
    folder = BUILD / "data" / f"nexmark-{events}-{seed}-{step}"
    if folder.is_dir():
        return folder
    partial = folder.with_suffix(".partial")
    partial.mkdir(parents=True, exist_ok=True)
    given = {"data": partial, "events": events, "seed": seed, "step": step}
    done = run("run", PIPELINES / "generate.lua", *parameters(given))
    if done.status != 0:
        raise SystemExit(f"generate.lua ends with {done.status}\n{done.err}")
    partial.rename(folder)
    return folder


def parameters(given):
    """--param NAME=VALUE for each."""
    return [part for name, value in given.items() for part in ("--param", f"{name}={value}")]


def load(peer, folder):
    """Makes the tables person, auction, bid and side_input in a connection of DuckDB."""
    for table, columns in COLUMNS.items():
        typed = [column.split() for column in columns.replace("\n", " ").split(",")]
        pairs = ", ".join(f"'{name}': '{kind}'" for name, kind in typed)
        peer.execute(
            f"create or replace table {table} as select * from read_json("
            f"'{folder}/{table}.jsonl', format = 'newline_delimited', columns = {{{pairs}}})"
        )
    peer.execute(
        "create or replace table side_input as select * from read_csv("
        f"'{folder}/side_input.csv', header = true, "
        "columns = {'key': 'BIGINT', 'value': 'VARCHAR'})"
    )


def sql(query):
    return (SQL / f"{query}.sql").read_text()
