-- tests/tidy/tidy_test.lua: the rules are tested on small trees of their own: a clean one, and for
-- each rule the change that it must find, and what looks like it but is fine.

local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. package.path

local tidy = require "tidy"
local source = require "source"
local rules = require "rules"

local passed, failed = 0, 0

local function expect(condition, name, detail)
  if condition then
    passed = passed + 1
  else
    failed = failed + 1
    print("not ok: " .. name .. (detail and (": " .. tostring(detail)) or ""))
  end
end

-- A tree in memory from path -> text.
local function make(files, symbols)
  local tree = { files = files, paths = {}, stripped = {}, symbols = symbols or {} }
  for path, text in pairs(files) do
    tree.paths[#tree.paths + 1] = path
    if path:find("%.[ch]$") then tree.stripped[path] = source.strip_c(text) end
  end
  table.sort(tree.paths)
  return tree
end

local CLEAN = {
  ["runtime/base/README.md"] = "# base\n",
  ["runtime/base/memory.h"] = "/* base/memory.h: the heap. */\nvoid *tm_alloc(int bytes);\n",
  ["runtime/base/memory.c"] = '/* base/memory.c */\n#include "base/memory.h"\n\n'
    .. "void *tm_alloc(int bytes) {\n  return malloc(bytes);\n}\n",
  ["runtime/base/env_posix.c"] = '/* base/env_posix.c */\n#include "base/memory.h"\n\n'
    .. "void *tm_alloc(int bytes) { return open(bytes); }\n",
  ["runtime/operator/README.md"] = "# operator\n",
  ["runtime/operator/filter.c"] = '/* operator/filter.c */\n#include "base/memory.h"\n\n'
    .. "const tm_stage tm_stage_filter = {0};\n",
  ["tests/operator/filter_test.c"] = "/* filter */\nTest(filter, keeps) {\n  cr_expect(1);\n}\n",
  ["lua/tidemill.lua"] = "-- the front end\nreturn {}\n",
}

-- What the rules find in the clean tree with some files changed: "rule path" joined by commas.
local function found(changes, symbols)
  local files = {}
  for path, text in pairs(CLEAN) do files[path] = text end
  for path, text in pairs(changes) do files[path] = text or nil end
  local keys = {}
  for key in pairs(tidy.sums(tidy.check(make(files, symbols)))) do keys[#keys + 1] = key end
  table.sort(keys)
  return table.concat(keys, ", ")
end

local function finds(name, expected, changes, symbols)
  local actual = found(changes, symbols)
  expect(actual == expected, name, ("found '%s', not '%s'"):format(actual, expected))
end

local FILTER = CLEAN["runtime/operator/filter.c"]
local MEMORY = CLEAN["runtime/base/memory.c"]
local function filter_with(text) return { ["runtime/operator/filter.c"] = FILTER .. text } end

finds("a clean tree", "", {})

-- edges
finds("a room above", "edge runtime/base/memory.c",
  { ["runtime/base/memory.c"] = MEMORY .. '#include "exec/lane.h"\n' })
finds("a room below, itself, a library, tests that include anything", "", {
  ["runtime/operator/filter.c"] = FILTER .. '#include "kernel/compare.h"\n#include <string.h>\n',
  ["tests/base/memory_test.c"] = '/* x */\n#include "exec/lane.h"\n',
})
finds("a header of a stage", "edge runtime/exec/lane.h, orphan runtime/exec/lane.h", {
  ["runtime/exec/README.md"] = "# exec\n",
  ["runtime/exec/lane.h"] = '/* x */\n#include "operator/join_common.h"\n',
})
finds("lua.h outside script", "library runtime/operator/filter.c", filter_with "#include <lua.h>\n")
finds("uv.h outside io", "library runtime/operator/filter.c", filter_with '#include "uv.h"\n')
finds("lua.h in script, uv.h in io", "", {
  ["runtime/script/README.md"] = "# script\n", ["runtime/io/README.md"] = "# io\n",
  ["runtime/script/host.h"] = "/* x */\n#include <lua.h>\nint tm_host(void);\n",
  ["runtime/script/host.c"] = '/* x */\n#include "script/host.h"\nint tm_host(void) {\n}\n',
  ["runtime/io/loop.h"] = "/* x */\n#include <uv.h>\nint tm_loop;\n",
  ["runtime/io/loop.c"] = '/* x */\n#include "io/loop.h"\nint tm_loop = 1;\n',
})

-- calls
for _, call in ipairs { "strcpy(a, b)", "sprintf (a, b)", "atoi(a)", "malloc(1)", "free(p)",
  "open(p)", "pthread_create(a)", "printf(a)", "setlocale(a, b)", "time(NULL)" } do
  finds("a call of " .. call, "call runtime/operator/filter.c",
    filter_with("static void f(void) {\n  x = " .. call .. ";\n}\n"))
end
for _, call in ipairs { "tm_free(b)", "env->open(p)", "self.close(p)", "ZSTD_free(p)",
  "snprintf(a)", "/* malloc(1) */ 0", '"system(x)"', "0; // free(p)", "freed(p)", "opened (p)" } do
  finds("no call: " .. call, "",
    filter_with("static void f(void) {\n  x = " .. call .. ";\n}\n"))
end
finds("a function of one's own", "", filter_with
  "static int accept(void) {\n  return 1;\n}\nstatic int f(void) {\n  return accept();\n}\n")
finds("the command line prints, but opens nothing", "call runtime/cli/main.c", {
  ["runtime/cli/README.md"] = "# cli\n",
  ["runtime/cli/main.c"] = "/* x */\nint main(void) {\n  printf(a);\n  fopen(b);\n}\n",
})
finds("malloc even in base", "call runtime/base/other.c", {
  ["runtime/base/other.c"] = MEMORY:gsub("base/memory%.c", "base/other.c"),
})

-- sizes
local function many(line, count) return (line .. "\n"):rep(count) end
finds("a long file", "file runtime/operator/filter.c", filter_with(many("int x;", 600)))
finds("a long header", "header runtime/base/memory.h",
  { ["runtime/base/memory.h"] = CLEAN["runtime/base/memory.h"] .. many("int x;", 150) })
finds("a long line", "line runtime/operator/filter.c", filter_with(("x"):rep(101) .. "\n"))
finds("a hundred characters of more bytes", "", filter_with(("é"):rep(100) .. "\n"))
finds("a tab", "blank runtime/operator/filter.c", filter_with "\tint x;\n")
finds("blanks at the end", "blank lua/tidemill.lua", { ["lua/tidemill.lua"] = "-- x \nreturn 1\n" })
local function body(lines)
  return "static int\nlong_one(int a)\n{\n" .. many("  x();", lines) .. "}\n"
end
finds("a long function", "function runtime/operator/filter.c:long_one", filter_with(body(68)))
finds("a function of seventy lines", "", filter_with(body(66)))
finds("a long table is no function", "",
  filter_with("const int t[] = {\n" .. many("1,", 90) .. "};\n"))
finds("a long Lua function", "function lua/tidemill.lua:f", { ["lua/tidemill.lua"] =
  "-- x\nlocal function f()\n" .. many("  x()", 70) .. "end\n" })
finds("a long script", "file pipelines/q.py",
  { ["pipelines/q.py"] = '"""x."""\n' .. many("x", 600) })
finds("data has no limits", "", { ["tests/golden/a/in/x.lua"] = ("y"):rep(500) })

-- openings
finds("a C file that says nothing", "opening runtime/operator/filter.c",
  { ["runtime/operator/filter.c"] = FILTER:gsub("^[^\n]*\n", "") })
finds("a Lua file that says nothing", "opening lua/tidemill.lua",
  { ["lua/tidemill.lua"] = "return 1\n" })

-- stages and orphans
finds("a stage without a test", "untested runtime/operator/filter.c",
  { ["tests/operator/filter_test.c"] = false })
finds("a case that bears its name", "", {
  ["tests/operator/filter_test.c"] = false,
  ["tests/operator/simple_test.c"] = "/* x */\nTest(simple, filter_keeps_some) {\n}\n",
})
finds("a stage with another's name", "orphan runtime/operator/filters.c", {
  ["runtime/operator/filters.c"] = FILTER,
})
finds("a header that nobody includes", "orphan runtime/base/lost.h",
  { ["runtime/base/lost.h"] = "/* x */\n" })
finds("a header that a test includes", "", {
  ["runtime/base/kept.h"] = "/* x */\n",
  ["tests/base/kept_test.c"] = '/* x */\n#include "base/kept.h"\n',
})
finds("a file that no header knows", "orphan runtime/base/lost.c",
  { ["runtime/base/lost.c"] = "/* x */\nvoid tm_lost(void) {\n}\n" })
finds("a second file of a header", "",
  { ["runtime/base/more.c"] = MEMORY:gsub("malloc", "tm_get") })
finds("a format", "", {
  ["runtime/format/README.md"] = "# format\n",
  ["runtime/format/csv.c"] = "/* x */\nconst tm_format tm_format_csv = {0};\n",
})
finds("main", "", {
  ["runtime/cli/README.md"] = "# cli\n", ["runtime/cli/main.c"] = "/* x */\nint main(void) {\n}\n",
})

-- symbols, words, readmes
finds("an exported name", "symbol lost_one", {}, { "tm_alloc", "lost_one" })
finds("a word", "word runtime/operator/filter.c", filter_with("/* see /wo" .. "rk/x */\n"))
finds("a word in any file", "word notes.txt", { ["notes.txt"] = "from pypi.o" .. "rg\n" })
finds("bytes are not read for words", "", { ["x.bin"] = "\0 /wo" .. "rk/" })
finds("a room without a README", "readme runtime/base/README.md",
  { ["runtime/base/README.md"] = false })
finds("a README that is too long", "readme runtime/base/README.md",
  { ["runtime/base/README.md"] = many("x", 31) })
finds("a room that is not planned", "orphan runtime/attic/a.h, room runtime/attic",
  { ["runtime/attic/a.h"] = "/* x */\n" })

-- text as the rules see it
local stripped = source.strip_c('a /* b\n c */ "d\\"e" \'"\' // f\ng / h')
expect(stripped == 'a     \n      "    " \' \'     \ng / h', "comments and strings are blanked",
  stripped)
local functions = source.functions_c("struct s {\n int a;\n};\nstatic int\nf(int (*g)(void)) {\n"
  .. "  if (x) {\n  }\n}\nint a[] = {1};\n#define M(x) { \\\n x\nvoid h(void)\n{\n}\n")
expect(#functions == 2 and functions[1].first == 4 and functions[1].last == 8
  and functions[2].name == "h" and functions[1].static and not functions[2].static,
  "functions are found by their braces")

-- the ratchet
local tree = make { ["runtime/base/README.md"] = "x", ["runtime/base/a.h"] = many("/* x */", 170) }
local findings = tidy.check(tree)
local function messages(ratchet)
  return table.concat(tidy.compare(findings, tidy.read_ratchet(ratchet)), "\n")
end
local EXACT = "header runtime/base/a.h 170\norphan runtime/base/a.h 1\n"
expect(messages(EXACT) == "", "exceptions that are listed pass", messages(EXACT))
expect(messages("# only a comment\n\n"):find("a.h:1: header: 170 lines", 1, true), "others fail")
expect(messages((EXACT:gsub("170", "169"))):find("170 lines"), "one that has grown fails")
expect(messages((EXACT:gsub("170", "171"))):find("may shrink to 170"),
  "one that has shrunk must say so")
expect(messages(EXACT .. "file gone.c 700\n"):find("may shrink to 0"), "one that is gone too")
expect(tidy.tighten("# why\nheader runtime/base/a.h 200\nfile gone.c 1\n", findings)
  == "# why\nheader runtime/base/a.h 170\n", "tightening lowers and drops, and adds nothing")
expect(not pcall(tidy.read_ratchet, "nonsense\n"), "a line that is no entry is an error")

-- a real folder: names with blanks, made files left out, symbols from nm
local folder = os.tmpname()
os.remove(folder)
assert(os.execute(("mkdir -p '%s/runtime/base' '%s/build/x' && cd '%s' && echo '/* x */' > "
  .. "'runtime/base/a b.h' && echo y > build/x/made.c"):format(folder, folder, folder)))
local loaded = tidy.load(folder)
expect(#loaded.paths == 1 and loaded.files["runtime/base/a b.h"] == "/* x */\n", "a tree is read")
os.execute("rm -rf '" .. folder .. "'")

for _, name in ipairs(rules.all) do expect(type(rules[name]) == "function", "rule " .. name) end

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
