-- tests/tidy/tidy.lua: checks the rules of the house.
--
--   lua5.4 tests/tidy/tidy.lua ROOT [LIBRARY] [--tighten]
--
-- ratchet.txt lists today's exceptions, a line each: rule, path, number. The number is the size of
-- the thing, or how many findings the file has. It may only shrink: a finding above it fails, and
-- so does an entry that is larger than it must be. `--tighten` makes entries smaller and drops
-- those that are not needed; it adds none. A new exception is written by hand, with a reason in
-- the commit.

local here = (arg and arg[0] or debug.getinfo(1, "S").source:sub(2)):match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. package.path

local rules = require "rules"
local source = require "source"

local tidy = {}

local function run_lines(command)
  local lines = {}
  local pipe = assert(io.popen(command))
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  return lines
end

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

--- Reads the files under root, but those that were made (build, caches) or belong to git.
function tidy.load(root, library)
  local tree = { files = {}, paths = {}, stripped = {}, symbols = {} }
  local command = "cd " .. quote(root) .. " && find . -name .git -prune -o -path ./build -prune -o "
    .. "-name __pycache__ -prune -o -type f -print | LC_ALL=C sort"
  for _, path in ipairs(run_lines(command)) do
    path = path:gsub("^%./", "")
    local text = read(root .. "/" .. path)
    if text then -- else it went between listing and reading
      tree.paths[#tree.paths + 1] = path
      tree.files[path] = text
      if path:find("%.[ch]$") then tree.stripped[path] = source.strip_c(text) end
    end
  end
  if library then
    for _, line in ipairs(run_lines("nm -g --defined-only " .. quote(library) .. " 2>/dev/null")) do
      local name = line:match("^%x+ %a (%S+)$")
      -- Names with two underscores in front are the compiler's.
      if name and not name:find("^__") then tree.symbols[#tree.symbols + 1] = name end
    end
  end
  return tree
end

--- What all rules find: a list of { rule, path, line, text, size }.
function tidy.check(tree)
  local found = {}
  for _, name in ipairs(rules.all) do
    rules[name](tree, function(rule, path, line, text, size)
      found[#found + 1] = { rule = rule, path = path, line = line, text = text, size = size }
    end)
  end
  return found
end

--- The sum a (rule, path): sizes as they are (the largest), other findings counted.
function tidy.sums(found)
  local sums = {}
  for _, f in ipairs(found) do
    local key = f.rule .. " " .. f.path
    sums[key] = f.size and math.max(sums[key] or 0, f.size) or (sums[key] or 0) + 1
  end
  return sums
end

--- The entries of ratchet.txt: key -> number.
function tidy.read_ratchet(text)
  local allowed = {}
  for _, line in ipairs(source.lines(text)) do
    local rule, path, number = line:match("^(%S+) (%S+) (%d+)$")
    if rule then
      allowed[rule .. " " .. path] = tonumber(number)
    elseif line ~= "" and not line:find("^#") then
      error("ratchet.txt: not `rule path number`: " .. line, 0)
    end
  end
  return allowed
end

--- Messages about what is new and about entries that are too large.
function tidy.compare(found, allowed)
  local sums, messages = tidy.sums(found), {}
  for _, f in ipairs(found) do
    local key = f.rule .. " " .. f.path
    if sums[key] > (allowed[key] or 0) then
      messages[#messages + 1] = ("%s:%d: %s: %s"):format(f.path, f.line, f.rule, f.text)
    end
  end
  for key, number in pairs(allowed) do
    if (sums[key] or 0) < number then
      messages[#messages + 1] = ("ratchet.txt: '%s %d' may shrink to %d: tidy.lua --tighten")
        :format(key, number, sums[key] or 0)
    end
  end
  table.sort(messages)
  return messages
end

--- The text of ratchet.txt with nothing larger than it must be.
function tidy.tighten(text, found)
  local sums, out = tidy.sums(found), {}
  for _, line in ipairs(source.lines(text)) do
    local key, number = line:match("^(%S+ %S+) (%d+)$")
    if not key then
      out[#out + 1] = line
    elseif (sums[key] or 0) > 0 then
      out[#out + 1] = key .. " " .. math.min(sums[key], tonumber(number))
    end
  end
  return table.concat(out, "\n") .. "\n"
end

local function main(arguments)
  local root, library, tightening = ".", nil, false
  for i, argument in ipairs(arguments) do
    if argument == "--tighten" then tightening = true
    elseif i == 1 then root = argument
    else library = argument end
  end
  local path = root .. "/tests/tidy/ratchet.txt"
  local ratchet = read(path) or ""
  local found = tidy.check(tidy.load(root, library))
  if tightening then
    ratchet = tidy.tighten(ratchet, found)
    local file = assert(io.open(path, "w"))
    file:write(ratchet)
    file:close()
  end
  local messages = tidy.compare(found, tidy.read_ratchet(ratchet))
  for _, message in ipairs(messages) do print(message) end
  print(("%d passed, %d failed"):format(#messages == 0 and #rules.all or 0, #messages))
  os.exit(#messages == 0 and 0 or 1)
end

if arg and arg[0] and arg[0]:find("tidy%.lua$") then main(arg) end

return tidy
