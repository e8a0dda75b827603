-- One request again and again, MCP 2026-07-28. Arguments: API key, method, the
-- name or uri that Mcp-Name repeats, members of params as JSON; then, for a server
-- of 2025-11-25, its sessions separated by commas, which are asked in turn (empty
-- otherwise); then words that every answer must have (left out when measuring).
-- Headers are set at init: at load time wrk has no Host header yet.
local requests = {}
local next_one = 0
local threads = {}
bad = 0 -- answers without the words; read by done

local function modern(method, name, params)
  wrk.headers["MCP-Protocol-Version"] = "2026-07-28"
  wrk.headers["Mcp-Method"] = method
  wrk.headers["Mcp-Name"] = name
  requests[1] = wrk.format(nil, wrk.path, nil,
    '{"jsonrpc":"2.0","id":1,"method":"' .. method .. '","params":{' .. params ..
    ',"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",' ..
    '"io.modelcontextprotocol/clientCapabilities":{}}}}')
end

-- Requests that are under way in a session at once have different ids.
local function legacy(method, params, sessions)
  local ids = {}
  for id in sessions:gmatch("[^,]+") do ids[#ids + 1] = id end
  wrk.headers["MCP-Protocol-Version"] = "2025-11-25"
  for i = 1, #ids * 64 do
    wrk.headers["Mcp-Session-Id"] = ids[i % #ids + 1]
    requests[i] = wrk.format(nil, wrk.path, nil, '{"jsonrpc":"2.0","id":' .. i ..
      ',"method":"' .. method .. '","params":{' .. params .. '}}')
  end
end

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  local key, method, name, params, sessions, words = unpack(args, 1, 6)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Accept"] = "application/json, text/event-stream"
  if key ~= "" then wrk.headers["x-api-key"] = key end
  if sessions ~= "" then legacy(method, params, sessions) else modern(method, name, params) end
  if words then
    response = function(status, headers, body)
      if not body:find(words, 1, true) then bad = bad + 1 end
    end
  end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end

function done(summary, latency, requests)
  local e = summary.errors
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("bad") end
  io.write(string.format(
    'RESULT %d %d %d %d %d\n', summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout + wrong))
end
