-- tests/tidy/source.lua: C and Lua as text, as far as the rules of the house need to know them.

local source = {}

--- The lines of a text, without their ends.
function source.lines(text)
  local lines = {}
  for line in (text .. (text:sub(-1) == "\n" and "" or "\n")):gmatch("(.-)\n") do
    lines[#lines + 1] = line
  end
  return lines
end

--- C without what comments, strings and characters hold: blanks instead, so that places stay.
function source.strip_c(text)
  local out, at = {}, 1
  local function blank(s) return (s:gsub("[^\n]", " ")) end
  local function skip(opening, closing_pattern)
    local first, last = text:find(closing_pattern, at + #opening)
    last = last or #text
    return first, last
  end
  while at <= #text do
    local start = text:find("[/\"']", at)
    if not start then break end
    out[#out + 1] = text:sub(at, start - 1)
    at = start
    local two, one = text:sub(at, at + 1), text:sub(at, at)
    local last
    if two == "/*" then
      _, last = skip("/*", "%*/")
      out[#out + 1] = blank(text:sub(at, last))
    elseif two == "//" then
      last = (text:find("\n", at, true) or #text + 1) - 1
      out[#out + 1] = blank(text:sub(at, last))
    elseif one == "/" then
      last = at
      out[#out + 1] = "/"
    else
      last = at + 1
      while last <= #text and text:sub(last, last) ~= one and text:sub(last, last) ~= "\n" do
        if text:sub(last, last) == "\\" then last = last + 1 end
        last = last + 1
      end
      out[#out + 1] = one .. blank(text:sub(at + 1, last - 1)) .. text:sub(last, last)
    end
    at = last + 1
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

-- Preprocessor lines, with those that continue them, as blanks.
local function without_directives(stripped)
  local lines, inside = source.lines(stripped), false
  for i, line in ipairs(lines) do
    if inside or line:find("^%s*#") then
      inside = line:sub(-1) == "\\"
      lines[i] = ""
    end
  end
  return lines
end

--- Functions of a stripped C text: {name, first, last}, lines of signature and closing brace.
function source.functions_c(stripped)
  local found, depth, head, head_line = {}, 0, "", nil
  for number, line in ipairs(without_directives(stripped)) do
    for c in line:gmatch(".") do
      if c == "{" then
        if depth == 0 then
          local name = head:match("([%w_]+)%s*%b()%s*[%w_%s]*$")
          local plain = not head:find("=", 1, true) and not head:find("^%s*typedef")
          found.open = name and plain and { name = name, first = head_line } or nil
          if found.open and head:find("%f[%w_]static%f[^%w_]") then found.open.static = true end
        end
        depth = depth + 1
      elseif c == "}" then
        depth = depth - 1
        if depth == 0 then
          if found.open then
            found.open.last = number
            found[#found + 1] = found.open
          end
          found.open, head, head_line = nil, "", nil
        end
      elseif depth == 0 then
        if c == ";" then
          head, head_line = "", nil
        else
          if not head_line and c:find("%S") then head_line = number end
          head = head .. c
        end
      end
    end
    if depth == 0 then head = head .. " " end
  end
  found.open = nil
  return found
end

--- Functions of a Lua text that stand on lines of their own, by their indentation.
function source.functions_lua(text)
  local lines, found = source.lines(text), {}
  for i, line in ipairs(lines) do
    local indent = line:match("^(%s*)local function ") or line:match("^(%s*)function ")
      or line:match("^(%s*)[%w_%.%[%]\"]+%s*=%s*function%s*%(")
    if indent and not line:find("%f[%w]end[%s,%)]*$") then
      for j = i + 1, #lines do
        if lines[j]:find("^" .. indent .. "end%f[^%w_]") then
          found[#found + 1] = { name = line:match("function%s+([%w_%.:]+)") or
            line:match("([%w_%.]+)%s*="), first = i, last = j }
          break
        end
      end
    end
  end
  return found
end

--- Calls `visit(name, line)` for every plain call in a stripped C text: not of a member.
function source.each_call(stripped, visit)
  local line, position = 1, 1
  for at, name in stripped:gmatch("()%f[%w_]([%a_][%w_]*)%s*%(") do
    local before = stripped:sub(math.max(1, at - 2), at - 1)
    if before:sub(-1) ~= "." and before ~= "->" then
      local _, ends = stripped:sub(position, at - 1):gsub("\n", "")
      line, position = line + ends, at
      visit(name, line)
    end
  end
end

return source
