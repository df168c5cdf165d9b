---@meta tidemill

-- Everything that a script can call, for editors (LuaCATS) and for the reference of the language.
-- A test compares this file with what `tm`, flows, aggregates and outputs really offer.
--
-- Words used below:
--   a path      a text; `{date}` in it is the logical date; relative to the working directory
--   a DDL       columns and types as text: "id int64 not null, at timestamp('Europe/Berlin')".
--               Types: bool int32 int64 float64 decimal(p,s) string bytes date timestamp; the zone
--               of a timestamp is that of texts without an offset, without it they are UTC
--   a duration  a text as "10m", "1h30m", "-5s" (us ms s m h d w), or a value of tm.minutes(…) …
--   columns     one name, a list of names, or several arguments
-- A mistake in a script ends the program with exit status 2 before anything is read or written.

---@class tidemill
---@field date tidemill.Date the logical date of the run: --date, else yesterday in the local zone
---@field null userdata JSON's null, where nil cannot stand: in a list, or { tm.null, "string" }
---@field processing_time userdata for the option `time` of windows
local tm = {}

------------------------------------------------------------------------------------------- values

--- An exact decimal of at most 38 digits. `+ -` keep the larger scale, `*` adds scales, `/` gives
--- scale max(a, b, 6), rounded half to even. Integers join in; a float raises, for its digits are
--- not exact. Two decimals are equal by value (1.0 == 1.00); a decimal never equals a number.
---@class tidemill.Decimal
---@operator add(tidemill.Decimal|integer): tidemill.Decimal
---@operator sub(tidemill.Decimal|integer): tidemill.Decimal
---@operator mul(tidemill.Decimal|integer): tidemill.Decimal
---@operator div(tidemill.Decimal|integer): tidemill.Decimal
---@operator unm: tidemill.Decimal
local Decimal = {}

--- A day. The same day is the same value, so dates are keys of tables. Dates have an order.
--- `date + tm.days(n)` and `date + tm.months(n)` are dates, `date - date` is a number of days.
---@class tidemill.Date
---@field year integer
---@field month integer 1 to 12
---@field day integer 1 to 31
---@operator add(tidemill.Duration): tidemill.Date
---@operator sub(tidemill.Duration): tidemill.Date
---@operator sub(tidemill.Date): integer
local Date = {}

--- A span of time: microseconds, or months. `timestamp + duration` is a timestamp. The difference
--- of two timestamps is an integer and can be compared with a duration by < and <=.
---@class tidemill.Duration
---@operator add(tidemill.Duration): tidemill.Duration
---@operator add(integer): integer
---@operator sub(tidemill.Duration): tidemill.Duration
---@operator mul(integer): tidemill.Duration
---@operator unm: tidemill.Duration
local Duration = {}

--- Microseconds since 1970-01-01 in UTC: what a timestamp column is in a row function.
--- The functions below take the zone as an argument, else UTC, whatever the zone of the column is.
---@alias tidemill.Timestamp integer

--- A row in a row function. A null is nil. It cannot be changed, and an unknown field is an error
--- of the script. It is valid while its function runs; a function that keeps it gets a table
--- instead.
---@class tidemill.Row
---@field [string] any

--- A decimal: "12.50" has scale 2, an integer scale 0.
--- Raises for a float and for a text that is no decimal of at most 38 digits.
---@param value string|integer|tidemill.Decimal
---@return tidemill.Decimal
function tm.dec(value) end

--- A date from "YYYY-MM-DD". Raises for other texts.
---@param text string
---@return tidemill.Date
function tm.day(text) end

--- A timestamp from "YYYY-MM-DD HH:MM:SS.ffffff" (a T or a space; parts of the time may be
--- missing). An offset in the text wins over the zone; without both it is UTC. An ambiguous local
--- time is the first of the two; one that clocks jumped over raises.
---@param text string
---@param zone? string as "Europe/Berlin"
---@return tidemill.Timestamp
function tm.time(text, zone) end

--- The day that a timestamp lies in.
---@param at tidemill.Timestamp|tidemill.Date
---@param zone? string without it: UTC
---@return tidemill.Date
function tm.day_of(at, zone) end

---@param at tidemill.Timestamp|tidemill.Date
---@param zone? string
---@return integer
function tm.year(at, zone) end

---@param at tidemill.Timestamp|tidemill.Date
---@param zone? string
---@return integer month 1 to 12
function tm.month(at, zone) end

---@param at tidemill.Timestamp|tidemill.Date
---@param zone? string
---@return integer day 1 to 31
function tm.day_of_month(at, zone) end

---@param at tidemill.Timestamp|tidemill.Date
---@param zone? string
---@return integer weekday 1 is Monday, 7 Sunday
function tm.weekday(at, zone) end

---@param at tidemill.Timestamp|tidemill.Date a date is its midnight
---@param zone? string
---@return integer hour 0 to 23
function tm.hour(at, zone) end

---@param at tidemill.Timestamp|tidemill.Date
---@param zone? string
---@return integer minute 0 to 59
function tm.minute(at, zone) end

---@param at tidemill.Timestamp|tidemill.Date
---@param zone? string
---@return integer second 0 to 59
function tm.second(at, zone) end

--- A date or timestamp as text, as strftime in English whatever the locale: %Y %m %d %H %M %S, %f
--- for microseconds, %j %y %e %I %p %a %A %u %w %b %B %G %V %z %Z %F %T %%. Raises for other
--- directives.
---@param at tidemill.Timestamp|tidemill.Date
---@param form string
---@param zone? string
---@return string
function tm.format(at, form, zone) end

--- The time of day on this machine: its rows are not the same in another run, and `explain` says
--- so.
---@return tidemill.Timestamp
function tm.now() end

--- A whole number: of a float or decimal its part before the point, of a duration its
--- microseconds, of a text what it says ("12"). Raises where there is none within 64 bits.
---@param value number|string|tidemill.Decimal|tidemill.Duration
---@return integer
function tm.int(value) end

--- The nearest float. Raises for a text that is no number.
---@param value number|string|tidemill.Decimal
---@return number
function tm.float(value) end

--- The text that files have: 3.0, 1e+16, 12.50, 2026-03-14, true.
---@param value number|string|boolean|tidemill.Decimal|tidemill.Date|tidemill.Duration
---@return string
function tm.text(value) end

--- Rounds to `digits` behind the point (below 0: to tens, hundreds …). A decimal gets that scale, a
--- float its exact value rounded once, an integer stays one.
---@generic T: number|tidemill.Decimal
---@param value T
---@param digits? integer -38 to 38; 0
---@param mode? "half_up"|"half_even"|"up"|"down"|"floor"|"ceil" half_up: ties go away from 0
---@return T
function tm.round(value, digits, mode) end

--- SQL's LIKE: % is any text, _ one character. Raises for nil.
---@param text string
---@param pattern string
---@return boolean
function tm.like(text, pattern) end

---@param n integer
---@return tidemill.Duration
function tm.microseconds(n) end

---@param n integer
---@return tidemill.Duration
function tm.milliseconds(n) end

---@param n integer
---@return tidemill.Duration
function tm.seconds(n) end

---@param n integer
---@return tidemill.Duration
function tm.minutes(n) end

---@param n integer
---@return tidemill.Duration
function tm.hours(n) end

--- Days of 24 hours.
---@param n integer
---@return tidemill.Duration
function tm.days(n) end

---@param n integer
---@return tidemill.Duration
function tm.weeks(n) end

--- Calendar months, for dates: the same day of a later month, or that month's last.
---@param n integer
---@return tidemill.Duration
function tm.months(n) end

---@param n integer
---@return tidemill.Duration
function tm.years(n) end

------------------------------------------------------------------------------- what a run is given

---@class tidemill.ParamOptions
---@field type? string text int float bool date timestamp duration decimal, or a type of a DDL
---@field help? string said where the parameter is missing

--- A parameter: `--param name=value`. Its type is the one given, else the default's, else text.
--- Missing without a default, or malformed, ends the program with exit status 2.
---@param name string
---@param default? any
---@param options? tidemill.ParamOptions
---@return any
function tm.param(name, default, options) end

--- A variable of the environment. Without it and without a default the script does not load.
---@param name string
---@param default? string
---@return string
function tm.env(name, default) end

--- A secret out of the environment: an option can hold it, nobody can print it.
---@param name string
---@return userdata
function tm.secret(name) end

--- For `with`: a text that is the same whenever the named columns are, in every run.
---@param ... string columns
---@return table
function tm.id(...) end

--------------------------------------------------------------------------------------------- ends

--- Options of every end that is a file or stdin. A text alone is the path. `bad` takes also rows
--- for which a row function raises, and rows that fail a check without `rejects`; `max_bad` counts
--- only rows that do not parse.
---@class tidemill.LinesOptions
---@field path string|string[] files, globs; "-" is stdin or, written to, stdout
---@field bad? tidemill.End takes rows that do not parse, with the reason
---@field max_bad? string|number "0.1%" of the rows, or a count: more fail the run, exit status 3
---@field on_error? "fail"|"skip" of a bad row without `bad`; fail. skip counts it and drops it
---@field time? string|tidemill.TimeOptions which column is event time
---@field partitions? "files" each file has a watermark of its own; else all of them are one

--- Event time: when what a row tells of happened. It rides along with the row through all verbs,
--- whatever becomes of the column. A row is late if its time is less than the largest time of the
--- rows before it (of its partition) less `out_of_order`; in a batch no row is late.
---@class tidemill.TimeOptions
---@field field string a column of type timestamp or date; rows without a value are refused
---@field out_of_order? string|tidemill.Duration how far rows may be behind; "0s"
---@field idle? string|tidemill.Duration|false live: how long a silent one is waited for; "60s"
---@field ahead? string|tidemill.Duration|false live: rows further in the future are refused; "1h"
---@field late? tidemill.End takes late rows; without it they are counted and dropped

---@class tidemill.JsonlOptions: tidemill.LinesOptions
---@field schema? string a DDL; without it the first file is sniffed and `explain` prints the DDL
---@field epoch? "s"|"ms"|"us" numbers are timestamps, in this unit

---@class tidemill.MsgpackOptions: tidemill.JsonlOptions

---@class tidemill.CsvOptions: tidemill.JsonlOptions
---@field delimiter? string between fields: ","; a tab for .tsv; sniffed without a schema
---@field quote? string around fields: '"'; "" is none
---@field escape? string before a quote within quotes; without it quotes are doubled
---@field header? boolean the first line names the columns; true
---@field null? string|string[] words that stand for null, where they are not quoted
---@field comment? string lines that begin with it are skipped
---@field partition? string|string[] names of columns that folders give: dt=2026-03-14/

--- Something that rows are read from or written to.
---@class tidemill.End: tidemill.Flow

--- CSV files, to read or to write. `.gz` and `.zst` are compressed. {date} in a path is the run's
--- date; where a stream writes, it is the day of each row's event time: a file a day, which gets
--- its name when the watermark has passed its day (NAME.part before), and what comes later behind
--- the rest. Without {date} a stream without end writes its file in place, from the beginning.
---@param options string|tidemill.CsvOptions
---@return tidemill.End
function tm.csv(options) end

--- JSON lines: an object a line. A schema takes fields out of nested ones: "cc string
--- 'user.country'".
---@param options string|tidemill.JsonlOptions
---@return tidemill.End
function tm.jsonl(options) end

--- MessagePack: a stream of maps.
---@param options string|tidemill.MsgpackOptions
---@return tidemill.End
function tm.msgpack(options) end

--- Lines of text: one column, `line`.
---@param options string|tidemill.LinesOptions
---@return tidemill.End
function tm.lines(options) end

---@class tidemill.StdinOptions: tidemill.CsvOptions
---@field format "csv"|"jsonl"|"msgpack"|"lines"

--- What comes in on stdin, with the options of its format.
---@param options string|tidemill.StdinOptions a format alone, or options
---@return tidemill.End
function tm.stdin(options) end

---@class tidemill.TailOptions: tidemill.StdinOptions
---@field from? "start"|"end" "end" passes over what files hold at the beginning; start

--- Files as they grow: only in a stream, only read. Files that are renamed are read to their end,
--- new files of the name from their start; globs are looked at again and again.
---@param options tidemill.TailOptions
---@return tidemill.End
function tm.tail(options) end

---@class tidemill.TcpOptions: tidemill.StdinOptions
---@field listen? string "HOST:PORT" to take connections at; port 0 is any that is free
---@field connect? string "HOST:PORT" to connect to, again and again

--- Connections. Read (only in a stream), each is a partition with a watermark of its own, and
--- begins with its own header where the format has one. Written to, rows go to all who are
--- connected.
---@param options tidemill.TcpOptions
---@return tidemill.End
function tm.tcp(options) end

---@class tidemill.RowsOptions
---@field schema string a DDL
---@field time? string|tidemill.TimeOptions which column is event time
---@field [integer] table rows, as { id = 1, name = "a" }

--- Rows that stand in the script.
---@param options tidemill.RowsOptions
---@return tidemill.End
function tm.rows(options) end

---@class tidemill.GenerateOptions
---@field rows? integer how many; in a stream without end where it is not given
---@field rate? integer|string rows a second: 1000, "10/s", "5/m"
---@field schema? string a DDL; needed where the function's types are not inferred
---@field row? fun(i: integer): table? row i, from 1; without it every column is random
---@field seed? integer of random rows; 1
---@field time? string|tidemill.TimeOptions which column is event time

--- Rows that are made up.
---@param options tidemill.GenerateOptions
---@return tidemill.End
function tm.generate(options) end

--- To stdout: a table on a terminal, else JSON lines; --format says otherwise.
---@return tidemill.End
function tm.stdout() end

--- Takes rows and forgets them.
---@return tidemill.End
function tm.discard() end

--- The end as one that takes a changelog: rows that come and go, with a last column `weight`
--- (int32) of 1 and -1. Without it a file gets what remains at the end.
---@param target tidemill.End
---@return tidemill.Changelog
function tm.changelog(target) end

---@class tidemill.Changelog

--------------------------------------------------------------------------------------- aggregates

--- What agg computes. It never changes: `as` gives a new one. Without a name its column is called
--- as the column that it is of (tm.avg "price" gives `price`); of a function it needs a name, by
--- `as` or as a field of agg: { mean = tm.avg(f) }.
---@class tidemill.Aggregate
local Aggregate = {}

--- Names the column.
---@param name string
---@return tidemill.Aggregate
function Aggregate:as(name) end

---@class tidemill.AggregateOptions
---@field where? fun(r: tidemill.Row): any only rows for which it is true
---@field rows? integer in over: a frame of so many rows, the current one included
---@field range? string|tidemill.Duration in over: a frame of the rows so far back in time

--- A column, a function of the row, or { function, "type" } where its type is not inferred.
---@alias tidemill.Of string|fun(r: tidemill.Row): any|table

--- Rows, or with a column or function those where it is not null; int64. Column: `count`.
---@param of? tidemill.Of|tidemill.AggregateOptions
---@param options? tidemill.AggregateOptions
---@return tidemill.Aggregate
function tm.count(of, options) end

--- Of integers int64 (beyond it the run fails), of decimals decimal(38,s), of floats exact up to
--- one rounding; null of nothing.
---@param of tidemill.Of
---@param options? tidemill.AggregateOptions
---@return tidemill.Aggregate
function tm.sum(of, options) end

--- float64; of decimals with four digits more, half to even.
---@param of tidemill.Of
---@param options? tidemill.AggregateOptions
---@return tidemill.Aggregate
function tm.avg(of, options) end

---@param of tidemill.Of
---@param options? tidemill.AggregateOptions
---@return tidemill.Aggregate
function tm.min(of, options) end

--- NaN is the greatest number.
---@param of tidemill.Of
---@param options? tidemill.AggregateOptions
---@return tidemill.Aggregate
function tm.max(of, options) end

--- The first that is not null, in source order.
---@param of tidemill.Of
---@param options? tidemill.AggregateOptions
---@return tidemill.Aggregate
function tm.first(of, options) end

---@param of tidemill.Of
---@param options? tidemill.AggregateOptions
---@return tidemill.Aggregate
function tm.last(of, options) end

--- Of the sample; null below two values.
---@param of tidemill.Of
---@param options? tidemill.AggregateOptions
---@return tidemill.Aggregate
function tm.stddev(of, options) end

--- Of the sample; null below two values.
---@param of tidemill.Of
---@param options? tidemill.AggregateOptions
---@return tidemill.Aggregate
function tm.variance(of, options) end

--- Interpolates linearly; float64.
---@param of tidemill.Of
---@param options? tidemill.AggregateOptions
---@return tidemill.Aggregate
function tm.median(of, options) end

--- Interpolates linearly; float64.
---@param of tidemill.Of
---@param q number 0 to 1
---@param options? tidemill.AggregateOptions
---@return tidemill.Aggregate
function tm.quantile(of, q, options) end

--- How many different values, nulls aside; exact.
---@param of tidemill.Of
---@param options? tidemill.AggregateOptions
---@return tidemill.Aggregate
function tm.count_distinct(of, options) end

--- In over: 1 for the first row, 2 for the next …
---@return tidemill.Aggregate
function tm.row_number() end

--- In over: as row_number, but rows that are equal in order share the first one's.
---@return tidemill.Aggregate
function tm.rank() end

--- In over: the value of the row n before; null where there is none.
---@param of string a column
---@param n? integer 1
---@return tidemill.Aggregate
function tm.lag(of, n) end

--- In over: the value of the row n behind; null where there is none.
---@param of string a column
---@param n? integer 1
---@return tidemill.Aggregate
function tm.lead(of, n) end

------------------------------------------------------------------------------------------- windows

--- For `window`. Tumbling, hopping and cumulating windows are [start, end), aligned to the epoch,
--- or with a zone to its midnight: a day is then 23, 24 or 25 hours, a week starts on Monday.
---@class tidemill.Window

---@class tidemill.WindowOptions
---@field time? userdata tm.processing_time: by the clock of this machine, the same in no other run

---@class tidemill.AlignedOptions: tidemill.WindowOptions
---@field tz? string as "Europe/Berlin"

---@class tidemill.SessionOptions: tidemill.WindowOptions
---@field max? string|tidemill.Duration a session is cut there

--- Each row in one window.
---@param size string|tidemill.Duration
---@param options? tidemill.AlignedOptions
---@return tidemill.Window
function tm.tumbling(size, options) end

--- A window of that size starts at every slide.
---@param size string|tidemill.Duration
---@param slide string|tidemill.Duration
---@param options? tidemill.AlignedOptions
---@return tidemill.Window
function tm.hopping(size, slide, options) end

--- Windows that share their start and grow by steps up to the size.
---@param size string|tidemill.Duration
---@param step string|tidemill.Duration
---@param options? tidemill.AlignedOptions
---@return tidemill.Window
function tm.cumulate(size, step, options) end

--- For each row the rows of the time up to it. The result has the row's columns.
---@param span string|tidemill.Duration
---@param options? tidemill.WindowOptions
---@return tidemill.Window
function tm.sliding(span, options) end

--- Rows of a key that are at most the gap apart.
---@param gap string|tidemill.Duration
---@param options? tidemill.SessionOptions
---@return tidemill.Window
function tm.session(gap, options) end

--- Each n rows of a key. The last ones of a key are fewer: their `partial` is true.
---@param n integer
---@return tidemill.Window
function tm.count_window(n) end

-------------------------------------------------------------------------------------------- flows

--- Rows on their way. Verbs describe and read nothing; each gives a new flow, and a flow may be
--- used any number of times.
---@class tidemill.Flow
local Flow = {}

--- Keeps the rows for which the function is true.
---@param f fun(r: tidemill.Row): any
---@return tidemill.Flow
function Flow:filter(f) end

--- Sets columns: in place where they are there, new ones at the end, by name. A field is a
--- function of the row, a constant, or { function, "type" }. All functions see the row as it
--- came.
---@param fields table<string, any>
---@return tidemill.Flow
function Flow:with(fields) end

--- A new row from each row; nil drops it. Columns come sorted by name unless the DDL orders them.
---@param f fun(r: tidemill.Row): table?
---@param ddl? string needed where the types are not inferred; the message then has it to paste
---@return tidemill.Flow
function Flow:map(f, ddl) end

--- Only these columns, in this order: "a", "b", or one table { "a", "b", new = "old" }, in which
--- the named ones follow the positional ones, sorted by new name.
---@param columns string|table
---@param ... string
---@return tidemill.Flow
function Flow:select(columns, ...) end

--- All but these columns.
---@param ... string|string[]
---@return tidemill.Flow
function Flow:drop(...) end

--- Other names for columns, in their places: { new = "old" }.
---@param names table<string, string>
---@return tidemill.Flow
function Flow:rename(names) end

--- What must hold for every row. Rows for which it does not go to `rejects`, else to the source's
--- `bad`; without both the first one ends the run with exit status 3 (on_error = "skip" of the
--- source drops it).
---@param name string what must hold, in words
---@param f fun(r: tidemill.Row): any
---@param rejects? tidemill.End
---@return tidemill.Flow
function Flow:check(name, f, rejects) end

--- The rows of this flow, then those of the others. Columns go by name; the same ones everywhere.
---@param ... tidemill.Flow|tidemill.Flow[]
---@return tidemill.Flow
function Flow:union(...) end

--- The first n rows.
---@param n integer
---@return tidemill.Flow
function Flow:limit(n) end

--- Each row once; with columns only those, each combination once.
---@param ... string|string[]
---@return tidemill.Flow
function Flow:distinct(...) end

--- By columns, the most important first; "-revenue" descends; nulls last both ways; stable.
---@param ... string|string[]
---@return tidemill.Flow
function Flow:sort(...) end

---@class tidemill.DedupOptions
---@field within? string|tidemill.Duration since the last row that was kept; without it for ever
---@field keep? "first"|"last" first
---@field order? "arrival" as rows come, not by event time: the same in no other run

--- Rows whose key was not there before. A row whose key is null passes.
---@param key string|string[] columns
---@param options? tidemill.DedupOptions
---@return tidemill.Flow
function Flow:dedup(key, options) end

---@class tidemill.OnceOptions
---@field per string|string[] columns
---@field within? string|tidemill.Duration without it for ever
---@field order? "arrival" as rows come, not by event time

--- One row a key, then none until that time has passed.
---@param options tidemill.OnceOptions
---@return tidemill.Flow
function Flow:once(options) end

---@class tidemill.OverOptions
---@field per? string|string[] rows of one key at a time
---@field by? string|string[] their order, as of sort, in a batch; without it event time
---@field session? string|tidemill.Duration adds `session_id`: rows at most so far apart share one
---@field [string|integer] tidemill.Aggregate a column: row_number, rank, lag, lead or an aggregate
---of the rows up to the current one

--- Adds columns that look at other rows of the key. Aggregates (count, sum, avg, min, max, first,
--- last) are of all rows up to the current one, unless they have a frame:
--- tm.sum("x", { rows = 7 }), tm.avg("x", { range = "10m" }).
---@param options tidemill.OverOptions
---@return tidemill.Flow
function Flow:over(options) end

---@class tidemill.TopOptions
---@field by string|string[] as of sort
---@field per? string|string[] the first n of each group
---@field ties? "all" rows that tie with the last one come, too
---@field rank? string name of a last column: 1 2 3; with ties 1 1 3

--- The first n rows by an order; ties by the columns from left to right.
---@param n integer
---@param options tidemill.TopOptions
---@return tidemill.Flow
function Flow:top(n, options) end

---@class tidemill.JoinOptions
---@field on string|table "id", { "id", left = "right" }, or {} where the right side has one row
---@field kind? "inner"|"left"|"right"|"full"|"semi"|"anti" inner
---@field where? fun(l: tidemill.Row, r: tidemill.Row): any part of the match
---@field take? string|table columns of the right side; { new = "old" } renames
---@field prefix? string before the names of the right side's columns, shared keys aside
---@field window? tidemill.Window only rows of the same window match
---@field ttl? string|tidemill.Duration in a stream: how long rows are kept for a match

--- Rows of both flows that match. Keys of one name appear once.
---@param other tidemill.Flow
---@param options tidemill.JoinOptions
---@return tidemill.Flow
function Flow:join(other, options) end

---@class tidemill.JoinIntervalOptions
---@field on string|table as of join
---@field from string|tidemill.Duration the least time of the other row: a duration as "-5m" from
---ours, or a column of ours
---@field to string|tidemill.Duration the largest one
---@field kind? "inner"|"left"|"right"|"full"|"semi"|"anti" inner
---@field where? fun(l: tidemill.Row, r: tidemill.Row): any part of the match
---@field take? string|table columns of the right side; { new = "old" } renames
---@field prefix? string before the names of the right side's columns, shared keys aside

--- Rows of both flows that match and whose times are near: the other's event time lies from `from`
--- to `to`, both included.
---@param other tidemill.Flow
---@param options tidemill.JoinIntervalOptions
---@return tidemill.Flow
function Flow:join_interval(other, options) end

---@class tidemill.JoinAsofOptions
---@field on string|table as of join
---@field by? string|table the column that orders both, or { left = "right" }; event time
---@field tolerance? string|tidemill.Duration how old the other row may be
---@field kind? "left"|"inner" left
---@field take? string|table columns of the right side; { new = "old" } renames
---@field prefix? string before the names of the right side's columns, shared keys aside

--- Each row with the latest one of the other flow that is not later than itself.
---@param other tidemill.Flow
---@param options tidemill.JoinAsofOptions
---@return tidemill.Flow
function Flow:join_asof(other, options) end

---@class tidemill.LookupOptions
---@field on string|table as of join
---@field take? string|table columns of the table; { new = "old" } renames
---@field prefix? string before the names of the table's columns, shared keys aside
---@field miss? "keep"|"drop"|tidemill.End of rows that find nothing; without it they go to `bad`

--- Each row with the one row of a table that has its key.
---@param other tidemill.Flow
---@param options tidemill.LookupOptions
---@return tidemill.Flow
function Flow:lookup(other, options) end

---@class tidemill.WindowVerbOptions
---@field lateness? string|tidemill.Duration of fixed windows: so much longer late rows count; "0s"
---@field late? tidemill.End takes rows that came too late; without it the source's `late`
---@field emit? string "early 10s": results also before the end, as updates
---@field fill? boolean of fixed windows: windows without rows come, too

--- Puts rows into windows by their event time; agg or top must follow.
---@param window tidemill.Window
---@param options? tidemill.WindowVerbOptions
---@return tidemill.Windowed
function Flow:window(window, options) end

--- Groups for agg. Nulls are one group.
---@param ... string|string[]
---@return tidemill.Grouped
function Flow:group_by(...) end

--- One row of aggregates, also of no rows. Positional entries keep their order, named ones follow
--- sorted by name.
---@param aggregates table
---@return tidemill.Flow
function Flow:agg(aggregates) end

--- Names this step, for messages, summaries and `run.rows`. Gives the flow itself.
---@param name string
---@return tidemill.Flow
function Flow:name(name) end

--- Ends the flow at an endpoint: an entry of tm.batch or tm.stream.
---@param target tidemill.End|tidemill.Changelog
---@return tidemill.Output
function Flow:to(target) end

--- What group_by gives: agg, window or process must follow.
---@class tidemill.Grouped
local Grouped = {}

--- A row a group: the keys, then the aggregates as in Flow:agg.
---@param aggregates table
---@return tidemill.Flow
function Grouped:agg(aggregates) end

--- The same as Flow:window, for each group.
---@param window tidemill.Window
---@param options? tidemill.WindowVerbOptions
---@return tidemill.Windowed
function Grouped:window(window, options) end

--- What a function of process calls.
---@class tidemill.ProcessOut
---@field emit fun(self, row: table) a row of the result
---@field timer fun(self, name: string, at: tidemill.Timestamp, of?: "processing") on_timer at that
---time; replaces the timer of that name
---@field cancel fun(self, name: string) takes the timer of that name away

---@class tidemill.ProcessOptions
---@field state? table<string, string|table> what a key keeps: types, or { type, ttl = "1h" }
---@field emits string a DDL
---@field on_row fun(r: tidemill.Row, state: table, out: tidemill.ProcessOut)
---@field on_timer? fun(name: string, key: table, state: table, out: tidemill.ProcessOut)

--- Functions that keep state for each key: rows come by event time, timers behind the rows of
--- their time.
---@param options tidemill.ProcessOptions
---@return tidemill.Flow
function Grouped:process(options) end

--- What window gives: agg or top must follow.
---@class tidemill.Windowed
local Windowed = {}

--- A row a group and window: the keys, `window_start`, `window_end`, then the aggregates.
---@param aggregates table
---@return tidemill.Flow
function Windowed:agg(aggregates) end

--- The first n rows of each group and window, with `window_start` and `window_end` behind.
---@param n integer
---@param options tidemill.TopOptions `per` is what group_by says, unless it is given
---@return tidemill.Flow
function Windowed:top(n, options) end

---@class tidemill.Output
local Output = {}

--- Names the output. Without it: the file's name up to its first dot, or stdout.
---@param name string
---@return tidemill.Output
function Output:name(name) end

--------------------------------------------------------------------------------------------- jobs

--- What on_done gets.
---@class tidemill.Run
---@field job string
---@field date string the logical date, YYYY-MM-DD
---@field status string "ok"
---@field seconds number
---@field rows table<string, integer> rows by the name of the output
---@field outputs { name: string, path: string?, rows: integer }[] in the job's order
---@field rows_in integer rows that all sources delivered
---@field rows_out integer rows that all outputs got
---@field rejected integer

---@class tidemill.Limits
---@field row? string|tidemill.Duration a call of a row function; "1s"
---@field memory? string|integer of the run, as "2G"; 80 % of RAM

--- Options that batches and streams have.
---@class tidemill.Job
---@field name? string of the job; the script's name without .lua
---@field timeout? string|tidemill.Duration of the run
---@field limits? tidemill.Limits
---@field on_done? fun(run: tidemill.Run) called once all outputs are there
---@field [integer] tidemill.Output

--- A job over input that ends: results come once. The script returns it.
---@param job tidemill.Job
---@return table
function tm.batch(job) end

--- A job that gives results as time passes. Over input that ends it ends by itself, with the
--- result that the batch has.
---@param job tidemill.Job
---@return table
function tm.stream(job) end

return tm
