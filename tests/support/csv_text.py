"""Reads CSV strictly, as RFC 4180 has it, with null (an empty bare field) apart from "" (quoted).

The standard module cannot tell the two apart, and forgives what a writer must not do.
"""


def read(data, delimiter=","):
    """Returns (header, rows); a field is its text, or None for null. ValueError if malformed."""
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    records = list(_records(text, delimiter))
    if not records:
        raise ValueError("no header line")
    header, rows = records[0], records[1:]
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise ValueError(f"record {number} has {len(row)} fields, the header {len(header)}")
    return header, rows


def _records(text, delimiter):
    at, fields = 0, []
    while at < len(text):
        field, at = _quoted(text, at) if text[at] == '"' else _bare(text, at, delimiter)
        fields.append(field)
        if at == len(text):
            raise ValueError("the last line has no end")
        if text[at] == delimiter:
            at += 1
            if at < len(text) and text[at] != "\n":
                continue
            fields.append(None)
        if text[at : at + 1] != "\n":
            raise ValueError(f"text after a closing quote at character {at}")
        yield fields
        at, fields = at + 1, []


def _quoted(text, at):
    parts, start = [], at + 1
    while True:
        end = text.find('"', start)
        if end < 0:
            raise ValueError(f"the quote at character {at} is never closed")
        parts.append(text[start:end])
        if text[end + 1 : end + 2] != '"':
            return '"'.join(parts), end + 1
        start = end + 2


def _bare(text, at, delimiter):
    end = at
    while end < len(text) and text[end] not in (delimiter, "\n"):
        if text[end] in '"\r':
            raise ValueError(f"a bare field holds {text[end]!r} at character {end}")
        end += 1
    return (text[at:end] or None), end
