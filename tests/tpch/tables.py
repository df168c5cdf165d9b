"""TPC-H data for tests and benches, and DuckDB's view of it: the same text files, types given."""

import re
import subprocess
import sys
from pathlib import Path

from support.program import BUILD

SQL = Path(__file__).parent / "sql"
QUERIES = [f"q{number:02}" for number in range(1, 23)]

MONEY = "DECIMAL(12,2)"
COLUMNS = {
    "region": "r_regionkey BIGINT, r_name VARCHAR, r_comment VARCHAR",
    "nation": "n_nationkey BIGINT, n_name VARCHAR, n_regionkey BIGINT, n_comment VARCHAR",
    "supplier": f"""s_suppkey BIGINT, s_name VARCHAR, s_address VARCHAR, s_nationkey BIGINT,
        s_phone VARCHAR, s_acctbal {MONEY}, s_comment VARCHAR""",
    "customer": f"""c_custkey BIGINT, c_name VARCHAR, c_address VARCHAR, c_nationkey BIGINT,
        c_phone VARCHAR, c_acctbal {MONEY}, c_mktsegment VARCHAR, c_comment VARCHAR""",
    "part": f"""p_partkey BIGINT, p_name VARCHAR, p_mfgr VARCHAR, p_brand VARCHAR, p_type VARCHAR,
        p_size INTEGER, p_container VARCHAR, p_retailprice {MONEY}, p_comment VARCHAR""",
    "partsupp": f"""ps_partkey BIGINT, ps_suppkey BIGINT, ps_availqty INTEGER,
        ps_supplycost {MONEY}, ps_comment VARCHAR""",
    "orders": f"""o_orderkey BIGINT, o_custkey BIGINT, o_orderstatus VARCHAR,
        o_totalprice {MONEY}, o_orderdate DATE, o_orderpriority VARCHAR, o_clerk VARCHAR,
        o_shippriority INTEGER, o_comment VARCHAR""",
    "lineitem": f"""l_orderkey BIGINT, l_partkey BIGINT, l_suppkey BIGINT, l_linenumber INTEGER,
        l_quantity {MONEY}, l_extendedprice {MONEY}, l_discount {MONEY}, l_tax {MONEY},
        l_returnflag VARCHAR, l_linestatus VARCHAR, l_shipdate DATE, l_commitdate DATE,
        l_receiptdate DATE, l_shipinstruct VARCHAR, l_shipmode VARCHAR, l_comment VARCHAR""",
}


def make(scale):
    """Generates the eight files once and returns their folder; a broken run leaves no folder."""
    folder = BUILD / "data" / f"tpch-{scale}"
    if folder.is_dir():
        return folder
    partial = folder.with_suffix(folder.suffix + ".partial")
    generator = Path(sys.executable).with_name("tpchgen-cli")
    subprocess.run(
        [generator, "-s", str(scale), "-o", partial, "-q", "--no-progress", "--overwrite"],
        check=True,
    )
    partial.rename(folder)
    return folder


def views(folder):
    """The statements that make DuckDB see the files as tables, parsed anew by every query."""
    for table, columns in COLUMNS.items():
        typed = [column.split() for column in re.split(r",\s+", columns)]
        pairs = ", ".join(f"'{name}': '{kind}'" for name, kind in typed)
        yield (
            f"create view {table} as select * from read_csv('{folder}/{table}.tbl', "
            f"delim = '|', header = false, auto_detect = false, columns = {{{pairs}}})"
        )


def sql(query):
    return (SQL / f"{query}.sql").read_text()
