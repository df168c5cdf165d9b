-- Who looked at an item and put nothing into the cart within five minutes: state and timers for
-- each user. Timers fire by event time, so a replay of the log gives the same.
--
--   tidemill run examples/silence.lua

local tm <const> = require "tidemill"

local views = tm.csv {
  path   = "examples/data/views.csv",
  schema = "at timestamp not null, user string, page string",
  time   = { field = "at", out_of_order = "30s" },
}

local left = views:group_by "user":process {
  state = { seen = "timestamp" },
  emits = "user string, since timestamp",

  on_row = function(r, state, out)
    if r.page == "item" then
      state.seen = r.at
      out:timer("gave up", r.at + tm.minutes(5))
    elseif r.page == "cart" then
      out:cancel "gave up"
    end
  end,

  on_timer = function(_, key, state, out)
    out:emit { user = key.user, since = state.seen }
  end,
}

return tm.stream { name = "silence", left:to(tm.stdout()) }
