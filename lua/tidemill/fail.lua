-- lua/tidemill/fail.lua: raising errors that name the script's line.
--
-- fail(code, message, where): `code` is a name of the error table in base/error.c. `where` may hold
--   token   what to underline; with `names`, the nearest of them becomes "did you mean"
--   note    what stands beside the underline
--   help    what to do about it
--   verb    the call under way, whose place is looked up; after: place of the step before it
--   line, place   a node's own, where the call is long over

local _, core <const> = ...

local fail = {}

--- A verb, endpoint or option of the design that this version does not have.
function fail.later(what, where)
  core.raise("unsupported", what .. " is not in this version of tidemill yet", where)
end

--- What messages call a value: "a string", "an integer", "nothing", "a flow".
function fail.kind(value)
  local kind = core.kind(value)
  if kind == "nil" then return "nothing" end
  return (kind:find "^[aeiou]" and "an " or "a ") .. kind
end

return setmetatable(fail, {
  __call = function(_, code, message, where) core.raise(code, message, where) end,
})
