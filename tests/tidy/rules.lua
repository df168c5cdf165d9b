-- tests/tidy/rules.lua: the rules of the house. Each looks at a tree and reports what it finds.
--
-- A tree is { files = path -> text, paths = sorted list, stripped = path -> C without comments,
-- symbols = exported names of the library }. `report(rule, path, line, text, size)`: with a size
-- the finding is as large as that (a file of 640 lines), without it counts as one.

local source = require "source"

local rules = {}

rules.rooms = { "base", "store", "column", "kernel", "format", "io", "expr", "state", "stage",
  "operator", "connector", "plan", "delivery", "exec", "script", "service", "cli" }

local LIMITS = { file = 600, header = 150, ["function"] = 70, line = 100, readme = 30 }

local rank = {}
for i, room in ipairs(rules.rooms) do rank[room] = i end

local function set(words)
  local members = {}
  for word in words:gmatch("%S+") do members[word] = true end
  return members
end

local UNBOUNDED = set [[strcpy strcat stpcpy sprintf vsprintf gets strtok strtok_r atoi atol atoll
  atof alloca setlocale]]
local HEAP = set [[malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign
  strdup strndup asprintf vasprintf]]
local SYSTEM = set [[open openat creat close read pread readv write pwrite writev lseek fsync
  fdatasync ftruncate truncate rename renameat unlink unlinkat remove mkdir mkdtemp mkstemp rmdir
  stat fstat lstat access link symlink readlink realpath chmod fchmod opendir readdir closedir flock
  fopen freopen fdopen fclose fread fwrite fgets fputs fputc fprintf vfprintf printf vprintf puts
  putchar fflush perror tmpfile popen system fork execv execve execvp waitpid kill raise signal
  sigaction getenv setenv putenv unsetenv isatty ioctl mmap munmap madvise poll select pipe dup dup2
  time clock clock_gettime gettimeofday nanosleep usleep sleep localtime localtime_r gmtime mktime
  strftime tzset rand srand random srandom drand48 getrandom getpid getrusage sysconf sched_yield
  socket bind listen accept connect send recv strerror]]

-- The command line may print: stdout and stderr are its business.
local PRINTING = set "printf vprintf fprintf vfprintf puts putchar fputs fputc fwrite fflush"

local WORDS = { -- split, so that this file does not speak of them
  "/wo" .. "rk/", "/ro" .. "ot/", "/tmp/" .. "venv", "pypi%.o" .. "rg", "pythonhosted" .. "%.org",
  "registry%.np" .. "mjs", "proxy%.gol" .. "ang", "repo1?%.mav" .. "en", "index%-u" .. "rl",
  "anthro" .. "pic", "cla" .. "ude", "chat" .. "gpt", "copi" .. "lot", "language mo" .. "del",
  "as an a" .. "i%f[%A]", "ai assis" .. "tant",
}

local function room_of(path) return path:match("^runtime/([%w_]+)/") end
local function is_c(path) return path:find("%.[ch]$") ~= nil end
local function base_name(path) return path:match("([^/]+)%.%w+$") end

local function is_data(path)
  return path:find("^tests/golden/[^/]+/") or path:find("^examples/data/")
    or path:find("^tests/base/zoneinfo/")
end

local function each(tree, wanted, visit)
  for _, path in ipairs(tree.paths) do
    if path:find(wanted) and not is_data(path) then visit(path, tree.files[path]) end
  end
end

-- Calls visit(path, line, included) for every #include with quotes or angles.
local function each_include(tree, wanted, visit)
  each(tree, wanted, function(path, text)
    for number, line in ipairs(source.lines(text)) do
      local included = line:match('^%s*#%s*include%s*["<]([^">]+)[">]')
      if included then visit(path, number, included) end
    end
  end)
end

--- A room includes only itself and rooms below; operators and connectors are met as descriptors.
function rules.edges(tree, report)
  each_include(tree, "^runtime/[%w_]+/.*%.[ch]$", function(path, line, included)
    local from, to = room_of(path), included:match("^([%w_]+)/")
    if not rank[from] or not rank[to] or from == to then return end
    if rank[to] > rank[from] then
      report("edge", path, line, from .. " includes " .. included .. ", which is above it")
    elseif to == "operator" or to == "connector" then
      report("edge", path, line, "stages are met by their descriptors, not by " .. included)
    end
  end)
end

--- lua.h only in script/, uv.h only in io/ and service/.
function rules.libraries(tree, report)
  local owners = {
    ["lua.h"] = set "script", ["lauxlib.h"] = set "script", ["lualib.h"] = set "script",
    ["uv.h"] = set "io service",
  }
  each_include(tree, "^runtime/[%w_]+/.*%.[ch]$", function(path, line, included)
    local allowed = owners[included]
    if allowed and not allowed[room_of(path)] then
      report("library", path, line, included .. " has no business in " .. room_of(path))
    end
  end)
end

--- No unbounded string functions, no heap but base/memory.c, no system calls but base/env_*.c.
function rules.calls(tree, report)
  each(tree, "^runtime/[%w_]+/.*%.[ch]$", function(path)
    local is_env, own = path:find("^runtime/base/env_[%w_]+%.c$"), {}
    for _, f in ipairs(source.functions_c(tree.stripped[path])) do own[f.name] = f.static end
    source.each_call(tree.stripped[path], function(name, line)
      if own[name] or (PRINTING[name] and room_of(path) == "cli") then
        return -- a function of the file itself may bear such a name
      elseif UNBOUNDED[name] then
        report("call", path, line, name .. "() knows no bound")
      elseif HEAP[name] and path ~= "runtime/base/memory.c" then
        report("call", path, line, name .. "() belongs to base/memory.c")
      elseif not is_env and (SYSTEM[name] or name:find("^pthread_")) then
        report("call", path, line, name .. "() belongs to base/env")
      end
    end)
  end)
end

--- Files, headers, functions and lines are short.
function rules.sizes(tree, report)
  local function functions(path, found)
    for _, f in ipairs(found) do
      local size = f.last - f.first + 1
      if size > LIMITS["function"] then
        report("function", path .. ":" .. f.name, f.first, size .. " lines", size)
      end
    end
  end
  each(tree, "%.[chlp][uy]?a?$", function(path, text)
    if not is_c(path) and not path:find("%.lua$") and not path:find("%.py$") then return end
    local lines, is_header = source.lines(text), path:find("%.h$")
    local most = is_header and LIMITS.header or LIMITS.file
    if path:find("%.d%.lua$") then most = math.huge end -- a catalogue: editors want it in one file
    if #lines > most then
      report(is_header and "header" or "file", path, 1, #lines .. " lines", #lines)
    end
    for number, line in ipairs(lines) do
      local size = utf8.len(line) or #line
      if size > LIMITS.line then report("line", path, number, size .. " characters") end
      if line:find("%s$") then report("blank", path, number, "blanks at the end") end
      if line:find("\t", 1, true) then report("blank", path, number, "a tab") end
    end
    if is_c(path) then functions(path, source.functions_c(tree.stripped[path])) end
    if path:find("%.lua$") then functions(path, source.functions_lua(text)) end
  end)
end

--- Every file opens by saying what it is.
function rules.openings(tree, report)
  each(tree, "%.[chlp][uy]?a?$", function(path, text)
    local opens = is_c(path) and text:find("^/%*") or path:find("%.lua$") and text:find("^%-%-")
      or path:find("%.py$") and (text:find('^"""') or text:find("^#"))
    if not opens then report("opening", path, 1, "says nothing about itself in its first line") end
  end)
end

-- The name of the stage that a file defines, or nil.
local function stage_of(tree, path)
  local name = base_name(path)
  if not path:find("^runtime/operator/") and not path:find("^runtime/connector/") then return end
  if not path:find("%.c$") then return end
  local descriptor = "\nconst tm_stage tm_stage_" .. name .. "%f[^%w_]"
  return tree.stripped[path]:find(descriptor) and name or nil
end

--- A stage has a test: tests/<room>/<name>_test.c, or a suite or case that bears its name.
function rules.stage_tests(tree, report)
  local cases = {}
  each(tree, "^tests/.*_test%.c$", function(path)
    for suite, case in tree.stripped[path]:gmatch("\nTest%(([%w_]+),%s*([%w_]+)") do
      cases[#cases + 1] = suite .. " " .. case
    end
  end)
  for _, path in ipairs(tree.paths) do
    local name = stage_of(tree, path)
    if name and not tree.files["tests/" .. room_of(path) .. "/" .. name .. "_test.c"] then
      local found = false
      for _, case in ipairs(cases) do
        if case:find("%f[%w]" .. name .. "%f[^%w]") then found = true end
      end
      if not found then report("untested", path, 1, "stage '" .. name .. "' has no test") end
    end
  end
end

--- No header that nobody includes; no C file of which no header and no descriptor knows.
function rules.orphans(tree, report)
  local included = {}
  each_include(tree, "%.[ch]$", function(_, _, name) included[name] = true end)
  each(tree, "^runtime/[%w_]+/[%w_]+%.h$", function(path)
    if not included[path:match("^runtime/(.+)$")] then
      report("orphan", path, 1, "nobody includes it")
    end
  end)
  each(tree, "^runtime/[%w_]+/[%w_]+%.c$", function(path)
    -- A descriptor: const tm_stage tm_stage_csv, const tm_format tm_format_csv, in a file csv.c.
    local descriptor = "\nconst (tm_[%w_]+) %1_" .. base_name(path) .. "%f[^%w_]"
    if tree.stripped[path]:find(descriptor) or path == "runtime/cli/main.c" then return end
    local headers = {}
    for _, other in ipairs(tree.paths) do
      if other:find("%.h$") and room_of(other) == room_of(path) then
        headers[#headers + 1] = tree.stripped[other]
      end
    end
    local declared = table.concat(headers)
    for name in tree.stripped[path]:gmatch("%f[%w_](tm_[%w_]+)%f[^%w_]%s*[%(=%[]") do
      local defined = tree.stripped[path]:find("\n[%a][^\n;]*%f[%w_]" .. name .. "%s*[%(=%[]")
      if defined and declared:find("%f[%w_]" .. name .. "%f[^%w_]") then return end
    end
    local message = "no header of its room declares anything of it, and it is no descriptor"
    report("orphan", path, 1, message)
  end)
end

--- What the library exports is named tm_.
function rules.symbols(tree, report)
  for _, name in ipairs(tree.symbols or {}) do
    if not name:find("^tm_") then report("symbol", name, 0, "an exported name without tm_") end
  end
end

--- The project speaks of itself alone.
function rules.words(tree, report)
  for _, path in ipairs(tree.paths) do
    local text = tree.files[path]
    if not text:sub(1, 4096):find("\0", 1, true) then
      for number, line in ipairs(source.lines(text:lower())) do
        for _, word in ipairs(WORDS) do
          local found = line:match(word)
          if found then report("word", path, number, "'" .. found .. "' has no place here") end
        end
      end
    end
  end
end

--- Each room says in at most 30 lines what it owns.
function rules.readmes(tree, report)
  local seen = {}
  each(tree, "^runtime/[%w_]+/[^/]+%.[ch]$", function(path) seen[room_of(path)] = true end)
  for _, room in ipairs(rules.rooms) do
    local path = "runtime/" .. room .. "/README.md"
    local text = tree.files[path]
    if seen[room] and not text then
      report("readme", path, 0, "the room has none")
    elseif text and #source.lines(text) > LIMITS.readme then
      report("readme", path, 1, #source.lines(text) .. " lines", #source.lines(text))
    end
  end
  for room in pairs(seen) do
    if not rank[room] and room ~= "include" then
      report("room", "runtime/" .. room, 0, "no room of that name is in the plan of the house")
    end
  end
end

--- Names of the rules, in the order in which they run.
rules.all = { "edges", "libraries", "calls", "sizes", "openings", "stage_tests", "orphans",
  "symbols", "words", "readmes" }

return rules
