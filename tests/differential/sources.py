"""Writes a random table as files in one of many legal spellings, and the Lua source that reads it.

The spelling is part of the test: delimiters, needless quotes, CRLF, a byte order mark, permuted and
foreign columns, null words, nested JSON, gzip, several files. All of them hold the same rows.
"""

import gzip
import json

from differential import column_types as ct


def write(rng, table, folder, name):
    """Writes the table below `folder` and returns the Lua expression of its source."""
    if len(table.rows) <= 40 and rng.random() < 0.15:
        return rows_source(table)
    spell = _Jsonl(rng, table) if table.rows and rng.random() < 0.25 else _Csv(rng, table)
    parts = _cut(rng, table.rows) if rng.random() < 0.3 else [table.rows]
    paths = []
    for number, rows in enumerate(parts):
        path = folder / f"{name}-{number}.{spell.ending}"
        data = spell.encode(rows)
        if not data:
            continue
        path.write_bytes(gzip.compress(data) if rng.random() < 0.15 else data)
        paths.append(str(path))
    options = [f"schema = {lua_ddl(spell.columns, spell.paths)}", *spell.options]
    if len(paths) == 1:
        options.insert(0, f'path = "{paths[0]}"')
    elif rng.random() < 0.5:
        options.insert(0, f'path = "{folder}/{name}-*.{spell.ending}"')
    else:
        options.insert(0, "path = { " + ", ".join(f'"{path}"' for path in paths) + " }")
    return f"tm.{spell.verb} {{ {', '.join(options)} }}"


def rows_source(table):
    rows = []
    for row in table.rows:
        pairs = zip(table.columns, row)
        fields = [f"{c.name} = {ct.lua_literal(c.type, v)}" for c, v in pairs if v is not None]
        rows.append("{ " + ", ".join(fields) + " }")
    schema = lua_ddl(table.columns)
    return "tm.rows { " + ",\n  ".join([f"schema = {schema}", *rows]) + " }"


def lua_ddl(columns, paths=None):
    """A schema as a Lua string; `paths` names where a column is found in the document."""
    parts = []
    for column in columns:
        path = f" '{paths[column.name]}'" if paths and column.name in paths else ""
        null = "" if column.nullable else " not null"
        parts.append(f"{column.name} {column.type.ddl}{path}{null}")
    return "[[ " + ", ".join(parts) + " ]]"


def _cut(rng, rows):
    ends = sorted(rng.randint(0, len(rows)) for _ in range(rng.randint(1, 3)))
    return [rows[a:b] for a, b in zip([0, *ends], [*ends, len(rows)])]


class _Csv:
    """One spelling of CSV. Columns may be declared in another order than the file has them."""

    verb, ending, paths = "csv", "csv", None

    def __init__(self, rng, table):
        self.rng = rng
        self.columns = table.columns
        self.header = not table.rows or rng.random() < 0.75
        self.delimiter = rng.choice([",", ",", ";", "|", "\t"])
        self.line_end = rng.choice(["\n", "\n", "\r\n"])
        self.bom = rng.random() < 0.1
        self.final = not self.header and rng.random() < 0.3
        self.null = rng.choice([None, None, "NA", "\\N"])
        count = len(table.columns)
        self.order = list(range(count))
        self.extra = []
        if self.header:
            rng.shuffle(self.order)
            self.extra = rng.sample(range(count + 1), rng.randint(0, 1))
        options = [f"delimiter = {ct.lua_string(self.delimiter.encode())}"]
        options += [] if self.header else ["header = false"]
        options += [f"null = {{ {ct.lua_string(self.null.encode())} }}"] if self.null else []
        self.options = options

    def encode(self, rows):
        lines = []
        if self.header:
            names = [self.columns[i].name for i in self.order]
            for place in self.extra:
                names.insert(place, "no_such_column_in_the_schema")
            lines.append(self._line(names))
        for row in rows:
            fields = [self._field(self.columns[i], row[i]) for i in self.order]
            for place in self.extra:
                fields.insert(place, self.rng.choice(["", "1", '"a\nb"', "x y"]))
            lines.append(self._line(fields))
        open_end = not lines or lines[-1] != "" and self.rng.random() < 0.2
        body = self.line_end.join(lines) + ("" if open_end else self.line_end)
        return (b"\xef\xbb\xbf" if self.bom and body else b"") + body.encode()

    def _line(self, fields):
        end = self.delimiter if self.final else ""
        return self.delimiter.join(fields) + end

    def _field(self, column, value):
        rng = self.rng
        if value is None:
            return self.null if self.null and rng.random() < 0.5 else ""
        text = spelled(rng, column.type, value)
        must = text == "" or text == self.null or any(c in text for c in '"\r\n' + self.delimiter)
        if must or rng.random() < 0.1:
            return '"' + text.replace('"', '""') + '"'
        return text


class _Jsonl:
    """JSON lines; some columns lie deeper in the document, missing and null are the same."""

    verb, ending, options = "jsonl", "jsonl", ()

    def __init__(self, rng, table):
        self.rng = rng
        self.columns = table.columns
        self.paths = {c.name: f"deep.{c.name}" for c in table.columns if rng.random() < 0.2}
        self.ascii = rng.random() < 0.5

    def encode(self, rows):
        lines = []
        for row in rows:
            document = {"noise": [1, {"a": "}"}]} if self.rng.random() < 0.2 else {}
            for column, value in zip(self.columns, row):
                if value is None and self.rng.random() < 0.5:
                    continue
                inner = document.setdefault("deep", {}) if column.name in self.paths else document
                inner[column.name] = self._value(column.type, value)
            lines.append(json.dumps(document, ensure_ascii=self.ascii) + "\n")
        return "".join(lines).encode()

    def _value(self, kind, value):
        if value is None or kind.kind in ("bool", "int32", "int64", "string"):
            return value
        text = ct.text(kind, value)
        if kind.kind == "float64" and text not in ("NaN", "Infinity", "-Infinity"):
            return value
        return text


def spelled(rng, kind, value):
    """One of the texts that a CSV field may have for the value."""
    text = ct.text(kind, value)
    if rng.random() < 0.7:
        return text
    match kind.kind:
        case "bool":
            words = ["true", "T", "1", "Yes", "y"] if value else ["False", "f", "0", "NO", "n"]
            return rng.choice(words)
        case "int32" | "int64" | "decimal" if value >= 0:
            return rng.choice([f"+{text}", f" {text}", f"{text} "])
        case "float64":
            return f" {text} "
        case "timestamp" if not kind.zone:
            return text.replace("T", " ").removesuffix("Z")
    return text
