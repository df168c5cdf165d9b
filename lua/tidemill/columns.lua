-- lua/tidemill/columns.lua: lists of columns as verbs take them.
--
-- One string, a list, or several arguments are alike. Where columns can be renamed, { new = "old" }
-- stands beside positional names: those come first, the named ones follow sorted by their new name.

local fail <const> = require "tidemill.fail"

local columns = {}

local function check(verb, name, where)
  if type(name) == "string" and name ~= "" then return name end
  fail("value", ("%s takes names of columns, not %s"):format(verb, fail.kind(name)), where)
end

--- A list of names from what the verb was given; `least` of them at least.
function columns.names(verb, least, where, ...)
  local given = table.pack(...)
  local list = {}
  if given.n == 1 and type(given[1]) == "table" then
    given = given[1]
    for key in pairs(given) do
      if math.type(key) ~= "integer" then
        fail("value", ("%s takes a plain list of columns; '%s' names one"):format(verb,
          tostring(key)), { verb = verb, token = tostring(key), place = where.place })
      end
    end
  end
  for i = 1, given.n or #given do list[i] = check(verb, given[i], where) end
  if #list < least then
    fail("value", ("%s needs the name of a column"):format(verb), where)
  end
  return list
end

--- An option that holds one name or a list of names; nil stays nil.
function columns.option(verb, option, value, where)
  if value == nil then return nil end
  if type(value) ~= "table" then value = { value } end
  local list = {}
  for key, name in pairs(value) do
    if math.type(key) ~= "integer" then
      fail("value", ("option '%s' of %s is a plain list of columns"):format(option, verb),
        { verb = verb, token = tostring(key), place = where.place })
    end
    list[#list + 1] = check(("option '%s' of %s"):format(option, verb), name, where)
  end
  return list
end

--- A list of { name = new, from = old }; `positional` names keep theirs.
function columns.renamed(verb, value, positional, where)
  if type(value) == "string" then value = { value } end
  if type(value) ~= "table" then
    fail("value", ("%s takes columns, not %s"):format(verb, fail.kind(value)), where)
  end
  local list = {}
  for key, name in pairs(value) do
    check(verb, name, where)
    if type(key) == "string" then
      list[#list + 1] = { name = key, from = name }
    elseif positional then
      list[#list + 1] = { name = name, from = name }
    else
      fail("value", ("%s takes { new = \"old\" }; '%s' has no new name"):format(verb, name),
        { token = name, place = where.place, line = where.line })
    end
  end
  return list
end

return columns
