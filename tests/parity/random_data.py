"""Files of rows with event time that come out of order, but never further than is declared.

A row arrives at a time that only grows and happened up to the declared disorder before, so no row
is behind. Where each file is a partition, each has arrivals of its own."""

from datetime import datetime, timedelta, timezone

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# Clocks in Berlin go forward on the 29th at 2 o'clock: windows of days with a zone see it.
START = datetime(2026, 3, 28, 20, tzinfo=timezone.utc)
VALUES = [
    ("id", "int64"), ("k", "string"), ("g", "int32"), ("v", "int64"), ("x", "float64"),
    ("d", "decimal(12,2)"),
]


def columns_of(time_type):
    return VALUES + [("at", time_type)]


COLUMNS = columns_of("timestamp")


def cell(random, name, number):
    if name == "id":
        return str(number)
    if random.random() < 0.08:
        return ""
    if name == "k":
        return random.choice(["a", "b", "c", "a longer key, the fourth"])
    if name == "g":
        return str(random.randint(0, 3))
    if name == "v":
        return str(random.choice([0, 1, -5, 7, 7, 12, 1000000007]))
    if name == "x":
        return random.choice(["0.1", "0.2", "0.3", "-1.5", "1e10", "2.5", "0.1"])
    return f"{random.randint(-500, 500) / 100:.2f}"


def rows_of(random, count, unit, disorder, first):
    arrival, rows = 0, []
    for number in range(first, first + count):
        arrival += random.choice([0, 0, 1, 1, 2, 5]) * UNITS[unit]
        late = random.choice([0, disorder, random.randint(0, disorder)])
        at = START + timedelta(seconds=arrival - late)
        cells = [cell(random, name, number) for name, _ in VALUES]
        cells = [f'"{c}"' if "," in c else c for c in cells]
        form = "%Y-%m-%d" if unit == "d" else "%Y-%m-%dT%H:%M:%SZ"
        rows.append(",".join(cells + [at.strftime(form)]))
    return rows


def write(path, rows):
    header = ",".join(name for name, _ in COLUMNS)
    path.write_text("\n".join([header, *rows]) + "\n")


class Source:
    """One source of a pipeline: its files in a folder, and its words in a script."""

    def __init__(self, random, folder, name, unit, time_type):
        self.name, self.unit, self.time_type = name, unit, time_type
        self.timed = random.random() < 0.85
        self.disorder = random.choice([0, 1, 3, 10]) * UNITS[unit]
        self.by_file = random.random() < 0.3
        count = random.choice([0, 5, 40, 120, 300])
        files = random.choice([1, 2, 3])
        self.unset = random.random() < 0.15 and count > 0
        if self.by_file:
            parts = [rows_of(random, count // files, unit, self.disorder, i * 1000)
                     for i in range(files)]
        else:
            rows = rows_of(random, count, unit, self.disorder, 0)
            if self.unset:
                rows.insert(random.randint(0, len(rows)), "7777,a,1,1,1.0,1.00,")
            cut = (len(rows) + files - 1) // files or 1
            parts = [rows[i * cut:(i + 1) * cut] for i in range(files)]
        for i, part in enumerate(parts):
            write(folder / f"{name}-{i}.csv", part)

    def lua(self, folder):
        columns = ", ".join(f"{name} {kind}" for name, kind in columns_of(self.time_type))
        options = [f'path = "{folder}/{self.name}-*.csv"', f'schema = "{columns}"']
        if self.timed:
            options.append(f'time = {{ field = "at", out_of_order = "{self.disorder}s" }}')
        if self.by_file and self.timed:
            options.append('partitions = "files"')
        if self.unset:
            options.append(f'bad = tm.jsonl "{folder}/bad-{self.name}.jsonl"')
        return "tm.csv {\n  " + ",\n  ".join(options) + ",\n}"
