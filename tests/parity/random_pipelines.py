"""Random pipelines over random sources, as scripts. What a verb may follow is kept in Flow: whether
rows have event time, whether they may be taken back. Only verbs that the engine has are used."""

from random_data import Source, columns_of

NUMBERS = ("int64", "int32", "float64", "decimal(12,2)")
ROW_WISE = ("filter", "with", "select", "check", "dedup", "once")


class Flow:
    """A flow under a name: columns as (name, type), in order."""

    def __init__(self, name, columns, timed=True, changes=False):
        self.name, self.columns, self.timed, self.changes = name, columns, timed, changes
        self.checked = False # rows were refused, how many depends on how many were read
        self.windowed = False # its window is known to the plan
        self.mixed = False   # a union without event time: in a stream rows come as they come

    def of(self, *kinds):
        return [name for name, kind in self.columns if kind in kinds]

    def names(self):
        return [name for name, _ in self.columns]


class Pipeline:
    """A script that grows by a verb at a time. `verbs`: names of those that may be used."""

    def __init__(self, random, folder, verbs):
        self.random, self.folder, self.verbs = random, folder, verbs
        self.unit = random.choice("smhsmhd")
        self.time_type = "date" if self.unit == "d" else random.choice(
            ["timestamp", "timestamp", "timestamp('Europe/Berlin')"])
        self.lines, self.count, self.used = [], 0, []
        self.sources = [self.source() for _ in range(random.choice([1, 1, 2]))]

    # ------------------------------------------------------------------ small parts

    def define(self, text):
        self.count += 1
        name = f"f{self.count}"
        self.lines.append(f"local {name} = {text}")
        return name

    def source(self):
        self.count += 1
        source = Source(self.random, self.folder, f"source{self.count}", self.unit,
                        self.time_type)
        return Flow(self.define(source.lua(self.folder)), columns_of(self.time_type),
                    source.timed)

    def duration(self, *counts):
        return f"{self.random.choice(counts or [1, 2, 3, 5, 10, 30])}{self.unit}"

    def some(self, items, least, most):
        count = min(len(items), self.random.randint(least, most))
        return self.random.sample(items, count)

    def fresh(self, flow, stem):
        taken, n = set(flow.names()), 1
        while f"{stem}{n}" in taken:
            n += 1
        return f"{stem}{n}"

    def keys(self, flow, least=1, most=2):
        usable = [n for n, kind in flow.columns if kind in ("string", "int32")] or flow.names()[:1]
        return self.some(usable, least, most)

    def condition(self, flow, row="r"):
        name, kind = self.random.choice(flow.columns)
        value = f"{row}.{name}"
        if kind in ("int64", "int32"):
            return self.random.choice([f"({value} or 0) % 3 ~= 1",
                                       f"{value} ~= nil and {value} > 1"])
        if kind == "float64":
            return f"{value} ~= nil and {value} < 2.0"
        if kind.startswith("decimal"):
            return f'{value} ~= nil and {value} > tm.dec "-1.5"'
        if kind == "string":
            return self.random.choice([f'{value} ~= "b"', f"{value} ~= nil and #{value} < 5"])
        if kind.startswith("timestamp"):
            return f"{value} == nil or ({value} // 1000000) % 3 > 0"
        return f"{value} ~= nil"

    def aggregates(self, flow, taken=(), frame=False):
        """Entries of agg or over and the columns that they make, under names that are not taken."""
        made, entries = [], []
        for _ in range(self.random.randint(1, 4)):
            name, entry, kind = self.aggregate(flow, frame)
            while name in [n for n, _ in made] or name in taken:
                name += "_"
            made.append((name, kind))
            entries.append(f"{name} = {entry}")
        return "{ " + ", ".join(entries) + " }", made

    def aggregate(self, flow, frame):
        numbers = flow.of(*NUMBERS)
        options = []
        if frame and self.random.random() < 0.5:
            options.append(self.random.choice(["rows = 3", f'range = "{self.duration()}"']))
        elif not frame and self.random.random() < 0.3:
            options.append(f"where = function(r) return {self.condition(flow)} end")
        tail = f", {{ {options[0]} }})" if options else ")"
        choices = ["count"]
        if numbers:
            choices += ["sum", "avg", "min", "max", "sum"]
        if not frame:
            choices += ["count_distinct", "max_of_any"]
        if numbers and not frame:
            choices += ["stddev", "median"]
        if not flow.changes and not flow.mixed:
            choices += ["first", "last"]
        what = self.random.choice(choices)
        if what == "count":
            return "n", "tm.count(" + tail[2:] if options else "tm.count()", "int64"
        if what in ("count_distinct", "max_of_any", "first", "last"):
            column, kind = self.random.choice(flow.columns)
            verb = "max" if what == "max_of_any" else what
            return f"{verb}_{column}", f'tm.{verb}("{column}"{tail}', \
                "int64" if verb == "count_distinct" else kind
        column = self.random.choice(numbers)
        kind = dict(flow.columns)[column]
        if what == "sum":
            kind = {"int32": "int64"}.get(kind, kind)
        if what in ("avg", "stddev", "median") and not kind.startswith("decimal"):
            kind = "float64"
        if kind.startswith("decimal") and what not in ("min", "max"):
            kind = "wide"
        return f"{what}_{column}", f'tm.{what}("{column}"{tail}', kind

    # ------------------------------------------------------------------ verbs

    def step(self, flow, text, columns=None, timed=None, changes=None):
        made = Flow(self.define(f"{flow.name}:{text}"), columns or list(flow.columns),
                    flow.timed if timed is None else timed,
                    flow.changes if changes is None else changes)
        made.checked = flow.checked or text.startswith("check")
        made.mixed = flow.mixed or text.startswith("union") and not flow.timed
        made.windowed = flow.windowed and text.startswith(ROW_WISE) and timed is not False
        return made

    def do_filter(self, flow):
        return self.step(flow, f"filter(function(r) return {self.condition(flow)} end)")

    def do_with(self, flow):
        name = self.fresh(flow, "w")
        number = flow.of("int64")
        if number and self.random.random() < 0.7:
            column = self.random.choice(number)
            text = f"function(r) return r.{column} and r.{column} % 1000 * 2 end"
            return self.step(flow, f"with {{ {name} = {text} }}", flow.columns + [(name, "int64")])
        text = f'with {{ {name} = "{self.random.choice("pq")}" }}'
        return self.step(flow, text, flow.columns + [(name, "string")])

    def do_select(self, flow):
        kept = [c for c in flow.columns if self.random.random() < 0.7] or flow.columns[:1]
        names = ", ".join(f'"{name}"' for name, _ in kept)
        return self.step(flow, f"select({names})", kept)

    def do_check(self, flow):
        rejects = f'tm.jsonl "{self.folder}/rejects{self.count}.jsonl"'
        return self.step(flow, f'check("it holds", function(r) return {self.condition(flow)} end, '
                               f"{rejects})")

    def do_union(self, flow):
        other = self.do_filter(flow)
        return self.step(flow, f"union({other.name})")

    def do_distinct(self, flow):
        if self.random.random() < 0.5:
            return self.step(flow, "distinct()", timed=False, changes=True)
        keys = self.keys(flow)
        kept = [(name, dict(flow.columns)[name]) for name in keys]
        names = ", ".join(f'"{name}"' for name in keys)
        return self.step(flow, f"distinct({names})", kept, False, True)

    def do_dedup(self, flow):
        options = []
        if flow.timed and self.random.random() < 0.7:
            options.append(f'within = "{self.duration()}"')
        elif self.random.random() < 0.4:
            options.append('keep = "last"')
        keys = ", ".join(f'"{key}"' for key in self.keys(flow))
        last = "keep" in "".join(options)
        return self.step(flow, f"dedup({{ {keys} }}, {{ {', '.join(options)} }})",
                         timed=not last and flow.timed, changes=last)

    def do_limit(self, flow):
        return self.step(flow, f"limit({self.random.choice([0, 1, 10, 100])})")

    def do_once(self, flow):
        keys = ", ".join(f'"{key}"' for key in self.keys(flow))
        return self.step(flow, f'once {{ per = {{ {keys} }}, within = "{self.duration()}" }}')

    def do_agg(self, flow):
        keys = self.keys(flow, 0, 2)
        text, made = self.aggregates(flow, keys)
        group = f"group_by({', '.join(repr(k) for k in keys)}):" if keys else ""
        kinds = dict(flow.columns)
        return self.step(flow, f"{group}agg {text}", [(k, kinds[k]) for k in keys] + made,
                         False, True)

    def do_top(self, flow):
        by = self.random.choice(flow.names())
        keys = ", ".join(f'"{key}"' for key in self.keys(flow, 0, 1))
        sign = self.random.choice(["", "-"])
        return self.step(flow, f'top({self.random.randint(1, 4)}, {{ by = "{sign}{by}", '
                               f"per = {{ {keys} }} }})", timed=False, changes=True)

    def window(self, kind):
        d = self.duration
        zoned = self.unit != "d" and self.random.random() < 0.3
        zone = ', { tz = "Europe/Berlin" }' if zoned else ""
        size = self.random.choice([2, 4, 6, 12])
        if self.unit == "h" and zone and self.random.random() < 0.5:
            return {"tumbling": f'tm.tumbling("1d"{zone})',
                    "hopping": f'tm.hopping("1d", "6h"{zone})',
                    "cumulate": f'tm.cumulate("1d", "6h"{zone})'}.get(kind) or self.window(kind)
        return {
            "tumbling": lambda: f'tm.tumbling("{size}{self.unit}"{zone})',
            "hopping": lambda: f'tm.hopping("{size}{self.unit}", '
                               f'"{size // self.random.choice([1, 2])}{self.unit}"{zone})',
            "cumulate": lambda: f'tm.cumulate("{size}{self.unit}", "{size // 2}{self.unit}"{zone})',
            "sliding": lambda: f'tm.sliding "{d()}"',
            "session": lambda: f'tm.session("{d(1, 2, 3)}"' + self.random.choice(
                ["", f', {{ max = "{d(5, 10)}" }}']) + ")",
            "count": lambda: f"tm.count_window({self.random.choice([1, 2, 7])})",
        }[kind]()

    def windowed(self, flow, kind, verb):
        keys = self.keys(flow, 0, 2)
        options = []
        fixed = kind in ("tumbling", "hopping", "cumulate") and "lateness" in self.verbs
        if fixed and self.random.random() < 0.3:
            options.append(f'lateness = "{self.duration(0, 1, 5)}"')
            self.used.append("lateness")
        if kind in ("tumbling", "hopping", "cumulate"):
            if "emit" in self.verbs and self.random.random() < 0.2:
                options.append(f'emit = "early {self.duration()}"')
                self.used.append("emit")
            may_fill = not options and verb == "agg" and "fill" in self.verbs
            if may_fill and self.random.random() < 0.2:
                options.append("fill = true")
                self.used.append("fill")
        group = f"group_by({', '.join(repr(k) for k in keys)}):" if keys else ""
        tail = f", {{ {', '.join(options)} }}" if options else ""
        again = any(word in tail for word in ("lateness", "emit")) # a window comes more than once
        return keys, f"{group}window({self.window(kind)}{tail}):", again

    def agg_in(self, kind):
        def do(flow):
            keys, text, again = self.windowed(flow, kind, "agg")
            taken = flow.names() if kind == "sliding" else keys
            entries, made = self.aggregates(flow, taken)
            kinds = dict(flow.columns)
            base = list(flow.columns) if kind == "sliding" else [(k, kinds[k]) for k in keys]
            base += [("window_start", self.time_type), ("window_end", self.time_type)]
            if kind == "count":
                base.append(("partial", "bool"))
            result = self.step(flow, f"{text}agg {entries}", base + made, changes=again)
            result.windowed = kind in ("tumbling", "hopping", "cumulate") and not again
            return result
        return do

    def top_in(self, kind):
        def do(flow):
            keys, text, again = self.windowed(flow, kind, "top")
            by = self.random.choice(flow.names())
            made = [("window_start", self.time_type), ("window_end", self.time_type)]
            return self.step(flow, f'{text}top(2, {{ by = "-{by}", rank = "rank_" }})',
                             flow.columns + made + [("rank_", "int64")], changes=again)
        return do

    def do_regroup(self, flow):
        """A later group by the window of an earlier one."""
        text, made = self.aggregates(flow, ["window_end"])
        return self.step(flow, f"group_by('window_end'):agg {text}",
                         [("window_end", self.time_type)] + made)

    def do_over(self, flow):
        keys = ", ".join(f'"{key}"' for key in self.keys(flow, 0, 1))
        parts = [f"per = {{ {keys} }}"]
        made = []
        for function, kind in self.some([("row_number()", "int64"), ("rank()", "int64"),
                                         ("lag", None), ("lead", None)], 0, 2):
            name = self.fresh(Flow("", flow.columns + made), "o")
            if kind is None:
                column, kind = self.random.choice(flow.columns)
                function = f'{function}("{column}", {self.random.randint(1, 2)})'
            parts.append(f"{name} = tm.{function}")
            made.append((name, kind))
        text, more = self.aggregates(flow, [n for n, _ in flow.columns + made], frame=True)
        parts.append(text[2:-2])
        made += more
        return self.step(flow, f"over {{ {', '.join(parts)} }}", flow.columns + made)

    def do_process(self, flow):
        times = [name for name in ("at", "window_end") if name in flow.names()]
        if not times or self.unit == "d":
            return self.do_filter(flow)
        key, at = self.keys(flow, 1, 1)[0], times[0]
        kind = dict(flow.columns)[key]
        wait = self.seconds(self.duration(1, 3, 10))
        text = f"""group_by("{key}"):process {{
  state = {{ n = "int64", last = "timestamp" }},
  emits = "key {kind}, what string, n int64, at timestamp",
  on_row = function(r, state, out)
    state.n = (state.n or 0) + 1
    state.last = r.{at}
    if state.n % 3 == 0 then out:emit {{ key = r.{key}, what = "third", n = state.n }} end
    if r.{at} then out:timer("silence", r.{at} + tm.seconds({wait})) end
  end,
  on_timer = function(name, key, state, out)
    out:emit {{ key = key.{key}, what = name, n = state.n, at = state.last }}
  end,
}}"""
        columns = [("key", kind), ("what", "string"), ("n", "int64"), ("at", "timestamp")]
        return self.step(flow, text, columns)

    def seconds(self, text):
        return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1]]

    # ------------------------------------------------------------------ two flows

    def other(self, by_time):
        """A flow to join with: a source, filtered."""
        usable = [s for s in self.sources if s.timed or not by_time]
        return self.do_filter(self.random.choice(usable))

    def joined(self, flow, other, kind, key):
        if kind in ("semi", "anti"):
            return list(flow.columns)
        right = [(f"o_{name}", type_) for name, type_ in other.columns if name != key]
        return flow.columns + right

    def join_key(self, flow, other):
        shared = [c for c in flow.columns if c in other.columns and c[0] in ("k", "g", "id")]
        return self.random.choice(shared)[0] if shared else None

    def clash(self, flow, other):
        return any(f"o_{name}" in flow.names() for name in other.names())

    def do_join(self, flow):
        other = self.other(False)
        key = self.join_key(flow, other)
        if key is None or self.clash(flow, other):
            return self.do_filter(flow)
        kind = self.random.choice(["inner", "left", "right", "full", "semi", "anti"])
        inner = kind == "inner" and not flow.changes and flow.timed and other.timed
        # Over input that ends the others are final, too, unless something needs them as they go.
        timed = inner or flow.timed and other.timed and self.random.random() < 0.3
        return self.step(flow, f'join({other.name}, {{ on = "{key}", kind = "{kind}", '
                               f'prefix = "o_" }})', self.joined(flow, other, kind, key),
                         timed, not timed or flow.changes)

    def do_join_window(self, flow):
        other = self.other(True)
        key = self.join_key(flow, other)
        if key is None or self.clash(flow, other):
            return self.do_filter(flow)
        kind = self.random.choice(["inner", "left", "right", "full", "semi", "anti"])
        window = self.window(self.random.choice(["tumbling", "tumbling", "hopping", "cumulate"]))
        columns = self.joined(flow, other, kind, key)
        columns += [("window_start", self.time_type), ("window_end", self.time_type)]
        return self.step(flow, f'join({other.name}, {{ on = "{key}", kind = "{kind}", '
                               f'prefix = "o_", window = {window} }})', columns)

    def do_join_interval(self, flow):
        other = self.other(True)
        key = self.join_key(flow, other)
        if key is None or self.clash(flow, other):
            return self.do_filter(flow)
        kind = self.random.choice(["inner", "left", "right", "full", "semi", "anti"])
        low, high = self.random.choice([("-3", "0"), ("-1", "2"), ("0", "5"), ("1", "4")])
        return self.step(flow, f'join_interval({other.name}, {{ on = "{key}", kind = "{kind}", '
                               f'prefix = "o_", from = "{low}{self.unit}", '
                               f'to = "{high}{self.unit}" }})',
                         self.joined(flow, other, kind, key))

    def do_join_asof(self, flow):
        other = self.other(True)
        key = self.join_key(flow, other)
        if key is None or self.clash(flow, other):
            return self.do_filter(flow)
        kind = self.random.choice(["left", "inner"])
        limit = f', tolerance = "{self.duration()}"' if self.random.random() < 0.5 else ""
        return self.step(flow, f'join_asof({other.name}, {{ on = "{key}", kind = "{kind}", '
                               f'prefix = "o_"{limit} }})', self.joined(flow, other, kind, key))

    def do_lookup(self, flow):
        if "k" not in flow.names() or "label" in flow.names():
            return self.do_filter(flow)
        table = self.define('tm.rows { schema = "k string, label string", { k = "a", label = "A" },'
                            ' { k = "b", label = "B" } }')
        miss = self.random.choice(["keep", "drop"])
        return self.step(flow, f'lookup({table}, {{ on = "k", miss = "{miss}" }})',
                         flow.columns + [("label", "string")])

    # ------------------------------------------------------------------ the whole

    def choices(self, flow):
        """Verbs that may follow, with weights."""
        found = {"filter": 3, "with": 3, "select": 1, "check": 1, "union": 1, "agg": 2, "top": 1,
                 "distinct": 1, "join": 2, "lookup": 1}
        if flow.timed and not flow.changes:
            found.update({"dedup": 3, "once": 2, "over": 3, "process": 2, "join_interval": 3,
                          "join_asof": 3, "join_window": 2})
            for kind in ("tumbling", "hopping", "cumulate", "session", "sliding", "count"):
                found[f"agg {kind}"] = 2
            for kind in ("tumbling", "hopping", "session"):
                found[f"top {kind}"] = 1
            if "window_end" in flow.names() and flow.windowed:
                found["regroup"] = 6
        if flow.changes:
            found.pop("check")
        elif not flow.timed and not flow.mixed: # rows come as they lie, in any mode
            found.update({"dedup": 2, "limit": 0 if flow.checked else 2})
        for verb in list(found):
            windowed = verb.startswith(("agg ", "top ", "join_window"))
            again = "window_start" in flow.names() or "window_end" in flow.names()
            if verb not in self.verbs or windowed and again:
                del found[verb]
        return found

    def grow(self, flow):
        found = self.choices(flow)
        verb = self.random.choices(list(found), list(found.values()))[0]
        self.used.append(verb)
        kind = verb[4:]
        if verb.startswith("agg "):
            return self.agg_in(kind)(flow)
        if verb.startswith("top "):
            return self.top_in(kind)(flow)
        return getattr(self, f"do_{verb}")(flow)

    def script(self):
        outputs = []
        for source in self.sources:
            flow = source
            for _ in range(self.random.randint(1, 4)):
                flow = self.grow(flow)
            outputs.append(flow)
        ends = [f'  {flow.name}:to(tm.jsonl "{self.folder}/out{i}.jsonl"),'
                for i, flow in enumerate(outputs)]
        return "\n".join(['local tm <const> = require "tidemill"', *self.lines,
                          'return tm.stream {', '  name = "parity",', *ends, "}", ""])
